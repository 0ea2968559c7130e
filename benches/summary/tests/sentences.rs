//! What the sentences say of figures that are known.

use super::{Criterion, GROUPS, NEWEST, quiet_and, samples};

#[test]
fn a_fork_is_set_beside_ways_that_copy_no_memory() {
    let mut figures = Vec::new();
    for group in ["spawn-first-instruction", "spawn-reaped"] {
        for (memory, fork) in [("0-MiB", 60e3), ("64-MiB", 700e3), ("512-MiB", 5e6)] {
            for (way, ns) in [
                ("thread", 12e3),
                ("process-fork", fork),
                ("process-posix-spawn", 300e3),
                ("process-warm-clone", 80e3),
            ] {
                figures.push((format!("{group}/{way}/{memory}"), ns));
            }
        }
    }
    let figures: Vec<(&str, f64)> = figures.iter().map(|(id, ns)| (id.as_str(), *ns)).collect();
    let means = Criterion::measured(&figures).write().means("spawn-reaped");
    for part in [
        "more than a posix_spawn from 64 MiB on",
        "more than a warm clone from 64 MiB on",
        "a fork 60.1 µs where its maker has touched nothing and 5.01 ms where it has touched 512 MiB",
    ] {
        assert!(means.contains(part), "{means}");
    }
}

#[test]
fn a_handoff_costs_what_it_adds_to_a_connection_in_cpu_time() {
    let means = quiet_and(&[
        ("handoff-cpu/thread-none/1", 30_000.0),
        ("handoff-cpu/thread-channel/1", 30_300.0),
        ("handoff-cpu/process-none/1", 30_000.0),
        ("handoff-cpu/process-scm-rights/1", 36_000.0),
    ])
    .write()
    .means("handoff");
    assert!(
        means.contains("between threads nothing that is told one at a time"),
        "{means}"
    );
    assert!(
        means.contains("between processes 6.01 µs one at a time"),
        "{means}"
    );
    assert!(means.contains("6.0 % of a CPU"), "{means}");
}

#[test]
fn the_grain_that_pays_is_told_for_each_way_to_cut_a_job_up() {
    let mut figures = Vec::new();
    for (grain, ns) in [("10-us", 10e3), ("100-us", 100e3), ("1-ms", 1e6)] {
        for (way, cost) in [
            ("alone", 2.0 * ns),
            ("thread-rayon", ns + 5e3),
            ("thread-spawned", ns + 50e3),
            ("process-shared-memory", ns + 500e3),
            ("process-pipe", ns + 2e6),
        ] {
            figures.push((format!("fan-out/{way}/{grain}"), cost));
        }
    }
    let figures: Vec<(&str, f64)> = figures.iter().map(|(id, ns)| (id.as_str(), *ns)).collect();
    let means = Criterion::measured(&figures).write().means("fan-out");
    for part in [
        "from pieces of 10 µs on with a pool of threads",
        "from pieces of 100 µs on with threads made for the job",
        "from pieces of 1 ms on with processes forked for it that answer through shared memory",
        "at none of these sizes with processes forked for it that answer through pipes",
    ] {
        assert!(means.contains(part), "{means}");
    }
}

#[test]
fn every_sentence_is_made_from_full_figures_and_none_fails_on_parts_of_them() {
    let ids: Vec<String> = GROUPS
        .iter()
        .flat_map(|group| {
            let parameters: Vec<&str> = match group.parameters {
                [] => vec![""],
                some => some.iter().map(|(id, _)| *id).collect(),
            };
            group.lines.iter().flat_map(move |line| {
                let functions: Vec<&str> = line.functions().collect();
                let parameters = parameters.clone();
                functions.into_iter().flat_map(move |function| {
                    let parameters = parameters.clone();
                    parameters.into_iter().flat_map(move |parameter| {
                        ["", "-cpu"].map(|clock| {
                            let id = format!("{}{clock}/{function}/{parameter}", group.name);
                            id.trim_end_matches('/').to_owned()
                        })
                    })
                })
            })
        })
        .collect();
    let figures = |keep: &dyn Fn(usize) -> bool| {
        let criterion = Criterion::new();
        for (place, id) in ids.iter().enumerate().filter(|(place, _)| keep(*place)) {
            let ns = 1000.0 + 100.0 * (place * 7919 % 13) as f64;
            criterion.put(NEWEST, id, &samples(ns, 10));
        }
        criterion.write()
    };
    let whole = figures(&|_| true);
    for group in GROUPS
        .iter()
        .filter(|group| !group.lines.is_empty() && group.bench != "noise")
    {
        let means = whole.means(group.name);
        assert!(
            means.ends_with('.') && !means.contains("NaN"),
            "{}: {means}",
            group.name
        );
    }
    for step in [2, 3, 5] {
        figures(&|place| place % step == 0);
    }
}
