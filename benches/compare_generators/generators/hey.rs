//! hey: Go, a goroutine for each connection, a closed loop only.
//!
//! Its `-q` holds each connection back and measures from when a request is sent: no open loop.

use anyhow::{Context, bail, ensure};

use super::{Generator, Reading, text};
use crate::offered::Task;

pub const HEY: Generator = Generator {
    name: "hey",
    program: "hey",
    cure: "install it with: apt-get install hey",
    version: &["dpkg-query", "-W", "hey"],
    tolerated_exit: None,
    open_loop: false,
    arguments,
    read,
    note: None,
};

fn arguments(task: &Task) -> Vec<String> {
    vec![
        "-cpus".to_owned(),
        "1".to_owned(),
        "-c".to_owned(),
        task.connections.to_string(),
        "-z".to_owned(),
        format!("{}s", task.duration_s),
        task.url.clone(),
    ]
}

fn read(_: &Task, said: &str) -> anyhow::Result<Reading> {
    if let Some((_, errors)) = said.split_once("Error distribution:") {
        let first = errors.lines().map(str::trim).find(|line| !line.is_empty());
        bail!("it reports errors: {}", first.unwrap_or("of no name"));
    }
    let (_, statuses) = said
        .split_once("Status code distribution:")
        .context("it did not say \"Status code distribution:\"")?;
    let mut completed = 0;
    for line in statuses.lines().map(str::trim) {
        let Some((status, rest)) = line.strip_prefix('[').and_then(|rest| rest.split_once(']'))
        else {
            continue;
        };
        ensure!(status.starts_with('2'), "it reports errors: {line}");
        completed += rest
            .trim()
            .strip_suffix(" responses")
            .and_then(|count| count.parse::<u64>().ok())
            .with_context(|| format!("there is no count in {line:?}"))?;
    }
    ensure!(completed > 0, "it completed no request");
    Ok(Reading {
        completed,
        per_s: text::number(said, "Requests/sec:")?,
        ..Reading::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offered::{Load, tests::task};

    #[test]
    fn what_hey_says_is_read() {
        let reading = read(&task(Load::Closed), include_str!("samples/hey.txt")).unwrap();
        assert_eq!(reading.completed, 14642);
        assert!((reading.per_s - 14610.2934).abs() < 1e-6);
    }

    #[test]
    fn answers_that_are_no_success_are_errors() {
        let error = read(&task(Load::Closed), include_str!("samples/hey-404.txt")).unwrap_err();
        assert!(error.to_string().contains("[404]"), "{error}");
    }

    #[test]
    fn a_server_that_nobody_reached_is_an_error() {
        let said = include_str!("samples/hey-refused.txt");
        let error = read(&task(Load::Closed), said).unwrap_err();
        assert!(error.to_string().contains("connection refused"), "{error}");
    }
}
