//! Telling every connection to finish, and knowing when they all have.
//!
//! A worker that *drains* finishes the requests that are in flight and closes the connections that have
//! none. Such a connection may just be about to carry one, which is then lost to a client that cannot know.
//! That is no matter where the whole server ends. A worker that others succeed *retires* first: it accepts
//! no more, and its connections stay until each has carried one more request, whose answer says that it
//! is the last ([`retiring`]). What is idle for longer than the drain timeout is closed all the same.
//!
//! [`Drain`] is the side that decides. The accept loop holds a [`DrainWatch`], and each connection
//! an [`Admission`] made from it. Both count as finished when they are dropped, however their
//! holder ended.

use std::{
    cell::Cell,
    future::poll_fn,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::Poll,
};

use tokio::sync::watch;

thread_local! {
    static RETIRING: Cell<bool> = const { Cell::new(false) };
}

/// Whether answers of the calling worker are to say that their connection ends.
#[must_use]
pub fn retiring() -> bool {
    RETIRING.get()
}

#[derive(Debug, Default)]
struct State {
    leaving: AtomicBool,
    begun: AtomicBool,
    open: AtomicUsize,
}

/// Begins the drain and sees its end.
#[derive(Debug)]
pub struct Drain {
    state: Arc<State>,
    /// To who accepts connections.
    leave: watch::Sender<()>,
    /// To connections.
    signal: watch::Sender<()>,
}

impl Drain {
    /// A drain that has not begun, and a watch for who accepts connections.
    #[must_use]
    pub fn new() -> (Self, DrainWatch) {
        let state = Arc::new(State::default());
        let (leave, leaving) = watch::channel(());
        let (sender, receiver) = watch::channel(());
        let drain = Self {
            state: Arc::clone(&state),
            leave,
            signal: sender,
        };
        let watch = DrainWatch {
            state,
            leaving,
            signal: receiver,
        };
        (drain, watch)
    }

    /// Have nothing more accepted, and every connection end after one more request. Tells connections
    /// of the calling thread, which is a worker by itself.
    pub fn retire(&self) {
        RETIRING.set(true);
        // The flag first: whoever is woken by the signal must see it.
        self.state.leaving.store(true, Ordering::Release);
        self.leave.send_replace(());
    }

    /// Have nothing more accepted, and every connection finish.
    pub fn begin(&self) {
        self.state.leaving.store(true, Ordering::Release);
        self.state.begun.store(true, Ordering::Release);
        self.leave.send_replace(());
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
    leaving: watch::Receiver<()>,
    signal: watch::Receiver<()>,
}

impl DrainWatch {
    /// Resolves once nothing more is to be accepted.
    pub async fn begun(&mut self) {
        until(&self.state.leaving, &mut self.leaving).await;
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
        let mut begun = pin!(until(&self.state.begun, &mut self.signal));
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

/// Resolves once `flag` is set, of which `signal` tells.
async fn until(flag: &AtomicBool, signal: &mut watch::Receiver<()>) {
    // A clone counts as having seen what the original saw, so the signal alone is not enough.
    while !flag.load(Ordering::Acquire) {
        if signal.changed().await.is_err() {
            // The side that decides is gone, and with it every reason to go on.
            return;
        }
    }
}
