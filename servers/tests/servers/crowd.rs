//! Clients that ask on and on while something happens to a server, and count what becomes of it.

use std::{
    collections::BTreeSet,
    fmt,
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc, Condvar, Mutex,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::launch::PATIENCE;

/// Time between the requests of one client, unless answers take longer.
const PACE: Duration = Duration::from_millis(1);

/// Requests after which a client that keeps its connection opens another, for those that wait for a
/// worker that blocks.
const TURN: usize = 20;

/// How a client uses connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    /// A new one for each request.
    Leaves,
    /// One for some requests.
    Stays,
}

/// Clients at work.
pub struct Crowd {
    clients: Vec<(Sender<()>, JoinHandle<Tally>)>,
    answered: Arc<Count>,
}

/// Answers so far.
#[derive(Default)]
struct Count {
    count: Mutex<usize>,
    grows: Condvar,
}

/// What became of requests.
#[derive(Debug, Default)]
pub struct Tally {
    pub answered: usize,
    pub workers: BTreeSet<u32>,
    pub lost: Vec<Loss>,
}

/// A request without an answer.
#[derive(Debug)]
pub struct Loss {
    pub error: io::Error,
    /// Who had answered on this connection before.
    pub worker: Option<u32>,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.worker {
            Some(worker) => write!(f, "{} after worker {worker} had answered", self.error),
            None => write!(f, "{} on a new connection", self.error),
        }
    }
}

impl Crowd {
    /// Clients of these habits, each of which has had an answer.
    pub fn gather(address: SocketAddr, habits: &[Habit]) -> Self {
        let answered = Arc::<Count>::default();
        let clients = habits.iter().map(|&habit| {
            let (stop, stopped) = channel();
            let answered = Arc::clone(&answered);
            let client = thread::spawn(move || ask(address, habit, &stopped, &answered));
            (stop, client)
        });
        let crowd = Self {
            clients: clients.collect(),
            answered,
        };
        crowd.wait_for_answers(habits.len());
        crowd
    }

    /// Wait until so many more requests were answered.
    pub fn wait_for_answers(&self, more: usize) {
        let count = self.answered.count.lock().expect("nobody panics with it");
        let enough = *count + more;
        let (_count, waited) = self
            .answered
            .grows
            .wait_timeout_while(count, PATIENCE, |count| *count < enough)
            .expect("nobody panics with it");
        assert!(!waited.timed_out(), "answers stay away");
    }

    /// Have them stop, and add up.
    pub fn disperse(self) -> Tally {
        let mut sum = Tally::default();
        for (stop, client) in self.clients {
            drop(stop);
            let tally = client
                .join()
                .expect("a client gives up only when none answers");
            sum.answered += tally.answered;
            sum.workers.extend(tally.workers);
            sum.lost.extend(tally.lost);
        }
        sum
    }
}

fn ask(address: SocketAddr, habit: Habit, stop: &Receiver<()>, answered: &Count) -> Tally {
    let mut tally = Tally::default();
    let mut kept: Option<Connection> = None;
    let mut planned = Instant::now();
    loop {
        planned += PACE;
        let left = planned.saturating_duration_since(Instant::now());
        if stop.recv_timeout(left) != Err(RecvTimeoutError::Timeout) {
            return tally;
        }
        let known = kept.as_ref().and_then(|connection| connection.worker);
        match ask_once(address, habit, kept.take()) {
            Ok((worker, connection)) => {
                tally.answered += 1;
                tally.workers.insert(worker);
                kept = connection;
                *answered.count.lock().expect("nobody panics with it") += 1;
                answered.grows.notify_all();
            }
            Err(error) => {
                let patient = error.kind() != io::ErrorKind::WouldBlock;
                assert!(
                    patient,
                    "neither an answer nor an end came, worker {known:?}"
                );
                tally.lost.push(Loss {
                    error,
                    worker: known,
                });
            }
        }
    }
}

struct Connection {
    stream: BufReader<TcpStream>,
    worker: Option<u32>,
    carried: usize,
}

/// The worker that answered, and the connection if it may carry another request.
fn ask_once(
    address: SocketAddr,
    habit: Habit,
    kept: Option<Connection>,
) -> io::Result<(u32, Option<Connection>)> {
    let mut connection = match kept {
        Some(connection) => connection,
        None => connect(address)?,
    };
    let last = habit == Habit::Leaves || connection.carried + 1 == TURN;
    let manner = if last { "close" } else { "keep-alive" };
    let request = format!("GET / HTTP/1.1\r\nHost: test\r\nConnection: {manner}\r\n\r\n");
    connection.stream.get_mut().write_all(request.as_bytes())?;
    let (worker, closes) = receive(&mut connection.stream)?;
    connection.worker = Some(worker);
    connection.carried += 1;
    Ok((worker, (!closes).then_some(connection)))
}

fn connect(address: SocketAddr) -> io::Result<Connection> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(Connection {
        stream: BufReader::new(stream),
        worker: None,
        carried: 0,
    })
}

/// The worker in an answer, and whether it is the connection's last.
fn receive(stream: &mut BufReader<TcpStream>) -> io::Result<(u32, bool)> {
    let (mut closes, mut length) = (false, 0);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        closes |= line == "connection: close";
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse().map_err(io::Error::other)?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    let body = String::from_utf8(body).map_err(io::Error::other)?;
    let worker = body
        .strip_prefix("Hello from worker ")
        .and_then(|rest| rest.trim_end().parse().ok())
        .ok_or_else(|| io::Error::other(body.clone()))?;
    Ok((worker, closes))
}
