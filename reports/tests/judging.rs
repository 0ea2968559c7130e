//! What the judge compares, and which verdicts come of it.

mod synthetic;

use reports::{Run, judge};
use schema::{Accept, Comparison, Metric, Verdict, Verdicts, Workload};
use synthetic::{cell, each_trial, run_of, typical};

fn find<'a>(
    verdicts: &'a Verdicts,
    subject: &str,
    reference: &str,
    metric: Metric,
) -> Option<&'a Comparison> {
    verdicts
        .comparisons
        .iter()
        .find(|c| (&*c.subject, &*c.reference, c.metric) == (subject, reference, metric))
}

/// Two cells of so many blocks, the subject serving so many times what the reference serves.
fn at_ratio(ratio: f64, blocks: u32) -> Run {
    let mut run = run_of(vec![cell("threads", 2), cell("cluster", 2)], blocks);
    let cluster = cell("cluster", 2);
    let threads = cell("threads", 2);
    for observation in &mut run.observations {
        let wobble = 1.0 + 0.001 * f64::from(observation.block % 3);
        let (cell, per_s) = if observation.cell == cluster.id {
            (&cluster, 100_000.0 * ratio * wobble)
        } else {
            (&threads, 100_000.0)
        };
        *synthetic::measured_of(observation) = synthetic::measured(cell, per_s, 5_000.0);
    }
    run
}

fn headline(run: &Run, metric: Metric) -> Comparison {
    let verdicts = judge(run);
    find(&verdicts, "cluster-w2-hello", "threads-w2-hello", metric)
        .unwrap()
        .clone()
}

#[test]
fn processes_are_compared_with_threads_at_each_common_number_of_workers() {
    let verdicts = judge(&typical(1));
    for workers in [1, 2] {
        for metric in [Metric::Throughput, Metric::CpuPerRequest, Metric::P99] {
            let subject = format!("cluster-w{workers}-hello");
            let reference = format!("threads-w{workers}-hello");
            assert!(find(&verdicts, &subject, &reference, metric).is_some());
        }
    }
    assert!(
        find(
            &verdicts,
            "cluster-w2-hello",
            "threads-w1-hello",
            Metric::Throughput
        )
        .is_none()
    );
}

#[test]
fn many_workers_are_compared_with_one_and_with_the_single_server() {
    let verdicts = judge(&typical(1));
    for server in ["cluster", "threads"] {
        let many = format!("{server}-w2-hello");
        let one = format!("{server}-w1-hello");
        assert!(find(&verdicts, &many, &one, Metric::Throughput).is_some());
        assert!(find(&verdicts, &many, "single-w1-hello", Metric::Throughput).is_some());
        assert!(find(&verdicts, &one, "single-w1-hello", Metric::CpuPerRequest).is_some());
    }
}

#[test]
fn guests_are_compared_with_the_server_of_ours_that_plays_their_part() {
    let verdicts = judge(&typical(1));
    assert!(
        find(
            &verdicts,
            "node-single-w1-hello",
            "single-w1-hello",
            Metric::Throughput
        )
        .is_some()
    );
    assert!(
        find(
            &verdicts,
            "node-cluster-w2-hello",
            "cluster-w2-hello",
            Metric::P99
        )
        .is_some()
    );
}

#[test]
fn a_guest_without_an_equal_is_compared_with_the_nearest() {
    let cells = vec![
        cell("cluster", 2),
        cell("cluster", 8),
        cell("node-cluster", 6),
    ];
    let verdicts = judge(&run_of(cells, 1));
    assert!(
        find(
            &verdicts,
            "node-cluster-w6-hello",
            "cluster-w8-hello",
            Metric::Throughput
        )
        .is_some()
    );
    assert!(
        find(
            &verdicts,
            "node-cluster-w6-hello",
            "cluster-w2-hello",
            Metric::Throughput
        )
        .is_none()
    );
}

#[test]
fn where_a_twin_differs_in_the_worker_alone_only_that_one_is_compared() {
    let mut reuseport = cell("cluster", 2);
    reuseport.id = "cluster-reuseport-w2-hello".to_owned();
    reuseport.model.accept = Accept::Reuseport;
    let mut twin = cell("threads", 2);
    twin.id = "threads-reuseport-w2-hello".to_owned();
    twin.model.accept = Accept::Reuseport;
    let (cluster, threads) = (reuseport.id.clone(), twin.id.clone());
    let verdicts = judge(&run_of(vec![reuseport, twin, cell("threads", 2)], 1));
    assert!(find(&verdicts, &cluster, &threads, Metric::Throughput).is_some());
    assert!(find(&verdicts, &cluster, "threads-w2-hello", Metric::Throughput).is_none());
}

#[test]
fn cells_of_different_workloads_are_never_compared() {
    let mut other = cell("threads", 2);
    other.id = "threads-w2-cpu200".to_owned();
    other.workload = Workload::Cpu { us: 200 };
    let verdicts = judge(&run_of(vec![cell("cluster", 2), other], 1));
    assert!(verdicts.comparisons.is_empty());
}

#[test]
fn with_several_workloads_each_sentence_says_which_it_is_of() {
    let mut cells = vec![cell("cluster", 2), cell("threads", 2)];
    for server in ["cluster", "threads"] {
        let mut other = cell(server, 2);
        other.id = format!("{server}-w2-cpu200");
        other.workload = Workload::Cpu { us: 200 };
        cells.push(other);
    }
    let verdicts = judge(&run_of(cells, 1));
    let other = find(
        &verdicts,
        "cluster-w2-cpu200",
        "threads-w2-cpu200",
        Metric::Throughput,
    )
    .unwrap();
    assert!(other.sentence.contains("/cpu?us=200"), "{}", other.sentence);
}

#[test]
fn a_ratio_far_from_one_decides_and_a_small_one_is_equivalent() {
    for (ratio, expected) in [
        (1.10, Verdict::Better),
        (0.90, Verdict::Worse),
        (1.01, Verdict::Equivalent),
    ] {
        let comparison = headline(&at_ratio(ratio, 6), Metric::Throughput);
        assert_eq!(comparison.verdict, expected, "{}", comparison.sentence);
        assert_eq!(comparison.blocks, 6);
    }
}

#[test]
fn less_cpu_per_request_is_better() {
    let mut run = at_ratio(1.0, 6);
    each_trial(&mut run, "cluster-w2-hello", |m| {
        m.server.cpu.system_ns /= 2;
    });
    let comparison = headline(&run, Metric::CpuPerRequest);
    assert_eq!(
        comparison.verdict,
        Verdict::Better,
        "{}",
        comparison.sentence
    );
}

#[test]
fn a_tail_has_a_wider_margin_than_throughput() {
    let mut run = at_ratio(1.0, 6);
    each_trial(&mut run, "cluster-w2-hello", |m| {
        let latency = m.load.response.as_mut().unwrap();
        latency.p99_ns = latency.p99_ns * 104 / 100;
    });
    let comparison = headline(&run, Metric::P99);
    assert_eq!(
        comparison.verdict,
        Verdict::Equivalent,
        "{}",
        comparison.sentence
    );
}

#[test]
fn few_blocks_decide_nothing_and_the_sentence_says_so() {
    let comparison = headline(&at_ratio(1.5, 2), Metric::Throughput);
    assert_eq!(comparison.verdict, Verdict::Undecided);
    assert_eq!(comparison.ratio.interval, None);
    assert!(
        comparison.sentence.contains("2 blocks, too few"),
        "{}",
        comparison.sentence
    );
}

#[test]
fn sentences_carry_the_figures() {
    let sentence = headline(&at_ratio(1.10, 6), Metric::Throughput).sentence;
    for part in [
        "cluster with 2 workers serves 1.101 times what threads with 2 workers serve",
        "95 % interval",
        "6 blocks",
        "better",
    ] {
        assert!(sentence.contains(part), "{sentence}");
    }
}

#[test]
fn only_blocks_in_which_both_were_measured_are_paired() {
    let mut run = at_ratio(1.1, 6);
    run.observations
        .retain(|o| !(o.cell == "threads-w2-hello" && o.block < 2));
    assert_eq!(headline(&run, Metric::Throughput).blocks, 4);
}

#[test]
fn two_servers_that_the_generator_holds_back_are_not_called_equivalent() {
    let mut run = at_ratio(1.0, 6);
    synthetic::every_trial(&mut run, |m| {
        m.load.generator_cpu.user_ns = 0;
        m.load.generator_cpu.system_ns = synthetic::ELAPSED_NS * 97 / 100;
    });
    synthetic::serve_on(&mut run, &[0, 2]);
    let comparison = headline(&run, Metric::Throughput);
    assert_eq!(comparison.verdict, Verdict::Undecided);
    assert!(
        comparison.sentence.contains("load generator was the limit"),
        "{}",
        comparison.sentence
    );
    let cpu = headline(&run, Metric::CpuPerRequest);
    assert_eq!(cpu.verdict, Verdict::Equivalent, "{}", cpu.sentence);
}

#[test]
fn a_winner_that_alone_was_held_back_stays_the_winner() {
    let mut run = at_ratio(1.5, 6);
    synthetic::serve_on(&mut run, &[0, 2]);
    each_trial(&mut run, "cluster-w2-hello", |m| {
        m.load.generator_cpu.system_ns = synthetic::ELAPSED_NS * 97 / 100;
    });
    let comparison = headline(&run, Metric::Throughput);
    assert_eq!(comparison.verdict, Verdict::Better);
    assert!(
        comparison.sentence.contains("better by at least this"),
        "{}",
        comparison.sentence
    );
}

#[test]
fn a_cell_without_a_measured_trial_has_no_row() {
    let mut run = typical(2);
    synthetic::replace(&mut run, "node-single", &synthetic::not_found());
    let verdicts = judge(&run);
    assert_eq!(verdicts.estimates.len(), 6);
    assert!(
        verdicts
            .estimates
            .iter()
            .all(|row| row.cell != "node-single-w1-hello")
    );
}

#[test]
fn estimates_are_means_over_trials() {
    let verdicts = judge(&at_ratio(1.0, 6));
    let row = verdicts
        .estimates
        .iter()
        .find(|row| row.cell == "threads-w2-hello")
        .unwrap();
    assert_eq!(row.trials, 6);
    assert!((row.throughput_per_s.point - 100_000.0).abs() < 1.0);
    assert!((row.cpu_ns_per_request.point - 5_000.0).abs() < 1.0);
    let sum = row.user_ns_per_request.point + row.system_ns_per_request.point;
    assert!((sum - row.cpu_ns_per_request.point).abs() < 1e-6);
}

#[test]
fn memory_that_the_kernel_did_not_show_is_absent_and_not_zero() {
    let mut run = at_ratio(1.0, 1);
    synthetic::every_trial(&mut run, |m| m.server.pss_bytes = None);
    assert!(
        judge(&run)
            .estimates
            .iter()
            .all(|row| row.pss_bytes.is_none())
    );
}

#[test]
fn the_same_run_is_judged_the_same() {
    let run = at_ratio(1.1, 6);
    assert_eq!(judge(&run), judge(&run));
}
