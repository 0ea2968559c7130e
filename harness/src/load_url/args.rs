//! What can be typed after `counters load`.

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use load::TransportKind;
use schema::Arrivals;

use crate::cli::{MOST_CONNECTIONS, duration};

/// More requests per second than this no machine answers.
const MOST_PER_S: f64 = 100e6;

/// `counters load`.
#[derive(Args, Clone, Debug)]
pub struct LoadArgs {
    /// What to request, as in `http://127.0.0.1:3000/`
    #[arg(value_name = "URL")]
    pub url: String,
    /// Connections
    #[arg(short, long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=MOST_CONNECTIONS))]
    pub connections: u32,
    /// Length of the measurement
    #[arg(short, long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub duration: Duration,
    /// Requests per second, due whatever the server does (an open loop), or a ramp from one rate to
    /// another [default: each connection asks again once it is answered (a closed loop)]
    #[arg(short, long, value_name = "RATE|A:B", value_parser = rate)]
    pub rate: Option<RateArg>,
    /// How the requests of an open loop scatter [default: poisson]
    #[arg(long, value_enum, requires = "rate")]
    pub arrivals: Option<ArrivalsArg>,
    /// Draws the arrivals [default: from the clock]
    #[arg(long, requires = "rate")]
    pub seed: Option<u64>,
    /// Time between an answer and the next request on its connection
    #[arg(long, value_name = "TIME", value_parser = duration, conflicts_with = "rate")]
    pub think: Option<Duration>,
    /// A new connection for each request
    #[arg(long)]
    pub new_connections: bool,
    /// Generator threads, each on a CPU of its own [default: half of the cores]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub threads: Option<u32>,
    /// CPUs of the generator, one thread each; with --threads, the first so many of them
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub cpus: Vec<u32>,
    /// How long a request may take, from when it was due
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    pub timeout: Duration,
    /// Load before the measurement that is not counted; a wrong answer in it ends the load
    /// [default: none]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub warm_up: Option<Duration>,
    /// A further header field; may be given several times
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = header)]
    pub headers: Vec<(String, String)>,
    /// The result as JSON, for programs
    #[arg(long)]
    pub json: bool,
    /// Write the distribution of response times there, in milliseconds, as `HdrHistogram` plots it
    #[arg(long, value_name = "FILE")]
    pub hgrm: Option<PathBuf>,
    /// Write every interval's histograms there, as an `HdrHistogram` log
    #[arg(long, value_name = "FILE")]
    pub hlog: Option<PathBuf>,
    /// Length of an interval: of the live line and of the log
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = interval)]
    pub interval: Duration,
    /// Allow a server that is not on this host. Only drive load at servers that are yours
    #[arg(long)]
    pub allow_remote: bool,
    /// How the generator speaks to the kernel [default: epoll]
    #[arg(long, value_enum)]
    pub transport: Option<TransportArg>,
}

/// A rate, or a ramp.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateArg {
    pub from_per_s: f64,
    pub to_per_s: f64,
}

/// [`Arrivals`], as typed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ArrivalsArg {
    /// Independently of each other
    Poisson,
    /// Evenly
    Constant,
}

impl From<ArrivalsArg> for Arrivals {
    fn from(arrivals: ArrivalsArg) -> Self {
        match arrivals {
            ArrivalsArg::Poisson => Self::Poisson,
            ArrivalsArg::Constant => Self::Constant,
        }
    }
}

/// [`TransportKind`], as typed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum TransportArg {
    /// Readiness
    Epoll,
    /// Completion
    IoUring,
}

impl From<TransportArg> for TransportKind {
    fn from(transport: TransportArg) -> Self {
        match transport {
            TransportArg::Epoll => Self::Epoll,
            TransportArg::IoUring => Self::IoUring,
        }
    }
}

fn rate(text: &str) -> Result<RateArg, String> {
    let one = |text: &str| {
        text.parse::<f64>()
            .ok()
            .filter(|rate| rate.is_finite() && (0.0..=MOST_PER_S).contains(rate))
            .ok_or_else(|| {
                format!("'{text}' is no number of requests per second; write 20000, or 100:20000 for a ramp")
            })
    };
    let (from_per_s, to_per_s) = match text.split_once(':') {
        Some((from, to)) => (one(from)?, one(to)?),
        None => (one(text)?, one(text)?),
    };
    if from_per_s + to_per_s <= 0.0 {
        return Err("a rate of 0 sends nothing; leave it out for a closed loop".to_owned());
    }
    Ok(RateArg {
        from_per_s,
        to_per_s,
    })
}

fn interval(text: &str) -> Result<Duration, String> {
    let interval = duration(text)?;
    if interval < Duration::from_millis(10) {
        return Err("it must be at least 10ms".to_owned());
    }
    Ok(interval)
}

/// Fields that frame the request are the generator's own.
fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once(':')
        .ok_or("there is no colon in it; write it as 'Name: value'")?;
    let (name, value) = (name.trim(), value.trim());
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(format!("'{name}' is no name of a header field"));
    }
    if value
        .bytes()
        .any(|byte| byte.is_ascii_control() && byte != b'\t')
    {
        return Err("the value holds control characters".to_owned());
    }
    if ["content-length", "transfer-encoding"]
        .iter()
        .any(|own| name.eq_ignore_ascii_case(own))
    {
        return Err(format!("{name} frames a body, and the requests have none"));
    }
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_one_number_or_two() {
        let read = |text| rate(text).map(|rate| (rate.from_per_s, rate.to_per_s));
        assert_eq!(read("20000"), Ok((20e3, 20e3)));
        assert_eq!(read("100:2e4"), Ok((100.0, 20e3)));
        assert_eq!(read("0:10"), Ok((0.0, 10.0)));
        for wrong in [
            "", "fast", "-1", "1:", "0", "0:0", "inf", "NaN", "1:2:3", "1e12",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_header_field_cannot_break_the_request() {
        assert_eq!(
            header("Accept:  text/plain "),
            Ok(("Accept".to_owned(), "text/plain".to_owned()))
        );
        for wrong in [
            "Accept",
            ": x",
            "A b: c",
            "X: a\r\nY: b",
            "Content-Length: 3",
        ] {
            assert!(header(wrong).is_err(), "{wrong}");
        }
    }
}
