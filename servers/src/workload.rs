//! The work a request asks for, and how a worker does it.

use std::{hint::black_box, thread, time::Duration};

use nix::time::{ClockId, clock_gettime};
use schema::Workload;

/// Most microseconds a request may ask for: a minute.
pub const MOST_US: u32 = 60_000_000;

/// Steps of arithmetic between two looks at the clock, a fraction of a microsecond. Reading a
/// thread's CPU clock is a system call; without these steps a burn would be kernel time instead of
/// user time.
const STEPS_PER_LOOK: u64 = 256;

/// Do the work on this worker.
///
/// - `Cpu` burns CPU time of the calling thread, so it takes longer where the thread is kept from
///   running. The overshoot is one look at the clock, well below a microsecond.
/// - `Wait` waits as an event loop waits: other connections of the worker are served meanwhile. The
///   runtime's timer has a resolution of 1 ms and rounds up, so `us=1` may take 2 ms.
/// - `Block` sleeps in the kernel and stops the whole worker, whatever its style.
pub async fn perform(workload: Workload) {
    match workload {
        Workload::Hello => {}
        Workload::Cpu { us } => burn(microseconds(us)),
        Workload::Wait { us } => tokio::time::sleep(microseconds(us)).await,
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

/// The value of `us` in a query, as in `us=200`. `path` only names the request in the error.
///
/// # Errors
/// There is no `us`, or more than one, or it is not a number from 0 to [`MOST_US`].
pub fn parse_us(path: &str, query: Option<&str>) -> Result<u32, InvalidUs> {
    let mut values = query
        .unwrap_or_default()
        .split('&')
        .filter_map(|pair| pair.strip_prefix("us="));
    let invalid = |seen: String| InvalidUs {
        path: path.to_owned(),
        seen,
    };
    let Some(value) = values.next() else {
        return Err(invalid("us is missing".to_owned()));
    };
    if values.next().is_some() {
        return Err(invalid("us is given more than once".to_owned()));
    }
    // `str::parse` takes a leading '+', which in a query stands for a space.
    Some(value)
        .filter(|value| value.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|value| value.parse().ok())
        .filter(|&us| us <= MOST_US)
        .ok_or_else(|| invalid(format!("us is '{}'", shortened(value))))
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

/// A request whose `us` cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{seen}: ask for {path}?us=N with N a whole number of microseconds from 0 to {MOST_US}")]
pub struct InvalidUs {
    path: String,
    seen: String,
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
    fn burning_takes_at_least_the_cpu_time_asked_for() {
        let cpu_time = Duration::from_micros(500);
        let end = thread_cpu_time() + cpu_time;
        burn(cpu_time);
        assert!(thread_cpu_time() >= end);
    }
}
