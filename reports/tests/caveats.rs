//! What a reader is told before quoting, and what makes a run invalid.
//!
//! Two blocks are enough for most of it, and need no resampling.

mod synthetic;

use reports::{Run, judge};
use schema::{ErrorCount, ErrorKind};
use synthetic::{
    designs::{grid, stevens},
    each_trial, every_trial, failure, not_found, replace, typical,
};

fn caveat(run: &Run, part: &str) -> String {
    let caveats = judge(run).caveats;
    let found = caveats.iter().find(|caveat| caveat.contains(part));
    found
        .unwrap_or_else(|| panic!("none says '{part}': {caveats:#?}"))
        .clone()
}

fn is_silent_about(run: &Run, part: &str) -> bool {
    judge(run)
        .caveats
        .iter()
        .all(|caveat| !caveat.contains(part))
}

fn valid(run: &Run) -> bool {
    judge(run).valid
}

#[test]
fn a_clean_run_is_valid_and_its_caveats_are_whole_sentences() {
    let verdicts = judge(&typical(5));
    assert!(verdicts.valid, "{:#?}", verdicts.caveats);
    assert!(verdicts.caveats.iter().all(|caveat| caveat.ends_with('.')));
}

#[test]
fn a_failed_trial_makes_a_run_invalid() {
    let mut run = typical(2);
    run.observations[0].outcome = failure("it did not start", "");
    assert!(!valid(&run));
    assert!(caveat(&run, "failed").contains("1 trial of 14 failed (single-w1-hello: 1)"));
}

#[test]
fn wrong_answers_make_a_run_invalid_and_the_first_is_quoted() {
    let mut run = typical(2);
    each_trial(&mut run, "threads-w2-hello", |m| {
        m.load.errors = 2;
        m.load.offered += 2;
        m.load.error_kinds = vec![ErrorCount {
            kind: ErrorKind::Body,
            count: 2,
            first: "the body was 'Hallo'".to_owned(),
        }];
    });
    assert!(!valid(&run));
    let caveat = caveat(&run, "4 errors");
    assert!(
        caveat.contains("threads with 2 workers") && caveat.contains("'Hallo'"),
        "{caveat}"
    );
}

#[test]
fn timeouts_make_a_run_invalid() {
    let mut run = typical(2);
    each_trial(&mut run, "single-w1-hello", |m| {
        m.load.timeouts = 1;
        m.load.unfinished -= 1;
    });
    assert!(!valid(&run));
    caveat(&run, "2 timeouts");
}

#[test]
fn counts_that_do_not_add_up_make_a_run_invalid() {
    let mut run = typical(2);
    synthetic::measured_of(&mut run.observations[0])
        .load
        .offered += 1;
    assert!(!valid(&run));
    caveat(&run, "lost count");
}

#[test]
fn a_window_without_an_answer_makes_a_run_invalid() {
    let mut run = typical(2);
    let load = &mut synthetic::measured_of(&mut run.observations[0]).load;
    load.offered -= load.completed;
    load.completed = 0;
    load.response = None;
    assert!(!valid(&run));
    caveat(&run, "completed no request in block 0");
}

#[test]
fn clocks_that_disagree_with_counts_make_a_run_invalid() {
    for factor in [0.8, 1.2] {
        let mut run = typical(2);
        each_trial(&mut run, "single-w1-hello", |m| {
            m.load.service.as_mut().unwrap().mean_ns *= factor;
        });
        assert!(!valid(&run));
        caveat(&run, "Little's law fails for single");
    }
}

#[test]
fn idle_connections_are_a_caveat() {
    let mut run = typical(2);
    each_trial(&mut run, "single-w1-hello", |m| {
        m.load.service.as_mut().unwrap().mean_ns *= 0.7;
        m.load.mean_busy_connections *= 0.7;
        m.load.mean_busy_completed *= 0.7;
    });
    assert!(valid(&run));
    caveat(&run, "Connections to single were idle");
}

fn half_idle(m: &mut schema::Measured) {
    m.load.service.as_mut().unwrap().mean_ns *= 0.5;
    m.load.mean_busy_connections *= 0.5;
    m.load.mean_busy_completed *= 0.5;
}

#[test]
fn what_is_found_of_many_cells_is_one_sentence_with_the_worst() {
    let mut run = grid(1);
    every_trial(&mut run, half_idle);
    each_trial(&mut run, "grid-thread-evented-mutex-keep", half_idle);
    let idle: Vec<String> = judge(&run).caveats;
    let idle: Vec<&String> = idle.iter().filter(|c| c.contains("were idle")).collect();
    let [idle] = idle[..] else {
        panic!("{idle:#?}")
    };
    assert!(
        idle.starts_with("In 27 cells")
            && idle.contains("thread-evented-mutex with 4 workers (grid), with 16.0 of 64"),
        "{idle}"
    );
    every_trial(&mut run, |m| {
        m.load.timeouts = 1;
        m.load.unfinished -= 1;
    });
    assert!(!valid(&run));
    assert!(caveat(&run, "answered rightly").starts_with("In 54 cells"));
    assert!(judge(&run).caveats.len() <= 10);
}

#[test]
fn connections_that_are_made_for_each_request_are_never_idle() {
    let mut run = grid(1);
    for observation in run
        .observations
        .iter_mut()
        .filter(|o| o.cell.ends_with("-new"))
    {
        half_idle(synthetic::measured_of(observation));
    }
    assert!(is_silent_about(&run, "were idle"));
}

#[test]
fn a_generator_that_was_the_limit_of_many_cells_is_told_once() {
    let mut run = grid(1);
    every_trial(&mut run, |m| {
        m.load.generator_cpu.system_ns = synthetic::ELAPSED_NS * 97 / 100;
        m.server.cpu.system_ns = synthetic::ELAPSED_NS / 2;
        m.server.cpu.user_ns = 0;
    });
    let caveat = caveat(&run, "was the limit");
    assert!(
        caveat.contains("in 52 cells") && caveat.contains("CPU time per request"),
        "the floor is in no comparison: {caveat}"
    );
    assert!(is_silent_about(&stevens_held_back(), "was the limit"));
}

/// Where CPU time is the question, it does not matter who was the limit.
fn stevens_held_back() -> Run {
    let mut run = stevens(1);
    every_trial(&mut run, |m| {
        m.load.generator_cpu.system_ns = synthetic::ELAPSED_NS * 97 / 100;
    });
    run
}

#[test]
fn a_run_without_a_measured_trial_is_invalid_and_still_judged() {
    let mut run = typical(2);
    run.observations.clear();
    assert!(!valid(&run));
    caveat(&run, "No trial was measured");
    caveat(&run, "0 of 14 trials were made");
}

#[test]
fn a_partial_run_is_valid_and_says_how_much_is_missing() {
    let mut run = typical(2);
    run.observations.truncate(9);
    run.cut_off = true;
    assert!(valid(&run));
    caveat(&run, "9 of 14 trials were made");
    caveat(&run, "last line of the observations was cut off");
}

#[test]
fn trials_that_could_not_be_made_are_not_missed_in_a_partial_run() {
    let mut run = typical(2);
    replace(&mut run, "node-single", &not_found());
    replace(&mut run, "node-cluster", &not_found());
    assert!(is_silent_about(&run, "trials were made"));
    let caveat = caveat(&run, "Not measured: node-single and node-cluster with 2");
    assert!(
        caveat.contains("(node not found, install it with: apt-get install nodejs)."),
        "{caveat}"
    );
    assert!(valid(&run));
}

#[test]
fn a_busy_generator_is_a_caveat_with_the_highest_share() {
    let mut run = typical(2);
    each_trial(&mut run, "cluster-w1-hello", |m| {
        m.load.generator_cpu.system_ns = synthetic::ELAPSED_NS * 90 / 100;
        m.load.generator_cpu.user_ns = 0;
        m.server.cpu.system_ns = synthetic::ELAPSED_NS;
    });
    assert!(valid(&run));
    let caveat = caveat(&run, "lower bounds");
    assert!(
        caveat.contains("90 %") && caveat.contains("cluster with 1 worker"),
        "{caveat}"
    );
    assert!(is_silent_about(&run, "not the server, was the limit"));
}

#[test]
fn a_generator_that_was_the_limit_is_told_from_one_that_was_only_busy() {
    let mut run = typical(2);
    each_trial(&mut run, "cluster-w1-hello", |m| {
        m.load.generator_cpu.system_ns = synthetic::ELAPSED_NS * 97 / 100;
    });
    assert!(valid(&run));
    caveat(
        &run,
        "not the server, was the limit with cluster with 1 worker",
    );
}

#[test]
fn an_idle_enough_generator_is_not_mentioned() {
    assert!(is_silent_about(&typical(2), "load generator used"));
}

#[test]
fn more_workers_than_cpus_are_a_caveat_with_both_numbers() {
    caveat(
        &typical(2),
        "2 workers shared 1 CPU, so more workers than that cannot serve more",
    );
    let run = synthetic::growing(4, &[1, 2, 4], 2);
    assert!(is_silent_about(&run, "workers shared"));
}

#[test]
fn shared_cpus_are_a_caveat_where_declared_and_break_a_rule_where_not() {
    let mut run = typical(2);
    run.plan.cores.generator_cpus = vec![0];
    run.plan.cores.overlapping = true;
    assert!(valid(&run));
    caveat(&run, "shared their CPUs");
    run.plan.cores.overlapping = false;
    assert!(!valid(&run));
    caveat(&run, "shared CPU 0 although");
}

#[test]
fn a_debug_build_is_a_caveat() {
    let mut run = typical(2);
    run.machine.build.profile = "debug".to_owned();
    caveat(&run, "debug build");
}

#[test]
fn cpu_time_that_the_host_took_is_a_caveat() {
    let said = "took up to 30 % of the load generator's CPU time (in a trial of single)";
    let mut run = typical(2);
    assert!(is_silent_about(&run, "host took up to"));
    each_trial(&mut run, "single-w1-hello", |m| {
        m.load.generator_stolen_ns = Some(m.load.elapsed_ns * 3 / 10);
    });
    assert!(valid(&run));
    caveat(&run, said);
}

#[test]
fn latency_of_a_closed_loop_is_a_caveat() {
    caveat(&typical(2), "closed loop");
}

#[test]
fn designs_that_differ_in_more_than_the_worker_are_a_caveat() {
    let said = "process/evented/shared against thread/evented/stealing";
    caveat(&typical(2), said);
    let mut run = typical(2);
    for cell in &mut run.plan.cells {
        cell.model.accept = schema::Accept::Shared;
    }
    assert!(is_silent_about(&run, said));
}

#[test]
fn few_trials_are_a_caveat_that_gets_milder_with_more() {
    caveat(&typical(1), "rest on 1 trial:");
    caveat(&typical(3), "75 %");
    caveat(&typical(4), "87 %");
    assert!(is_silent_about(&typical(5), "figures rest on"));
}

#[test]
fn workers_that_never_answered_are_a_caveat() {
    let mut run = typical(2);
    each_trial(&mut run, "cluster-w2-hello", |m| {
        m.load.requests_by_worker = [(7, m.load.completed)].into();
    });
    caveat(&run, "not every worker answered (cluster with 2 workers)");
}

#[test]
fn a_server_that_did_not_end_in_order_is_a_caveat() {
    let mut run = typical(2);
    each_trial(&mut run, "threads-w1-hello", |m| {
        m.stop = Some("did not end within 8s of SIGTERM and was killed".to_owned());
    });
    assert!(valid(&run));
    let caveat = caveat(&run, "did not end in order");
    assert!(
        caveat.starts_with("In 2 trials, threads with 1 worker")
            && caveat.contains("it did not end within 8s of SIGTERM and was killed"),
        "{caveat}"
    );
    assert!(is_silent_about(&typical(2), "did not end in order"));
}

#[test]
fn virtual_machines_and_governors_are_caveats() {
    let mut run = typical(2);
    run.machine.virtual_machine = true;
    run.machine.governor = Some("powersave".to_owned());
    caveat(&run, "virtual machine");
    caveat(&run, "'powersave'");
    run.machine.governor = Some("performance".to_owned());
    assert!(is_silent_about(&run, "governor"));
}

#[test]
fn what_breaks_a_rule_is_told_first() {
    let mut run = typical(2);
    every_trial(&mut run, |m| m.load.offered += 1);
    assert!(judge(&run).caveats[0].contains("lost count"));
}
