//! What `floor` answers, endures, and finishes: as the servers that are compared, with less.

use std::{fs, thread, time::Instant};

use crate::launch::{FLOOR, PATIENCE, Server};

mod answers;
mod drain;
mod endurance;

pub const HELLO: &str = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";

/// A drain timeout no test lives to see the end of.
pub const FOREVER: [&str; 2] = ["--drain-timeout", "1h"];

pub fn start() -> Server {
    Server::start(FLOOR, &FOREVER)
}

/// Wait until `happened`.
pub fn wait_until(what: &str, mut happened: impl FnMut() -> bool) {
    let began = Instant::now();
    while !happened() {
        assert!(began.elapsed() < PATIENCE, "never came: {what}");
        thread::yield_now();
    }
}

/// Whether the server waits for something, as one that spins never does.
pub fn sleeps(server: &Server) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", server.pid())).unwrap();
    let (_, after_name) = stat.rsplit_once(") ").unwrap();
    after_name.starts_with('S')
}
