//! What the book concludes from its table, held against the table of today.

use schema::{Conclusion, Estimate, Metric, Stands, Verdict};

use super::{
    comparisons::{Told, told},
    sentences::evidence,
    stevens::Designs,
};
use crate::figures::{interval, ratio, ratio_interval, significant};

/// A pool is said to cut process-control CPU time by at least this.
const POOL_CUTS: f64 = 10.0;

/// In the order in which they are told.
pub(super) fn conclusions(designs: &Designs<'_, '_>, now: &[u8], book: &[u8]) -> Vec<Conclusion> {
    let mut conclusions = vec![pool_cuts(designs)];
    let claims = [
        (
            5,
            2,
            "letting every process of a pool call accept is simpler and takes less CPU time than passing descriptors to them",
            "passing descriptors to a pool of processes takes {} times the CPU time of letting all call accept",
        ),
        (
            8,
            7,
            "letting every thread of a pool call accept takes less CPU time than having the main thread accept for them",
            "a pool of threads whose main thread accepts takes {} times the CPU time of one where all call accept",
        ),
        (
            1,
            6,
            "a thread for each connection takes less CPU time than a process for each",
            "a process for each connection takes {} times the CPU time of a thread for each",
        ),
    ];
    conclusions.extend(claims.into_iter().map(|(dearer, cheaper, claim, finding)| {
        dearer_than(designs, (dearer, cheaper), claim, finding)
    }));
    conclusions.extend(same_order(now, book));
    conclusions
}

fn pool_cuts(designs: &Designs<'_, '_>) -> Conclusion {
    let claim = "a pool made beforehand cuts process-control CPU time by a factor of ten or more against a process for each connection";
    let measured = designs.control_ratio(1, 2);
    let beyond = designs.control_beyond(1, POOL_CUTS, 2);
    let (stands, finding) = match (&measured, &beyond) {
        (Some(ratio), _) => (
            stands(ratio.interval, POOL_CUTS),
            format!(
                "a process for each connection takes {} times the process-control CPU time of a pool where all call accept{}",
                self::ratio(ratio),
                in_brackets(ratio_interval(ratio))
            ),
        ),
        (None, Some(beyond)) => (
            stands(beyond.interval, 0.0),
            format!(
                "the pool takes hardly more CPU time than the iterative server, so there is no ratio; a process for each connection takes {} s more than ten times as much{}",
                seconds(beyond.point),
                in_brackets(interval(beyond, seconds))
            ),
        ),
        (None, None) => (
            Stands::Open,
            "nothing was measured that could tell".to_owned(),
        ),
    };
    conclusion(claim, measured, stands, &finding)
}

/// One design takes more CPU time for a connection than another.
fn dearer_than(
    designs: &Designs<'_, '_>,
    (dearer, cheaper): (u8, u8),
    claim: &str,
    finding: &str,
) -> Conclusion {
    let told: Option<Told> = designs
        .pair(dearer, cheaper)
        .and_then(|pair| told(designs.measurements, pair, Metric::CpuPerRequest, None));
    let Some(Told { comparison, .. }) = told else {
        let finding = "nothing was measured that could tell";
        return conclusion(claim, None, Stands::Open, finding);
    };
    let stands = match comparison.verdict {
        Verdict::Worse => Stands::Yes,
        Verdict::Better | Verdict::Equivalent => Stands::No,
        Verdict::Undecided => Stands::Open,
    };
    let finding = format!(
        "{} ({})",
        finding.replace("{}", &ratio(&comparison.ratio)),
        evidence(&comparison)
    );
    conclusion(claim, Some(comparison.ratio), stands, &finding)
}

/// Pairs of designs that stand as they do in the book. Figures apart by chance alone may have changed
/// places, so that this stays open unless all or none do.
fn same_order(now: &[u8], book: &[u8]) -> Option<Conclusion> {
    let place = |number: &u8| now.iter().position(|other| other == number);
    let places: Vec<usize> = book.iter().filter_map(place).collect();
    let pairs = places.len() * places.len().saturating_sub(1) / 2;
    let kept = (0..places.len())
        .flat_map(|i| (i + 1..places.len()).map(move |j| (i, j)))
        .filter(|&(i, j)| places[i] < places[j])
        .count();
    let listed = |order: &[u8]| {
        order
            .iter()
            .map(u8::to_string)
            .collect::<Vec<_>>()
            .join(", ")
    };
    (pairs > 0).then(|| {
        let stands = match kept {
            all if all == pairs => Stands::Yes,
            0 => Stands::No,
            _ => Stands::Open,
        };
        let outcome = match stands {
            Stands::Yes => "has not changed",
            Stands::No => "is turned round",
            Stands::Open => "has changed in part",
        };
        let claim = "the order of the designs".to_owned();
        Conclusion {
            sentence: format!(
                "{claim} {outcome}: by process-control CPU time, least first, they now stand {} (in the book, as remembered, {}), and {kept} of {pairs} pairs stand as they did.",
                listed(now),
                listed(book)
            ),
            claim,
            ratio: None,
            stands,
        }
    })
}

fn conclusion(claim: &str, ratio: Option<Estimate>, stands: Stands, finding: &str) -> Conclusion {
    let outcome = match stands {
        Stands::Yes => "it stands",
        Stands::No => "it stands no more",
        Stands::Open => "it stays open",
    };
    Conclusion {
        claim: claim.to_owned(),
        ratio,
        stands,
        sentence: format!("{claim}: {outcome}, as {finding}."),
    }
}

fn stands(interval: Option<(f64, f64)>, least: f64) -> Stands {
    match interval {
        Some((low, _)) if low >= least => Stands::Yes,
        Some((_, high)) if high < least => Stands::No,
        _ => Stands::Open,
    }
}

fn in_brackets(interval: Option<String>) -> String {
    interval.map_or_else(
        || ", too few blocks for an interval".to_owned(),
        |interval| format!(" (95 % interval {interval})"),
    )
}

fn seconds(value: f64) -> String {
    significant(value, 3)
}
