//! A whole run: what it leaves, and what can be made of that afterwards.

mod support;

use std::{fs, process::Command};

use schema::{Machine, Model, Plan, Verdicts};
use support::{
    COUNTERS, assert_one_line, fine_or_in_doubt, has, measured, observations, run_with_windows,
    short_run, stderr, stdout, turn, undoubted, was_read_late,
};

#[test]
fn a_run_leaves_a_whole_folder_and_prints_the_reports_path_last() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let output = undoubted(|window| {
        let _ = fs::remove_dir_all(&out);
        run_with_windows(&out, "single,cluster,threads", window)
    });
    fine_or_in_doubt(&output, &out);
    let last = stdout(&output).lines().last().unwrap().to_owned();
    assert_eq!(last, out.join("report.html").display().to_string());

    let plan: Plan = serde_json::from_slice(&fs::read(out.join("plan.json")).unwrap()).unwrap();
    let machine: Machine =
        serde_json::from_slice(&fs::read(out.join("machine.json")).unwrap()).unwrap();
    let verdicts: Verdicts =
        serde_json::from_slice(&fs::read(out.join("verdicts.json")).unwrap()).unwrap();
    assert_eq!(verdicts.estimates.len(), plan.cells.len());
    assert!(machine.cpus_allowed.len() >= plan.cores.server_cpus.len());
    assert!(
        plan.cores.overlapping
            || !plan
                .cores
                .server_cpus
                .iter()
                .any(|cpu| plan.cores.generator_cpus.contains(cpu))
    );

    let measured = measured(&out);
    assert_eq!(measured.len(), plan.cells.len());
    for (cell, trial) in &measured {
        let load = &trial.load;
        assert_eq!(
            load.offered,
            load.completed + load.errors + load.timeouts + load.unfinished,
            "{cell}"
        );
        assert_eq!(
            (load.errors, load.timeouts),
            (0, 0),
            "{cell}: {:?}",
            load.error_kinds
        );
        assert_eq!(
            load.requests_by_worker.values().sum::<u64>(),
            load.completed,
            "{cell}"
        );
        assert!(load.completed > 0 && load.response.is_some(), "{cell}");
        assert!(
            trial.server.cpu.total_ns() > 0 || was_read_late(trial),
            "{cell}"
        );
        assert!(trial.server.threads > 0, "{cell}");
        assert!(
            trial.server.pss_bytes.is_some_and(|bytes| bytes > 100_000),
            "{cell}"
        );
        assert!(trial.ready_after_ns > 0, "{cell}");
        let workers = plan
            .cells
            .iter()
            .find(|one| one.id == *cell)
            .unwrap()
            .workers as usize;
        assert!(
            (1..=workers).contains(&load.requests_by_worker.len()),
            "{cell}"
        );
        assert!(out.join(format!("latency/{cell}-b0.hlog")).is_file());
    }
    let html = fs::read_to_string(out.join("report.html")).unwrap();
    let markdown = fs::read_to_string(out.join("report.md")).unwrap();
    for server in ["single", "cluster", "threads"] {
        assert!(html.contains(server) && markdown.contains(server));
    }
}

#[test]
fn a_cluster_is_a_primary_and_its_workers_and_threads_are_one_process() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let output = short_run(folder.path(), "single,cluster,threads")
        .output()
        .unwrap();
    fine_or_in_doubt(&output, folder.path());
    for (cell, trial) in measured(folder.path()) {
        let processes = match cell.as_str() {
            "cluster-w1-hello" => 2,
            "cluster-w2-hello" => 3,
            _ => 1,
        };
        assert_eq!(trial.server.processes, processes, "{cell}");
    }
}

#[test]
fn a_report_is_rebuilt_byte_for_byte_without_measuring() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let output = short_run(folder.path(), "single,threads").output().unwrap();
    fine_or_in_doubt(&output, folder.path());
    let pages = ["report.html", "report.md", "verdicts.json", "estimates.csv"];
    let read = || pages.map(|page| fs::read(folder.path().join(page)).unwrap());
    let before = read();
    for page in pages {
        fs::remove_file(folder.path().join(page)).unwrap();
    }
    let rebuilt = Command::new(COUNTERS)
        .arg("report")
        .arg(folder.path())
        .output()
        .unwrap();
    assert_eq!(
        rebuilt.status.code(),
        output.status.code(),
        "{}",
        stderr(&rebuilt)
    );
    assert_eq!(stdout(&rebuilt), stdout(&output));
    assert!(before == read(), "the pages differ");
}

#[test]
fn a_run_that_was_cut_off_while_writing_still_gives_a_report() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    short_run(folder.path(), "single,threads").output().unwrap();
    let path = folder.path().join("observations.jsonl");
    let text = fs::read(&path).unwrap();
    fs::write(&path, &text[..text.len() - 40]).unwrap();
    let output = Command::new(COUNTERS)
        .arg("report")
        .arg(folder.path())
        .output()
        .unwrap();
    fine_or_in_doubt(&output, folder.path());
    let markdown = fs::read_to_string(folder.path().join("report.md")).unwrap();
    assert!(markdown.contains("cut off"), "{markdown}");
}

#[test]
fn a_foreign_file_is_refused_with_its_line() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    short_run(folder.path(), "single").output().unwrap();
    let path = folder.path().join("observations.jsonl");
    let mut text = fs::read_to_string(&path).unwrap();
    text.insert_str(0, "{\"some\":\"other tool's line\"}\n");
    fs::write(&path, text).unwrap();
    let output = Command::new(COUNTERS)
        .arg("report")
        .arg(folder.path())
        .output()
        .unwrap();
    assert_one_line(&output, 2, &["observations.jsonl", "1"]);
    let nothing = tempfile::tempdir().unwrap();
    let output = Command::new(COUNTERS)
        .arg("report")
        .arg(nothing.path())
        .output()
        .unwrap();
    assert_one_line(&output, 2, &["plan.json"]);
}

#[test]
fn the_same_seed_gives_the_same_order() {
    let _turn = turn();
    let orders: Vec<_> = (0..2)
        .map(|_| {
            let folder = tempfile::tempdir().unwrap();
            let output = short_run(folder.path(), "cluster,threads")
                .args(["--seed", "11"])
                .output()
                .unwrap();
            fine_or_in_doubt(&output, folder.path());
            let first = observations(folder.path())
                .into_iter()
                .filter(|one| one.attempt == 0);
            first.map(|one| one.cell).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(orders[0], orders[1]);
}

#[test]
fn the_sources_script_is_measured_with_one_worker_and_two_and_without_cluster() {
    let _turn = turn();
    if !has("node") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let output = short_run(folder.path(), "node-single,node-cluster")
        .output()
        .unwrap();
    fine_or_in_doubt(&output, folder.path());
    let measured = measured(folder.path());
    assert_eq!(measured.len(), 3, "{}", stderr(&output));
    for (cell, trial) in measured {
        assert_eq!(trial.load.errors, 0, "{cell}: {:?}", trial.load.error_kinds);
        let clustered = cell.starts_with("node-cluster");
        assert_eq!(trial.server.processes > 1, clustered, "{cell}");
    }
    assert!(folder.path().join("guests/node-cluster/app.mjs").is_file());
}

#[test]
fn a_guest_that_is_not_installed_is_reported_with_the_cure() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let output = short_run(folder.path(), "single,node-single,node-cluster")
        .env("PATH", folder.path().join("nothing-here"))
        .output()
        .unwrap();
    fine_or_in_doubt(&output, folder.path());
    assert!(
        stderr(&output).contains("node-cluster"),
        "{}",
        stderr(&output)
    );
    for page in ["report.html", "report.md"] {
        let text = fs::read_to_string(folder.path().join(page)).unwrap();
        assert!(
            text.contains("node not found, install it with: apt-get install nodejs"),
            "{text}"
        );
    }
}

#[test]
fn the_listing_names_servers_and_guests() {
    let output = Command::new(COUNTERS)
        .args(["list", "--json", "--bin-dir"])
        .arg(support::bin_dir())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let listing: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let names: Vec<_> = listing["servers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["name"].as_str().unwrap())
        .collect();
    assert_eq!(names[..3], ["single", "cluster", "threads"]);
    let own = Model::legal().map(|model| model.to_string().replace('/', "-"));
    let beside = [
        "process-evented-shared-exclusive",
        "single-blocking",
        "floor",
    ];
    let guests = [
        "node-single",
        "node-cluster",
        "node-cluster-none",
        "nginx-shared",
        "nginx-reuseport",
        "gunicorn-sync",
    ];
    for name in own.chain(beside.iter().chain(&guests).map(ToString::to_string)) {
        assert!(
            names.contains(&name.as_str()),
            "{name} is missing: {names:?}"
        );
    }
}

#[test]
fn what_the_benches_found_is_added_to_a_run_of_the_same_machine_and_no_other() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let output = short_run(&run, "single").output().unwrap();
    fine_or_in_doubt(&output, &run);
    let file = folder.path().join(primitives::FILE);
    let rebuilt = || {
        Command::new(COUNTERS)
            .arg("report")
            .arg(&run)
            .arg("--primitives")
            .arg(&file)
            .output()
            .unwrap()
    };
    assert_one_line(&rebuilt(), 2, &["primitives.json", "cargo bench"]);

    let machine: Machine =
        serde_json::from_slice(&fs::read(run.join("machine.json")).unwrap()).unwrap();
    primitives::write(&file, &machine.cpu_model, "another kernel");
    assert_one_line(&rebuilt(), 2, &["another machine or kernel"]);
    assert!(!run.join(primitives::FILE).exists());

    primitives::write(&file, &machine.cpu_model, &machine.kernel);
    assert_eq!(rebuilt().status.code(), output.status.code());
    assert!(run.join(primitives::FILE).is_file());
    let markdown = fs::read_to_string(run.join("report.md")).unwrap();
    assert!(markdown.contains(primitives::SENTENCE), "{markdown}");

    // And a run finds what it is told of by itself.
    let again = folder.path().join("again");
    let output = short_run(&again, "single")
        .arg("--primitives")
        .arg(folder.path())
        .output()
        .unwrap();
    fine_or_in_doubt(&output, &again);
    let verdicts: Verdicts =
        serde_json::from_slice(&fs::read(again.join("verdicts.json")).unwrap()).unwrap();
    assert_eq!(verdicts.primitives.unwrap().groups.len(), 1);
}

/// A file as the benches leave it.
mod primitives {
    use std::{fs, path::Path};

    use schema::{PrimitiveGroup, PrimitiveNoise, Primitives, SCHEMA_VERSION};

    pub const FILE: &str = "primitives.json";
    pub const SENTENCE: &str = "A thread is made in no time.";

    pub fn write(file: &Path, cpu_model: &str, kernel: &str) {
        let primitives = Primitives {
            schema_version: SCHEMA_VERSION,
            cpu_model: cpu_model.to_owned(),
            kernel: kernel.to_owned(),
            noise: PrimitiveNoise::default(),
            groups: vec![PrimitiveGroup {
                name: "spawn-reaped".to_owned(),
                asks: "What does it take to make a worker?".to_owned(),
                means: Some(SENTENCE.to_owned()),
                measured_unix_s: 0,
                rows: Vec::new(),
            }],
        };
        fs::write(file, serde_json::to_vec(&primitives).unwrap()).unwrap();
    }
}
