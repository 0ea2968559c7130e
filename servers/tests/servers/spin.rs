//! The slowdown made on purpose.

use std::{fs, iter::repeat_with};

use crate::{
    command_line::assert_one_line,
    http::Client,
    launch::{FLOOR, ONE_WORKER_EACH, Server, run},
};

const SPIN_NS: u64 = 5_000_000;
const REQUESTS: u64 = 20;
const TRIES: usize = 10;

/// How long a thread has run or waited for a CPU, but not slept. A spinning thread that others keep
/// from the CPU runs for less than it spins, and waits for the rest.
fn awake_ns(thread: u32) -> u64 {
    let schedstat = fs::read_to_string(format!("/proc/{thread}/schedstat"))
        .expect("the kernel accounts for the time of threads");
    let times = schedstat.split_whitespace().take(2);
    times.map(|ns| ns.parse::<u64>().unwrap()).sum()
}

#[test]
fn every_request_of_a_workload_keeps_its_worker_busy_for_the_spin() {
    for (program, arguments) in ONE_WORKER_EACH {
        let spin = SPIN_NS.to_string();
        let server = Server::start(program, &[arguments, &["--spin-ns", &spin]].concat());
        let mut client = Client::connect(server.address());
        let worker = client.get("/").worker();
        // A host takes time from its guests that they count nowhere: half is enough, and some of the tries
        // may fall short of that. A worker that does not spin is awake for its requests alone.
        let awake = || {
            let before = awake_ns(worker);
            for target in ["/", "/cpu?us=1", "/wait?us=1", "/block?us=1"] {
                for _ in 0..REQUESTS / 4 {
                    client.get(target).worker();
                }
            }
            awake_ns(worker) - before
        };
        let enough = REQUESTS * SPIN_NS / 2;
        let spins = repeat_with(awake).take(TRIES).any(|awake| awake >= enough);
        assert!(spins, "{program} is not awake for as long as it spins");
    }
}

#[test]
fn a_spin_without_sense_is_wrong_usage() {
    for (program, _) in ONE_WORKER_EACH {
        for spin in ["10000001", "-1", "1us"] {
            let ended = run(program, &[&format!("--spin-ns={spin}")]);
            assert_one_line(&ended, 2, &format!("'{spin}'"));
        }
    }
    assert_one_line(&run(FLOOR, &["--spin-ns=1"]), 2, "'--spin-ns'");
}

#[test]
fn help_does_not_offer_a_slowdown() {
    for (program, _) in ONE_WORKER_EACH {
        let help = run(program, &["--help"]).stdout.join("\n");
        assert!(help.contains("--slot") && !help.contains("spin"), "{help}");
    }
}
