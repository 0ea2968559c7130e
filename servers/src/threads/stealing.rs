//! Threads that steal work from one another: tokio's multi-thread runtime.
//!
//! The accept loop is a task like any other, run by whichever worker is free, and so is every
//! connection.
//!
//! The runtime starts all its threads as it is made, which the kernel must allow ([`enough`]). Each
//! says so, having joined its slot if it was
//! given one, before it looks for work, and the server is ready once all have said so. A thread
//! cannot refuse to work where its slot refuses it, so it says that, too, and the first thread ends
//! the server. Slots go to threads in the order in which the kernel runs them.
//!
//! Stealing has a limit that shows where handlers are long. Only one worker at a time waits in
//! epoll. One that gets a single event there serves it without waking another to wait in its place,
//! so until that handler returns or another worker runs out of work, nobody looks at the sockets,
//! although workers are idle. `/block` on one of two workers can therefore stop both; so can
//! `/cpu`, for as long as it burns. A cluster's workers have an epoll each and no such tie.

use std::{
    io::{PipeReader, pipe},
    net::TcpListener,
    os::fd::AsFd,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use nix::{errno::Errno, sys::signal::Signal};
use schema::Model;
use tokio::runtime::{self, Runtime};

use crate::{
    accept::shared::{self, Sharing},
    drain::{Drain, DrainWatch},
    end::End,
    failure::Failure,
    ledger::Ledger,
    listener::listen,
    messages::{self, WorkerEnd},
    options::ThreadsOptions,
    poll, say,
    signals::Signals,
    slot::{self, Slot},
    spin::Spin,
    tally,
    threads::{enough, front_desk},
};

/// Serve until told to stop.
///
/// # Errors
/// See [`Failure`].
pub fn run(options: &ThreadsOptions, model: Model) -> Result<(), Failure> {
    // Before there is another thread: each takes the signal mask of the one that makes it.
    let signals = Signals::take(&[Signal::SIGTERM, Signal::SIGINT])?;
    let workers = options.pool.workers()?;
    let (listener, address) = listen(options.server.socket_address(), model.style)?;
    let ledger = Ledger::new(workers)?;
    let (mut post, link) = messages::between_threads()?;
    let runtime = start_workers(ledger, workers, options.worker.slots.clone(), link)?;
    let (drain, watch) = Drain::new();
    start_accepting(&runtime, listener, options.worker.spin, watch)?;
    front_desk::announce(&mut post, ledger);
    say::ready(address, model, workers);

    while !signals.pending()?.stop {
        poll::readable(&[signals.as_fd(), post.fd()], None)?;
        front_desk::answer(&mut post, ledger);
    }
    let end = drain_workers(&runtime, drain, &signals, options.server.drain_timeout)?;
    end.report("threads");
    // What is left is cut. Waiting for it would wait for a blocked worker, too.
    runtime.shutdown_background();
    Ok(())
}

/// Make the runtime, and wait until every worker runs where it is to run.
fn start_workers(
    ledger: Ledger,
    workers: u32,
    slots: Vec<Slot>,
    link: WorkerEnd,
) -> Result<Runtime, Failure> {
    let workers = workers as usize;
    enough::check(workers)?;
    let threads = AtomicUsize::new(0);
    let (teller, told) = mpsc::channel();
    let (end, dispatcher) = link.evented();
    let start = move || {
        let number = threads.fetch_add(1, Ordering::Relaxed);
        tally::begin(ledger, number);
        messages::install(end.clone());
        // Nobody listens any more once another thread was refused by its slot.
        let _ = teller.send(slot::join(&slots, number));
    };
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .thread_name("worker")
        .on_thread_start(start)
        .enable_all()
        .build()?;
    // With a thread missing that was there a moment ago, its word would be waited for in vain. The first
    // thread is none of the runtime's.
    if enough::running().is_some_and(|running| running <= workers) {
        runtime.shutdown_background();
        return Err(Failure::Thread(Errno::EAGAIN.into()));
    }
    for joined in told.iter().take(workers) {
        joined?;
    }
    runtime.spawn(dispatcher.run());
    Ok(runtime)
}

fn start_accepting(
    runtime: &Runtime,
    listener: TcpListener,
    spin: Spin,
    watch: DrainWatch,
) -> Result<(), Failure> {
    // Registers with the runtime's epoll, which the current thread has to name.
    let _entered = runtime.enter();
    let listener = tokio::net::TcpListener::from_std(listener)?;
    runtime.spawn(shared::run(listener, Sharing::Sole, spin, watch));
    Ok(())
}

fn drain_workers(
    runtime: &Runtime,
    drain: Drain,
    signals: &Signals,
    drain_timeout: Duration,
) -> Result<End, Failure> {
    let deadline = Instant::now() + drain_timeout;
    let drain = Arc::new(drain);
    let finished = finish(runtime, Arc::clone(&drain))?;
    drain.begin();
    loop {
        let sources = [finished.as_fd(), signals.as_fd()];
        let readable = poll::readable(&sources, Some(deadline))?;
        if readable[0] {
            return Ok(End::Drained);
        }
        if readable[1] && signals.pending()?.stop {
            return Ok(End::Hurried(drain.open_connections()));
        }
        if Instant::now() >= deadline {
            return Ok(End::TimedOut(drain.open_connections()));
        }
    }
}

/// A pipe that is closed once every connection has finished.
fn finish(runtime: &Runtime, drain: Arc<Drain>) -> Result<PipeReader, Failure> {
    let (reader, writer) = pipe()?;
    runtime.spawn(async move {
        drain.finished().await;
        drop(writer);
    });
    Ok(reader)
}
