//! What load to drive.

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

/// The edges of the counted window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// Warm-up is over; counting begins.
    Opened,
    /// Counting is over; requests under way are left unfinished.
    Closed,
}

/// What a correct body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expectation {
    /// `Hello from worker <id>\n`; the id is counted.
    HelloFromWorker,
    /// Any body.
    Any,
}

/// A closed loop: each connection sends its next request as soon as the last one is answered.
#[derive(Clone)]
pub struct LoadSpec {
    /// Where to connect.
    pub address: SocketAddr,
    /// Path and query, as in `/cpu?us=200`.
    pub target: String,
    /// Connections, all threads together; at least one.
    pub connections: u32,
    /// One generator thread for each CPU, pinned to it; at least one.
    pub cpus: Vec<u32>,
    /// Load before the window opens.
    pub warm_up: Duration,
    /// Length of the window.
    pub measure: Duration,
    /// How long a request may take before it is given up.
    pub timeout: Duration,
    /// What a correct body is.
    pub expect: Expectation,
    /// Called by one generator thread as the window opens and as it closes. Requests that are under
    /// way while it runs count as offered, but their latency is not recorded.
    pub on_window: Arc<dyn Fn(Window) + Send + Sync>,
}

impl LoadSpec {
    /// The bytes of every request.
    pub(crate) fn request(&self) -> Vec<u8> {
        format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\n\r\n",
            self.target, self.address
        )
        .into_bytes()
    }
}

impl fmt::Debug for LoadSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadSpec")
            .field("address", &self.address)
            .field("target", &self.target)
            .field("connections", &self.connections)
            .field("cpus", &self.cpus)
            .field("warm_up", &self.warm_up)
            .field("measure", &self.measure)
            .field("timeout", &self.timeout)
            .field("expect", &self.expect)
            .finish_non_exhaustive()
    }
}
