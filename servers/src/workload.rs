//! The work a request asks for, and how a worker does it.

use std::{hint::black_box, thread, time::Duration};

use nix::time::{ClockId, clock_gettime};
use schema::{Style, Workload};

/// Most microseconds a request may ask for: a minute.
pub const MOST_US: u32 = 60_000_000;

/// Fewest bytes a body may be asked to have: any worker's greeting fits.
pub const FEWEST_BYTES: u32 = 32;

/// Most bytes a body may be asked to have.
pub const MOST_BYTES: u32 = 1 << 20;

/// Steps of arithmetic between two looks at the clock, a fraction of a microsecond. Reading a
/// thread's CPU clock is a system call; without these steps a burn would be kernel time instead of
/// user time.
const STEPS_PER_LOOK: u64 = 256;

/// Do the work on this worker.
///
/// - `Cpu` burns CPU time of the calling thread, so it takes longer where the thread is kept from
///   running. The overshoot is one look at the clock, well below a microsecond.
/// - `Wait` waits as the style waits. An event loop serves other connections of the worker meanwhile;
///   the runtime's timer has a resolution of 1 ms and rounds up, so `us=1` may take 2 ms. A blocking
///   worker sleeps in the kernel.
/// - `Block` sleeps in the kernel and stops the whole worker, whatever its style.
pub async fn perform(workload: Workload, style: Style) {
    match workload {
        Workload::Hello | Workload::Bytes { .. } => {}
        Workload::Cpu { us } => burn(microseconds(us)),
        Workload::Wait { us } => match style {
            Style::Evented => tokio::time::sleep(microseconds(us)).await,
            Style::Blocking => thread::sleep(microseconds(us)),
        },
        Workload::Block { us } => thread::sleep(microseconds(us)),
    }
}

fn microseconds(us: u32) -> Duration {
    Duration::from_micros(us.into())
}

fn burn(cpu_time: Duration) {
    let end = thread_cpu_time() + cpu_time;
    while thread_cpu_time() < end {
        let mut product = 1_u64;
        for step in 0..STEPS_PER_LOOK {
            product = black_box(product.wrapping_mul(step | 1));
        }
    }
}

fn thread_cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
        .map(Duration::from)
        .expect("every Linux thread has a CPU clock")
}

/// Microseconds in a query, as in `us=200`: 0 to [`MOST_US`]. `path` only names the request in the error.
///
/// # Errors
/// There is no `us`, or more than one, or it is no number of that range.
pub fn parse_us(path: &str, query: Option<&str>) -> Result<u32, InvalidNumber> {
    parse(path, query, "us", "microseconds", 0, MOST_US)
}

/// The length of a body in a query, as in `n=4000`: [`FEWEST_BYTES`] to [`MOST_BYTES`].
///
/// # Errors
/// There is no `n`, or more than one, or it is no number of that range.
pub fn parse_bytes(path: &str, query: Option<&str>) -> Result<u32, InvalidNumber> {
    parse(path, query, "n", "bytes", FEWEST_BYTES, MOST_BYTES)
}

fn parse(
    path: &str,
    query: Option<&str>,
    name: &'static str,
    unit: &'static str,
    least: u32,
    most: u32,
) -> Result<u32, InvalidNumber> {
    let mut values = query
        .unwrap_or_default()
        .split('&')
        .filter_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let invalid = |seen: String| InvalidNumber {
        path: path.to_owned(),
        seen,
        name,
        unit,
        least,
        most,
    };
    let Some(value) = values.next() else {
        return Err(invalid(format!("{name} is missing")));
    };
    if values.next().is_some() {
        return Err(invalid(format!("{name} is given more than once")));
    }
    // `str::parse` takes a leading '+', which in a query stands for a space.
    Some(value)
        .filter(|value| value.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|value| value.parse().ok())
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| invalid(format!("{name} is '{}'", shortened(value))))
}

/// Enough of a value to recognise it by.
fn shortened(value: &str) -> String {
    const ENOUGH: usize = 40;
    let mut start: String = value.chars().take(ENOUGH).collect();
    if start.len() < value.len() {
        start.push('…');
    }
    start
}

/// A request whose number cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{seen}: ask for {path}?{name}=N with N a whole number of {unit} from {least} to {most}")]
pub struct InvalidNumber {
    path: String,
    seen: String,
    name: &'static str,
    unit: &'static str,
    least: u32,
    most: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn us_is_found_among_other_parameters() {
        assert_eq!(parse_us("/cpu", Some("us=200")), Ok(200));
        assert_eq!(parse_us("/cpu", Some("a=1&us=0&busy=2")), Ok(0));
        assert_eq!(parse_us("/cpu", Some("us=60000000")), Ok(MOST_US));
    }

    #[test]
    fn what_is_no_number_of_microseconds_is_refused() {
        for query in [
            None,
            Some(""),
            Some("us"),
            Some("us="),
            Some("us=+5"),
            Some("us=-5"),
            Some("us=1.5"),
            Some("us=60000001"),
            Some("us=99999999999999999999"),
            Some("us=1&us=2"),
            Some("bus=1"),
        ] {
            assert!(parse_us("/cpu", query).is_err(), "{query:?}");
        }
    }

    #[test]
    fn a_body_is_long_enough_for_every_greeting_and_at_most_a_mebibyte() {
        assert_eq!(parse_bytes("/bytes", Some("n=4000")), Ok(4000));
        assert_eq!(parse_bytes("/bytes", Some("n=32")), Ok(FEWEST_BYTES));
        for query in ["n=31", "n=1048577", "us=4000", "n=", "nn=4000"] {
            let error = parse_bytes("/bytes", Some(query)).unwrap_err().to_string();
            assert!(error.ends_with("bytes from 32 to 1048576"), "{error}");
        }
    }

    #[test]
    fn burning_takes_at_least_the_cpu_time_asked_for() {
        let cpu_time = Duration::from_micros(500);
        let end = thread_cpu_time() + cpu_time;
        burn(cpu_time);
        assert!(thread_cpu_time() >= end);
    }
}
