//! h2load: one thread, an event loop; a rate for each connection.
//!
//! Its rate paces requests, and its latencies begin when a request is sent, not when it was due, so
//! they leave out the very delays an open loop is there to show. Only what it completed and its CPU
//! time are read.

use anyhow::{Context, ensure};

use super::{Generator, Reading, text};
use crate::offered::{Load, Task};

pub const H2LOAD: Generator = Generator {
    name: "h2load",
    program: "h2load",
    cure: "install it with: apt-get install nghttp2-client",
    version: &["--version"],
    tolerated_exit: None,
    open_loop: true,
    arguments,
    read,
    note: Some(
        "h2load's --rps paces each connection and measures from when a request is sent, so its \
         latencies leave out the delays an open loop is there to show, and are left out here.",
    ),
};

fn arguments(task: &Task) -> Vec<String> {
    let mut arguments = vec![
        "--h1".to_owned(),
        "-t".to_owned(),
        "1".to_owned(),
        "-c".to_owned(),
        task.connections.to_string(),
        "-D".to_owned(),
        task.duration_s.to_string(),
    ];
    if let Load::Open { rate_per_s } = task.load {
        let each = f64::from(rate_per_s) / f64::from(task.connections);
        arguments.extend(["--rps".to_owned(), each.to_string()]);
    }
    arguments.push(task.url.clone());
    arguments
}

fn read(_: &Task, said: &str) -> anyhow::Result<Reading> {
    let requests = text::after(said, "requests:").context("it did not say \"requests:\"")?;
    for bad in ["failed", "errored", "timeout"] {
        let count = text::counted(requests, bad)?;
        ensure!(count == 0, "it reports errors: {count} {bad}");
    }
    let completed = text::counted(requests, "succeeded")?;
    ensure!(completed > 0, "it completed no request");
    let finished = text::after(said, "finished in").context("it did not say \"finished in\"")?;
    let per_s = finished
        .split(',')
        .find_map(|part| part.trim().strip_suffix(" req/s")?.parse().ok())
        .with_context(|| format!("there is no rate in {finished:?}"))?;
    Ok(Reading {
        completed,
        per_s,
        ..Reading::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offered::tests::task;

    #[test]
    fn what_h2load_says_of_a_closed_loop_is_read() {
        let reading = read(&task(Load::Closed), include_str!("samples/h2load.txt")).unwrap();
        assert_eq!(reading.completed, 52786);
        assert!((reading.per_s - 52786.0).abs() < 1e-6);
    }

    #[test]
    fn latencies_that_begin_when_requests_are_sent_are_left_out() {
        let task = task(Load::Open { rate_per_s: 20_000 });
        let reading = read(&task, include_str!("samples/h2load-rate.txt")).unwrap();
        assert_eq!(reading.completed, 39872);
        assert_eq!(reading.response, None);
    }

    #[test]
    fn the_rate_is_shared_by_the_connections() {
        let arguments = arguments(&task(Load::Open { rate_per_s: 20_000 }));
        assert!(arguments.contains(&"312.5".to_owned()), "{arguments:?}");
    }

    #[test]
    fn answers_that_are_no_success_are_errors() {
        let error = read(&task(Load::Closed), include_str!("samples/h2load-404.txt")).unwrap_err();
        assert!(error.to_string().contains("46632 failed"), "{error}");
    }

    #[test]
    fn a_server_that_nobody_reached_is_an_error_though_h2load_reports_none() {
        let said = include_str!("samples/h2load-refused.txt");
        let error = read(&task(Load::Closed), said).unwrap_err();
        assert!(error.to_string().contains("no request"), "{error}");
    }
}
