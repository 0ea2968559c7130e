//! ab: one thread, HTTP/1.0 with keep-alive, a closed loop only.

use anyhow::ensure;

use super::{Generator, Reading, text};
use crate::offered::Task;

/// ab stops at a number of requests, even where it is given a time, and sets room for each of them
/// aside: more per second than it can make, and no more.
const MORE_PER_SECOND_THAN_IT_CAN: u64 = 400_000;

pub const AB: Generator = Generator {
    name: "ab",
    program: "ab",
    cure: "install it with: apt-get install apache2-utils",
    version: &["-V"],
    tolerated_exit: None,
    open_loop: false,
    arguments,
    read,
    note: Some("ab speaks HTTP/1.0 with Keep-Alive; the others speak HTTP/1.1."),
};

fn arguments(task: &Task) -> Vec<String> {
    vec![
        "-q".to_owned(),
        "-k".to_owned(),
        // Answers may differ in length, as workers' ids do.
        "-l".to_owned(),
        "-c".to_owned(),
        task.connections.to_string(),
        // -t brings a number of requests with it, which the -n after it replaces.
        "-t".to_owned(),
        task.duration_s.to_string(),
        "-n".to_owned(),
        (task.duration_s * MORE_PER_SECOND_THAN_IT_CAN).to_string(),
        task.url.clone(),
    ]
}

fn read(_: &Task, said: &str) -> anyhow::Result<Reading> {
    let completed = text::count(said, "Complete requests:")?;
    ensure!(completed > 0, "it completed no request");
    let failed = text::count(said, "Failed requests:")?;
    ensure!(failed == 0, "it reports errors: {failed} failed requests");
    // These two lines are there only where there is something to tell.
    for label in ["Non-2xx responses:", "Write errors:"] {
        if let Some(errors) = text::after(said, label) {
            anyhow::bail!("it reports errors: {label} {errors}");
        }
    }
    let kept_alive = text::count(said, "Keep-Alive requests:")?;
    ensure!(
        kept_alive == completed,
        "the server kept the connection alive after {kept_alive} of {completed} answers; ab speaks \
         HTTP/1.0, which the server has to answer with Connection: keep-alive"
    );
    Ok(Reading {
        completed,
        per_s: text::number(said, "Requests per second:")?,
        ..Reading::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offered::{Load, tests::task};

    #[test]
    fn what_ab_says_is_read() {
        let reading = read(&task(Load::Closed), include_str!("samples/ab.txt")).unwrap();
        assert_eq!(reading.completed, 54227);
        assert!((reading.per_s - 54210.52).abs() < 1e-6);
    }

    #[test]
    fn answers_that_are_no_success_are_errors() {
        let error = read(&task(Load::Closed), include_str!("samples/ab-404.txt")).unwrap_err();
        assert!(error.to_string().contains("47552"), "{error}");
    }

    #[test]
    fn connections_that_were_closed_are_not_what_was_asked_for() {
        let said = include_str!("samples/ab.txt")
            .replace("Keep-Alive requests:    54227", "Keep-Alive requests:    3");
        let error = read(&task(Load::Closed), &said).unwrap_err();
        assert!(error.to_string().contains("3 of 54227"), "{error}");
    }

    #[test]
    fn the_number_of_requests_comes_after_the_time() {
        let arguments = arguments(&task(Load::Closed));
        let place = |word: &str| arguments.iter().position(|argument| argument == word);
        assert!(place("-n") > place("-t"));
    }
}
