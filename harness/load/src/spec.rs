//! What load to drive.

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use schema::{Pace, Reuse};

use crate::transport::TransportKind;

/// The edges of the counted window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// It opens in [`LoadSpec::lead`]: the time to do what takes long.
    Approaches,
    /// Warm-up is over; counting has begun.
    Opened {
        /// For how long already.
        late: Duration,
    },
    /// Counting is over; requests under way are left unfinished.
    Closed,
}

/// [`LoadSpec::lead`], where nobody asks for another.
const LEAD: Duration = Duration::from_millis(50);

/// What a correct body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expectation {
    /// `Hello from worker <id>\n`; the id is counted.
    HelloFromWorker,
    /// The same, and dots behind it, so many bytes in all; the id is counted.
    HelloAndDots {
        /// Length of the body.
        length: u64,
    },
    /// Whatever the first correct answer is: if it greets as above then all must, else any body will
    /// do.
    AsTheFirst,
}

/// A load. [`LoadSpec::to`] gives one to change from.
#[derive(Clone)]
pub struct LoadSpec {
    /// Where to connect.
    pub address: SocketAddr,
    /// The Host field: name or address, and port where it is not 80.
    pub host: String,
    /// Path and query, as in `/cpu?us=200`.
    pub target: String,
    /// Further header fields, name and value; a Host among them takes the place of `host`.
    pub headers: Vec<(String, String)>,
    /// Connections, all threads together; at least one. In a loop with a new connection for each
    /// request, how many there may be at once.
    pub connections: u32,
    /// One generator thread for each CPU, pinned to it; at least one.
    pub cpus: Vec<u32>,
    /// When requests are due.
    pub pace: Pace,
    /// How long a connection lives.
    pub reuse: Reuse,
    /// Load before the window opens. A wrong answer in it ends the load.
    pub warm_up: Duration,
    /// Length of the window.
    pub measure: Duration,
    /// How long a request may take before it is given up, from when it was due.
    pub timeout: Duration,
    /// How often figures are handed over while the window is open; at its close alone where absent.
    pub interval: Option<Duration>,
    /// What a correct body is.
    pub expect: Expectation,
    /// How to speak to the kernel; epoll where absent, the cheaper of the two where they were measured.
    pub transport: Option<TransportKind>,
    /// Begin only when [`Running::begin`] says so, and not as soon as all connections stand: for several
    /// loads that begin together.
    ///
    /// [`Running::begin`]: crate::Running::begin
    pub held: bool,
    /// How long before the window opens [`Window::Approaches`] is called, where the warm-up is as long.
    pub lead: Duration,
    /// Called from a thread of its own at the edges of the window.
    pub on_window: Arc<dyn Fn(Window) + Send + Sync>,
}

impl LoadSpec {
    /// A closed loop of one kept-alive connection to `GET /`, for one second, from `cpu`.
    #[must_use]
    pub fn to(address: SocketAddr, cpu: u32) -> Self {
        Self {
            address,
            host: address.to_string(),
            target: "/".to_owned(),
            headers: Vec::new(),
            connections: 1,
            cpus: vec![cpu],
            pace: Pace::ClosedLoop { think_ns: 0 },
            reuse: Reuse::KeepAlive,
            warm_up: Duration::ZERO,
            measure: Duration::from_secs(1),
            timeout: Duration::from_secs(5),
            interval: None,
            expect: Expectation::HelloFromWorker,
            transport: None,
            held: false,
            lead: LEAD,
            on_window: Arc::new(|_| {}),
        }
    }

    /// Threads that share the load: no more than connections.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.cpus.len().min(self.connections as usize)
    }

    /// The bytes of every request.
    pub(crate) fn request(&self) -> Vec<u8> {
        let mut text = format!("GET {} HTTP/1.1\r\n", self.target);
        let given = |field: &str| {
            self.headers
                .iter()
                .any(|(name, _)| name.eq_ignore_ascii_case(field))
        };
        if !given("host") {
            text += "Host: ";
            text += &self.host;
            text += "\r\n";
        }
        if self.reuse == Reuse::NewConnection && !given("connection") {
            text += "Connection: close\r\n";
        }
        for (name, value) in &self.headers {
            text += name;
            text += ": ";
            text += value;
            text += "\r\n";
        }
        text += "\r\n";
        text.into_bytes()
    }
}

impl fmt::Debug for LoadSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadSpec")
            .field("address", &self.address)
            .field("target", &self.target)
            .field("headers", &self.headers)
            .field("connections", &self.connections)
            .field("cpus", &self.cpus)
            .field("pace", &self.pace)
            .field("reuse", &self.reuse)
            .field("warm_up", &self.warm_up)
            .field("measure", &self.measure)
            .field("timeout", &self.timeout)
            .field("interval", &self.interval)
            .field("expect", &self.expect)
            .field("transport", &self.transport)
            .finish_non_exhaustive()
    }
}
