//! One event loop: a tokio runtime on the calling thread, from its first accept until it drained.
//!
//! Nothing else runs in the process. Had it a second thread, even a sleeping one, the kernel would
//! count references on every descriptor a system call uses and the allocator would lock: costs that
//! belong to threads, and must not be measured here. One consequence: signals are noticed between
//! requests, so a worker that is blocked (`/block`) or busy (`/cpu`) drains when that is over. A
//! cluster's primary does not wait for that longer than the drain timeout; `single` has no primary.

use std::{net::TcpListener, time::Duration};

use tokio::{runtime, time::timeout};

use crate::{
    accept::{self, Sharing},
    drain::Drain,
    end::End,
    failure::Failure,
    limits,
    orders::{Chain, Order, Orders},
    spin::Spin,
};

/// Serve `listener` until an order of `chain` says to stop. `accepting` is called once
/// connections are accepted.
///
/// # Errors
/// The event loop could not be made. See [`Failure`].
pub fn run(
    listener: TcpListener,
    sharing: Sharing,
    chain: Chain,
    spin: Spin,
    drain_timeout: Duration,
    accepting: impl FnOnce(),
) -> Result<End, Failure> {
    limits::check()?;
    runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(serve(
            listener,
            sharing,
            chain,
            spin,
            drain_timeout,
            accepting,
        ))
}

async fn serve(
    listener: TcpListener,
    sharing: Sharing,
    chain: Chain,
    spin: Spin,
    drain_timeout: Duration,
    accepting: impl FnOnce(),
) -> Result<End, Failure> {
    let mut orders = Orders::from(chain)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let (drain, watch) = Drain::new();
    tokio::spawn(accept::run(listener, sharing, spin, watch));
    accepting();

    if orders.next().await == Order::End {
        return Ok(End::Hurried(drain.open_connections()));
    }
    drain.begin();
    tokio::select! {
        ended = timeout(drain_timeout, drain.finished()) => Ok(match ended {
            Ok(()) => End::Drained,
            Err(_) => End::TimedOut(drain.open_connections()),
        }),
        _ = orders.next() => Ok(End::Hurried(drain.open_connections())),
    }
}
