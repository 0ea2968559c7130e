//! How every cell ends.

use nix::sys::signal::Signal::{SIGINT, SIGTERM};
use schema::{Accept, Style};

use crate::{
    grid::Cell,
    http::Client,
    launch::{Server, wait_for_empty_group},
};

/// What a connection is doing when the order comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    /// Its worker has read a request and not answered it.
    Asked,
    /// Half of its first request was sent.
    Asking,
    /// Its worker has answered, and nothing came since.
    Idle,
}

const ALL: [Doing; 3] = [Doing::Asked, Doing::Asking, Doing::Idle];

fn connect(server: &Server, doing: Doing) -> Client {
    let mut client = Client::connect(server.address());
    match doing {
        // What comes in one segment is read at once.
        Doing::Asked => client.send(&["/", "/wait?us=50000"]),
        Doing::Asking => client.send_bytes("GET / HTTP/1.1\r\nHo"),
        Doing::Idle => client.send(&["/"]),
    }
    if doing != Doing::Asking {
        client.receive().worker();
    }
    client
}

/// A client that goes on as it had begun gets its answer.
fn expect_the_end(mut client: Client, doing: Doing) {
    if doing == Doing::Asking {
        client.send_bytes("st: test\r\n\r\n");
    }
    if doing != Doing::Idle {
        client.receive().worker();
    }
    client.expect_end();
}

fn drains(cell: Cell, at_once: &[Doing]) {
    for signal in [SIGTERM, SIGINT] {
        let server = cell.start_in_own_group("4", &["--drain-timeout", "1h"]);
        let leader = server.pid();
        let clients: Vec<_> = at_once
            .iter()
            .map(|&doing| (connect(&server, doing), doing))
            .collect();
        server.signal(signal);
        // The idle one is the first to go, so that the order is known when the others go on.
        for (client, doing) in clients.into_iter().rev() {
            expect_the_end(client, doing);
        }
        let ended = server.end();
        assert_eq!(ended.code, Some(0), "{cell}: {ended:?}");
        assert_eq!(ended.stderr, "", "{cell}");
        wait_for_empty_group(leader);
    }
}

#[test]
fn every_cell_finishes_what_was_begun_and_closes_what_is_idle() {
    for cell in Cell::all() {
        if cell.is(Style::Blocking, Accept::Reuseport) {
            // Two of them might wait in the queue of one worker.
            for doing in ALL {
                drains(cell, &[doing]);
            }
        } else {
            drains(cell, &ALL);
        }
    }
}
