//! The primary: its end is everybody's, and nothing makes it wait.

use std::{
    io::{BufRead, BufReader, PipeReader, Read, pipe},
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

use nix::{
    fcntl::{FcntlArg, fcntl},
    sys::signal::{
        Signal::{SIGHUP, SIGKILL},
        kill,
    },
};
use schema::{Accept, Ready, Worker};

use crate::{
    grid::Cell,
    http::{Client, get},
    launch::{CLUSTER, children, event, pid, wait_for},
};

#[test]
fn a_killed_primary_takes_every_worker_of_every_cell_with_it() {
    for cell in Cell::all().filter(|cell| cell.model.worker == Worker::Process) {
        let cluster = cell.start("3", &[]);
        let mut idle = Client::connect(cluster.address());
        idle.get("/").worker();
        let mut busy = None;
        if cell.model.accept != Accept::Reuseport {
            let mut client = Client::connect(cluster.address());
            client.send(&["/", "/block?us=60000000"]);
            client.receive().worker();
            busy = Some(client);
        }
        cluster.signal(SIGKILL);
        idle.expect_end();
        if let Some(mut busy) = busy {
            busy.expect_end();
        }
        // It ends only when nobody has its stdout any more, and every worker has.
        assert_eq!(cluster.end().code, None, "{cell}");
    }
}

/// A cluster whose stdout is never read again once it is ready.
struct Unread {
    child: Child,
    address: SocketAddr,
    stdout: BufReader<PipeReader>,
}

impl Unread {
    fn start() -> Self {
        // The least that the kernel gives a pipe.
        const SIZE: i32 = 4096;
        let (reader, writer) = pipe().expect("there are descriptors");
        fcntl(&writer, FcntlArg::F_SETPIPE_SZ(SIZE)).expect("a pipe has a size");
        let child = Command::new(CLUSTER)
            .args(["--port", "0", "--workers", "2", "--events"])
            .stdin(Stdio::null())
            .stdout(writer)
            .spawn()
            .expect("the server is built");
        let mut stdout = BufReader::with_capacity(1, reader);
        let ready: Ready = loop {
            let mut line = String::new();
            stdout.read_line(&mut line).expect("it prints lines");
            if line.starts_with('{') && event(&line).is_none() {
                break serde_json::from_str(&line).expect("the ready line is a schema::Ready");
            }
        };
        Self {
            child,
            address: ready.address,
            stdout,
        }
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_primary_to_which_nobody_listens_goes_on_mending_and_says_later_how_much_was_not_heard() {
    let mut cluster = Unread::start();
    let primary = cluster.child.id();
    // Each death is told of in several hundred bytes.
    for _ in 0..40 {
        let before = children(primary);
        let victim = get(cluster.address, "/").worker();
        assert!(before.contains(&victim));
        kill(pid(victim), SIGKILL).expect("it is a child of the primary");
        wait_for("a successor", || {
            let now = children(primary);
            (now.len() == 2 && !now.contains(&victim)).then_some(())
        });
    }
    get(cluster.address, "/").worker();

    // Now somebody reads, and there is more to be said.
    let lines = cluster.stdout.by_ref().lines().map_while(Result::ok);
    for line in lines {
        if line.starts_with("Lines lost here, for nobody read them in time: ") {
            return;
        }
        kill(pid(primary), SIGHUP).expect("it is this test's child");
    }
    panic!("it never says so");
}
