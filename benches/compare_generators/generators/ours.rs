//! `counters load`: this project's own.

use anyhow::{Context, ensure};
use serde::Deserialize;

use super::{Doubt, Generator, Quantiles, Reading};
use crate::offered::{Load, Task};

/// Of what `counters load --json` says.
const SCHEMA_VERSION: u32 = 2;
/// It measured, and its own checks doubt the measurement.
const EXIT_INVALID: i32 = 3;

pub const OURS: Generator = Generator {
    name: "counters",
    program: "counters",
    cure: "build it with: cargo build --release -p harness",
    version: &["--version"],
    tolerated_exit: Some(EXIT_INVALID),
    open_loop: true,
    arguments,
    read,
    note: None,
};

#[derive(Deserialize)]
struct Said {
    schema_version: u32,
    interrupted: bool,
    result: Counts,
    checks: Vec<Check>,
}

#[derive(Deserialize)]
struct Counts {
    elapsed_ns: u64,
    completed: u64,
    errors: u64,
    timeouts: u64,
    response: Option<Times>,
    lateness: Option<Times>,
}

#[derive(Deserialize)]
#[allow(clippy::struct_field_names, reason = "units stand in names")]
struct Times {
    p50_ns: u64,
    p99_ns: u64,
    p999_ns: u64,
}

#[derive(Deserialize)]
struct Check {
    name: String,
    passed: bool,
    sentence: String,
}

fn arguments(task: &Task) -> Vec<String> {
    let mut arguments = vec![
        "load".to_owned(),
        task.url.clone(),
        "-c".to_owned(),
        task.connections.to_string(),
        "-d".to_owned(),
        format!("{}s", task.duration_s),
        "--threads".to_owned(),
        "1".to_owned(),
        "--cpus".to_owned(),
        task.cpu.to_string(),
        "--json".to_owned(),
    ];
    if let Load::Open { rate_per_s } = task.load {
        arguments.extend(["-r".to_owned(), rate_per_s.to_string()]);
    }
    arguments
}

fn read(task: &Task, said: &str) -> anyhow::Result<Reading> {
    let said: Said = serde_json::from_str(said).context("what it said is not the JSON expected")?;
    ensure!(
        said.schema_version == SCHEMA_VERSION,
        "its JSON has schema_version {}, and {SCHEMA_VERSION} is what is known here; build both \
         programs from one checkout",
        said.schema_version
    );
    let result = said.result;
    ensure!(!said.interrupted, "it was interrupted");
    ensure!(
        result.errors == 0 && result.timeouts == 0,
        "it reports errors: {} and {} timeouts",
        result.errors,
        result.timeouts
    );
    ensure!(result.completed > 0, "it completed no request");
    ensure!(result.elapsed_ns > 0, "it measured for no time");
    let open = task.load != Load::Closed;
    ensure!(
        !open || result.response.is_some(),
        "it did not say its response times"
    );
    let response = result.response.filter(|_| open).map(|times| Quantiles {
        p50_ns: times.p50_ns as f64,
        p99_ns: times.p99_ns as f64,
        p999_ns: times.p999_ns as f64,
    });
    let lateness = result.lateness.filter(|_| open);
    let failed = said.checks.into_iter().filter(|check| !check.passed);
    Ok(Reading {
        completed: result.completed,
        per_s: result.completed as f64 / (result.elapsed_ns as f64 / 1e9),
        response,
        lateness_p99_ns: lateness.map(|times| times.p99_ns as f64),
        doubts: failed
            .map(|check| Doubt {
                check: check.name,
                sentence: check.sentence,
            })
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::offered::tests::task;

    const OPEN: Load = Load::Open { rate_per_s: 20_000 };

    fn said() -> Value {
        let times = |p50: u64| {
            json!({
                "min_ns": 1, "mean_ns": p50, "p50_ns": p50, "p90_ns": p50,
                "p99_ns": p50 * 2, "p999_ns": p50 * 3, "max_ns": p50 * 4,
            })
        };
        json!({
            "schema_version": 2, "valid": true, "interrupted": false,
            "result": {
                "elapsed_ns": 2_000_000_000_u64, "offered": 40_010, "completed": 40_000,
                "errors": 0, "timeouts": 0, "unfinished": 10,
                "response": times(40_000), "service": times(30_000),
                "connection_wait": times(10), "lateness": times(1_000),
                "generator_cpu": { "user_ns": 1, "system_ns": 2 },
            },
            "checks": [{ "name": "rate", "passed": true, "sentence": "The rate was reached." }],
        })
    }

    #[test]
    fn response_times_and_lateness_of_an_open_loop_are_read() {
        let reading = read(&task(OPEN), &said().to_string()).unwrap();
        assert_eq!(reading.completed, 40_000);
        assert!((reading.per_s - 20_000.0).abs() < 1e-6);
        let response = reading.response.unwrap();
        assert!((response.p50_ns - 40_000.0).abs() < 1e-6);
        assert!((response.p999_ns - 120_000.0).abs() < 1e-6);
        assert_eq!(reading.lateness_p99_ns, Some(2_000.0));
        assert_eq!(reading.doubts, []);
    }

    #[test]
    fn a_closed_loop_needs_no_response_times() {
        let mut said = said();
        said["result"]["response"] = Value::Null;
        said["result"]["lateness"] = Value::Null;
        assert!(read(&task(Load::Closed), &said.to_string()).is_ok());
        assert!(read(&task(OPEN), &said.to_string()).is_err());
    }

    #[test]
    fn a_failed_check_is_a_doubt_and_no_failure() {
        let mut said = said();
        said["valid"] = json!(false);
        said["checks"][0]["passed"] = json!(false);
        let doubts = read(&task(OPEN), &said.to_string()).unwrap().doubts;
        assert_eq!(doubts[0].check, "rate");
    }

    #[test]
    fn errors_timeouts_and_interrupts_are_failures() {
        for (field, value) in [("errors", 1), ("timeouts", 2), ("completed", 0)] {
            let mut said = said();
            said["result"][field] = json!(value);
            assert!(read(&task(OPEN), &said.to_string()).is_err(), "{field}");
        }
        let mut said = said();
        said["interrupted"] = json!(true);
        assert!(read(&task(OPEN), &said.to_string()).is_err());
    }

    #[test]
    fn an_unknown_schema_is_refused() {
        let mut said = said();
        said["schema_version"] = json!(3);
        let error = read(&task(OPEN), &said.to_string()).unwrap_err();
        assert!(error.to_string().contains("schema_version 3"), "{error}");
    }
}
