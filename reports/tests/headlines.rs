//! The main questions, curves by number of cores, and how true emulated cores are.

mod synthetic;

use reports::judge;
use schema::{Cell, Headline, HeadlineKind, Law, ScalingCurve, Verdict, Verdicts, Workload};
use synthetic::{
    ELAPSED_NS, each_trial,
    emulated::{EVERY, Shown, emulated, linear},
    every_trial,
};

fn headline(verdicts: &Verdicts, kind: HeadlineKind) -> &Headline {
    let mut headlines = verdicts.headlines.iter();
    headlines.find(|headline| headline.kind == kind).unwrap()
}

fn curve<'a>(verdicts: &'a Verdicts, server: &str) -> &'a ScalingCurve {
    let mut curves = verdicts.scaling.iter();
    curves
        .find(|curve| curve.server == server && curve.workload == Workload::Hello)
        .unwrap()
}

fn near(value: f64, expected: f64, tolerance: f64) {
    assert!(
        (value - expected).abs() < tolerance,
        "{value}, not {expected}"
    );
}

/// Ten workers use less of what they are given.
fn idle(cell: &Cell, block: u32) -> Shown {
    let given = if cell.workers == 10 { 0.83 } else { 0.98 };
    Shown {
        given,
        ..linear(cell, block)
    }
}

/// A request costs more with every worker.
fn dear(cell: &Cell, block: u32) -> Shown {
    let linear = linear(cell, block);
    Shown {
        cost: linear.cost * (1.0 + 0.02 * f64::from(cell.workers - 1)),
        ..linear
    }
}

/// One worker pays more for a request than each of many.
fn dear_alone(cell: &Cell, block: u32) -> Shown {
    let linear = linear(cell, block);
    let alone = if cell.workers == 1 { 1.12 } else { 1.0 };
    Shown {
        cost: linear.cost * alone,
        ..linear
    }
}

#[test]
fn three_main_questions_are_answered_in_sentences_that_say_where() {
    let verdicts = judge(&emulated(&["headline"], 8, linear));
    let kinds: Vec<HeadlineKind> = verdicts.headlines.iter().map(|h| h.kind).collect();
    assert_eq!(
        kinds,
        [
            HeadlineKind::Processes,
            HeadlineKind::Threads,
            HeadlineKind::ProcessesOverThreads
        ]
    );
    let processes = headline(&verdicts, HeadlineKind::Processes);
    near(processes.throughput.ratio.point, 10.0, 0.1);
    near(processes.by_cpu_given.unwrap().point, 10.0, 0.1);
    near(processes.efficiency.unwrap().point, 1.0, 0.01);
    let sentence = &processes.throughput.sentence;
    for part in [
        "ten processes serve ",
        " times what one serves (95 % interval ",
        ", 8 blocks), on ten emulated cores: as good as linear (efficiency ",
    ] {
        assert!(sentence.contains(part), "{sentence}");
    }
    let over = headline(&verdicts, HeadlineKind::ProcessesOverThreads);
    assert_eq!(over.throughput.verdict, Verdict::Equivalent);
    assert_eq!(over.efficiency, None);
    assert!(
        over.throughput
            .sentence
            .contains("times what ten threads serve")
    );
}

#[test]
fn without_an_experiment_of_their_own_the_main_questions_are_answered_by_scaling() {
    let verdicts = judge(&emulated(&["scaling"], 3, linear));
    assert_eq!(verdicts.headlines.len(), 3);
    assert!(verdicts.headlines.iter().all(|h| h.workers == 10));
    let none = judge(&synthetic::typical(1));
    assert!(none.headlines.is_empty());
}

#[test]
fn less_than_linear_is_told_with_the_time_that_was_not_used() {
    let verdicts = judge(&emulated(&["headline"], 6, idle));
    let sentence = &headline(&verdicts, HeadlineKind::Threads)
        .throughput
        .sentence;
    for part in ["less than linear", "used only 83 %", "one worker used 98 %"] {
        assert!(sentence.contains(part), "{sentence}");
    }
}

#[test]
fn less_than_linear_is_told_with_what_a_request_cost_more() {
    let verdicts = judge(&emulated(&["headline"], 6, dear));
    let sentence = &headline(&verdicts, HeadlineKind::Processes)
        .throughput
        .sentence;
    for part in ["less than linear", "each request took 18 % more CPU time"] {
        assert!(sentence.contains(part), "{sentence}");
    }
}

#[test]
fn more_than_linear_is_told_with_what_the_one_worker_pays() {
    let verdicts = judge(&emulated(&["headline"], 6, dear_alone));
    let sentence = &headline(&verdicts, HeadlineKind::Processes)
        .throughput
        .sentence;
    for part in [
        "more than linear",
        "with one worker each request took 12 % more CPU time (5.60 µs, not 5.00 µs)",
    ] {
        assert!(sentence.contains(part), "{sentence}");
    }
}

#[test]
fn a_generator_that_was_the_limit_of_the_main_question_makes_the_run_invalid() {
    let mut run = emulated(&["headline"], 4, idle);
    assert!(judge(&run).valid);
    // Four cells share one CPU: none of them alone keeps it busy.
    every_trial(&mut run, |m| {
        m.load.generator_cpu.system_ns = ELAPSED_NS * 23 / 100;
    });
    let verdicts = judge(&run);
    assert!(!verdicts.valid);
    let caveat = &verdicts.caveats[0];
    for part in [
        "limit in the main question",
        "92 %",
        "83 %",
        "give the generator",
    ] {
        assert!(caveat.contains(part), "{caveat}");
    }
    let processes = headline(&verdicts, HeadlineKind::ProcessesOverThreads);
    assert_eq!(processes.throughput.verdict, Verdict::Undecided);
}

#[test]
fn a_busy_generator_before_servers_at_their_quota_was_not_the_limit() {
    let mut run = emulated(&["headline"], 4, linear);
    every_trial(&mut run, |m| {
        m.load.generator_cpu.system_ns = ELAPSED_NS * 23 / 100;
    });
    let verdicts = judge(&run);
    assert!(verdicts.valid, "{:#?}", verdicts.caveats);
    assert!(
        verdicts
            .caveats
            .iter()
            .all(|c| !c.contains("load generator used"))
    );
}

#[test]
fn a_curve_holds_every_number_of_workers_against_one() {
    let verdicts = judge(&emulated(&["scaling"], 5, dear));
    assert_eq!(verdicts.scaling.len(), 6);
    let curve = curve(&verdicts, "cluster");
    let workers: Vec<u32> = curve.points.iter().map(|point| point.workers).collect();
    assert_eq!(workers, [1, 2, 3, 4, 6, 8, 10]);
    near(curve.points[0].speedup.point, 1.0, 1e-12);
    let most = &curve.points[6];
    near(most.speedup.point, 10.0 / 1.18, 0.1);
    near(most.efficiency.point, 1.0 / 1.18, 0.01);
    near(most.speedup_by_cpu_given.point, 10.0 / 1.18, 0.1);
    near(most.cpu_ns_per_request.point, 5_900.0, 50.0);
    near(most.given_over_quota.unwrap().point, 0.99, 1e-6);
    let shortfall = curve.shortfall.as_ref().unwrap();
    for part in [
        "Ten workers of cluster serve 8.4",
        "15 % short of ten",
        "18 % more CPU time",
    ] {
        assert!(shortfall.contains(part), "{shortfall}");
    }
}

/// α = 0.03 and β = 0.002.
fn lawful(cell: &Cell, block: u32) -> Shown {
    let n = f64::from(cell.workers);
    let linear = linear(cell, block);
    Shown {
        cost: linear.cost * (1.0 + 0.03 * (n - 1.0) + 0.002 * n * (n - 1.0)),
        ..linear
    }
}

#[test]
fn the_law_behind_a_curve_is_found_with_its_peak() {
    let verdicts = judge(&emulated(&["scaling"], 8, lawful));
    let Law::Fitted {
        alpha,
        beta,
        gamma,
        r_squared,
        peak,
        refusal,
    } = &curve(&verdicts, "threads").law
    else {
        panic!("{:?}", verdicts.scaling[0].law);
    };
    near(alpha.point, 0.03, 0.01);
    near(beta.point, 0.002, 0.001);
    near(gamma.point, 7_920.0, 100.0);
    assert!(r_squared.unwrap() > 0.99);
    assert!(alpha.interval.is_some() && refusal.is_none());
    near(peak.unwrap().point, (0.97_f64 / 0.002).sqrt(), 5.0);
}

#[test]
fn a_peak_that_the_data_do_not_bear_is_refused() {
    let verdicts = judge(&emulated(&["scaling"], 5, linear));
    let Law::Fitted { peak, refusal, .. } = &curve(&verdicts, "cluster").law else {
        panic!("{:?}", verdicts.scaling[0].law);
    };
    assert_eq!(*peak, None);
    assert!(refusal.as_ref().unwrap().contains("no peak is quoted"));
}

#[test]
fn two_numbers_of_workers_have_no_law() {
    let mut run = emulated(&["scaling"], 3, linear);
    run.observations
        .retain(|o| o.cell.contains("-w1-") || o.cell.contains("-w2-"));
    let verdicts = judge(&run);
    assert!(matches!(verdicts.scaling[0].law, Law::NotFitted { .. }));
}

#[test]
fn a_curve_that_is_linear_falls_short_of_nothing() {
    let verdicts = judge(&emulated(&["scaling"], 3, linear));
    assert!(
        verdicts
            .scaling
            .iter()
            .all(|curve| curve.shortfall.is_none())
    );
}

#[test]
fn a_server_without_a_measured_worker_alone_has_no_curve() {
    let mut run = emulated(&["scaling"], 3, linear);
    run.observations
        .retain(|o| o.cell != "scaling-threads-w1-hello");
    let verdicts = judge(&run);
    assert_eq!(verdicts.scaling.len(), 5);
}

#[test]
fn latency_is_not_judged_where_cores_are_emulated() {
    let verdicts = judge(&emulated(&["scaling"], 1, linear));
    assert!(
        verdicts
            .comparisons
            .iter()
            .all(|c| c.metric != schema::Metric::P99)
    );
    assert!(
        verdicts
            .caveats
            .iter()
            .any(|c| c.contains("Cores are emulated"))
    );
    assert!(verdicts.caveats.iter().all(|c| !c.contains("closed loop")));
}

#[test]
fn fidelity_sets_emulated_cores_beside_real_ones() {
    let mut run = emulated(&["fidelity"], 5, linear);
    each_trial(&mut run, "fidelity-threads-w2-cpu200", |m| {
        m.slots[1].given_ns = m.slots[1].quota_ns * 9 / 10;
    });
    let verdicts = judge(&run);
    assert!(verdicts.comparisons.is_empty());
    let fidelity = verdicts.fidelity.unwrap();
    near(fidelity.given_over_quota.unwrap().point, 0.975, 1e-6);
    let (worst, given) = fidelity.worst.unwrap();
    assert_eq!(worst, "fidelity-threads-w2-cpu200");
    near(given, 0.945, 1e-6);
    near(fidelity.throttled_share.unwrap(), 1.0, 1e-12);
    assert_eq!(fidelity.against_real.len(), 4);
    let two = fidelity
        .against_real
        .iter()
        .find(|against| against.emulated == "fidelity-cluster-w2-cpu200")
        .unwrap();
    near(two.per_cpu.point, 1.0, 0.01);
    near(two.speedup_real.unwrap().point, 2.0, 0.02);
    near(two.speedup_emulated.unwrap().point, 2.0, 0.02);
    assert!(
        fidelity
            .cannot_show
            .iter()
            .all(|sentence| sentence.ends_with('.'))
    );
}

#[test]
fn a_run_on_real_cores_alone_has_no_fidelity() {
    assert_eq!(judge(&synthetic::typical(1)).fidelity, None);
}

#[test]
fn every_experiment_at_once_is_judged_and_valid() {
    let verdicts = judge(&emulated(&EVERY, 1, linear));
    assert!(verdicts.valid, "{:#?}", verdicts.caveats);
    assert_eq!(verdicts.estimates.len(), 4 + 42 + 8);
}
