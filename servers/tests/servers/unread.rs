//! Servers whose stdout and stderr nobody reads.

use std::{
    io::{BufRead, BufReader, PipeWriter, pipe},
    process::{Child, Command, Stdio},
    thread,
};

use nix::sys::signal::{
    Signal::{SIGHUP, SIGKILL, SIGTERM},
    kill,
};
use rustix::io::{Errno, ioctl_fionbio};
use schema::Ready;

use crate::{
    http::get,
    launch::{CLUSTER, pid, started},
};

/// Killed with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Leave no room in a pipe.
fn fill(writer: &PipeWriter) {
    ioctl_fionbio(writer, true).unwrap();
    while rustix::io::write(writer, &[b'.'; 4096]) != Err(Errno::AGAIN) {}
    ioctl_fionbio(writer, false).unwrap();
}

#[test]
fn a_primary_keeps_its_workers_although_nobody_reads_what_it_says() {
    let (reader, writer) = pipe().unwrap();
    let mut server = Server(
        Command::new(CLUSTER)
            .args(["--workers", "1", "--port", "0"])
            .stdin(Stdio::null())
            .stdout(writer.try_clone().unwrap())
            .stderr(writer.try_clone().unwrap())
            .spawn()
            .unwrap(),
    );
    let primary = pid(server.0.id());
    let mut lines = BufReader::new(reader).lines().map(Result::unwrap);
    let mut worker = lines.find_map(|line| started(&line)).unwrap();
    let ready: Ready = serde_json::from_str(&lines.next().unwrap()).unwrap();

    fill(&writer);
    for _ in 0..3 {
        kill(pid(worker), SIGKILL).unwrap();
        // The listener stays, so this waits for the successor.
        let successor = get(ready.address, "/").worker();
        assert_ne!(successor, worker);
        worker = successor;
    }
    kill(primary, SIGHUP).unwrap();
    while get(ready.address, "/").worker() == worker {
        thread::yield_now();
    }
    kill(primary, SIGTERM).unwrap();
    assert_eq!(server.0.wait().unwrap().code(), Some(0));

    drop(writer);
    assert!(lines.all(|line| line.chars().all(|byte| byte == '.')));
}
