//! Telling every connection to finish, and knowing when they all have.
//!
//! [`Drain`] is the side that decides. The accept loop holds a [`DrainWatch`], and each connection
//! an [`Admission`] made from it. Both count as finished when they are dropped, however their
//! holder ended.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::Poll,
};

use tokio::sync::watch;

#[derive(Debug, Default)]
struct State {
    begun: AtomicBool,
    open: AtomicUsize,
}

/// Begins the drain and sees its end.
#[derive(Debug)]
pub struct Drain {
    state: Arc<State>,
    signal: watch::Sender<()>,
}

impl Drain {
    /// A drain that has not begun, and a watch for who accepts connections.
    #[must_use]
    pub fn new() -> (Self, DrainWatch) {
        let state = Arc::new(State::default());
        let (sender, receiver) = watch::channel(());
        let drain = Self {
            state: Arc::clone(&state),
            signal: sender,
        };
        let watch = DrainWatch {
            state,
            signal: receiver,
        };
        (drain, watch)
    }

    /// Tell everybody.
    pub fn begin(&self) {
        // The flag first: whoever is woken by the signal must see it.
        self.state.begun.store(true, Ordering::Release);
        self.signal.send_replace(());
    }

    /// Resolves once every watch and every admission is dropped.
    pub async fn finished(&self) {
        self.signal.closed().await;
    }

    /// Connections that are open.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.state.open.load(Ordering::Relaxed)
    }
}

/// Held by who accepts connections.
#[derive(Debug)]
pub struct DrainWatch {
    state: Arc<State>,
    signal: watch::Receiver<()>,
}

impl DrainWatch {
    /// Resolves once the drain has begun.
    pub async fn begun(&mut self) {
        begun(&self.state, &mut self.signal).await;
    }

    /// Count one more connection.
    #[must_use]
    pub fn admit(&self) -> Admission {
        self.state.open.fetch_add(1, Ordering::Relaxed);
        Admission {
            state: Arc::clone(&self.state),
            signal: self.signal.clone(),
        }
    }
}

/// Held by a connection as long as it is open.
#[derive(Debug)]
pub struct Admission {
    state: Arc<State>,
    signal: watch::Receiver<()>,
}

impl Admission {
    /// Poll `work` until it ends, or give nothing where the drain begins first.
    ///
    /// The signal is polled once, to leave the task's waker with it: a task keeps its waker for
    /// life. Every later poll, of which a connection has at least one for each request, reads a
    /// flag instead of taking the lock behind the signal, which all workers of a thread pool share.
    pub async fn until_drain<F: Future>(&mut self, mut work: Pin<&mut F>) -> Option<F::Output> {
        let mut begun = pin!(begun(&self.state, &mut self.signal));
        let mut registered = false;
        poll_fn(|context| {
            if let Poll::Ready(output) = work.as_mut().poll(context) {
                return Poll::Ready(Some(output));
            }
            if !registered {
                registered = true;
                if begun.as_mut().poll(context).is_ready() {
                    return Poll::Ready(None);
                }
            }
            if self.state.begun.load(Ordering::Acquire) {
                Poll::Ready(None)
            } else {
                Poll::Pending
            }
        })
        .await
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.state.open.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn begun(state: &State, signal: &mut watch::Receiver<()>) {
    // A clone counts as having seen what the original saw, so the signal alone is not enough.
    while !state.begun.load(Ordering::Acquire) {
        if signal.changed().await.is_err() {
            // The side that decides is gone, and with it every reason to go on.
            return;
        }
    }
}
