//! How true emulated cores are to real ones.

use schema::{Estimate, Verdicts};

use super::{Head, Part, Section, Table, joined};
use crate::{
    Run,
    figures::{ratio, ratio_interval, small_percent},
    groups::in_words,
};

const HEADS: &[Head] = &[
    Head::Words("Server"),
    Head::Number("Cores"),
    Head::Number("Requests per CPU second, emulated over real"),
    Head::Number("Speed-up, emulated cores"),
    Head::Number("Speed-up, real cores"),
];

pub(in crate::pages) fn fidelity(run: &Run, verdicts: &Verdicts) -> Option<Section> {
    let fidelity = verdicts.fidelity.as_ref()?;
    let mut sentences = vec![
        "An emulated core is a share of a CPU that one worker has to itself: the kernel stops the worker when its share of a period is used up, and lets it run again in the next.".to_owned(),
    ];
    if let Some(given) = &fidelity.given_over_quota {
        let worst = fidelity.worst.as_ref().map(|(cell, share)| {
            let name = run.cell(cell).map_or_else(|| cell.clone(), in_words);
            format!("; furthest off was {name}, with {share:.3}")
        });
        sentences.push(format!(
            "Workers that used up their share were given {} times what it says{}{}.",
            ratio(given),
            ratio_interval(given)
                .map(|interval| format!(" (95 % interval {interval})"))
                .unwrap_or_default(),
            worst.unwrap_or_default()
        ));
    }
    if let Some(share) = fidelity.throttled_share {
        sentences.push(format!(
            "The share was used up in {} of all periods.",
            small_percent(share)
        ));
    }
    let mut parts = vec![Part::Text(joined(&sentences))];
    if fidelity.against_real.is_empty() {
        parts.push(Part::Aside(
            "Emulated cores were not set beside real ones in this run.".to_owned(),
        ));
    } else {
        let figure = |estimate: &Estimate| match ratio_interval(estimate) {
            Some(interval) => format!("{} ({interval})", ratio(estimate)),
            None => ratio(estimate),
        };
        let speedup =
            |estimate: &Option<Estimate>| estimate.as_ref().map_or_else(|| "–".to_owned(), figure);
        let rows = fidelity.against_real.iter().map(|against| {
            let cell = run.cell(&against.emulated);
            vec![
                cell.map_or_else(|| against.emulated.clone(), |cell| cell.server.clone()),
                against.workers.to_string(),
                figure(&against.per_cpu),
                speedup(&against.speedup_emulated),
                speedup(&against.speedup_real),
            ]
        });
        parts.push(Part::Table(Table {
            heads: HEADS,
            rows: rows.collect(),
        }));
    }
    parts.push(Part::Aside("What emulated cores cannot show:".to_owned()));
    parts.push(Part::List(fidelity.cannot_show.clone()));
    Some(Section {
        id: "fidelity",
        title: "How true emulated cores are",
        parts,
    })
}
