//! The model grid: what is set against what, and what is told where nothing can be.

mod synthetic;

use reports::{Run, judge};
use schema::{Accept, Grid, GridRow, Metric, Outcome, Reuse, Standing, Style, Verdict, Worker};
use synthetic::{
    designs::{FLOOR_NS, MUTEX_COST, PROCESSES_OVER_THREADS, SHARED_NS, grid},
    failure, typical,
};

fn judged(run: &Run) -> Grid {
    judge(run).grid.unwrap()
}

fn row(grid: &Grid, style: Style, accept: Accept, reuse: Reuse) -> &GridRow {
    let is_it = |row: &&GridRow| (row.style, row.accept, row.reuse) == (style, accept, reuse);
    grid.rows.iter().find(is_it).unwrap()
}

/// Puts an outcome in place of every trial of a cell.
fn replace(run: &mut Run, cell: &str, outcome: &Outcome) {
    for observation in run.observations.iter_mut().filter(|o| o.cell == cell) {
        observation.outcome = outcome.clone();
    }
}

#[test]
fn a_run_that_did_not_ask_has_no_grid() {
    assert_eq!(judge(&typical(1)).grid, None);
}

#[test]
fn every_row_that_both_workers_can_be_in_is_compared_at_its_known_ratio() {
    let grid = judged(&grid(5));
    assert_eq!(grid.rows.len(), 28);
    let compared: Vec<&GridRow> = grid
        .rows
        .iter()
        .filter(|row| row.throughput.is_some())
        .collect();
    assert_eq!(
        compared.len(),
        22,
        "eleven on kept and eleven on new connections"
    );
    for row in compared {
        let (throughput, cpu) = (row.throughput.as_ref().unwrap(), row.cpu.as_ref().unwrap());
        assert!((throughput.ratio.point / PROCESSES_OVER_THREADS - 1.0).abs() < 1e-3);
        assert!((cpu.ratio.point * PROCESSES_OVER_THREADS - 1.0).abs() < 1e-3);
        assert_eq!(
            (throughput.verdict, cpu.verdict),
            (Verdict::Better, Verdict::Better)
        );
        assert!(
            throughput.subject.starts_with("grid-process-"),
            "{throughput:?}"
        );
        assert!(
            throughput.reference.starts_with("grid-thread-"),
            "{throughput:?}"
        );
        assert!(
            row.sentence.contains("1.100 times what threads serve"),
            "{}",
            row.sentence
        );
        assert!(row.sentence.contains("95 % interval"), "{}", row.sentence);
    }
}

#[test]
fn a_cell_that_cannot_be_says_why_and_is_not_compared() {
    let grid = judged(&grid(3));
    let stealing = row(&grid, Style::Evented, Accept::Stealing, Reuse::KeepAlive);
    assert!(matches!(&stealing.process, Standing::Refused { reason } if reason.contains("memory")));
    assert!(matches!(&stealing.thread, Standing::Measured { .. }));
    assert!(
        stealing
            .sentence
            .contains("processes cannot be: a task is a piece"),
        "{}",
        stealing.sentence
    );
    let none = row(
        &grid,
        Style::Evented,
        Accept::PerConnection,
        Reuse::NewConnection,
    );
    assert!(
        none.sentence.contains("neither can be"),
        "{}",
        none.sentence
    );
    assert!(stealing.throughput.is_none() && none.cpu.is_none());
}

#[test]
fn a_cell_that_failed_or_was_never_tried_says_why() {
    let mut run = grid(3);
    replace(
        &mut run,
        "grid-process-evented-mutex-keep",
        &failure("exit code 1.", ""),
    );
    let missing = "grid-thread-blocking-handoff-new";
    run.observations.retain(|o| o.cell != missing);
    let unplanned = run.plan.cells.iter_mut().find(|c| c.id == missing).unwrap();
    unplanned.server = "elsewhere".to_owned();
    let grid = judged(&run);
    let failed = row(&grid, Style::Evented, Accept::Mutex, Reuse::KeepAlive);
    assert!(
        failed
            .sentence
            .contains("processes every trial failed: exit code 1"),
        "{}",
        failed.sentence
    );
    let missing = row(
        &grid,
        Style::Blocking,
        Accept::Handoff,
        Reuse::NewConnection,
    );
    assert!(matches!(
        &missing.thread,
        Standing::NotMeasured { cell: None, .. }
    ));
    assert!(
        missing.sentence.contains("threads not measured"),
        "{}",
        missing.sentence
    );
}

#[test]
fn a_policy_costs_what_it_adds_to_a_shared_listener() {
    let grid = judged(&grid(5));
    let cost = |worker, style, policy: &str| {
        let costs = grid.policies.iter();
        let of_column =
            costs.filter(|c| (c.worker, c.style, c.reuse) == (worker, style, Reuse::KeepAlive));
        of_column
            .filter(|c| c.policy == policy)
            .map(|c| &c.cpu)
            .collect::<Vec<_>>()
    };
    for worker in [Worker::Process, Worker::Thread] {
        for style in [Style::Blocking, Style::Evented] {
            let [mutex] = cost(worker, style, "mutex")[..] else {
                panic!("{worker}/{style}")
            };
            assert!((mutex.ratio.point / MUTEX_COST - 1.0).abs() < 1e-3);
            assert_eq!(mutex.verdict, Verdict::Worse);
            assert!(cost(worker, style, "shared").is_empty());
        }
    }
    let [exclusive] = cost(Worker::Process, Style::Evented, "shared-exclusive")[..] else {
        panic!()
    };
    assert_eq!(exclusive.verdict, Verdict::Equivalent);
}

#[test]
fn the_floor_is_a_measure_for_evented_servers_and_in_no_verdict() {
    let run = grid(3);
    let verdicts = judge(&run);
    let grid = verdicts.grid.as_ref().unwrap();
    let mut compared: Vec<_> = verdicts.comparisons.iter().collect();
    compared.extend(
        grid.rows
            .iter()
            .flat_map(|row| row.throughput.iter().chain(&row.cpu)),
    );
    compared.extend(grid.policies.iter().map(|policy| &policy.cpu));
    let guests = grid
        .references
        .iter()
        .flat_map(|reference| &reference.guests);
    compared.extend(guests.flat_map(|beside| [&beside.throughput, &beside.cpu]));
    assert!(!compared.is_empty());
    for comparison in compared {
        let cells = format!("{} {}", comparison.subject, comparison.reference);
        assert!(!cells.contains("floor"), "{cells}");
    }
    let threads = grid
        .references
        .iter()
        .find(|r| r.cell == "grid-thread-evented-shared-keep")
        .unwrap();
    let times = threads.times_the_floor.unwrap();
    assert!((times.point - SHARED_NS / FLOOR_NS).abs() < 1e-3);
    assert_eq!(
        threads
            .guests
            .iter()
            .map(|g| g.guest.as_str())
            .collect::<Vec<_>>(),
        ["nginx-shared", "node-cluster"]
    );
    assert!(
        grid.references
            .iter()
            .all(|r| !r.cell.contains("blocking") && !r.cell.contains("floor"))
    );
}

#[test]
fn cells_of_the_grid_are_compared_by_its_own_judge_alone() {
    let verdicts = judge(&grid(3));
    assert!(
        verdicts.comparisons.is_empty()
            && verdicts.headlines.is_empty()
            && verdicts.scaling.is_empty()
    );
    assert!(verdicts.valid, "{:?}", verdicts.caveats);
    assert_eq!(verdicts.estimates.len(), 2 * 27);
}

#[test]
fn estimates_hold_latency_at_the_share_and_no_switches_where_workers_come_and_go() {
    let verdicts = judge(&grid(3));
    let of = |id: &str| {
        verdicts
            .estimates
            .iter()
            .find(|row| row.cell == id)
            .unwrap()
    };
    let shared = of("grid-process-evented-shared-keep");
    let half = shared.at_share.as_ref().unwrap();
    assert_eq!(half.percent, 50);
    assert!((half.rate_per_s.point / shared.throughput_per_s.point - 0.5).abs() < 1e-3);
    assert!(half.p99_ns.point > half.p50_ns.point && shared.switches_per_request.is_some());
    assert_eq!(
        of("grid-process-blocking-per-connection-new").switches_per_request,
        None
    );
}

#[test]
fn pages_show_figures_reasons_and_verdicts_of_the_grid() {
    let mut run = grid(5);
    let broken = failure("exit <code> 1 | see its stderr.", "");
    replace(&mut run, "grid-thread-evented-mutex-keep", &broken);
    let pages = synthetic::pages::Pages::of(&run);
    for page in [&pages.html, &pages.markdown] {
        assert!(
            !page.contains("NaN") && !page.contains("inf"),
            "no number is none"
        );
        for text in [
            "197.8k",
            "4.55",
            "cannot be: a task is a piece",
            "processes serve 1.100 times",
            "Of 10 lines, processes serve more in ten and threads in none.",
            "They differ most in",
            "Apache's prefork",
        ] {
            assert!(
                page.contains(text) || page.contains(&text.replace('\'', "&#39;")),
                "{text}"
            );
        }
        assert!(!page.contains("exit <code> 1"), "reasons are escaped");
    }
    assert!(
        pages
            .html
            .contains("every trial failed: exit &lt;code&gt; 1 | see its stderr")
    );
    assert!(
        pages
            .markdown
            .contains(r"every trial failed: exit &lt;code&gt; 1 \| see its stderr")
    );
    for text in [
        "1.100 ✓ better",
        "the limit: 2.00 µs of CPU each, at least ",
    ] {
        assert!(pages.chart("grid-keep-alive").contains(text), "{text}");
    }
    assert!(
        pages
            .chart("grid-new-connections")
            .contains("per-connection")
    );
}

#[test]
fn a_run_of_the_grid_alone_answers_like_for_like() {
    let run = grid(3);
    let answer = "Like for like, processes win in 22 of 22 ways to serve, threads in 0.";
    assert!(reports::summary(&run, &judge(&run)).starts_with(answer));
    assert!(synthetic::pages::Pages::of(&run).html.contains(answer));
}

/// Every server of new connections, or the first few of them, could do more than the generator asked.
fn held_back(cells: impl Fn(&str) -> bool) -> Run {
    let mut run = grid(5);
    for observation in run.observations.iter_mut().filter(|o| cells(&o.cell)) {
        let load = &mut synthetic::measured_of(observation).load;
        load.generator_cpu.system_ns = synthetic::ELAPSED_NS * 97 / 100;
        load.generator_cpu.user_ns = 0;
        let server = &mut synthetic::measured_of(observation).server;
        server.cpu.system_ns /= 4;
        server.cpu.user_ns /= 4;
    }
    run
}

#[test]
fn where_the_generator_was_the_limit_of_a_row_cpu_time_decides_it() {
    let run = held_back(|cell| cell == "grid-thread-evented-shared-keep");
    let grid = judged(&run);
    let limited = row(&grid, Style::Evented, Accept::Shared, Reuse::KeepAlive);
    assert_eq!(limited.judged_by, Metric::CpuPerRequest);
    assert_eq!(limited.judged().unwrap().verdict, Verdict::Worse);
    assert!(
        limited
            .sentence
            .contains("judged by CPU time and not by throughput, as the load generator was the limit (it used 97 %"),
        "{}",
        limited.sentence
    );
    let other = row(&grid, Style::Evented, Accept::Reuseport, Reuse::KeepAlive);
    assert_eq!(other.judged_by, Metric::Throughput);
    assert_eq!(other.judged().unwrap().verdict, Verdict::Better);
    let pages = synthetic::pages::Pages::of(&run);
    let chart = pages.chart("grid-keep-alive");
    assert!(chart.contains("at least 179.9k/s"), "{chart}");
    assert!(chart.contains("judged by CPU"));
    let told = "By throughput (10 lines), processes serve more in ten and threads in none; by CPU time (1 line), processes take less CPU time for a request in none and threads in one.";
    assert!(pages.markdown.contains(told), "{}", pages.markdown);
}

#[test]
fn where_it_was_the_limit_of_most_cells_cpu_time_is_the_main_figure_of_all() {
    let run = held_back(|cell| cell.ends_with("-new") && !cell.contains("blocking-handoff"));
    let verdicts = judge(&run);
    let grid = verdicts.grid.as_ref().unwrap();
    for row in &grid.rows {
        let by = match row.reuse {
            Reuse::KeepAlive => Metric::Throughput,
            Reuse::NewConnection => Metric::CpuPerRequest,
        };
        assert_eq!(row.judged_by, by, "{}", row.sentence);
    }
    let free = row(grid, Style::Blocking, Accept::Handoff, Reuse::NewConnection);
    assert!(
        free.sentence
            .contains("the limit of most rows of this matrix"),
        "{}",
        free.sentence
    );
    let bound = |id: &str| {
        let row = verdicts.estimates.iter().find(|row| row.cell == id);
        row.unwrap().throughput_at_least
    };
    assert!(bound("grid-thread-evented-shared-new"));
    assert!(
        !bound("grid-thread-blocking-handoff-new") && !bound("grid-thread-evented-shared-keep")
    );
    let pages = synthetic::pages::Pages::of(&run);
    assert!(
        pages
            .html
            .contains("the load generator was the limit of most lines")
    );
    assert!(pages.chart("grid-new-connections").contains("at least "));
    assert!(!pages.chart("grid-keep-alive").contains("judged by CPU"));
}
