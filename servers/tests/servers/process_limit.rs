//! Starts that the limit of processes (ulimit -u) does not allow: threads count as processes.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use procfs::process::Process;
use schema::{Model, Worker};

use crate::{
    command_line::assert_one_line,
    launch::{Ended, THREADS, run},
};

/// A user that has no other processes. The kernel counts those of a user, and limits root's not at all.
const NOBODY_ELSE: &str = "7654321";

/// Run `program` where its user may have so many processes, itself included. A user who is not root has
/// others already, so that there the limit is that of those.
fn run_within(limit: u32, program: &Path, arguments: &[&str]) -> Ended {
    let limit = format!("--nproc={limit}:{limit}");
    let program = program.to_str().expect("the path is text");
    let limited = [&[&limit[..], program], arguments].concat();
    let own = Process::myself().and_then(|process| process.uid());
    if own.expect("/proc is mounted") == 0 {
        let user = format!("--reuid={NOBODY_ELSE}");
        let group = format!("--regid={NOBODY_ELSE}");
        let as_user = [&user[..], &group, "--clear-groups", "prlimit"];
        run("setpriv", &[&as_user[..], &limited].concat())
    } else {
        run("prlimit", &limited)
    }
}

#[test]
fn threads_that_the_limit_of_processes_does_not_allow_are_one_line_for_every_policy() {
    // Where everybody may read it, for it is run as another user.
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("threads");
    fs::copy(THREADS, &program).unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();

    let threads = |model: &Model| model.worker == Worker::Thread;
    for model in Model::legal().filter(threads) {
        let (style, accept) = (model.style.to_string(), model.accept.to_string());
        let cell = ["--style", &style[..], "--accept", &accept];
        let arguments = [&["--port", "0", "--workers", "4"], &cell[..]].concat();
        // No thread at all, or some but too few.
        for limit in [1, 3] {
            assert_one_line(&run_within(limit, &program, &arguments), 1, "ulimit -u");
        }
    }
}
