//! What all benches need: workers of both kinds, two ways to measure, a place to run.
//!
//! # Order of events
//! [`suite::run`] forks the [`fork_server`] while the bench has one thread, then has criterion measure
//! every group twice, by the clock and by the CPU time of the whole [`tree`] of processes
//! ([`metric`]). A group asks [`fork_server::Workers`] for its workers: each is a [`job`](fork_server::Job)
//! that runs in a thread of the bench or in a process of its own, by the same code, [`pinned`](cpus) where
//! the group says so. Where several work at once they are a [`crew`]. At the end comes the [`summary`](crate::summary) of all that was ever measured.

pub mod cpus;
pub mod crew;
pub mod dialogue;
pub mod fallible;
pub mod fork_server;
pub mod forking;
pub mod grain;
pub mod machine;
pub mod metric;
pub mod mutex;
pub mod packet;
pub mod ping_pong;
pub mod private_memory;
pub mod rest;
pub mod ring;
pub mod server;
pub mod session;
pub mod session_table;
pub mod shared_memory;
pub mod suite;
pub mod tree;
pub mod turns;
