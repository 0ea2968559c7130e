//! What is planned, of contenders that need not be on this machine.

use std::{collections::BTreeSet, path::Path, time::Duration};

use schema::{Accept, Model, Style, Worker};

use super::*;
use crate::{binaries::Binaries, contenders};

#[test]
fn an_unknown_name_is_told_with_the_known_ones() {
    let error = Experiment::named(&["speed".to_owned()])
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "there is no experiment 'speed'; choose from: headline, scaling, scaling-guests, fidelity, grid, throughput, stevens, balance"
    );
}

#[test]
fn the_ends_of_a_list_are_its_first_two_and_its_last() {
    assert_eq!(ends(&[1, 2, 3, 4, 6, 8, 10]), [1, 2, 10]);
    assert_eq!(ends(&[1]), [1]);
}

/// On a machine of three CPUs, two of which serve.
fn planned(experiments: &[Experiment], preset: Preset, workers: &[u32]) -> Vec<Draft> {
    let contenders = contenders::all(&Binaries::locate(Some(Path::new("/bin-dir"))).unwrap());
    let choice = Choice {
        experiments: experiments.to_vec(),
        servers: Vec::new(),
        workers: workers.to_vec(),
        connections: 64,
    };
    let cores = CorePlan {
        server_cpus: vec![1, 2],
        generator_cpus: vec![0],
        overlapping: false,
        cores: 10,
        kind: Cores::Emulated,
        reason: String::new(),
    };
    drafts(&choice, preset, &cores, &contenders).unwrap()
}

fn cells(draft: &Draft) -> Vec<&Cell> {
    draft.sets.iter().flatten().collect()
}

fn cell<'a>(draft: &'a Draft, id: &str) -> &'a Cell {
    let found = cells(draft).into_iter().find(|cell| cell.id == id);
    found.unwrap_or_else(|| panic!("{id} is not planned"))
}

#[test]
fn every_id_is_there_once_and_every_target_is_a_cell() {
    for preset in [Preset::Smoke, Preset::Quick, Preset::Full] {
        let drafts = planned(Experiment::ALL, preset, &[]);
        let mut ids = BTreeSet::new();
        for cell in drafts.iter().flat_map(cells) {
            assert!(ids.insert(cell.id.clone()), "{} is there twice", cell.id);
        }
        for (reference, subject) in drafts.iter().flat_map(|draft| &draft.targets) {
            assert!(ids.contains(reference), "{reference}");
            assert!(ids.contains(subject), "{subject}");
        }
    }
}

#[test]
fn servers_of_the_grid_take_part_in_no_experiment_but_their_own() {
    let own = ["grid", "stevens", "balance"];
    for draft in planned(Experiment::ALL, Preset::Full, &[]) {
        for cell in cells(&draft) {
            let basic = own::BASIC.contains(&cell.server.as_str()) || cell.origin == Origin::Guest;
            assert!(basic || own.contains(&draft.name.as_str()), "{}", cell.id);
        }
    }
}

#[test]
fn the_grid_holds_every_model_with_kept_and_with_new_connections() {
    let drafts = planned(&[Experiment::Grid], Preset::Quick, &[]);
    let grid = &drafts[0];
    for model in Model::legal() {
        let name = own::name_of(model);
        let (keep, new) = (
            cell(grid, &format!("grid-{name}-keep")),
            cell(grid, &format!("grid-{name}-new")),
        );
        assert_eq!((keep.model, new.model), (model, model));
        assert_eq!((keep.workers, keep.cores), (4, Cores::Shared));
        assert_eq!((keep.then_percent, new.then_percent), (Some(50), Some(50)));
        assert_eq!(
            (keep.reuse, new.reuse),
            (Reuse::KeepAlive, Reuse::NewConnection)
        );
        let kept = match model.style {
            Style::Evented => 64,
            Style::Blocking => keep.workers,
        };
        assert_eq!((keep.connections, new.connections), (kept, 64), "{name}");
    }
    cell(grid, &format!("grid-{}-new", own::EXCLUSIVE));
    assert_eq!(cell(grid, "grid-floor-keep").workers, 1);
    let full = planned(&[Experiment::Grid], Preset::Full, &[]);
    for beside in [own::FLOOR, "node-cluster"] {
        let new = format!("grid-{beside}-new");
        cell(&full[0], &new);
        assert!(!cells(grid).iter().any(|cell| cell.id == new), "{new}");
    }
}

#[test]
fn the_ratios_of_the_grid_are_of_processes_over_threads_and_nothing_else_differs() {
    let drafts = planned(&[Experiment::Grid], Preset::Quick, &[]);
    let grid = &drafts[0];
    // Eleven process models, each of which threads can be too.
    assert_eq!(grid.targets.len(), 2 * 11);
    for (reference, subject) in &grid.targets {
        let (thread, process) = (cell(grid, reference), cell(grid, subject));
        assert_eq!(thread.model.worker, Worker::Thread);
        let as_process = Cell {
            id: process.id.clone(),
            server: process.server.clone(),
            model: Model {
                worker: Worker::Process,
                ..thread.model
            },
            ..thread.clone()
        };
        assert_eq!(&as_process, process);
        assert!(!subject.contains("exclusive") && !subject.contains("floor"));
    }
}

#[test]
fn stevens_designs_are_nine_and_each_is_set_against_the_iterative_one() {
    let drafts = planned(&[Experiment::Stevens], Preset::Quick, &[]);
    let cells = cells(&drafts[0]);
    let ids: Vec<&str> = cells.iter().map(|cell| cell.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "stevens-0-single-blocking",
            "stevens-1-process-blocking-per-connection",
            "stevens-2-process-blocking-shared",
            "stevens-3-process-blocking-file-lock",
            "stevens-4-process-blocking-mutex",
            "stevens-5-process-blocking-handoff",
            "stevens-6-thread-blocking-per-connection",
            "stevens-7-thread-blocking-mutex",
            "stevens-8-thread-blocking-handoff",
        ]
    );
    for cell in &cells {
        assert_eq!(cell.target(), "/bytes?n=4000");
        assert_eq!(
            (cell.reuse, cell.connections),
            (Reuse::NewConnection, 10),
            "{}",
            cell.id
        );
    }
    let workers: Vec<u32> = cells.iter().map(|cell| cell.workers).collect();
    assert_eq!(workers, [1, 15, 15, 15, 15, 15, 15, 15, 15]);
    let references: BTreeSet<_> = drafts[0].targets.iter().map(|(zero, _)| zero).collect();
    assert_eq!(
        (drafts[0].targets.len(), references.len()),
        (8, 1),
        "{references:?}"
    );
}

#[test]
fn balance_is_looked_at_under_load_and_with_little_and_lone_connections_before_that() {
    let drafts = planned(&[Experiment::Balance], Preset::Quick, &[]);
    let balance = &drafts[0];
    for model in Model::legal().filter(|model| model.accept != Accept::PerConnection) {
        let name = own::name_of(model);
        let of = |kind| cell(balance, &format!("balance-{name}-{kind}"));
        if (model.style, model.accept) == (Style::Blocking, Accept::Reuseport) {
            // Kept connections that share a worker wait for one another there.
            let id = format!("balance-{name}-keep-low");
            assert!(cells(balance).iter().all(|cell| cell.id != id));
            continue;
        }
        let rates =
            ["keep-high", "keep-low", "new-high", "new-low"].map(|kind| of(kind).rate_per_s);
        assert_eq!(rates, [None, Some(200), None, Some(200)]);
        assert_eq!((of("new-low").wakes, of("keep-low").wakes), (32, 0));
        let kept = [of("keep-high").connections, of("keep-low").connections];
        match model.style {
            Style::Evented => assert_eq!(kept, [64, 16], "{name}"),
            Style::Blocking => assert_eq!(kept, [4, 4], "{name}"),
        }
    }
    let left_out = |cell: &&Cell| cell.model.accept == Accept::PerConnection;
    assert!(!cells(balance).iter().any(left_out));
    assert!(balance.targets.is_empty());
}

#[test]
fn workers_that_were_asked_for_are_had_by_all() {
    let own_ones = [Experiment::Grid, Experiment::Stevens, Experiment::Balance];
    for draft in planned(&own_ones, Preset::Smoke, &[1, 2]) {
        for cell in cells(&draft) {
            let alone = ["single-blocking", "floor", "node-single"].contains(&cell.server.as_str());
            let asked = if alone { 1 } else { 2 };
            if cell.origin == Origin::Own {
                assert_eq!(cell.workers, asked, "{}", cell.id);
            }
        }
    }
}

#[test]
fn a_quick_run_stays_below_five_minutes() {
    let drafts = planned(&Experiment::of(Preset::Quick), Preset::Quick, &[]);
    let budgets: Duration = drafts.iter().map(|draft| draft.timing.budget).sum();
    // Starting and reporting take some of it.
    assert!(budgets < Duration::from_secs(285), "{budgets:?}");
}

#[test]
fn presets_run_what_they_are_for() {
    let presets = |experiment: Experiment| experiment.presets().collect::<Vec<_>>();
    assert_eq!(
        presets(Experiment::Grid),
        [Preset::Quick, Preset::Full],
        "grid"
    );
    assert_eq!(presets(Experiment::Stevens), [Preset::Full], "stevens");
    assert_eq!(
        presets(Experiment::Throughput),
        [Preset::Smoke, Preset::Full],
        "throughput"
    );
}
