//! What was typed on the command line, checked before anything is started.
//!
//! Wrong usage is one line on stderr, what failed, the value seen, what to do, and exit code 2.

use std::{
    net::{IpAddr, SocketAddr},
    process::ExitCode,
    time::Duration,
};

use clap::{Args, Parser, error::ErrorKind};
use nix::{
    sched::{CpuSet, sched_getaffinity},
    unistd::Pid,
};

use schema::{Style, Worker};

pub use self::model::{ModelOptions, Wake};
use crate::{blocking::Terms, say, slot::Slot, spin::Spin};

mod model;

/// More workers than this are a slip of the finger, not a plan.
pub const MOST_WORKERS: u32 = 1024;

/// Longest drain timeout, in seconds: a day.
const LONGEST_DRAIN_S: u64 = 24 * 60 * 60;

/// Memory is not looked at more often: reading it takes a worker's page tables.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);

/// What every server is told.
#[derive(Args, Clone, Debug)]
pub struct ServerOptions {
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1", value_parser = address)]
    pub bind: IpAddr,

    /// Port to listen on; 0 picks a free one
    #[arg(long, value_name = "PORT", default_value = "3000", value_parser = port)]
    pub port: u16,

    /// How long requests in flight may take to finish once the server was told to stop, as in 5s
    /// or 500ms; a bare number means seconds
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    pub drain_timeout: Duration,
}

impl ServerOptions {
    /// Where to listen.
    #[must_use]
    pub const fn socket_address(&self) -> SocketAddr {
        SocketAddr::new(self.bind, self.port)
    }
}

/// What a server that is compared is told about its workers.
#[derive(Args, Clone, Debug)]
pub struct WorkerOptions {
    /// Where a worker runs: a CPU it is bound to, and the folder of a control group it joins, as in
    /// 0=/sys/fs/cgroup/cpu/a; once for each worker, in their order
    #[arg(long = "slot", value_name = "CPU=DIR")]
    pub slots: Vec<Slot>,

    /// Nanoseconds that every request of a workload takes longer, up to 10 ms: a known slowdown
    #[arg(long = "spin-ns", value_name = "N", default_value = "0", hide = true)]
    pub spin: Spin,
}

impl WorkerOptions {
    /// On what terms a blocking worker serves.
    #[must_use]
    pub fn terms(&self, style: StyleOptions, server: &ServerOptions) -> Terms {
        Terms {
            spin: self.spin,
            drain_timeout: server.drain_timeout,
            keep_alive_requests: style.keep_alive_requests,
        }
    }

    /// Whether there is a slot for each of `workers`, or none at all.
    fn check(&self, workers: u32) -> Result<(), String> {
        let slots = self.slots.len();
        if slots == 0 || slots == workers as usize {
            Ok(())
        } else {
            Err(format!(
                "number of slots {slots} for number of workers {workers}: give --slot once for \
                 each worker"
            ))
        }
    }
}

/// What a server that is compared is told about how its workers serve.
#[derive(Args, Clone, Copy, Debug)]
pub struct StyleOptions {
    /// How a worker serves: evented, many connections in an event loop, or blocking, one at a time
    #[arg(long, value_name = "STYLE", default_value = "evented", value_parser = style)]
    pub style: Style,

    /// Requests after which a blocking worker closes a connection, for it leaves all other clients
    /// waiting meanwhile, as Apache does; 1 or more
    #[arg(long, value_name = "N", default_value = "100", value_parser = keep_alive_requests)]
    pub keep_alive_requests: u32,
}

/// What is typed to start a server: [`Parser`] knows each option alone, this knows them together.
pub trait Typed: Parser {
    /// Whether the options fit each other; else what failed, the value seen and what to do.
    ///
    /// # Errors
    /// They do not.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

/// One process, one worker: the server everything else is compared with
#[derive(Parser, Clone, Debug)]
#[command(name = "single", version)]
pub struct SingleOptions {
    /// What every server is told.
    #[command(flatten)]
    pub server: ServerOptions,
    /// How its worker serves.
    #[command(flatten)]
    pub style: StyleOptions,
    /// What a server that is compared is told.
    #[command(flatten)]
    pub worker: WorkerOptions,
}

impl Typed for SingleOptions {
    fn check(&self) -> Result<(), String> {
        self.worker.check(1)
    }
}

/// A hand-written event loop with a ready-made answer: the least that serving HTTP costs
#[derive(Parser, Clone, Debug)]
#[command(name = "floor", version)]
pub struct FloorOptions {
    /// What every server is told.
    #[command(flatten)]
    pub server: ServerOptions,
}

impl Typed for FloorOptions {}

/// A primary process and its worker processes, which it keeps alive
///
/// SIGTERM or SIGINT stop it, SIGHUP replaces every worker without losing a request, SIGTTIN adds
/// a worker, SIGTTOU takes one away.
#[derive(Parser, Clone, Debug)]
#[command(name = "cluster", version)]
pub struct ClusterOptions {
    /// What every server is told.
    #[command(flatten)]
    pub server: ServerOptions,
    /// Its cell of the grid.
    #[command(flatten)]
    pub model: ModelOptions,
    /// How workers are kept.
    #[command(flatten)]
    pub keeping: KeepingOptions,
    /// What a server with several workers is told.
    #[command(flatten)]
    pub pool: PoolOptions,
    /// What a server that is compared is told.
    #[command(flatten)]
    pub worker: WorkerOptions,
}

impl Typed for ClusterOptions {
    fn check(&self) -> Result<(), String> {
        self.model.check(Worker::Process)?;
        self.pool.check(&self.worker)
    }
}

/// How a cluster's workers are kept alive and well.
#[derive(Args, Clone, Copy, Debug)]
pub struct KeepingOptions {
    /// Replace a worker that holds more memory than this (proportional set size), as in 200M; a bare
    /// number means bytes
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub max_memory: Option<u64>,

    /// How often memory is looked at
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = interval)]
    pub memory_every: Duration,

    /// Say every event in the life of a worker (fork, online, listening, disconnect, exit) as a line of
    /// JSON on stdout
    #[arg(long)]
    pub events: bool,
}

/// One process and its worker threads
#[derive(Parser, Clone, Debug)]
#[command(name = "threads", version)]
pub struct ThreadsOptions {
    /// What every server is told.
    #[command(flatten)]
    pub server: ServerOptions,
    /// Its cell of the grid.
    #[command(flatten)]
    pub model: ModelOptions,
    /// What a server with several workers is told.
    #[command(flatten)]
    pub pool: PoolOptions,
    /// What a server that is compared is told.
    #[command(flatten)]
    pub worker: WorkerOptions,
}

impl Typed for ThreadsOptions {
    fn check(&self) -> Result<(), String> {
        self.model.check(Worker::Thread)?;
        self.pool.check(&self.worker)
    }
}

/// What a server with several workers is told beside [`ServerOptions`].
#[derive(Args, Clone, Copy, Debug)]
pub struct PoolOptions {
    /// How many workers serve, 1 to 1024; by default one for each CPU this process may use
    #[arg(long, value_name = "COUNT", value_parser = workers)]
    workers: Option<u32>,
}

impl PoolOptions {
    /// As many workers as were asked for, else one for each CPU this process may use.
    ///
    /// # Errors
    /// The kernel refused to tell the CPU affinity.
    pub fn workers(&self) -> Result<u32, AffinityError> {
        self.workers.map_or_else(cpus_allowed, Ok)
    }

    fn check(self, worker: &WorkerOptions) -> Result<(), String> {
        // Where the number cannot be known, the server says so as it starts.
        self.workers().map_or(Ok(()), |count| worker.check(count))
    }
}

/// `sched_getaffinity` failed.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot read which CPUs this process may use: {0}; say how many workers with --workers COUNT"
)]
pub struct AffinityError(#[from] nix::Error);

/// CPUs in the affinity mask of this process, at least 1 and at most [`MOST_WORKERS`].
///
/// The mask, not the number of CPUs of the machine: under `taskset -c 0` a second worker would
/// only take turns with the first.
fn cpus_allowed() -> Result<u32, AffinityError> {
    let allowed = sched_getaffinity(Pid::from_raw(0))?;
    let count = (0..CpuSet::count())
        .filter(|&cpu| allowed.is_set(cpu).unwrap_or(false))
        .count();
    Ok(u32::try_from(count)
        .unwrap_or(MOST_WORKERS)
        .clamp(1, MOST_WORKERS))
}

/// Read the command line.
///
/// # Errors
/// The exit code to end with: help was asked for and printed (0), or the usage is wrong and one
/// line on stderr said so (2).
pub fn typed<T: Typed>() -> Result<T, ExitCode> {
    let typed = T::try_parse().and_then(|typed| match typed.check() {
        Ok(()) => Ok(typed),
        Err(problem) => Err(T::command().error(ErrorKind::WrongNumberOfValues, problem)),
    });
    typed.map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // A closed stdout is the reader's choice; there is nobody left to tell.
            let _ = error.print();
            ExitCode::SUCCESS
        }
        _ => {
            say::trouble(T::command().get_name(), usage_line(&error));
            ExitCode::from(2)
        }
    })
}

/// The first line of clap's message holds what failed and the value seen; the others are hints
/// that `--help` gives better.
fn usage_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let first = text.lines().next().unwrap_or_default();
    let what = first.strip_prefix("error: ").unwrap_or(first);
    format!("{what}; see --help")
}

fn address(text: &str) -> Result<IpAddr, String> {
    text.parse()
        .map_err(|_| "say an IP address, as in 127.0.0.1 or ::1".to_owned())
}

fn port(text: &str) -> Result<u16, String> {
    text.parse()
        .map_err(|_| "say a number from 0 to 65535, 0 to have a free one picked".to_owned())
}

fn workers(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(count @ 1..=MOST_WORKERS) => Ok(count),
        _ => Err(format!("say a number from 1 to {MOST_WORKERS}")),
    }
}

/// Bytes, as in `200M` or `1G`: powers of 1024.
fn size(text: &str) -> Result<u64, String> {
    let (number, factor) = match text.as_bytes().last() {
        Some(b'K' | b'k') => (&text[..text.len() - 1], 1 << 10),
        Some(b'M' | b'm') => (&text[..text.len() - 1], 1 << 20),
        Some(b'G' | b'g') => (&text[..text.len() - 1], 1 << 30),
        _ => (text, 1),
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(factor))
        .filter(|&bytes| bytes > 0)
        .ok_or_else(|| "say a size, as in 200M, 1G or 104857600".to_owned())
}

fn interval(text: &str) -> Result<Duration, String> {
    duration(text)
        .ok()
        .filter(|interval| *interval >= SHORTEST_INTERVAL)
        .ok_or_else(|| "say a time from 10ms to 24h, as in 5s or 500ms".to_owned())
}

fn style(text: &str) -> Result<Style, String> {
    text.parse()
        .map_err(|_| "say evented or blocking".to_owned())
}

fn keep_alive_requests(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(count @ 1..) => Ok(count),
        _ => Err("say a number from 1 up".to_owned()),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let parsed = match text.parse::<u64>() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => humantime::parse_duration(text).ok(),
    };
    parsed
        .filter(|&duration| duration <= Duration::from_secs(LONGEST_DRAIN_S))
        .ok_or_else(|| "say a time of at most 24h, as in 5s, 500ms or 1m".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_number_means_seconds() {
        assert_eq!(duration("5"), Ok(Duration::from_secs(5)));
        assert_eq!(duration("5s"), Ok(Duration::from_secs(5)));
        assert_eq!(duration("1m 500ms"), Ok(Duration::from_millis(60_500)));
        assert_eq!(duration("0"), Ok(Duration::ZERO));
    }

    #[test]
    fn a_time_that_is_none_or_without_sense_is_refused() {
        for text in ["", "-1", "soon", "25h", "99999999999999999999"] {
            assert!(duration(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_size_is_a_number_of_bytes_or_of_powers_of_1024() {
        assert_eq!(size("4096"), Ok(4096));
        assert_eq!(size("3k"), Ok(3 << 10));
        assert_eq!(size("200M"), Ok(200 << 20));
        assert_eq!(size("1G"), Ok(1 << 30));
        for text in ["", "M", "0", "-1", "1.5G", "1T", "99999999999G", "é"] {
            assert!(size(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_style_and_how_long_it_stays_with_a_client_are_checked() {
        let typed = SingleOptions::try_parse_from(["single", "--style", "blocking"]).unwrap();
        assert_eq!(typed.style.style, Style::Blocking);
        assert_eq!(typed.style.keep_alive_requests, 100);
        for wrong in [["--style", "fast"], ["--keep-alive-requests", "0"]] {
            let error = SingleOptions::try_parse_from([&["single"][..], &wrong].concat());
            let line = usage_line(&error.unwrap_err());
            assert!(line.contains(wrong[1]) && line.contains("say "), "{line}");
        }
    }

    #[test]
    fn a_cell_that_cannot_be_is_refused_with_the_reason_and_the_choice() {
        let refusal = |line: &[&str]| {
            let typed = ThreadsOptions::try_parse_from(line).unwrap();
            typed.check().unwrap_err()
        };
        let error = refusal(&["threads", "--style", "blocking", "--accept", "stealing"]);
        assert!(
            error.starts_with("thread/blocking/stealing cannot be, for ")
                && error.contains("choose --accept from: shared, reuseport"),
            "{error}"
        );
        let error = refusal(&["threads", "--wake", "exclusive"]);
        assert!(error.contains("not for thread/evented/stealing"), "{error}");
    }

    #[test]
    fn a_usage_error_is_one_line_with_the_value_and_the_cure() {
        let error = ClusterOptions::try_parse_from(["cluster", "--workers", "100000"]).unwrap_err();
        assert_eq!(
            usage_line(&error),
            "invalid value '100000' for '--workers <COUNT>': say a number from 1 to 1024; see --help"
        );
    }
}
