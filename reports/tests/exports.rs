//! What other programs get, checked by the shape that they ask for.

mod synthetic;

use reports::{ExportFormat, Run, export, judge};
use serde_json::Value;
use synthetic::{
    designs::grid,
    emulated::{emulated, linear},
    failure, not_found, replace, typical,
};

const JSON: [ExportFormat; 3] = [
    ExportFormat::Bencher,
    ExportFormat::GithubBigger,
    ExportFormat::GithubSmaller,
];

fn exported(run: &Run, format: ExportFormat) -> String {
    export(run, &judge(run), format)
}

fn parsed(run: &Run, format: ExportFormat) -> Value {
    serde_json::from_str(&exported(run, format)).unwrap()
}

fn names(entries: &Value) -> Vec<&str> {
    let entries = entries.as_array().unwrap().iter();
    entries
        .map(|entry| entry["name"].as_str().unwrap())
        .collect()
}

#[test]
fn bencher_gets_benchmarks_of_measures_with_bounds_around_their_values() {
    let metrics = parsed(&typical(6), ExportFormat::Bencher);
    let benchmarks = metrics.as_object().unwrap();
    assert_eq!(benchmarks.len(), 7);
    for (name, measures) in benchmarks {
        let slugs: Vec<_> = measures.as_object().unwrap().keys().collect();
        assert_eq!(
            slugs,
            [
                "cpu-per-request",
                "latency",
                "latency-p99",
                "memory",
                "throughput"
            ],
            "{name}"
        );
        for (slug, metric) in measures.as_object().unwrap() {
            let number = |key: &str| metric[key].as_f64().unwrap();
            assert!(number("lower_value") <= number("value"), "{name} {slug}");
            assert!(number("value") <= number("upper_value"), "{name} {slug}");
            assert_eq!(metric.as_object().unwrap().len(), 3);
        }
    }
    let throughput = &benchmarks["threads-w2-hello"]["throughput"]["value"];
    assert!((throughput.as_f64().unwrap() / 139_500.0 - 1.0).abs() < 0.01);
    let latency = &benchmarks["threads-w2-hello"]["latency"]["value"];
    assert!(latency.as_f64().unwrap() > 100_000.0, "in ns: {latency}");
}

#[test]
fn too_few_trials_for_an_interval_leave_the_bounds_out() {
    let metrics = parsed(&typical(1), ExportFormat::Bencher);
    let metric = metrics["single-w1-hello"]["throughput"]
        .as_object()
        .unwrap();
    assert_eq!(metric.keys().collect::<Vec<_>>(), ["value"]);
    let entries = parsed(&typical(1), ExportFormat::GithubBigger);
    assert!(entries[0].get("range").is_none(), "{entries}");
}

#[test]
fn the_action_gets_what_should_be_great_and_what_should_be_small_apart() {
    let run = typical(6);
    let (bigger, smaller) = (
        parsed(&run, ExportFormat::GithubBigger),
        parsed(&run, ExportFormat::GithubSmaller),
    );
    assert!(
        names(&bigger)
            .iter()
            .all(|name| name.ends_with(": throughput"))
    );
    assert_eq!(names(&bigger).len(), 7);
    let of_threads: Vec<_> = names(&smaller)
        .into_iter()
        .filter_map(|name| name.strip_prefix("threads-w2-hello: "))
        .collect();
    assert_eq!(
        of_threads,
        ["CPU time per request", "p99 latency", "memory (PSS)"]
    );
    for entry in bigger
        .as_array()
        .unwrap()
        .iter()
        .chain(smaller.as_array().unwrap())
    {
        assert!(
            entry["value"].is_number() && entry["unit"].is_string(),
            "{entry}"
        );
        assert!(
            entry["range"].as_str().unwrap().starts_with("95 %: "),
            "{entry}"
        );
        assert!(
            entry["extra"].as_str().unwrap().starts_with("6 trials\n"),
            "{entry}"
        );
    }
    let mut unique = names(&smaller);
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), names(&smaller).len());
}

#[test]
fn figures_of_emulated_cores_say_so_in_their_name_and_have_no_latency() {
    let run = emulated(&["headline"], 6, linear);
    for format in JSON {
        let text = exported(&run, format);
        assert!(
            text.contains("headline-cluster-w10-hello (emulated cores)"),
            "{text}"
        );
        assert!(!text.contains("latency"), "{text}");
    }
    let text = exported(&run, ExportFormat::Markdown);
    let row = text
        .lines()
        .find(|line| line.starts_with("| headline-cluster-w10-hello (emulated cores)"));
    assert_eq!(row.unwrap().split(" | ").nth(3), Some("–"), "{text}");
}

#[test]
fn markdown_tells_the_answer_every_cell_and_the_caveats_folded_away() {
    let run = typical(6);
    let verdicts = judge(&run);
    let text = export(&run, &verdicts, ExportFormat::Markdown);
    assert!(text.starts_with("## Ten Counters: "), "{text}");
    for cell in &run.plan.cells {
        assert!(text.contains(&format!("| {} | ", cell.id)), "{text}");
    }
    let (before, after) = text.split_once("<details>").unwrap();
    assert!(!before.contains("Do not quote"), "{text}");
    let (inside, _) = after.split_once("\n\n</details>").unwrap();
    let items = inside.lines().filter(|line| line.starts_with("- "));
    assert_eq!(items.count(), verdicts.caveats.len());
}

#[test]
fn an_invalid_run_says_so_in_every_format_that_has_room_for_words() {
    let mut run = typical(6);
    replace(&mut run, "node-single", &failure("it | broke <b>", ""));
    let text = exported(&run, ExportFormat::Markdown);
    assert!(text.contains("**Do not quote this run**"), "{text}");
    assert!(text.contains("<details open>"), "{text}");
    for format in [ExportFormat::GithubBigger, ExportFormat::GithubSmaller] {
        let entries = parsed(&run, format);
        assert!(
            entries[0]["extra"]
                .as_str()
                .unwrap()
                .ends_with("the run is invalid"),
            "{entries}"
        );
    }
}

#[test]
fn a_run_that_measured_nothing_gives_empty_lists() {
    let mut run = typical(1);
    for server in [
        "single",
        "cluster",
        "threads",
        "node-single",
        "node-cluster",
    ] {
        replace(&mut run, server, &not_found());
    }
    assert_eq!(exported(&run, ExportFormat::Bencher), "{}\n");
    assert_eq!(exported(&run, ExportFormat::GithubBigger), "[]\n");
    assert!(exported(&run, ExportFormat::Markdown).contains("Nothing was measured."));
}

#[test]
fn words_from_outside_stay_in_their_place() {
    let mut run = typical(6);
    run.machine.cpu_model = "<img src=x> | CPU".to_owned();
    run.plan.cells[0].id = "a|b\"</details>".to_owned();
    let id = run.plan.cells[0].id.clone();
    for observation in &mut run.observations {
        if observation.cell == "single-w1-hello" {
            observation.cell.clone_from(&id);
        }
    }
    let text = exported(&run, ExportFormat::Markdown);
    assert!(text.contains(r#"| a\|b"&lt;/details&gt; | "#), "{text}");
    assert!(!text.contains("<img"), "{text}");
    assert!(parsed(&run, ExportFormat::Bencher)[&id].is_object());
}

#[test]
fn cells_that_stand_alone_drown_no_comment_and_are_there_for_programs() {
    let run = grid(3);
    let text = exported(&run, ExportFormat::Markdown);
    assert!(text.starts_with("## Ten Counters: Like for like"), "{text}");
    assert!(!text.contains("| grid-"), "{text}");
    let metrics = parsed(&run, ExportFormat::Bencher);
    assert!(metrics["grid-process-evented-shared-keep"].is_object());
}
