//! Tells whoever watches the server when the window opens and closes, from a thread of its own, so
//! that the generator's threads lose no time over it.

use std::{
    io,
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::spec::Window;

/// The hook as it is called.
pub type Hook = Arc<dyn Fn(Window) + Send + Sync>;

/// The thread that calls the hook.
#[derive(Debug)]
pub struct Herald {
    ended: mpsc::Sender<()>,
    thread: JoinHandle<()>,
}

impl Herald {
    /// Calls `hook` by `lead` before `opens`, then at both edges.
    pub fn start(hook: Hook, lead: Duration, opens: Instant, closes: Instant) -> io::Result<Self> {
        let (ended, end) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("load-window".to_owned())
            .spawn(move || {
                if !sleep_until(opens.checked_sub(lead).unwrap_or(opens), &end) {
                    return;
                }
                hook(Window::Approaches);
                if !sleep_until(opens, &end) {
                    return;
                }
                let late = opens.elapsed();
                hook(Window::Opened { late });
                // A window that was cut short has closed too.
                sleep_until(closes, &end);
                hook(Window::Closed);
            })?;
        Ok(Self { ended, thread })
    }

    /// The load is over, or off; returns when the hook was called for the last time.
    pub fn finish(self) {
        drop(self.ended);
        // A panic in the hook was reported on stderr already.
        let _ = self.thread.join();
    }
}

/// False where the load ended before.
fn sleep_until(at: Instant, end: &mpsc::Receiver<()>) -> bool {
    let left = at.saturating_duration_since(Instant::now());
    end.recv_timeout(left) == Err(mpsc::RecvTimeoutError::Timeout)
}
