//! One generator thread: an event loop over its share of the connections.
//!
//! The loop makes two system calls a request (read, write) and one `epoll_wait` for as many answers
//! as have come; it allocates nothing for a correct answer, and reads the clock once for each
//! answer: the end of one request is the start of the next.

use std::{
    io, net,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Token};
use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeValLike,
};
use schema::{CpuTime, ErrorKind};

use crate::{
    connection::{Broken, Connection, Heard, Phase},
    error::LoadError,
    response::Answer,
    spec::{Expectation, LoadSpec, Window},
    tally::Tally,
    witness::worker_id,
};

/// How long a connection that could not be made waits before it is tried again.
const RETRY_NS: u64 = 20_000_000;
/// How often connections are searched for requests to give up and sockets to open again.
const SWEEP_NS: u64 = 20_000_000;
const READ_BUFFER_BYTES: usize = 64 * 1024;
const EVENTS_AT_ONCE: usize = 1024;
/// As much of wrong bytes as an error message shows.
const SHOWN_BYTES: usize = 80;

/// What the threads of one load share.
#[derive(Debug)]
pub struct Shared {
    /// The zero of every thread's clock.
    pub epoch: Instant,
    /// When the window opened; zero until it does. The first thread sets it.
    pub opened_ns: AtomicU64,
    /// Set to call the load off.
    pub stop: AtomicBool,
    /// Correct answers so far, warm-up included; brought up to date at every sweep.
    pub completed: AtomicU64,
}

/// One thread's part of a load.
pub struct Engine<'a> {
    spec: &'a LoadSpec,
    shared: &'a Shared,
    leads: bool,
    poll: Poll,
    connections: Vec<Connection>,
    request: Vec<u8>,
    buffer: Box<[u8]>,
    tally: Tally,
    published: u64,
    next_sweep_ns: u64,
}

impl<'a> Engine<'a> {
    /// Takes connected sockets. The thread that `leads` opens the window.
    pub fn new(
        spec: &'a LoadSpec,
        shared: &'a Shared,
        leads: bool,
        sockets: Vec<net::TcpStream>,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let connections = sockets
            .into_iter()
            .enumerate()
            .map(|(index, socket)| {
                socket.set_nonblocking(true)?;
                let mut stream = mio::net::TcpStream::from_std(socket);
                poll.registry().register(
                    &mut stream,
                    Token(index),
                    Interest::READABLE | Interest::WRITABLE,
                )?;
                Ok(Connection::new(stream, Phase::Idle))
            })
            .collect::<io::Result<_>>()?;
        Ok(Self {
            spec,
            shared,
            leads,
            poll,
            connections,
            request: spec.request(),
            buffer: vec![0; READ_BUFFER_BYTES].into_boxed_slice(),
            tally: Tally::default(),
            published: 0,
            next_sweep_ns: 0,
        })
    }

    /// Warms up, counts over the window, and returns what was counted in it.
    pub fn run(mut self) -> Result<Tally, LoadError> {
        let started_ns = self.now();
        for index in 0..self.connections.len() {
            self.ask(index, started_ns);
        }
        let warm_ns = started_ns + nanos(self.spec.warm_up);
        self.drive(|_, now_ns| now_ns >= warm_ns)?;
        if let (count @ 1.., first) = self.tally.wrong() {
            let first = first.unwrap_or_default().to_owned();
            return Err(LoadError::WarmUp { count, first });
        }
        if self.leads {
            (self.spec.on_window)(Window::Opened);
            self.shared.opened_ns.store(self.now(), Ordering::Release);
        } else {
            self.drive(|shared, _| shared.opened_ns.load(Ordering::Acquire) > 0)?;
        }
        let (opened_ns, cpu) = self.open_window()?;
        let until_ns = self.shared.opened_ns.load(Ordering::Acquire) + nanos(self.spec.measure);
        self.drive(|_, now_ns| now_ns >= until_ns)?;
        self.close_window(opened_ns, cpu)?;
        if self.leads {
            (self.spec.on_window)(Window::Closed);
        }
        Ok(self.tally)
    }

    /// Forgets the warm-up; requests under way are offered to the window.
    fn open_window(&mut self) -> io::Result<(u64, CpuTime)> {
        self.publish();
        self.published = 0;
        let under_way = self.connections.iter().filter(|c| c.is_asking()).count();
        self.tally = Tally::default();
        self.tally.offered = under_way as u64;
        for connection in &mut self.connections {
            connection.recorded = false;
        }
        Ok((self.now(), thread_cpu()?))
    }

    fn close_window(&mut self, opened_ns: u64, cpu: CpuTime) -> io::Result<()> {
        self.publish();
        let used = thread_cpu()?;
        self.tally.cpu = CpuTime {
            user_ns: used.user_ns.saturating_sub(cpu.user_ns),
            system_ns: used.system_ns.saturating_sub(cpu.system_ns),
        };
        self.tally.elapsed_ns = self.now() - opened_ns;
        self.tally.unfinished = self.connections.iter().filter(|c| c.is_asking()).count() as u64;
        Ok(())
    }

    /// Turns the event loop until `done`, or until the load is called off.
    fn drive(&mut self, done: impl Fn(&Shared, u64) -> bool) -> Result<(), LoadError> {
        let mut events = Events::with_capacity(EVENTS_AT_ONCE);
        loop {
            let mut now_ns = self.now();
            if done(self.shared, now_ns) {
                return Ok(());
            }
            if now_ns >= self.next_sweep_ns {
                if self.shared.stop.load(Ordering::Relaxed) {
                    return Err(LoadError::Stopped);
                }
                self.sweep(now_ns);
                self.next_sweep_ns = now_ns + SWEEP_NS;
            }
            // A whole millisecond is the least that epoll waits for; a window that closes a
            // millisecond late is measured as such.
            match self.poll.poll(&mut events, Some(Duration::from_millis(1))) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                    return Err(error.into());
                }
                _ => {}
            }
            now_ns = self.now();
            for event in &events {
                now_ns = self.attend(event.token().0, event.is_read_closed(), now_ns);
            }
        }
    }

    /// Something happened to a connection. Returns the time, read anew if an answer came.
    fn attend(&mut self, index: usize, peer_closed: bool, mut now_ns: u64) -> u64 {
        let connection = &mut self.connections[index];
        match connection.phase {
            Phase::Down { .. } => return now_ns,
            Phase::Connecting { .. } => {
                match connection.is_connected() {
                    Ok(true) => self.ask(index, now_ns),
                    Ok(false) => {}
                    Err(error) => self.not_connected(index, &error, now_ns),
                }
                return now_ns;
            }
            Phase::Asking { written, .. } if written < self.request.len() => {
                if let Err(error) = connection.go_on_asking(&self.request) {
                    self.broken(index, Broken::Disconnect(error), now_ns);
                    return now_ns;
                }
            }
            Phase::Asking { .. } | Phase::Idle => {}
        }
        let connection = &mut self.connections[index];
        match connection.hear(
            &mut self.buffer,
            peer_closed,
            &mut self.tally.received_bytes,
        ) {
            Ok(Heard::Nothing) => {}
            Ok(Heard::Answer(answer)) => {
                now_ns = self.now();
                self.answered(index, &answer, now_ns);
            }
            Err(broken) => self.broken(index, broken, now_ns),
        }
        now_ns
    }

    /// Checks and counts an answer, and asks for the next.
    fn answered(&mut self, index: usize, answer: &Answer, now_ns: u64) {
        let connection = &mut self.connections[index];
        let Phase::Asking { sent_ns, .. } = connection.phase else {
            return;
        };
        connection.phase = Phase::Idle;
        match check(self.spec.expect, answer) {
            Ok(worker) => {
                self.tally.completed += 1;
                if connection.recorded {
                    self.tally
                        .latency
                        .saturating_record((now_ns - sent_ns).max(1));
                }
                if let Some(worker) = worker {
                    self.tally.answered_by(worker);
                }
            }
            Err((kind, words)) => self.tally.error(kind, || words),
        }
        if answer.keep_alive {
            self.ask(index, now_ns);
        } else {
            self.reopen(index, now_ns);
        }
    }

    fn ask(&mut self, index: usize, now_ns: u64) {
        self.tally.offered += 1;
        let connection = &mut self.connections[index];
        connection.recorded = true;
        if let Err(error) = connection.ask(&self.request, now_ns) {
            self.broken(index, Broken::Disconnect(error), now_ns);
        }
    }

    fn reopen(&mut self, index: usize, now_ns: u64) {
        let opened = self.connections[index].reopen(
            self.spec.address,
            self.poll.registry(),
            Token(index),
            now_ns,
        );
        match opened {
            Ok(()) => self.tally.connections_opened += 1,
            Err(error) => self.not_connected(index, &error, now_ns),
        }
    }

    /// A connection is of no use any more: its request failed, and a new one is made.
    fn broken(&mut self, index: usize, broken: Broken, now_ns: u64) {
        if self.connections[index].is_asking() {
            match broken {
                Broken::ClosedIdle => {}
                Broken::Disconnect(error) => self
                    .tally
                    .error(ErrorKind::Disconnect, || error.to_string()),
                Broken::Protocol { error, bytes } => {
                    self.tally
                        .error(ErrorKind::Protocol, || format!("{error}{}", shown(&bytes)));
                }
                Broken::Unsolicited { bytes } => self.tally.error(ErrorKind::Protocol, || {
                    format!("bytes came that no request asked for{}", shown(&bytes))
                }),
            }
        }
        self.reopen(index, now_ns);
    }

    /// A connection could not be made: the request it was to carry failed.
    fn not_connected(&mut self, index: usize, error: &io::Error, now_ns: u64) {
        self.tally.offered += 1;
        self.tally.error(ErrorKind::Connect, || error.to_string());
        self.connections[index].shut(now_ns + RETRY_NS);
    }

    /// Gives up requests that took too long and opens again what is down.
    fn sweep(&mut self, now_ns: u64) {
        self.publish();
        let timeout_ns = nanos(self.spec.timeout);
        for index in 0..self.connections.len() {
            match self.connections[index].phase {
                Phase::Down { retry_at_ns } if now_ns >= retry_at_ns => self.reopen(index, now_ns),
                Phase::Connecting { since_ns } if now_ns - since_ns > timeout_ns => {
                    self.tally.offered += 1;
                    self.tally.timeouts += 1;
                    self.reopen(index, now_ns);
                }
                Phase::Asking { sent_ns, .. } if now_ns.saturating_sub(sent_ns) > timeout_ns => {
                    self.tally.timeouts += 1;
                    self.reopen(index, now_ns);
                }
                _ => {}
            }
        }
    }

    /// Lets watchers see how many answers have come.
    fn publish(&mut self) {
        let more = self.tally.completed - self.published;
        self.published = self.tally.completed;
        self.shared.completed.fetch_add(more, Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        nanos(self.shared.epoch.elapsed())
    }
}

/// The worker that answered, where the expectation names one; else what is wrong, in words.
fn check(expect: Expectation, answer: &Answer) -> Result<Option<u64>, (ErrorKind, String)> {
    if answer.status != 200 {
        return Err((
            ErrorKind::Status,
            format!("status {} instead of 200", answer.status),
        ));
    }
    match expect {
        Expectation::Any => Ok(None),
        Expectation::HelloFromWorker => answer
            .body
            .whole()
            .and_then(worker_id)
            .map(Some)
            .ok_or_else(|| {
                let body = shown(answer.body.kept());
                let length = answer.body.length();
                (
                    ErrorKind::Body,
                    format!("a body of {length} bytes that is not 'Hello from worker <id>'{body}"),
                )
            }),
    }
}

/// The first of wrong bytes, fit for one line.
fn shown(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return String::new();
    }
    format!(
        ": '{}'",
        bytes[..bytes.len().min(SHOWN_BYTES)].escape_ascii()
    )
}

/// CPU time of this thread, from `getrusage(RUSAGE_THREAD)`.
fn thread_cpu() -> io::Result<CpuTime> {
    let usage = getrusage(UsageWho::RUSAGE_THREAD)?;
    let nanoseconds =
        |time: nix::sys::time::TimeVal| u64::try_from(time.num_nanoseconds()).unwrap_or(0);
    Ok(CpuTime {
        user_ns: nanoseconds(usage.user_time()),
        system_ns: nanoseconds(usage.system_time()),
    })
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
