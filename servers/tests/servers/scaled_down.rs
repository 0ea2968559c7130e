//! A seat that is given up while clients wait for its worker, which is then killed.

use nix::sys::signal::{
    Signal::{SIGKILL, SIGTERM, SIGTTOU},
    kill,
};

use crate::{
    http::Client,
    last_words::stop,
    launch::{CLUSTER, Server, event, pid, started},
};

/// Enough for every listener of a group to have some, however the kernel draws.
const CLIENTS: usize = 64;

#[test]
fn what_is_queued_for_a_listener_is_answered_before_it_is_closed() {
    for style in ["evented", "blocking"] {
        let cell = ["--workers", "2", "--accept", "reuseport", "--style", style];
        let mut cluster = Server::start(CLUSTER, &[&cell[..], &["--events"]].concat());
        let mut last_seat = None;
        for event in cluster.greeting.iter().filter_map(|line| event(line)) {
            if event["event"] == "fork" && event["seat"] == 1 {
                last_seat = event["worker"].as_u64();
            }
        }
        let retired = u32::try_from(last_seat.expect("two seats")).unwrap();
        stop(retired);
        let mut clients: Vec<Client> = (0..CLIENTS)
            .map(|_| Client::connect(cluster.address()))
            .collect();

        cluster.signal(SIGTTOU);
        cluster.until_line("Scaling down to 1 workers");
        kill(pid(retired), SIGKILL).unwrap();
        for client in &mut clients {
            client.send_bytes("GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
            client.receive().worker();
        }

        let another = cluster.until(started);
        let left = cluster.until(|line| {
            event(line).filter(|event| event["event"] == "exit" && event["code"] == 0)
        });
        assert_eq!(
            (&left["worker"], &left["wanted"]),
            (&another.into(), &true.into())
        );
        cluster.signal(SIGTERM);
        let ended = cluster.end();
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    }
}
