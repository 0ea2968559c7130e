//! The open loop against real sockets: what is due is sent, whatever the server does.

mod support;

use std::{
    io::{BufReader, Write},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use load::{LoadSpec, start};
use schema::{Arrivals, OpenLoop, Pace, Reuse};

use support::{answering, cpu, hello, load, read_request, serve, spec};

fn at(per_s: f64, arrivals: Arrivals) -> Pace {
    Pace::OpenLoop(OpenLoop {
        from_per_s: per_s,
        to_per_s: per_s,
        arrivals,
        seed: 11,
    })
}

#[test]
fn constant_arrivals_are_exactly_as_many_as_the_rate_says() {
    let address = answering(|_| hello(1));
    let result = load(LoadSpec {
        pace: at(1000.0, Arrivals::Constant),
        measure: Duration::from_millis(500),
        ..spec(address)
    })
    .unwrap()
    .result;
    assert_eq!(result.errors + result.timeouts, 0, "{result:?}");
    // Due at 1 ms, 2 ms, … and before the window closes, which it may do a moment late.
    assert!((499..=500).contains(&result.offered), "{result:?}");
}

#[test]
fn the_seed_decides_when_requests_are_due_and_the_server_does_not() {
    let quick = answering(|_| hello(1));
    let silent = answering(|_| Vec::new());
    let offered = |address| {
        load(LoadSpec {
            pace: at(2000.0, Arrivals::Poisson),
            measure: Duration::from_millis(500),
            ..spec(address)
        })
        .unwrap()
        .result
        .offered
    };
    let one = offered(quick);
    assert!((800..1200).contains(&one), "{one}");
    // Requests that are due are offered even if the server never comes to them.
    assert_eq!(one, offered(silent));
}

#[test]
fn a_ramp_goes_from_one_rate_to_the_other() {
    let address = answering(|_| hello(1));
    let mut running = start(LoadSpec {
        pace: Pace::OpenLoop(OpenLoop {
            from_per_s: 0.0,
            to_per_s: 1000.0,
            arrivals: Arrivals::Constant,
            seed: 1,
        }),
        measure: Duration::from_secs(2),
        interval: Some(Duration::from_secs(1)),
        ..spec(address)
    })
    .unwrap();
    while !running.wait(Duration::from_secs(1)) {}
    let intervals: Vec<u64> = running.intervals().map(|one| one.completed).collect();
    let result = running.finish().unwrap().result;
    // The area under the rate: 1000 in all, a quarter of them in the first half.
    assert!((998..=1000).contains(&result.offered), "{result:?}");
    assert_eq!(intervals.len(), 2);
    assert!(
        intervals[0] < intervals[1] && intervals.iter().sum::<u64>() == result.completed,
        "{intervals:?}"
    );
}

#[test]
fn a_stall_of_the_server_is_in_the_response_times_and_not_in_the_service_times() {
    // Answers at once, but for one pause of 100 ms that all connections share.
    let began = Instant::now();
    let pause = Arc::new(std::sync::Mutex::new(false));
    let address = answering(move |_| {
        let mut paused = pause.lock().unwrap();
        if !*paused && began.elapsed() > Duration::from_millis(100) {
            *paused = true;
            thread::sleep(Duration::from_millis(100));
        }
        hello(1)
    });
    let result = load(LoadSpec {
        pace: at(2000.0, Arrivals::Constant),
        measure: Duration::from_millis(500),
        ..spec(address)
    })
    .unwrap()
    .result;
    assert_eq!(result.errors + result.timeouts, 0, "{result:?}");
    let (response, service) = (result.response.unwrap(), result.service.unwrap());
    // A fifth of the requests were due during the pause: their mean wait is half of it. Only the
    // four that were under way show in the service times.
    assert!(response.p90_ns > 40_000_000, "{response:?}");
    assert!(
        response.p90_ns > 2 * service.p90_ns,
        "{response:?} {service:?}"
    );
    assert!(response.max_ns >= 100_000_000 - 5_000_000, "{response:?}");
    assert!(result.connection_wait.unwrap().max_ns > 50_000_000);
}

#[test]
fn what_is_due_waits_for_any_free_connection_of_any_thread() {
    // The first connection's requests are never answered; the others' at once.
    let turn = AtomicUsize::new(0);
    let address = serve(move |stream| {
        let silent = turn.fetch_add(1, Ordering::Relaxed) == 0;
        let mut writer = stream.try_clone().unwrap();
        let mut reader = BufReader::new(stream);
        while read_request(&mut reader) {
            if !silent && writer.write_all(&hello(1)).is_err() {
                break;
            }
        }
    });
    // Two threads with one connection each: one of them can send a single request and no more.
    let result = load(LoadSpec {
        pace: at(400.0, Arrivals::Constant),
        cpus: vec![cpu(); 2],
        connections: 2,
        measure: Duration::from_secs(2),
        timeout: Duration::from_mins(1),
        ..spec(address)
    })
    .unwrap()
    .result;
    assert!((799..=800).contains(&result.offered), "{result:?}");
    // Each thread keeping to itself, four hundred would be left.
    assert!(result.completed >= 500, "{result:?}");
}

#[test]
fn more_than_the_server_can_do_stays_unfinished_and_nothing_is_dropped() {
    // Ten answers, and nothing more.
    let address = answering(|number| if number < 10 { hello(1) } else { Vec::new() });
    let loaded = load(LoadSpec {
        pace: at(2000.0, Arrivals::Poisson),
        ..spec(address)
    })
    .unwrap();
    let result = loaded.result;
    assert!(result.unfinished > result.completed, "{result:?}");
    let response = result.response.unwrap();
    assert_eq!(response.bounds_from, Some(0.5), "{response:?}");
}

#[test]
fn requests_time_out_from_when_they_were_due_also_while_they_wait_in_line() {
    // One answer, and nothing more.
    let address = answering(|number| if number < 1 { hello(1) } else { Vec::new() });
    let result = load(LoadSpec {
        pace: at(1000.0, Arrivals::Constant),
        connections: 1,
        timeout: Duration::from_millis(50),
        measure: Duration::from_secs(2),
        ..spec(address)
    })
    .unwrap()
    .result;
    assert!(result.timeouts > result.completed, "{result:?}");
    // Two thousand were due, and only the youngest are waited for still.
    assert!(result.unfinished < 1000, "{result:?}");
    assert!(
        result
            .response
            .is_none_or(|response| response.bounds_from == Some(0.5)),
        "{result:?}"
    );
}

#[test]
fn an_open_loop_makes_a_new_connection_for_each_request_where_asked() {
    let address = serve(|stream| {
        let mut writer = stream.try_clone().unwrap();
        let mut reader = BufReader::new(stream);
        if read_request(&mut reader) {
            let _ = writer.write_all(&hello(1));
        }
    });
    let result = load(LoadSpec {
        pace: at(500.0, Arrivals::Poisson),
        reuse: Reuse::NewConnection,
        ..spec(address)
    })
    .unwrap()
    .result;
    assert_eq!(result.errors + result.timeouts, 0, "{result:?}");
    assert!(result.completed > 50, "{result:?}");
    assert!(result.connection_wait.unwrap().p50_ns > 0);
}

#[test]
fn a_server_that_closes_idle_connections_costs_a_connect_and_no_error() {
    // Hangs up by itself after each answer, without having said so.
    let address = serve(move |stream| {
        let mut writer = stream.try_clone().unwrap();
        let mut reader = BufReader::new(stream);
        if read_request(&mut reader) {
            let _ = writer.write_all(&hello(1));
        }
    });
    let result = load(LoadSpec {
        // Each connection's turn comes after more than a second: long after it was closed.
        pace: at(50.0, Arrivals::Constant),
        connections: 60,
        measure: Duration::from_secs(3),
        ..spec(address)
    })
    .unwrap()
    .result;
    assert_eq!(result.errors + result.timeouts, 0, "{result:?}");
    assert!(result.connections_opened > 60, "{result:?}");
}

#[test]
fn waiting_for_the_only_connection_is_not_the_generators_lateness() {
    // The sleep is the service time: four fifths of the time between two requests.
    let address = answering(|_| {
        thread::sleep(Duration::from_millis(8));
        hello(1)
    });
    let result = load(LoadSpec {
        pace: at(100.0, Arrivals::Poisson),
        connections: 1,
        measure: Duration::from_millis(800),
        ..spec(address)
    })
    .unwrap()
    .result;
    let (wait, lateness) = (result.connection_wait.unwrap(), result.lateness.unwrap());
    assert!(wait.mean_ns > lateness.mean_ns, "{wait:?} {lateness:?}");
}

#[test]
fn a_ramp_that_falls_to_nothing_ends_in_order() {
    let address = answering(|_| hello(1));
    let result = load(LoadSpec {
        pace: Pace::OpenLoop(OpenLoop {
            from_per_s: 100.0,
            to_per_s: 0.0,
            arrivals: Arrivals::Constant,
            seed: 1,
        }),
        measure: Duration::from_millis(400),
        ..spec(address)
    })
    .unwrap()
    .result;
    assert!((19..=20).contains(&result.offered), "{result:?}");
}
