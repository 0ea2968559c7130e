//! `/stats`: the answering worker's own account, and that of all its colleagues.

use nix::sys::signal::{Signal::SIGKILL, kill};
use serde_json::Value;

use crate::{
    http::get,
    launch::{CLUSTER, ONE_WORKER_EACH, Server, THREADS, pid, started},
};

fn stats(server: &Server) -> Value {
    let answer = get(server.address(), "/stats");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    serde_json::from_str(&answer.body).unwrap()
}

#[test]
fn a_worker_alone_is_its_whole_cluster() {
    for (program, arguments) in ONE_WORKER_EACH {
        let server = Server::start(program, arguments);
        get(server.address(), "/");
        let stats = stats(&server);
        let cluster = &stats["cluster"];
        assert_eq!(cluster["requests"], 2, "{program}");
        assert_eq!(cluster["connections"], 2, "{program}");
        assert_eq!(cluster["respawns"], 0, "{program}");
        assert_eq!(cluster["reloads"], 0, "{program}");
        assert_eq!(cluster["workers"].as_array().unwrap().len(), 1);
        for field in [
            "seat",
            "worker",
            "pid",
            "requests",
            "connections",
            "started_unix_ns",
        ] {
            assert_eq!(cluster["workers"][0][field], stats[field], "{program}");
        }
    }
}

#[test]
fn whichever_worker_is_asked_tells_of_all() {
    for program in [CLUSTER, THREADS] {
        let server = Server::start(program, &["--workers", "3"]);
        for _ in 0..20 {
            get(server.address(), "/");
        }
        for asked in 1..10 {
            let stats = stats(&server);
            let cluster = &stats["cluster"];
            assert_eq!(cluster["requests"], 20 + asked, "{program}");
            assert_eq!(cluster["connections"], 20 + asked, "{program}");
            let workers: Vec<&Value> = cluster["workers"].as_array().unwrap().iter().collect();
            assert_eq!(workers.len(), 3, "{program}");
            let sum: u64 = workers
                .iter()
                .map(|of| of["requests"].as_u64().unwrap())
                .sum();
            assert_eq!(sum, 20 + asked, "{program}");
            let own = workers.iter().find(|of| of["worker"] == stats["worker"]);
            assert_eq!(own.expect("it knows itself")["requests"], stats["requests"]);
        }
    }
}

#[test]
fn what_a_killed_worker_served_still_counts() {
    let mut cluster = Server::start(CLUSTER, &["--workers", "1"]);
    for _ in 0..5 {
        get(cluster.address(), "/");
    }
    let victim = cluster.workers()[0];
    kill(pid(victim), SIGKILL).unwrap();
    let successor = loop {
        if let Some(worker) = started(&cluster.next_line()) {
            break worker;
        }
    };
    let stats = stats(&cluster);
    assert_eq!(stats["worker"], successor);
    assert_eq!(stats["requests"], 1);
    assert_eq!(stats["generation"], 2);
    assert_eq!(stats["cluster"]["requests"], 6);
    assert_eq!(stats["cluster"]["connections"], 6);
}
