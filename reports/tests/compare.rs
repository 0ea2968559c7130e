//! B over A: two runs of what was measured alike, and one run of two servers measured in turns.

mod synthetic;

use reports::{
    Run, compare_blocks, compare_markdown, compare_runs, compare_text, gate, throughput_in_turns,
};
use schema::{CompareReport, Compared, Measured, Metric, Outcome, SCHEMA_VERSION, Verdict};
use synthetic::{
    alone, cell, each_trial,
    emulated::{Shown, emulated, linear},
    every_trial, experiment, failure, machine, measured, measured_of, observation, plan_of,
    replace, run_of, typical,
};

fn compare(a: &Run, b: &Run) -> CompareReport {
    compare_runs(("runs/a", a), ("runs/b", b))
}

/// What a report says of a cell in a metric.
fn of<'a>(report: &'a CompareReport, name: Option<&str>, metric: Metric) -> &'a Compared {
    let found = report
        .compared
        .iter()
        .find(|compared| compared.cell.as_deref() == name && compared.comparison.metric == metric);
    found.unwrap_or_else(|| panic!("{name:?} is not compared: {report:?}"))
}

fn verdict(report: &CompareReport, name: Option<&str>, metric: Metric) -> Verdict {
    of(report, name, metric).comparison.verdict
}

/// A trial of a server that is slower by a factor.
fn slower(measured: &mut Measured, factor: f64) {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "synthetic figures are small and positive"
    )]
    let times = |value: u64, factor: f64| (value as f64 * factor).round() as u64;
    let load = &mut measured.load;
    let lost = load.completed - times(load.completed, 1.0 / factor);
    load.completed -= lost;
    load.offered -= lost;
    for latency in [&mut load.response, &mut load.service]
        .into_iter()
        .flatten()
    {
        latency.mean_ns *= factor;
        latency.p99_ns = times(latency.p99_ns, factor);
    }
}

#[test]
fn a_run_beside_itself_is_equivalent_in_everything() {
    let run = typical(6);
    let report = compare(&run, &run);
    assert!(report.valid);
    assert_eq!(report.compared.len(), 7 * 3);
    for compared in &report.compared {
        assert_eq!(
            compared.comparison.verdict,
            Verdict::Equivalent,
            "{compared:?}"
        );
        assert_eq!((compared.trials, compared.comparison.blocks), ((6, 6), 0));
    }
    assert!(gate(&report, 0.01).passed);
}

#[test]
fn a_slower_cell_is_worse_in_what_it_lost_and_the_others_are_not() {
    let (a, mut b) = (typical(6), typical(6));
    each_trial(&mut b, "cluster-w2-hello", |measured| {
        slower(measured, 1.25);
    });
    let report = compare(&a, &b);
    let seen = |metric| verdict(&report, Some("cluster-w2-hello"), metric);
    assert_eq!(seen(Metric::Throughput), Verdict::Worse);
    assert_eq!(seen(Metric::P99), Verdict::Worse);
    // The same CPU time, for fewer requests.
    assert_eq!(seen(Metric::CpuPerRequest), Verdict::Worse);
    assert_eq!(
        verdict(&report, Some("threads-w2-hello"), Metric::Throughput),
        Verdict::Equivalent
    );
    let compared = of(&report, Some("cluster-w2-hello"), Metric::Throughput);
    assert!((compared.comparison.ratio.point - 0.8).abs() < 0.01);
    let sentence = &compared.comparison.sentence;
    assert!(
        sentence.starts_with("cluster-w2-hello: throughput of B is 0.8")
            && sentence.contains("6 and 6 trials")
            && sentence.ends_with("worse."),
        "{sentence}"
    );
}

#[test]
fn the_gate_fails_what_is_worse_by_more_than_the_limit_and_surely_so() {
    let (a, mut b) = (typical(6), typical(6));
    each_trial(&mut b, "cluster-w2-hello", |measured| {
        slower(measured, 1.10);
    });
    let report = compare(&a, &b);
    let strict = gate(&report, 0.05);
    assert!(!strict.passed);
    assert_eq!(strict.failed.len(), 3, "{strict:?}");
    assert!(
        strict
            .failed
            .iter()
            .all(|sentence| sentence.starts_with("cluster-w2-hello: "))
    );
    assert!(gate(&report, 0.15).passed);
    // Better by as much fails nothing.
    assert!(gate(&compare(&b, &a), 0.05).passed);
}

#[test]
fn what_is_worse_only_perhaps_passes() {
    let (a, mut b) = (typical(6), typical(6));
    for observation in b
        .observations
        .iter_mut()
        .filter(|o| o.cell == "cluster-w2-hello")
    {
        let factor = if observation.block % 2 == 0 { 1.0 } else { 1.6 };
        slower(measured_of(observation), factor);
    }
    let report = compare(&a, &b);
    let ratio = of(&report, Some("cluster-w2-hello"), Metric::Throughput)
        .comparison
        .ratio;
    assert!(
        ratio.point < 0.85 && ratio.interval.unwrap().1 > 1.0,
        "{ratio:?}"
    );
    assert!(gate(&report, 0.05).passed);
}

#[test]
fn too_few_trials_pass_and_are_told_to_be_untold() {
    let (a, mut b) = (typical(2), typical(2));
    every_trial(&mut b, |measured| slower(measured, 2.0));
    let report = compare(&a, &b);
    let gate = gate(&report, 0.05);
    assert!(gate.passed);
    assert_eq!(gate.untold.len(), report.compared.len());
    assert!(
        gate.untold[0].contains("too few for an interval"),
        "{gate:?}"
    );
}

#[test]
fn a_verdict_that_the_load_generator_made_is_withheld_and_not_gated() {
    let (mut a, mut b) = (typical(6), typical(6));
    let id = "cluster-w2-hello";
    each_trial(&mut b, id, |measured| slower(measured, 1.25));
    for run in [&mut a, &mut b] {
        each_trial(run, id, |measured| {
            measured.load.generator_cpu.system_ns = 950_000_000;
            measured.server.cpu.system_ns = 100_000_000;
        });
    }
    let report = compare(&a, &b);
    let compared = of(&report, Some("cluster-w2-hello"), Metric::Throughput);
    assert!(compared.withheld);
    assert_eq!(compared.comparison.verdict, Verdict::Undecided);
    let gate = gate(&report, 0.05);
    assert!(
        gate.untold.contains(&compared.comparison.sentence),
        "{gate:?}"
    );
    assert!(
        !gate.failed.contains(&compared.comparison.sentence),
        "{gate:?}"
    );
}

#[test]
fn cells_of_one_run_alone_are_told() {
    let a = run_of(vec![cell("single", 1), cell("cluster", 2)], 6);
    let b = run_of(vec![cell("cluster", 2), cell("threads", 2)], 6);
    let report = compare(&a, &b);
    assert_eq!(report.only_in_a, ["single-w1-hello"]);
    assert_eq!(report.only_in_b, ["threads-w2-hello"]);
    assert_eq!(report.compared.len(), 3);
    let text = compare_text(&report);
    assert!(text.contains("only in A: single-w1-hello"), "{text}");
}

#[test]
fn cells_that_ask_another_question_under_the_same_name_are_not_compared() {
    let (a, mut b) = (typical(6), typical(6));
    b.plan.cells[1].connections = 128;
    let report = compare(&a, &b);
    assert!(
        !report
            .compared
            .iter()
            .any(|c| c.cell.as_deref() == Some("cluster-w1-hello"))
    );
    let told = "cluster-w1-hello is not the same in both (connections 64 and 128)";
    assert!(
        report.caveats.iter().any(|caveat| caveat.starts_with(told)),
        "{report:?}"
    );
}

#[test]
fn another_quota_is_another_question() {
    let (a, mut b) = (
        emulated(&["headline"], 6, linear),
        emulated(&["headline"], 6, linear),
    );
    b.plan.experiments[0].sets[0]
        .slots
        .as_mut()
        .unwrap()
        .quota_ns = 5_000_000;
    assert_eq!(compare(&a, &b).compared, []);
}

#[test]
fn emulated_cores_are_named_and_their_latency_is_not_compared() {
    let dearer = |cell: &schema::Cell, block: u32| Shown {
        cost: linear(cell, block).cost * 1.2,
        ..linear(cell, block)
    };
    let (a, b) = (
        emulated(&["headline"], 6, linear),
        emulated(&["headline"], 6, dearer),
    );
    let report = compare(&a, &b);
    assert_eq!(report.compared.len(), 4 * 2);
    let name = "headline-cluster-w10-hello (emulated cores)";
    assert_eq!(
        verdict(&report, Some(name), Metric::CpuPerRequest),
        Verdict::Worse
    );
    assert!(
        !report
            .compared
            .iter()
            .any(|c| c.comparison.metric == Metric::P99)
    );
}

#[test]
fn that_runs_are_of_different_times_is_always_told_and_of_different_places_where_so() {
    let (a, mut b) = (typical(6), typical(6));
    let caveats = compare(&a, &b).caveats;
    assert!(caveats[0].contains("at different times") && caveats[0].contains("false alarms"));
    assert!(
        !caveats.iter().any(|caveat| caveat.contains("same machine")),
        "{caveats:?}"
    );
    b.machine.kernel = "6.2.0".to_owned();
    b.plan.preset = schema::Preset::Smoke;
    b.plan.seed = 7;
    let caveats = compare(&a, &b).caveats.join("\n");
    for told in [
        "kernel 6.1.0 and 6.2.0",
        "preset quick, B with smoke",
        "seed 42 in A and from 7",
    ] {
        assert!(caveats.contains(told), "{caveats}");
    }
}

#[test]
fn an_invalid_run_makes_the_comparison_invalid_and_says_why() {
    let (a, mut b) = (typical(6), typical(6));
    replace(&mut b, "threads", &failure("it did not start", ""));
    let report = compare(&a, &b);
    assert!(!report.valid);
    assert!(
        report.caveats[0].starts_with("B breaks a rule of measurement: "),
        "{report:?}"
    );
    assert!(compare_markdown(&report).contains("**Do not quote this**"));
}

/// A run of two servers in turns, B slower by a factor, while the machine slows down all the time.
fn in_turns(blocks: u32, factor: f64) -> Run {
    let named = |id: &str| {
        let mut cell = cell("single", 1);
        id.clone_into(&mut cell.id);
        cell.server = id.to_uppercase();
        "compare".clone_into(&mut cell.experiment);
        cell.path = Some("/".to_owned());
        cell
    };
    let sets = vec![alone(0), alone(1)];
    let mut plan = plan_of(
        vec![named("a"), named("b")],
        vec![experiment("compare", sets, 2 * blocks)],
    );
    for (number, order) in plan.experiments[0].blocks.iter_mut().enumerate() {
        *order = if number % 2 == 0 {
            vec![0, 1]
        } else {
            vec![1, 0]
        };
    }
    let mut observations = Vec::new();
    for (block, order) in plan.experiments[0].blocks.iter().enumerate() {
        for &index in order {
            let drift = 0.97_f64.powi(i32::try_from(observations.len()).unwrap());
            let mut measured = measured(&plan.cells[index], 100_000.0 * drift, 9_000.0);
            if index == 1 {
                slower(&mut measured, factor);
            }
            let outcome = Outcome::Measured(Box::new(measured));
            let block = u32::try_from(block).unwrap();
            observations.push(observation(&plan.cells[index], block, outcome));
        }
    }
    Run {
        plan,
        machine: machine(),
        observations,
        stops: Vec::new(),
        calibration: None,
        primitives: None,
        primitives_page: false,
        cut_off: false,
    }
}

#[test]
fn a_drift_in_a_straight_line_falls_out_of_blocks_of_four() {
    let run = in_turns(6, 1.0);
    let (ratio, blocks) = throughput_in_turns(&run).unwrap();
    assert_eq!(blocks, 6);
    assert!((ratio.point - 1.0).abs() < 1e-4, "{ratio:?}");
    let (low, high) = ratio.interval.unwrap();
    assert!(high - low < 1e-3, "{ratio:?}");
}

#[test]
fn a_slower_server_is_worse_in_turns_and_fails_the_gate() {
    let mut report = compare_blocks(&in_turns(6, 1.2), "old --port 0", "new | --port 0");
    assert_eq!(report.schema_version, SCHEMA_VERSION);
    assert_eq!(verdict(&report, None, Metric::Throughput), Verdict::Worse);
    assert_eq!(verdict(&report, None, Metric::P99), Verdict::Worse);
    let throughput = of(&report, None, Metric::Throughput);
    assert_eq!(
        (throughput.trials, throughput.comparison.blocks),
        ((12, 12), 6)
    );
    report.gate = Some(gate(&report, 0.05));
    let text = compare_text(&report);
    assert!(
        text.contains("B does not pass") && text.contains("✕ worse"),
        "{text}"
    );
    let markdown = compare_markdown(&report);
    assert!(markdown.contains("- B: new \\| --port 0\n"), "{markdown}");
}

#[test]
fn a_block_of_four_that_is_not_whole_is_left_out() {
    let mut run = in_turns(6, 1.0);
    run.observations.pop();
    assert_eq!(throughput_in_turns(&run).unwrap().1, 5);
    run.observations.truncate(3);
    assert_eq!(throughput_in_turns(&run), None);
}

#[test]
fn a_comparison_comes_back_from_json_as_it_was() {
    let mut report = compare_blocks(&in_turns(6, 1.2), "a", "b");
    report.gate = Some(gate(&report, 0.05));
    let text = serde_json::to_string(&report).unwrap();
    assert_eq!(
        serde_json::from_str::<CompareReport>(&text).unwrap(),
        report
    );
}

#[test]
fn command_lines_cannot_steer_a_terminal() {
    let report = compare_blocks(&in_turns(3, 1.0), "a\u{1b}[2J", "b");
    assert!(!compare_text(&report).contains('\u{1b}'));
}
