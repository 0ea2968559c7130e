//! Who answers: indices are exact, and the order of waking is called by its name.

mod synthetic;

use reports::{Run, judge};
use schema::{Balance, BalanceCell, Order, Standing};
use synthetic::{designs::balance, each_trial, failure, typical};

fn judged(run: &Run) -> Balance {
    judge(run).balance.unwrap()
}

fn cell<'a>(balance: &'a Balance, id: &str) -> &'a BalanceCell {
    balance.cells.iter().find(|cell| cell.cell == id).unwrap()
}

#[test]
fn a_run_that_did_not_ask_has_no_balance() {
    assert_eq!(judge(&typical(1)).balance, None);
}

#[test]
fn workers_that_answered_nothing_count_as_nothing() {
    let balance = judged(&balance(3));
    let seen = cell(&balance, "balance-process-evented-shared-new-low")
        .requests
        .as_ref()
        .unwrap();
    // Three parts and one, of four workers: (3 + 1)² / (4 · (9 + 1)).
    assert!((seen.jain.point - 0.4).abs() < 1e-12);
    assert!((seen.max_over_mean.point - 3.0).abs() < 1e-12);
    assert!((seen.answered.point - 2.0).abs() < 1e-12);
    assert_eq!(seen.shares, [0.75, 0.25, 0.0, 0.0]);
    let even = cell(&balance, "balance-process-evented-shared-new-high")
        .connections
        .as_ref()
        .unwrap();
    assert!((even.jain.point - 1.0).abs() < 1e-6 && (even.answered.point - 4.0).abs() < 1e-12);
}

#[test]
fn an_order_of_waking_is_called_by_its_name() {
    let balance = judged(&balance(2));
    let wake = |server: &str| {
        cell(&balance, &format!("balance-{server}-new-low"))
            .wake
            .as_ref()
            .unwrap()
    };
    let turn = wake("process-blocking-shared");
    assert_eq!(turn.order, Order::InTurn);
    assert_eq!((turn.longest_waiting, turn.same_again), (1.0, 0.0));
    assert_eq!((turn.turns_between, turn.trials), (Some(4.0), 2));
    assert!(turn.sequence.starts_with("ABCDABCD"));
    assert!(
        turn.sentence.contains("first in, first out (100 %"),
        "{}",
        turn.sentence
    );
    let last = wake("process-evented-shared");
    assert_eq!(
        (last.order, last.same_again, last.turns_between),
        (Order::LastAgain, 1.0, Some(1.0))
    );
    let hash = wake("process-evented-reuseport");
    assert_eq!(hash.order, Order::Neither);
    assert!(
        hash.sentence
            .contains("neither in turn nor always the last"),
        "{}",
        hash.sentence
    );
}

#[test]
fn only_cells_that_were_asked_one_after_another_have_an_order() {
    let balance = judged(&balance(1));
    for cell in &balance.cells {
        let asked = cell.cell.ends_with("new-low");
        assert_eq!(cell.wake.is_some(), asked, "{}", cell.cell);
    }
}

#[test]
fn answers_that_name_no_worker_and_trials_that_failed_leave_gaps() {
    let mut run = balance(2);
    each_trial(
        &mut run,
        "balance-process-evented-handoff-keep-high",
        |measured| {
            measured.load.requests_by_worker.clear();
            measured.load.connections_by_worker.clear();
        },
    );
    let failed = "balance-process-evented-handoff-keep-low";
    for observation in run.observations.iter_mut().filter(|o| o.cell == failed) {
        observation.outcome = failure("it broke", "");
    }
    let balance = judged(&run);
    let nameless = cell(&balance, "balance-process-evented-handoff-keep-high");
    assert!(matches!(nameless.standing, Standing::Measured { .. }) && nameless.requests.is_none());
    let failed = cell(&balance, failed);
    assert!(matches!(&failed.standing, Standing::Failed { reason, .. } if reason == "it broke"));
    assert!(failed.requests.is_none());
}

#[test]
fn connections_without_work_are_no_fault_of_an_open_loop_and_idle_workers_are_the_finding() {
    let mut run = balance(3);
    each_trial(
        &mut run,
        "balance-process-evented-shared-keep-low",
        |measured| {
            measured.load.mean_busy_connections = 0.1;
            measured.load.mean_busy_completed = 0.1;
        },
    );
    let verdicts = judge(&run);
    assert!(verdicts.valid, "{:?}", verdicts.caveats);
    for nonsense in ["were idle for part", "not every worker answered"] {
        assert!(
            !verdicts.caveats.iter().any(|c| c.contains(nonsense)),
            "{:?}",
            verdicts.caveats
        );
    }
}

#[test]
fn pages_show_indices_letters_and_what_is_known_of_the_kernel() {
    let run = balance(2);
    let pages = synthetic::pages::Pages::of(&run);
    for page in [&pages.html, &pages.markdown] {
        assert!(!page.contains("NaN"));
        for text in [
            "0.400",
            "3.00",
            "Of four servers that have workers to wake, two wake them in turn",
            "one wakes the last again (process-evented-shared) and one does neither",
            "Cloudflare",
            "connections in turn, and so balances connections, not the requests",
        ] {
            assert!(page.contains(text), "{text}");
        }
    }
    assert!(pages.chart("balance").contains("0.40"));
    assert!(pages.chart("wake-order").contains("the last again"));
}
