//! The accept loop of an event loop behind a [`Gate`].
//!
//! # Order of events
//! Try the gate; if another is through, ask for the bell, try once more, and wait for it. Once
//! through, put the listener among the event loop's sources and wait for a connection, serving those
//! that are there meanwhile; accept one, take the listener away again, give the gate back, and let
//! others go first. A listener that stayed registered would wake every worker for every connection,
//! and the gate would be in vain.
//!
//! In the drain the gate is ignored: all workers take what is left until nothing is.

use std::{
    io,
    net::{TcpListener, TcpStream},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::{io::Errno, net::accept_with};
use tokio::io::{Interest, unix::AsyncFd};

use super::{
    Complaint, FOR_EVENT_LOOPS, adopt_registered, concerns_one_connection,
    gate::{Bell, Gate, Pass},
    let_others_accept, take_queue,
};
use crate::{drain::DrainWatch, spin::Spin, watched::watched};

/// A listener behind a gate, and the bell among the sources of the calling thread's event loop.
#[derive(Debug)]
pub struct Entry {
    listener: TcpListener,
    gate: Gate,
    bell: Option<Watched>,
}

impl Entry {
    /// Watch the bell of `gate`. The listener must not block. To be done before the worker says that it
    /// listens, for one that cannot hear the bell may never pass.
    ///
    /// # Errors
    /// No descriptor or memory is left.
    pub fn new(listener: TcpListener, gate: Gate) -> io::Result<Self> {
        let bell = gate.bell().map(Watched::new).transpose()?;
        Ok(Self {
            listener,
            gate,
            bell,
        })
    }
}

/// As [`super::shared::run`], behind a gate.
pub async fn run(entry: Entry, spin: Spin, mut drain: DrainWatch) {
    let Entry {
        listener,
        gate,
        bell,
    } = entry;
    let mut complaint = Complaint::default();
    loop {
        let accepted = tokio::select! {
            biased;
            () = drain.begun() => break,
            accepted = accept_behind(&gate, bell.as_ref(), &listener) => accepted,
        };
        match accepted {
            Ok(stream) => {
                adopt_registered(stream, spin, &drain);
                let_others_accept().await;
            }
            Err(error) if concerns_one_connection(&error) => {}
            Err(error) => complaint.make_of_and_pause(&error).await,
        }
    }
    take_queue(&listener, spin, &drain);
}

/// Cancelled anywhere, it leaves the gate to others.
async fn accept_behind(
    gate: &Gate,
    bell: Option<&Watched>,
    listener: &TcpListener,
) -> io::Result<tokio::net::TcpStream> {
    let _pass = pass(gate, bell).await?;
    accept_one(listener).await
}

async fn pass<'a>(gate: &'a Gate, bell: Option<&Watched>) -> io::Result<Pass<'a>> {
    loop {
        if let Some(pass) = gate.try_pass() {
            return Ok(pass);
        }
        if let Some(bell) = bell {
            bell.bell.ask();
            if let Some(pass) = gate.try_pass() {
                return Ok(pass);
            }
            bell.heard().await?;
        }
    }
}

async fn accept_one(listener: &TcpListener) -> io::Result<tokio::net::TcpStream> {
    let registered = watch(listener.as_fd())?;
    loop {
        let mut ready = registered.readable().await?;
        match accept_with(listener, FOR_EVENT_LOOPS) {
            Ok(stream) => return tokio::net::TcpStream::from_std(TcpStream::from(stream)),
            Err(Errno::AGAIN) => ready.clear_ready(),
            Err(error) => return Err(error.into()),
        }
    }
}

/// A bell among the sources of this worker's event loop.
#[derive(Debug)]
struct Watched {
    bell: Bell,
    source: AsyncFd<OwnedFd>,
}

impl Watched {
    fn new(bell: &Bell) -> io::Result<Self> {
        Ok(Self {
            bell: bell.clone(),
            source: watched(bell.eventfd().try_clone_to_owned()?)?,
        })
    }

    async fn heard(&self) -> io::Result<()> {
        // Never read, so it stays readable; what counts is the edge that each ring makes.
        self.source.readable().await?.clear_ready();
        Ok(())
    }
}

/// Have the event loop watch `source` for something to read, until the result is dropped.
#[allow(unsafe_code)]
fn watch(source: BorrowedFd<'_>) -> io::Result<AsyncFd<BorrowedFd<'_>>> {
    // SAFETY: the borrow keeps the descriptor open, and no worker with an event loop replaces what
    // its descriptors stand for.
    Ok(unsafe { AsyncFd::register_with_interest(source, Interest::READABLE) }?)
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicBool, Ordering::SeqCst},
        thread,
    };

    use schema::Accept;
    use tokio::runtime;

    use super::*;
    use crate::accept::gate::SharedGate;

    #[test]
    fn event_loops_pass_one_at_a_time_and_none_is_forgotten() {
        for accept in [Accept::FileLock, Accept::Mutex] {
            let shared = SharedGate::of(accept).unwrap();
            let through = AtomicBool::new(false);
            let visits = async || {
                let gate = shared.for_worker().unwrap();
                let bell = gate.bell().map(Watched::new).transpose().unwrap();
                for _ in 0..300 {
                    let pass = pass(&gate, bell.as_ref()).await.unwrap();
                    assert!(!through.swap(true, SeqCst));
                    // Long enough for all others to try.
                    for _ in 0..10 {
                        let_others_accept().await;
                    }
                    assert!(through.swap(false, SeqCst));
                    drop(pass);
                    let_others_accept().await;
                }
            };
            thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        let runtime = runtime::Builder::new_current_thread().enable_io().build();
                        runtime.unwrap().block_on(visits());
                    });
                }
            });
        }
    }
}
