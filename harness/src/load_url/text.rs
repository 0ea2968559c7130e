//! The result for people.

use std::fmt::Write;

use schema::{Check, LatencyQuantiles, LoadReport, Pace, Reuse};

/// Workers that are listed one by one.
const SHOWN_WORKERS: usize = 16;

/// The report in words and columns.
pub fn of(report: &LoadReport) -> String {
    let mut text = String::new();
    write(&mut text, report).expect("writing to a string does not fail");
    text
}

fn write(to: &mut String, report: &LoadReport) -> std::fmt::Result {
    let result = &report.result;
    let seconds = result.elapsed_ns as f64 / 1e9;
    writeln!(to, "{}", report.url)?;
    writeln!(to, "{}\n", conditions(report))?;
    if report.interrupted {
        writeln!(to, "INTERRUPTED after {seconds:.2} s of the measurement\n")?;
    }
    writeln!(
        to,
        "Requests    {} completed in {seconds:.2} s: {}/s",
        result.completed,
        rate(result.completed as f64 / seconds.max(1e-9))
    )?;
    writeln!(
        to,
        "            {} offered = {} completed + {} errors + {} timeouts + {} unfinished",
        result.offered, result.completed, result.errors, result.timeouts, result.unfinished
    )?;
    for error in &result.error_kinds {
        writeln!(
            to,
            "            {} {} errors, the first: {}",
            error.count,
            error.kind.name(),
            error.first
        )?;
    }
    writeln!(to)?;
    write_latencies(to, report)?;
    write_workers(to, report)?;
    let cpu = result.generator_cpu;
    let per_request = |ns: u64| ns as f64 / result.completed.max(1) as f64 / 1e3;
    writeln!(
        to,
        "Generator   {:.2} µs of CPU time a request ({:.2} user, {:.2} system), {} {}, {}\n",
        per_request(cpu.total_ns()),
        per_request(cpu.user_ns),
        per_request(cpu.system_ns),
        result.generator_threads,
        if result.generator_threads == 1 {
            "thread"
        } else {
            "threads"
        },
        result.transport
    )?;
    writeln!(to, "Checks")?;
    for check in &report.checks {
        writeln!(to, "  {}", line(check))?;
    }
    writeln!(to)?;
    let verdict = if report.valid {
        "VALID"
    } else if report.interrupted {
        "INTERRUPTED: the figures are those of a part"
    } else {
        "INVALID: the failed checks say why"
    };
    write!(to, "{verdict}")
}

fn conditions(report: &LoadReport) -> String {
    let pace = match &report.pace {
        Pace::ClosedLoop { think_ns: 0 } => "closed loop".to_owned(),
        Pace::ClosedLoop { think_ns } => format!("closed loop, {} to think", latency(*think_ns)),
        Pace::OpenLoop(open) => {
            let rate = if (open.from_per_s - open.to_per_s).abs() < f64::EPSILON {
                format!("{}/s", rate(open.from_per_s))
            } else {
                format!("{} to {}/s", rate(open.from_per_s), rate(open.to_per_s))
            };
            format!(
                "open loop, {rate} {}, seed {}",
                open.arrivals.name(),
                open.seed
            )
        }
    };
    let connections = if report.connections == 1 {
        "1 connection".to_owned()
    } else {
        format!("{} connections", report.connections)
    };
    let reuse = match report.reuse {
        Reuse::KeepAlive => "kept alive",
        Reuse::NewConnection => "a new one for each request",
    };
    let cpus: Vec<String> = report.cpus.iter().map(ToString::to_string).collect();
    format!(
        "{pace}; {connections}, {reuse}; generator on CPU {}",
        cpus.join(", ")
    )
}

fn write_latencies(to: &mut String, report: &LoadReport) -> std::fmt::Result {
    let result = &report.result;
    let Some(response) = &result.response else {
        return writeln!(to, "Latency     no request completed\n");
    };
    writeln!(
        to,
        "{:<22}{:>10} {:>10} {:>10} {:>10} {:>10} {:>10}",
        "Latency", "mean", "p50", "p90", "p99", "p99.9", "max"
    )?;
    row(to, "  response", response)?;
    let all = [
        ("  service", &result.service),
        ("  connection wait", &result.connection_wait),
        ("  lateness", &result.lateness),
    ];
    for (name, part) in all {
        if let Some(part) = part
            && (name == "  service" || part.max_ns > 0)
        {
            row(to, name, part)?;
        }
    }
    if matches!(report.pace, Pace::OpenLoop(_)) {
        writeln!(
            to,
            "  response: from when a request was due. service: from its first byte, as tools that do\n  not correct for coordinated omission report it."
        )?;
    }
    if response.bounds_from.is_some() {
        writeln!(
            to,
            "  ≥: lower bounds, as they reach into requests that never completed."
        )?;
    }
    writeln!(to)
}

fn row(to: &mut String, name: &str, part: &LatencyQuantiles) -> std::fmt::Result {
    let mean_is_bound = if part.bounds_from.is_some() {
        "≥"
    } else {
        ""
    };
    let mean = format!("{mean_is_bound}{}", latency_f(part.mean_ns));
    write!(to, "{name:<22}{mean:>10}")?;
    let quantiles = [
        (0.5, part.p50_ns),
        (0.9, part.p90_ns),
        (0.99, part.p99_ns),
        (0.999, part.p999_ns),
        (1.0, part.max_ns),
    ];
    for (quantile, ns) in quantiles {
        let bound = part.bounds_from.is_some_and(|from| quantile >= from);
        let text = format!("{}{}", if bound { "≥" } else { "" }, latency(ns));
        write!(to, " {text:>10}")?;
    }
    writeln!(to)
}

fn write_workers(to: &mut String, report: &LoadReport) -> std::fmt::Result {
    let result = &report.result;
    if result.requests_by_worker.is_empty() {
        return Ok(());
    }
    writeln!(
        to,
        "{:<22}{:>10} {:>10} {:>12}",
        "Workers", "requests", "share", "connections"
    )?;
    for (worker, requests) in result.requests_by_worker.iter().take(SHOWN_WORKERS) {
        let connections = result.connections_by_worker.get(worker).unwrap_or(&0);
        let share = *requests as f64 / result.completed.max(1) as f64 * 100.0;
        writeln!(
            to,
            "  {worker:<20}{requests:>10} {share:>8.1} % {connections:>12}"
        )?;
    }
    let more = result
        .requests_by_worker
        .len()
        .saturating_sub(SHOWN_WORKERS);
    if more > 0 {
        writeln!(to, "  and {more} more")?;
    }
    if result.answers_by_another_worker > 0 {
        writeln!(
            to,
            "  {} answers came from another worker than the first on their connection",
            result.answers_by_another_worker
        )?;
    }
    writeln!(to)
}

fn line(check: &Check) -> String {
    let mark = if check.passed { "ok    " } else { "FAILED" };
    format!("{mark}  {:<14} {}", check.name, check.sentence)
}

/// A latency with its unit, three digits.
pub fn latency(ns: u64) -> String {
    latency_f(ns as f64)
}

fn latency_f(ns: f64) -> String {
    let (value, unit) = match ns {
        ..1e3 => return format!("{ns:.0} ns"),
        ..1e6 => (ns / 1e3, "µs"),
        ..1e9 => (ns / 1e6, "ms"),
        _ => (ns / 1e9, "s"),
    };
    let digits = match value {
        ..10.0 => 2,
        ..100.0 => 1,
        _ => 0,
    };
    format!("{value:.digits$} {unit}")
}

/// A rate in thousands where it is high.
pub fn rate(per_s: f64) -> String {
    if per_s >= 10_000.0 {
        format!("{:.1}k", per_s / 1e3)
    } else {
        format!("{per_s:.0}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_have_three_digits_and_a_unit() {
        let texts: Vec<String> = [0, 999, 1_000, 12_340, 123_456, 1_500_000, 2_000_000_000]
            .into_iter()
            .map(latency)
            .collect();
        assert_eq!(
            texts,
            [
                "0 ns", "999 ns", "1.00 µs", "12.3 µs", "123 µs", "1.50 ms", "2.00 s"
            ]
        );
    }
}
