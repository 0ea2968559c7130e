//! What pages say where cores are emulated, and what they leave out.

mod synthetic;

use std::{collections::BTreeSet, fs};

use reports::{Run, judge, summary, write_pages};
use schema::StopReason;
use synthetic::emulated::{EVERY, Shown, calibration, emulated, linear, stop};
use tempfile::TempDir;

struct Pages {
    folder: TempDir,
    html: String,
    markdown: String,
}

fn pages(run: &Run) -> Pages {
    let folder = tempfile::tempdir().unwrap();
    let written = write_pages(run, &judge(run), folder.path()).unwrap();
    Pages {
        // Non-breaking spaces are a matter of typesetting.
        html: fs::read_to_string(&written.html)
            .unwrap()
            .replace('\u{a0}', " "),
        markdown: fs::read_to_string(&written.markdown).unwrap(),
        folder,
    }
}

/// A run with everything that a run can have.
fn whole() -> Run {
    let mut run = emulated(&EVERY, 3, |cell, block| Shown {
        given: 1.0 - 0.01 * f64::from(cell.workers),
        ..linear(cell, block)
    });
    run.stops = vec![
        stop("headline", StopReason::Target, 3, Some(0.018)),
        stop("scaling", StopReason::Budget, 3, Some(0.031)),
    ];
    run.calibration = Some(calibration());
    run
}

/// Names of the charts that a group has.
fn charts(pages: &Pages, group: &str) -> BTreeSet<String> {
    let prefix = format!("{group}-");
    fs::read_dir(pages.folder.path().join("charts"))
        .unwrap()
        .filter_map(|file| {
            let name = file.unwrap().file_name().into_string().unwrap();
            Some(name.strip_prefix(&prefix)?.to_owned())
        })
        .collect()
}

#[test]
fn every_chart_of_emulated_cores_says_so_on_its_axis_and_in_its_caption() {
    let pages = pages(&emulated(&EVERY, 1, linear));
    let mut seen = 0;
    for file in fs::read_dir(pages.folder.path().join("charts")).unwrap() {
        let file = file.unwrap().path();
        let svg = fs::read_to_string(&file).unwrap();
        let (title, drawing) = svg.split_once("</title>").unwrap();
        assert!(title.contains("emulated cores"), "{}", file.display());
        assert!(drawing.contains("emulated cores"), "{}", file.display());
        seen += 1;
    }
    assert_eq!(seen, 3 + 3 + 3);
    let captions = pages.html.matches("<figcaption><h3>").count();
    let said = pages
        .html
        .matches("Cores are emulated: each worker")
        .count();
    assert_eq!((captions, said), (seen, seen));
}

#[test]
fn latency_and_memory_are_left_out_of_charts_tables_and_terminal_with_the_reason() {
    let run = emulated(&["headline"], 1, linear);
    let pages = pages(&run);
    let expected = ["answered.svg", "cpu.svg", "scaling-throughput.svg"];
    assert_eq!(
        charts(&pages, "headline-hello"),
        expected.map(str::to_owned).into()
    );
    for page in [&pages.html, &pages.markdown] {
        assert!(page.contains("Latency is not shown: on emulated cores"));
    }
    let text = summary(&run, &judge(&run));
    assert!(!text.contains(" ms") && !text.contains("MiB"), "{text}");
}

#[test]
fn curves_have_three_charts_and_a_table_of_speed_ups() {
    let pages = pages(&emulated(&["scaling"], 1, linear));
    let expected = [
        "scaling-cpu.svg",
        "scaling-efficiency.svg",
        "scaling-throughput.svg",
    ];
    for group in ["scaling-hello", "scaling-cpu200"] {
        assert_eq!(charts(&pages, group), expected.map(str::to_owned).into());
    }
    for page in [&pages.html, &pages.markdown] {
        for part in ["Speed-up and efficiency", "Speed-up by CPU time given"] {
            assert!(page.contains(part), "{part}");
        }
    }
    assert!(
        pages
            .html
            .contains("dashed: N × one worker of the same server")
    );
}

#[test]
fn cards_answer_the_main_questions_first_and_are_labelled() {
    let pages = pages(&whole());
    let at = |part: &str| pages.html.find(part).unwrap_or_else(|| panic!("no {part}"));
    let places = [
        at("Ten processes over one"),
        at("Ten threads over one"),
        at(">Processes over threads"),
        at(">CPU per request<"),
        at("What to know before quoting this"),
    ];
    assert!(places.is_sorted(), "{places:?}");
    let cards = &pages.html[places[0]..places[4]];
    assert_eq!(cards.matches("class=\"label\">emulated").count(), 4);
    assert!(cards.contains("efficiency 0.9") && cards.contains("by CPU time given"));
}

#[test]
fn the_terminal_is_told_the_main_answers_before_any_figures() {
    let run = whole();
    let text = summary(&run, &judge(&run));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "Processes and threads serve the same.");
    assert!(
        lines[1].starts_with("- Ten processes serve "),
        "{}",
        lines[1]
    );
    assert!(lines[1].contains("on ten emulated cores"), "{}", lines[1]);
    assert!(lines[2].starts_with("- Ten threads serve "), "{}", lines[2]);
    let heads = lines
        .iter()
        .find(|line| line.starts_with("speed-up by cores"));
    let counts: Vec<&str> = heads.unwrap().split_whitespace().skip(3).collect();
    assert_eq!(counts, ["1", "2", "3", "4", "6", "8", "10"]);
}

#[test]
fn fidelity_calibration_stops_and_seed_are_on_both_pages() {
    let pages = pages(&whole());
    for page in [&pages.html, &pages.markdown] {
        for part in [
            "How true emulated cores are",
            "What emulated cores cannot show",
            "below a period",
            "How far to trust this instrument",
            "11 of the intervals left out 1",
            "noise floor is ±0.6 %",
            "14 of 20",
            "reached the target of ±2 % after 3 blocks",
            "its time was spent after 3 blocks at ±3.1 %",
            "up to ±3.1 % wide, and ±2 % was the aim",
            "with --seed",
            "an emulated core being 4 ms of every 100 ms of a CPU",
        ] {
            // A cell of a table may begin with a capital.
            let page = page.replace('\\', "").to_lowercase();
            assert!(page.contains(&part.to_lowercase()), "{part}");
        }
    }
}

#[test]
fn without_a_calibration_the_page_says_how_to_make_one() {
    let pages = pages(&emulated(&["headline"], 1, linear));
    for page in [&pages.html, &pages.markdown] {
        assert!(page.contains("'counters calibrate' does it"));
    }
}

#[test]
fn a_calibration_of_another_machine_is_told() {
    let mut run = whole();
    run.machine.cpu_model = "Another CPU".to_owned();
    let caveats = judge(&run).caveats;
    assert!(
        caveats
            .iter()
            .any(|c| c.contains("made on another machine"))
    );
}

#[test]
fn an_experiment_that_reached_its_target_is_not_a_run_ended_early() {
    let mut run = emulated(&["headline"], 8, linear);
    run.observations.retain(|observation| observation.block < 5);
    let early = |run: &Run| judge(run).caveats.iter().any(|c| c.contains("ended early"));
    assert!(early(&run));
    run.stops = vec![stop("headline", StopReason::Target, 5, Some(0.01))];
    assert!(!early(&run));
    run.stops[0].reason = StopReason::Interrupted;
    assert!(early(&run));
}

#[test]
fn the_table_for_other_programs_holds_speed_ups() {
    let pages = pages(&emulated(&["scaling"], 1, linear));
    let table = fs::read_to_string(pages.folder.path().join("estimates.csv")).unwrap();
    let mut lines = table.lines();
    let heads: Vec<&str> = lines.next().unwrap().split(',').collect();
    let column = |name: &str| heads.iter().position(|&head| head == name).unwrap();
    let most = lines.find(|line| line.starts_with("scaling-cluster-w10-hello,"));
    let values: Vec<&str> = most.unwrap().split(',').collect();
    assert_eq!(values[column("cores")], "emulated");
    let speedup: f64 = values[column("speedup")].parse().unwrap();
    assert!((speedup - 10.0).abs() < 0.2, "{speedup}");
}
