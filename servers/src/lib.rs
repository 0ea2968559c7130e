//! What is compared: one endpoint, served by one process, by a cluster of processes, by threads.
//!
//! The three binaries that are compared differ in who the workers are and in nothing else. Read the
//! crate along the way of a request:
//!
//! 1. [`options`]: what was typed, checked.
//! 2. [`listener`]: the socket, bound before there is any worker.
//! 3. [`single`], [`cluster`], [`threads`]: who the workers are. A cluster's primary forks them and keeps
//!    them alive; a pool's first thread makes threads. Each [`worker`] joins its [`slot`] as it starts,
//!    if it has one.
//! 4. [`evented`] and [`blocking`]: how a worker serves, an event loop over many connections, or one
//!    connection at a time by calls that block.
//! 5. [`accept`]: how a new connection finds its worker; one policy a file.
//! 6. [`connection`]: HTTP/1.1 on one connection, until it ends or is drained ([`drain`]).
//! 7. [`endpoint`]: the answer, the same everywhere; [`workload`] is the work it does first, [`spin`]
//!    a slowdown made on purpose, and [`tally`] is who did it and how often, kept where
//!    all workers keep it ([`ledger`]).
//!
//! [`floor`] stands beside them, with an event loop and answers of its own: the least that serving
//! HTTP costs.
//!
//! [`orders`] and [`signals`] carry the operator's orders, [`say`] everything a server says, and
//! [`end`] and [`failure`] are the two ways it comes to an end. [`messages`] is how a primary and its
//! workers speak to each other; [`reactor`], [`poll`], [`watched`] and [`limits`] are tools.
//!
//! # Order of events
//! bind, (fork,) have each worker join its slot, register the listener with every event loop, print
//! the ready line, serve; on SIGTERM or SIGINT stop accepting, let requests in flight finish, close
//! idle connections, exit 0. The only worker of [`single`] joins its slot before it binds.
//!
//! What is still open when the drain timeout ends, or when a second signal comes, is cut: a line on
//! stderr says how many connections that were. The exit code is 0 even then, because the server
//! did what it was told; 1 means it could not serve, 2 that the command line is wrong.

pub mod accept;
pub mod blocking;
pub mod cluster;
pub mod connection;
pub mod drain;
pub mod end;
pub mod endpoint;
pub mod evented;
pub mod failure;
pub mod floor;
pub mod ledger;
pub mod limits;
pub mod listener;
pub mod messages;
pub mod options;
pub mod orders;
pub mod poll;
pub mod reactor;
pub mod say;
pub mod signals;
pub mod single;
pub mod slot;
pub mod spin;
pub mod tally;
pub mod threads;
pub mod watched;
pub mod worker;
pub mod workload;
