//! One event loop: a tokio runtime on the calling thread, from its first accept until it drained.
//!
//! In a worker process nothing else runs. Had it a second thread, even a sleeping one, the kernel would
//! count references on every descriptor a system call uses and the allocator would lock: costs that
//! belong to threads, and must not be measured here. One consequence: signals are noticed between
//! requests, so a worker that is blocked (`/block`) or busy (`/cpu`) drains when that is over. A
//! cluster's primary does not wait for that longer than the drain timeout; `single` has no primary.

use std::time::Duration;

use tokio::{runtime, time::timeout};

use crate::{
    accept::{exclusive::Exclusive, gate::Gate, gated, handoff, shared},
    drain::{Drain, DrainWatch},
    end::End,
    failure::Failure,
    limits,
    messages::{self, ToPrimary, WorkerEnd},
    options::Wake,
    orders::{Carrier, Order, Orders},
    spin::Spin,
    worker::Intake,
};

/// What an event loop is made for.
#[derive(Debug)]
pub struct Job {
    /// How connections reach it.
    pub intake: Intake,
    /// How orders do.
    pub orders: Carrier,
    /// Its messages, where it has a primary.
    pub link: Option<WorkerEnd>,
    /// So much longer each request of a workload takes.
    pub spin: Spin,
    /// How long the drain may take.
    pub drain_timeout: Duration,
}

/// Serve until an order says to stop. `accepting` is called once connections are accepted.
///
/// # Errors
/// The event loop could not be made. See [`Failure`].
pub fn run(job: Job, accepting: impl FnOnce()) -> Result<End, Failure> {
    limits::check()?;
    runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(serve(job, accepting))
}

async fn serve(job: Job, accepting: impl FnOnce()) -> Result<End, Failure> {
    let mut orders = Orders::by(job.orders)?;
    if let Some(link) = job.link {
        let (end, dispatcher) = link.evented();
        messages::install(end);
        tokio::spawn(dispatcher.run());
    }
    let (drain, watch) = Drain::new();
    take_in(job.intake, job.spin, watch)?;
    accepting();

    let mut order = orders.next().await;
    // A primary that is gone takes this worker with it.
    let _ = messages::tell(ToPrimary::Leaving);
    if order == Order::Retire {
        drain.retire();
        order = tokio::select! {
            () = drain.finished() => return Ok(End::Drained),
            order = further(&mut orders) => order,
        };
    }
    if order == Order::End {
        return Ok(End::Hurried(drain.open_connections()));
    }
    drain.begin();
    tokio::select! {
        ended = timeout(job.drain_timeout, drain.finished()) => Ok(match ended {
            Ok(()) => End::Drained,
            Err(_) => End::TimedOut(drain.open_connections()),
        }),
        _ = further(&mut orders) => Ok(End::Hurried(drain.open_connections())),
    }
}

/// The next order that asks for more than to retire.
async fn further(orders: &mut Orders) -> Order {
    loop {
        let order = orders.next().await;
        if order != Order::Retire {
            return order;
        }
    }
}

/// Register whatever connections come by with the event loop, so that they are accepted from now on.
fn take_in(intake: Intake, spin: Spin, watch: DrainWatch) -> Result<(), Failure> {
    use shared::Sharing::{Sole, WithOthers};
    match intake {
        Intake::Own(listener) => {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            tokio::spawn(shared::run(listener, Sole, spin, watch));
        }
        Intake::Shared {
            listener,
            gate,
            wake,
        } => match (gate.for_worker()?, wake) {
            (Gate::None, Wake::All) => {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                tokio::spawn(shared::run(listener, WithOthers, spin, watch));
            }
            (Gate::None, Wake::Exclusive) => {
                let listener = Exclusive::new(listener)?;
                tokio::spawn(shared::run(listener, WithOthers, spin, watch));
            }
            (gate, _) => {
                let entry = gated::Entry::new(listener, gate)?;
                tokio::spawn(gated::run(entry, spin, watch));
            }
        },
        Intake::Line(line) => {
            let line = handoff::evented::Watched::new(line)?;
            tokio::spawn(handoff::evented::run(line, spin, watch));
        }
    }
    Ok(())
}
