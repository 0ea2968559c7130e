//! Whether the price of one handoff explains the grid, from known prices and known servers.

mod synthetic;

use reports::{Run, judge, summary, write_pages};
use schema::{HandoffShare, Outcome, Reuse, Style, Worker};
use synthetic::designs::{grid, grid_with_primitives};

/// Each request on a new connection has one of its own.
fn with_connections(mut run: Run) -> Run {
    let new: Vec<String> = run
        .plan
        .cells
        .iter()
        .filter(|cell| cell.reuse == Reuse::NewConnection)
        .map(|cell| cell.id.clone())
        .collect();
    for observation in &mut run.observations {
        if let Outcome::Measured(trial) = &mut observation.outcome {
            let load = &mut trial.load;
            load.connections_opened = if new.contains(&observation.cell) {
                load.completed
            } else {
                0
            };
        }
    }
    run
}

fn share(shares: &[HandoffShare], worker: Worker, reuse: Reuse) -> &HandoffShare {
    let of = |one: &&HandoffShare| {
        one.worker == worker && one.reuse == reuse && one.style == Style::Evented
    };
    shares.iter().find(of).unwrap()
}

#[test]
fn without_a_bench_or_without_a_grid_nothing_is_predicted() {
    assert!(judge(&grid(3)).handoffs.is_empty());
    let no_grid = Run {
        primitives: grid_with_primitives(3).primitives,
        ..synthetic::typical(3)
    };
    let verdicts = judge(&no_grid);
    assert!(verdicts.handoffs.is_empty() && verdicts.primitives.is_some());
}

#[test]
fn the_share_is_price_times_connections_beside_what_a_shared_listener_does_without() {
    let verdicts = judge(&with_connections(grid_with_primitives(3)));
    for (worker, price, wake_ups, cpu) in [
        (Worker::Process, 4_000.0, 2_000.0, 25_000.0),
        (Worker::Thread, 1_000.0, 1_000.0, 27_500.0),
    ] {
        let share = share(&verdicts.handoffs, worker, Reuse::NewConnection);
        let near = |value: f64, expected: f64| (value / expected - 1.0).abs() < 0.01;
        assert!(near(share.per_connection_ns.point, price), "{share:?}");
        assert!(near(share.cpu_ns_per_request.point, cpu), "{share:?}");
        assert!(near(share.predicted.point, price / cpu), "{share:?}");
        let with_wake_ups = share.with_wake_ups.unwrap().point;
        assert!(near(with_wake_ups, (price + wake_ups) / cpu), "{share:?}");
        assert!(near(share.measured.point, 1.0 - 1.0 / 1.1), "{share:?}");
        let (low, high) = share.predicted.interval.unwrap();
        assert!(low < share.predicted.point && share.predicted.point < high);
    }
    let kept = share(&verdicts.handoffs, Worker::Process, Reuse::KeepAlive);
    assert!(kept.predicted.point.abs() < f64::EPSILON);
}

#[test]
fn both_shares_are_printed_and_stand_in_the_pages() {
    let run = with_connections(grid_with_primitives(3));
    let verdicts = judge(&run);
    let line = "process/evented/handoff, a new connection for each request: 16.0 % (";
    let text = summary(&run, &verdicts);
    assert!(text.contains(line), "{text}");
    let folder = tempfile::tempdir().unwrap();
    let written = write_pages(&run, &verdicts, folder.path()).unwrap();
    for page in [&written.markdown, &written.html] {
        let page = std::fs::read_to_string(page)
            .unwrap()
            .replace('\u{a0}', " ");
        assert!(page.to_lowercase().contains(line), "{page}");
        assert!(page.contains("primitives.html"));
    }
}
