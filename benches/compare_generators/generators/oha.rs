//! oha: hyper on tokio, here with one worker thread; a closed and an open loop.
//!
//! With `--latency-correction` a latency begins when oha's timer let the request go. The timer has
//! a resolution of 1 ms and its own delay is not counted.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use serde::Deserialize;

use super::{Generator, Quantiles, Reading};
use crate::offered::{Load, Task};

/// What oha calls requests that were in flight when the time was over.
const UNFINISHED: &str = "aborted due to deadline";

pub const OHA: Generator = Generator {
    name: "oha",
    program: "oha",
    cure: "install it with: cargo install oha --locked",
    version: &["--version"],
    tolerated_exit: None,
    open_loop: true,
    arguments,
    read,
    note: Some(
        "oha's latencies begin when its timer lets a request go; how late the timer was, whose \
         resolution is 1 ms, is not in them. Those of counters begin when the request was due.",
    ),
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Said {
    summary: Summary,
    latency_percentiles: Percentiles,
    status_code_distribution: BTreeMap<String, u64>,
    error_distribution: BTreeMap<String, u64>,
}

#[derive(Deserialize)]
struct Summary {
    /// Seconds.
    total: f64,
}

/// Seconds; absent where nothing was answered.
#[derive(Deserialize)]
struct Percentiles {
    p50: Option<f64>,
    p99: Option<f64>,
    #[serde(rename = "p99.9")]
    p999: Option<f64>,
}

fn arguments(task: &Task) -> Vec<String> {
    let mut arguments = vec![
        "--no-tui".to_owned(),
        "--output-format".to_owned(),
        "json".to_owned(),
        "--worker-threads".to_owned(),
        "1".to_owned(),
        "-c".to_owned(),
        task.connections.to_string(),
        "-z".to_owned(),
        format!("{}s", task.duration_s),
    ];
    if let Load::Open { rate_per_s } = task.load {
        arguments.extend([
            "--latency-correction".to_owned(),
            "-q".to_owned(),
            rate_per_s.to_string(),
        ]);
    }
    arguments.push(task.url.clone());
    arguments
}

fn read(task: &Task, said: &str) -> anyhow::Result<Reading> {
    let said: Said = serde_json::from_str(said)
        .context("what it said is not the JSON of oha 1.16, which is what is known here")?;
    let mut errors = said.error_distribution.iter();
    if let Some((error, count)) = errors.find(|(error, _)| *error != UNFINISHED) {
        anyhow::bail!("it reports errors: {count} times {error}");
    }
    for (status, count) in &said.status_code_distribution {
        ensure!(
            status.starts_with('2'),
            "it reports errors: {count} answers with status {status}"
        );
    }
    let completed = said.status_code_distribution.values().sum();
    ensure!(completed > 0, "it completed no request");
    ensure!(said.summary.total > 0.0, "it measured for no time");
    Ok(Reading {
        completed,
        // Its own rate counts requests that were never answered too.
        per_s: completed as f64 / said.summary.total,
        response: (task.load != Load::Closed)
            .then(|| said.latency_percentiles.quantiles())
            .transpose()?,
        ..Reading::default()
    })
}

impl Percentiles {
    fn quantiles(&self) -> anyhow::Result<Quantiles> {
        let ns = |name: &str, seconds: Option<f64>| {
            seconds
                .map(|seconds| seconds * 1e9)
                .with_context(|| format!("it did not say its {name}"))
        };
        Ok(Quantiles {
            p50_ns: ns("p50", self.p50)?,
            p99_ns: ns("p99", self.p99)?,
            p999_ns: ns("p99.9", self.p999)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offered::tests::task;

    #[test]
    fn what_oha_says_of_a_closed_loop_is_read_without_its_latencies() {
        let reading = read(&task(Load::Closed), include_str!("samples/oha.json")).unwrap();
        assert_eq!(reading.completed, 30936);
        assert!((reading.per_s - 30936.0 / 1.010_025_892).abs() < 1e-6);
        assert_eq!(reading.response, None);
    }

    #[test]
    fn what_oha_says_of_an_open_loop_is_read_in_nanoseconds() {
        let task = task(Load::Open { rate_per_s: 20_000 });
        let reading = read(&task, include_str!("samples/oha-rate.json")).unwrap();
        let response = reading.response.unwrap();
        assert_eq!(reading.completed, 18709);
        assert!((response.p50_ns - 23_874_406.0).abs() < 1e-3);
        assert!((response.p99_ns - 89_659_249.0).abs() < 1e-3);
        assert!((response.p999_ns - 90_968_708.0).abs() < 1e-3);
    }

    #[test]
    fn requests_in_flight_at_the_end_are_no_errors_and_others_are() {
        let said = include_str!("samples/oha.json");
        assert!(said.contains(UNFINISHED));
        let odd = said.replace(UNFINISHED, "connection closed");
        let error = read(&task(Load::Closed), &odd).unwrap_err();
        assert!(error.to_string().contains("64 times"), "{error}");
    }

    #[test]
    fn answers_that_are_no_success_are_errors() {
        let error = read(&task(Load::Closed), include_str!("samples/oha-404.json")).unwrap_err();
        assert!(error.to_string().contains("status 404"), "{error}");
    }

    #[test]
    fn a_server_that_nobody_reached_is_an_error() {
        let said = include_str!("samples/oha-refused.json");
        let error = read(&task(Load::Closed), said).unwrap_err();
        assert!(error.to_string().contains("Connection refused"), "{error}");
    }

    #[test]
    fn a_rate_is_always_corrected() {
        let arguments = arguments(&task(Load::Open { rate_per_s: 20_000 }));
        assert!(arguments.contains(&"20000".to_owned()), "{arguments:?}");
        assert!(arguments.contains(&"--latency-correction".to_owned()));
    }
}
