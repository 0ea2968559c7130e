//! SIGTTIN and SIGTTOU: one worker more, one worker less.

use nix::sys::signal::Signal::{SIGTERM, SIGTTIN, SIGTTOU};

use super::{assert_nothing_lost, crowd};
use crate::{
    grid::Cell,
    launch::{Server, children, event, started, wait_for},
};

/// Order it, and see it done.
fn scale_up(cluster: &mut Server, to: usize) {
    cluster.signal(SIGTTIN);
    cluster.until_line(&format!("Scaling up to {to} workers"));
    cluster.until(started);
    assert_eq!(children(cluster.pid()).len(), to);
}

fn scale_down(cluster: &mut Server, to: usize) {
    cluster.signal(SIGTTOU);
    cluster.until_line(&format!("Scaling down to {to} workers"));
    let exit = cluster.until(|line| event(line).filter(|event| event["event"] == "exit"));
    assert_eq!((&exit["wanted"], &exit["code"]), (&true.into(), &0.into()));
    assert_eq!(exit["listening"], to);
    assert_eq!(exit["seat"], to);
    wait_for("it is reaped", || {
        (children(cluster.pid()).len() == to).then_some(())
    });
}

#[test]
fn workers_are_added_and_taken_away_under_load_without_losing_a_request() {
    for cell in Cell::of_kept_processes() {
        let mut cluster = cell.start("2", &["--events"]);
        let crowd = crowd(&cluster);
        for _ in 0..3 {
            scale_up(&mut cluster, 3);
            crowd.wait_for_answers(10);
            scale_up(&mut cluster, 4);
            crowd.wait_for_answers(10);
            scale_down(&mut cluster, 3);
            scale_down(&mut cluster, 2);
            crowd.wait_for_answers(10);
        }
        assert_nothing_lost(&crowd.disperse(), cell);
        cluster.signal(SIGTERM);
        let ended = cluster.end();
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{cell}");
    }
}

#[test]
fn the_last_worker_is_not_taken_away() {
    for cell in Cell::of_kept_processes() {
        let mut cluster = cell.start("2", &["--events"]);
        let crowd = crowd(&cluster);
        scale_down(&mut cluster, 1);
        for _ in 0..3 {
            cluster.signal(SIGTTOU);
            cluster.until_line("Already at the least workers: 1");
            assert_eq!(children(cluster.pid()).len(), 1);
        }
        crowd.wait_for_answers(10);
        scale_up(&mut cluster, 2);
        crowd.wait_for_answers(10);
        assert_nothing_lost(&crowd.disperse(), cell);
    }
}
