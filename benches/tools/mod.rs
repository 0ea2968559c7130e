//! What all benches need: workers of both kinds, two ways to measure, a place to run.
//!
//! # Order of events
//! [`suite::run`] forks the [`fork_server`] while the bench has one thread, then has criterion measure
//! every group twice, by the clock and by the CPU time of the whole [`tree`] of processes
//! ([`metric`]). A group asks [`fork_server::Workers`] for its workers: each is a [`job`](fork_server::Job)
//! that runs in a thread of the bench or in a process of its own, by the same code, [`pinned`](cpus) where
//! the group says so. At the end comes the [`summary`](crate::summary) of all that was ever measured.

pub mod cpus;
pub mod fork_server;
pub mod machine;
pub mod metric;
pub mod packet;
pub mod ping_pong;
pub mod shared_memory;
pub mod suite;
pub mod tree;
