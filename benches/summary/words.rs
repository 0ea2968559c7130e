//! Figures as people read them.

use std::time::{Duration, UNIX_EPOCH};

use schema::{Estimate, PrimitiveRatio, Worker};

/// Nanoseconds in the unit that fits them, with three digits: `412 ns`, `1.83 ms`.
#[must_use]
pub fn time(ns: f64) -> String {
    let (unit_ns, unit) = unit(ns);
    format!("{} {unit}", significant(ns / unit_ns))
}

/// The interval of a time, in the unit of its point: `1.80 to 1.91`.
#[must_use]
pub fn interval_of_time(figure: &Estimate) -> Option<String> {
    let (unit_ns, _) = unit(figure.point);
    let (low, high) = figure.interval?;
    Some(format!(
        "{} to {}",
        significant(low / unit_ns),
        significant(high / unit_ns)
    ))
}

fn unit(ns: f64) -> (f64, &'static str) {
    match ns {
        _ if ns < 999.5 => (1.0, "ns"),
        _ if ns < 999_500.0 => (1e3, "µs"),
        _ if ns < 999_500_000.0 => (1e6, "ms"),
        _ => (1e9, "s"),
    }
}

/// Three digits, and no power of ten.
fn significant(value: f64) -> String {
    let decimals = match value.abs() {
        v if v < 0.0995 => 3,
        v if v < 9.995 => 2,
        v if v < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

/// Bytes in `ns` as a rate: `2.3 GB/s`.
#[must_use]
pub fn rate(bytes: u64, ns: f64) -> String {
    let per_s = bytes as f64 / ns * 1e9;
    match per_s {
        _ if per_s < 999_500.0 => format!("{} kB/s", significant(per_s / 1e3)),
        _ if per_s < 999_500_000.0 => format!("{} MB/s", significant(per_s / 1e6)),
        _ => format!("{} GB/s", significant(per_s / 1e9)),
    }
}

/// How many times as much: `1.04`, `1.8`, `23`.
#[must_use]
pub fn times(factor: f64) -> String {
    match factor {
        _ if factor < 1.495 => format!("{factor:.2}"),
        _ if factor < 9.95 => format!("{factor:.1}"),
        _ => format!("{factor:.0}"),
    }
}

/// The interval of a ratio: `1.71 to 1.88`.
#[must_use]
pub fn interval_of_ratio(ratio: &Estimate) -> Option<String> {
    let (low, high) = ratio.interval?;
    Some(format!("{} to {}", significant(low), significant(high)))
}

/// What a row says: `process costs 1.8 times`.
#[must_use]
pub fn told(ratio: &PrimitiveRatio) -> String {
    let rough = if ratio.ratio.interval.is_none() {
        "roughly "
    } else {
        ""
    };
    match ratio.dearer {
        Some(Worker::Process) => format!("process costs {rough}{} times", times(ratio.ratio.point)),
        Some(Worker::Thread) => {
            let factor = ratio.ratio.point.recip();
            format!("thread costs {rough}{} times", times(factor))
        }
        None => "no difference told".to_owned(),
    }
}

/// A share: `3.2 %`.
#[must_use]
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    let decimals = usize::from(percent < 9.95);
    format!("{percent:.decimals$} %")
}

/// A name of a function as words.
#[must_use]
pub fn name(id: &str) -> String {
    id.replace('-', " ")
}

/// `a`, `a and b`, `a, b and c`.
#[must_use]
pub fn list(parts: &[String]) -> String {
    joined(parts, "and")
}

/// `pipe`, `pipe or futex`, `pipe, futex or eventfd`: things that are as good as each other.
#[must_use]
pub fn either(ids: &[&str]) -> String {
    let names: Vec<String> = ids.iter().map(|id| name(id)).collect();
    joined(&names, "or")
}

fn joined(parts: &[String], word: &str) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} {word} {last}", first.join(", ")),
    }
}

/// A text with a capital at its beginning.
#[must_use]
pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(letters).collect()
}

/// A time to the second: `2026-11-22 12:00:00 UTC`.
#[must_use]
pub fn instant(unix_s: u64) -> String {
    let time = UNIX_EPOCH + Duration::from_secs(unix_s);
    let text = humantime::format_rfc3339_seconds(time).to_string();
    text.replace('T', " ").replace('Z', " UTC")
}
