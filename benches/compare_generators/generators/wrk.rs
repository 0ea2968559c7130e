//! wrk: one thread, an event loop, a closed loop only.

use anyhow::{Context, ensure};

use super::{Generator, Reading, text};
use crate::offered::Task;

pub const WRK: Generator = Generator {
    name: "wrk",
    program: "wrk",
    cure: "install it with: apt-get install wrk",
    version: &["--version"],
    tolerated_exit: None,
    open_loop: false,
    arguments,
    read,
    note: None,
};

fn arguments(task: &Task) -> Vec<String> {
    vec![
        "-t".to_owned(),
        "1".to_owned(),
        "-c".to_owned(),
        task.connections.to_string(),
        "-d".to_owned(),
        format!("{}s", task.duration_s),
        task.url.clone(),
    ]
}

fn read(_: &Task, said: &str) -> anyhow::Result<Reading> {
    // These two lines are there only where there is something to tell.
    for label in ["Socket errors:", "Non-2xx or 3xx responses:"] {
        if let Some(errors) = text::after(said, label) {
            anyhow::bail!("it reports errors: {label} {errors}");
        }
    }
    let completed = said
        .lines()
        .find_map(|line| line.trim().split_once(" requests in "))
        .and_then(|(count, _)| count.parse().ok())
        .context("it did not say how many requests it made")?;
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
    fn what_wrk_says_is_read() {
        let reading = read(&task(Load::Closed), include_str!("samples/wrk.txt")).unwrap();
        assert_eq!(reading.completed, 76534);
        assert!((reading.per_s - 76152.63).abs() < 1e-6);
    }

    #[test]
    fn answers_that_are_no_success_are_errors() {
        let error = read(&task(Load::Closed), include_str!("samples/wrk-404.txt")).unwrap_err();
        assert!(error.to_string().contains("40389"), "{error}");
    }
}
