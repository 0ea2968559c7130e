//! One acceptor, which passes every connection on to a worker.
//!
//! 1. [`acceptor`] accepts, in the primary of a cluster or the first thread of a pool.
//! 2. [`round_robin`] says whose turn it is.
//! 3. [`lane`] carries the connection to a process or a thread, and the worker's words back.
//! 4. A worker takes it: an event loop in [`evented`], a blocking one in [`blocking`].
//!
//! Every connection costs a message to the worker and one back, and passes through one thread, which
//! can do no more than it can do. In exchange no worker is woken for nothing, and connections are even
//! by construction.

pub mod acceptor;
pub mod blocking;
pub mod evented;
pub mod lane;
pub mod round_robin;
