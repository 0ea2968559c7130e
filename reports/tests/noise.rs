//! Trials that were disturbed: which attempt is judged, and what is said of it.

mod synthetic;

use reports::{Run, judge};
use schema::{Mark, MarkKind};
use synthetic::{
    ELAPSED_NS,
    emulated::{emulated, linear},
    every_trial, measured_of,
};

fn mark(kind: MarkKind) -> Mark {
    Mark {
        kind,
        figure: 0.08,
        limit: 0.03,
    }
}

/// Block 0 once more, with the first attempt marked in one cell and so much slower in all.
fn repeated(mut run: Run) -> Run {
    let mut again = Vec::new();
    for observation in run.observations.iter_mut().filter(|o| o.block == 0) {
        let mut second = observation.clone();
        second.attempt = 1;
        again.push(second);
        measured_of(observation).load.completed /= 2;
        measured_of(observation).load.offered = 0;
    }
    measured_of(&mut run.observations[0])
        .noise
        .marks
        .push(mark(MarkKind::ForeignCpu));
    run.observations.extend(again);
    run
}

#[test]
fn a_set_with_a_marked_trial_is_judged_by_its_second_attempt() {
    let plain = judge(&emulated(&["headline"], 3, linear));
    let verdicts = judge(&repeated(emulated(&["headline"], 3, linear)));
    assert_eq!(verdicts.estimates, plain.estimates);
    assert_eq!(verdicts.headlines, plain.headlines);
    let caveat = verdicts
        .caveats
        .iter()
        .find(|c| c.contains("marked"))
        .unwrap();
    for part in [
        "1 of 12 trials was marked, because other programs used the server's CPUs (1 trial)",
        "none was marked again",
    ] {
        assert!(caveat.contains(part), "{caveat}");
    }
}

#[test]
fn where_both_attempts_are_marked_the_last_is_used_and_told() {
    let mut run = repeated(emulated(&["headline"], 3, linear));
    for observation in run
        .observations
        .iter_mut()
        .filter(|o| o.attempt == 1)
        .take(2)
    {
        let noise = &mut measured_of(observation).noise;
        noise.marks = vec![mark(MarkKind::Stolen), mark(MarkKind::ForeignCpu)];
    }
    let verdicts = judge(&run);
    let plain = judge(&emulated(&["headline"], 3, linear));
    assert_eq!(verdicts.estimates, plain.estimates);
    let caveat = verdicts
        .caveats
        .iter()
        .find(|c| c.contains("marked"))
        .unwrap();
    assert!(
        caveat.contains("2 were marked again and are used"),
        "{caveat}"
    );
    assert!(
        caveat.contains("a hypervisor took the server's CPUs (2 trials)"),
        "{caveat}"
    );
}

#[test]
fn a_hog_beside_the_servers_is_told() {
    let mut run = emulated(&["headline"], 2, linear);
    every_trial(&mut run, |m| {
        m.noise.foreign_ns = Some(ELAPSED_NS / 20);
        m.noise.stolen_ns = Some(ELAPSED_NS / 50);
    });
    let caveats = judge(&run).caveats;
    assert!(
        caveats
            .iter()
            .any(|c| c.contains("Other programs used up to 5 %"))
    );
    assert!(
        caveats
            .iter()
            .any(|c| c.contains("took up to 2 % of the servers' CPU time"))
    );
}
