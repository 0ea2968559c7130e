//! Clients that break off, and what they leave of the workers.

use std::{
    collections::BTreeSet,
    fs,
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    time::Duration,
};

use nix::sys::signal::Signal::SIGTERM;
use schema::{Accept, Worker};
use socket2::SockRef;

use crate::{
    grid::Cell,
    http::get,
    launch::{Server, children, wait_for},
};

/// What is sent before the client is gone.
const SAID: [&str; 5] = [
    "",
    "GET / HT",
    "GET / HTTP/1.1\r\nHost: test\r\n\r\n",
    "GET /bytes?n=1048576 HTTP/1.1\r\nHost: test\r\n\r\n",
    "no such protocol\r\n\r\n",
];

/// How it goes.
#[derive(Clone, Copy)]
enum Parting {
    /// It closes.
    Leaves,
    /// It resets the connection, whatever is on its way.
    Resets,
    /// It stops sending and then leaves without a look at the answer.
    TurnsAway,
}

fn abuse(address: SocketAddr, said: &str, parting: Parting) {
    let mut stream = TcpStream::connect(address).expect("the server accepts connections");
    stream
        .write_all(said.as_bytes())
        .expect("the connection stands");
    match parting {
        Parting::Leaves => {}
        Parting::Resets => {
            // Of a long answer, some is to be on its way.
            if said.contains("/bytes") {
                stream.read_exact(&mut [0]).expect("an answer comes");
            }
            let now = Some(Duration::ZERO);
            SockRef::from(&stream)
                .set_linger(now)
                .expect("it is a socket");
        }
        Parting::TurnsAway => {
            // The server may have refused what it read, and closed.
            let _ = stream.shutdown(Shutdown::Write);
        }
    }
}

/// The kernel's ids of all workers.
fn workers(cell: Cell, server: &Server) -> BTreeSet<u32> {
    if cell.model.worker == Worker::Process {
        return children(server.pid()).into_iter().collect();
    }
    fs::read_dir(format!("/proc/{}/task", server.pid()))
        .expect("the process runs")
        .filter_map(|task| task.ok()?.file_name().to_str()?.parse().ok())
        .filter(|&task| task != server.pid())
        .collect()
}

#[test]
fn no_worker_of_any_cell_dies_of_what_clients_do() {
    for cell in Cell::all() {
        let server = cell.start_in_own_group("3", &[]);
        let before = workers(cell, &server);
        for parting in [Parting::Leaves, Parting::Resets, Parting::TurnsAway] {
            for said in SAID {
                for _ in 0..10 {
                    abuse(server.address(), said, parting);
                }
            }
        }
        get(server.address(), "/").worker();
        if cell.model.accept == Accept::PerConnection {
            wait_for("all workers end", || {
                workers(cell, &server).is_empty().then_some(())
            });
        } else {
            assert_eq!(workers(cell, &server), before, "{cell}");
        }
        server.signal(SIGTERM);
        let ended = server.end();
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{cell}");
    }
}
