//! Statistics in memory that workers share, the same for processes and for threads.

use std::time::Instant;

use servers::{
    ledger::{Ledger, Totals},
    tally,
};

use crate::{
    launch::PATIENCE,
    workers::{Kind, Worker, between_both},
};

between_both! {
    a_primary_reads_what_each_worker_counted
    sums_never_go_down_while_workers_take_the_seats_of_others
}

/// Serve so many requests on one connection.
fn serve(ledger: Ledger, seat: usize, requests: u64) {
    tally::begin(ledger, seat);
    tally::count_connection();
    for _ in 0..requests {
        tally::count_request();
    }
    let own = tally::stats();
    assert_eq!(
        (own.seat, own.requests, own.connections),
        (seat, requests, 1)
    );
    let hello = format!("Hello from worker {}\n", own.worker);
    assert_eq!(tally::hello(), hello);
}

fn a_primary_reads_what_each_worker_counted(kind: Kind) {
    let ledger = Ledger::new(4).unwrap();
    assert_eq!(ledger.read(), []);
    let workers =
        [0, 1, 3].map(|seat| Worker::start(kind, move || serve(ledger, seat, 1000 + seat as u64)));
    let pids = workers.each_ref().map(Worker::pid);
    for worker in workers {
        worker.end();
    }

    let stats = ledger.read();
    assert_eq!(stats.len(), 3);
    for (stats, (seat, pid)) in stats.iter().zip([0, 1, 3].into_iter().zip(pids)) {
        assert_eq!(stats.seat, seat);
        assert_eq!(stats.generation, 1);
        assert_eq!(stats.pid, pid);
        assert_eq!(stats.worker == pid, kind == Kind::Process);
        assert_eq!(stats.requests, 1000 + seat as u64);
        assert_eq!(stats.connections, 1);
        assert!(stats.started_unix_ns > 1_600_000_000_000_000_000);
    }
    ledger.vacate(1);
    let taken: Vec<_> = ledger.read().iter().map(|stats| stats.seat).collect();
    assert_eq!(taken, [0, 3]);
    let all = Totals {
        requests: 3004,
        connections: 3,
    };
    assert_eq!(ledger.totals(), all);
}

fn sums_never_go_down_while_workers_take_the_seats_of_others(kind: Kind) {
    const GENERATIONS: u64 = 40;
    const REQUESTS: u64 = 5000;
    let ledger = Ledger::new(2).unwrap();
    // Nobody succeeds in the other seat.
    Worker::start(kind, move || serve(ledger, 1, REQUESTS)).end();
    let mut seen = ledger.totals();
    for generation in 1..=GENERATIONS {
        let worker = Worker::start(kind, move || serve(ledger, 0, REQUESTS));
        let began = Instant::now();
        // As it takes the seat, counts, and ends.
        loop {
            let shares: u64 = ledger.read().iter().map(|stats| stats.requests).sum();
            let now = ledger.totals();
            assert!(now.requests >= seen.requests, "{now:?} after {seen:?}");
            assert!(
                now.connections >= seen.connections,
                "{now:?} after {seen:?}"
            );
            assert!(now.requests >= shares, "{now:?}, shares {shares}");
            assert!(began.elapsed() < PATIENCE, "{now:?}");
            seen = now;
            if seen.requests == (generation + 1) * REQUESTS {
                break;
            }
        }
        worker.end();
        assert_eq!(ledger.read()[0].generation, generation);
        assert_eq!(ledger.read()[0].requests, REQUESTS);
    }
    assert_eq!(seen.connections, GENERATIONS + 1);
}
