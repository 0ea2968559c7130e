//! Bad input gives one clear line and a fitting exit code.

mod support;

use std::{fs, process::Command};

use support::{COUNTERS, assert_one_line, bin_dir, fine_or_in_doubt, program, short_run, stderr};

#[test]
fn worker_counts_that_make_no_sense_are_refused() {
    for count in ["0", "99999", "abc", "-1", "1,0"] {
        let output = Command::new(COUNTERS)
            .args(["run", &format!("--workers={count}")])
            .output()
            .unwrap();
        let stderr = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{count}: {stderr}");
        assert!(
            stderr.contains("--workers") && !stderr.contains("panicked"),
            "{count}: {stderr}"
        );
    }
}

#[test]
fn unknown_names_are_told_with_the_known_ones() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let output = short_run(&out, "apache").output().unwrap();
    assert_one_line(
        &output,
        2,
        &[
            "'apache'",
            "single, cluster, threads",
            "node-single, node-cluster, node-cluster-none, nginx-shared, nginx-reuseport, gunicorn-sync",
        ],
    );
    let output = short_run(&out, "single")
        .args(["--only", "speed"])
        .output()
        .unwrap();
    assert_one_line(&output, 2, &["'speed'", "throughput"]);
    let output = support::run_of("headline", &out, support::SHORT)
        .args(["--servers", "single"])
        .output()
        .unwrap();
    assert_one_line(&output, 2, &["single has no part in headline"]);
    assert!(!out.exists());
}

#[test]
fn a_run_folder_that_holds_something_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("thesis.txt"), "mine").unwrap();
    let output = short_run(folder.path(), "single").output().unwrap();
    assert_one_line(&output, 2, &["not empty", "--out"]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_run_folder_that_cannot_be_made_is_named() {
    // Not even root can make a folder there, or below a file.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    for out in ["/proc/nowhere".into(), file.join("run"), file] {
        let output = short_run(&out, "single").output().unwrap();
        assert_one_line(&output, 2, &[out.to_str().unwrap(), "--out"]);
    }
}

#[test]
fn a_server_binary_that_is_missing_or_no_program_is_named_with_the_cure() {
    let folder = tempfile::tempdir().unwrap();
    let run = |out: &str| {
        Command::new(COUNTERS)
            .args([
                "run",
                "--only",
                "throughput",
                "--servers",
                "single",
                "--out",
            ])
            .arg(folder.path().join(out))
            .arg("--bin-dir")
            .arg(folder.path())
            .output()
            .unwrap()
    };
    assert_one_line(
        &run("missing"),
        2,
        &["single not found", "cargo build --release -p servers"],
    );
    fs::write(folder.path().join("single"), "not a program").unwrap();
    assert_one_line(&run("plain-file"), 2, &["single", "executed", "chmod +x"]);
}

#[test]
fn too_few_open_files_are_said_with_the_number_needed() {
    let folder = tempfile::tempdir().unwrap();
    let script = program(
        folder.path(),
        "limited",
        "#!/bin/sh\nulimit -n 100\nexec \"$@\"\n",
    );
    let output = Command::new(script)
        .args([COUNTERS, "run", "--only", "throughput"])
        .args(["--connections", "500", "--out"])
        .arg(folder.path().join("run"))
        .arg("--bin-dir")
        .arg(bin_dir())
        .output()
        .unwrap();
    assert_one_line(&output, 2, &["500 connections", "564", "100", "ulimit"]);
}

#[test]
fn a_soft_limit_on_open_files_is_raised() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let script = program(
        folder.path(),
        "limited",
        "#!/bin/sh\nulimit -Sn 40\nexec \"$@\"\n",
    );
    let plain = short_run(&out, "single");
    let output = Command::new(script)
        .arg(plain.get_program())
        .args(plain.get_args())
        .output()
        .unwrap();
    fine_or_in_doubt(&output, &out);
}
