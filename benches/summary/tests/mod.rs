//! Folders as criterion leaves them, made by hand, and what the summary makes of them.

mod sentences;

use std::{
    fs,
    path::{Path, PathBuf},
};

use schema::{Primitives, Worker};
use serde_json::json;
use tempfile::TempDir;

use super::{
    NEWEST,
    catalogue::{self, GROUPS},
    drift::check,
    figures::{Blocks, Judge, apart},
    read::Folder,
    way, write,
};

/// Samples that scatter around `ns` by a few per mille, as a quiet machine's do.
fn samples(ns: f64, count: u32) -> Vec<(f64, f64)> {
    let one = |sample: u32| {
        let iterations = f64::from(sample + 1) * 100.0;
        let scatter = 1.0 + 0.002 * f64::from(sample * 7 % 5 % 3);
        (iterations, iterations * ns * scatter)
    };
    (0..count).map(one).collect()
}

struct Criterion(TempDir);

impl Criterion {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn put(&self, baseline: &str, id: &str, samples: &[(f64, f64)]) -> PathBuf {
        self.put_with(baseline, id, samples, &serde_json::Value::Null)
    }

    fn put_with(
        &self,
        baseline: &str,
        id: &str,
        samples: &[(f64, f64)],
        throughput: &serde_json::Value,
    ) -> PathBuf {
        let folder = self.path().join(id).join(baseline);
        fs::create_dir_all(&folder).unwrap();
        let mut names = id.splitn(3, '/');
        let names = json!({
            "group_id": names.next(),
            "function_id": names.next(),
            "value_str": names.next(),
            "throughput": throughput,
            "full_id": id,
        });
        fs::write(folder.join("benchmark.json"), names.to_string()).unwrap();
        let (iters, times): (Vec<f64>, Vec<f64>) = samples.iter().copied().unzip();
        let samples = json!({"sampling_mode": "Linear", "iters": iters, "times": times});
        fs::write(folder.join("sample.json"), samples.to_string()).unwrap();
        folder
    }

    /// Many benchmarks, measured in full.
    fn measured(figures: &[(&str, f64)]) -> Self {
        let criterion = Self::new();
        for (id, ns) in figures {
            criterion.put(NEWEST, id, &samples(*ns, 100));
        }
        criterion
    }

    fn write(&self) -> Pages {
        let written = write(self.path(), NEWEST, None).unwrap();
        let read = |name| fs::read_to_string(written.page.with_file_name(name)).unwrap();
        Pages {
            primitives: serde_json::from_str(&read("primitives.json")).unwrap(),
            markdown: read("summary.md"),
            html: read("summary.html"),
            passed_over: written.passed_over,
        }
    }
}

struct Pages {
    primitives: Primitives,
    markdown: String,
    html: String,
    passed_over: Vec<String>,
}

impl Pages {
    fn means(&self, group: &str) -> String {
        let group = self.primitives.groups.iter().find(|one| one.name == group);
        group.unwrap().means.clone().unwrap_or_default()
    }
}

const QUIET: [(&str, f64); 8] = [
    ("noise/thread-a/one-cpu", 1000.0),
    ("noise/thread-b/one-cpu", 1020.0),
    ("noise/process-a/one-cpu", 1300.0),
    ("noise/process-b/one-cpu", 1300.0),
    ("noise-cpu/thread-a/one-cpu", 900.0),
    ("noise-cpu/thread-b/one-cpu", 900.0),
    ("noise-cpu/process-a/one-cpu", 1100.0),
    ("noise-cpu/process-b/one-cpu", 1050.0),
];

fn quiet_and(figures: &[(&'static str, f64)]) -> Criterion {
    let mut all = QUIET.to_vec();
    all.extend(figures);
    Criterion::measured(&all)
}

#[test]
fn a_process_and_a_thread_stand_in_one_row_by_both_clocks() {
    let pages = quiet_and(&[
        ("switch/thread-pipe/one-cpu", 2000.0),
        ("switch/process-pipe/one-cpu", 3600.0),
        ("switch-cpu/thread-pipe/one-cpu", 1500.0),
        ("switch-cpu/process-pipe/one-cpu", 1510.0),
    ])
    .write();
    let row = pages.primitives.row("switch", "pipe", "one-cpu").unwrap();
    let wall = row.wall_ratio.unwrap();
    assert!((wall.ratio.point - 1.8).abs() < 1e-9, "{wall:?}");
    let (low, high) = wall.ratio.interval.unwrap();
    assert!(low <= 1.8 && (1.8..1.81).contains(&high), "{wall:?}");
    assert_eq!(wall.dearer, Some(Worker::Process));
    // 0.7 % lie within the noise, whatever the interval.
    assert_eq!(row.cpu_ratio.unwrap().dearer, None);
    let thread = row.thread.as_ref().unwrap();
    assert!((thread.wall_ns.unwrap().point - 2003.0).abs() < 5.0);
    for page in [&pages.markdown, &pages.html] {
        assert!(page.contains("process costs 1.8 times"), "{page}");
        assert!(page.contains("no difference told"), "{page}");
    }
}

#[test]
fn the_noise_is_the_largest_difference_between_two_measurements_of_the_same() {
    let pages = quiet_and(&[]).write();
    let noise = pages.primitives.noise.cpu.unwrap();
    assert!((noise - (1100.0 / 1050.0 - 1.0)).abs() < 1e-9, "{noise}");
    let noise = pages.primitives.noise.wall.unwrap();
    assert!((noise - 0.02).abs() < 1e-9, "{noise}");
    assert!(
        pages
            .markdown
            .contains("up to 2.0 % by the clock and 4.8 % in CPU time apart")
    );
}

#[test]
fn a_difference_is_told_only_beyond_the_noise_and_with_an_interval_that_excludes_one() {
    let estimate = |point, interval| schema::Estimate { point, interval };
    let judge = Judge { noise: Some(0.05) };
    let dearer = |ratio| judge.judged(ratio).dearer;
    assert_eq!(dearer(estimate(1.04, Some((1.03, 1.05)))), None);
    assert_eq!(dearer(estimate(1.2, Some((0.9, 1.5)))), None);
    assert_eq!(
        dearer(estimate(1.06, Some((1.01, 1.1)))),
        Some(Worker::Process)
    );
    assert_eq!(
        dearer(estimate(0.9, Some((0.8, 0.95)))),
        Some(Worker::Thread)
    );
    assert_eq!(
        dearer(estimate(1.08, None)),
        None,
        "rough figures need ten per cent"
    );
    assert_eq!(dearer(estimate(1.12, None)), Some(Worker::Process));
    let unknown = Judge::default();
    let close = estimate(1.08, Some((1.07, 1.09)));
    assert_eq!(
        unknown.judged(close).dearer,
        None,
        "so do figures without a noise"
    );
    assert!((apart(0.5) - 1.0).abs() < 1e-12 && (apart(2.0) - 1.0).abs() < 1e-12);
}

#[test]
fn quick_figures_have_no_intervals_and_the_page_says_so_first() {
    let criterion = Criterion::new();
    for (id, ns) in [
        ("switch/thread-pipe/one-cpu", 2000.0),
        ("switch/process-pipe/one-cpu", 3600.0),
    ] {
        criterion.put(NEWEST, id, &samples(ns, 2));
    }
    let pages = criterion.write();
    let row = pages.primitives.row("switch", "pipe", "one-cpu").unwrap();
    assert_eq!(row.wall_ratio.unwrap().ratio.interval, None);
    assert_eq!(row.thread.as_ref().unwrap().wall_ns.unwrap().interval, None);
    let quick = pages.markdown.find("quick: no intervals").unwrap();
    assert!(quick < pages.markdown.find("noise").unwrap());
    assert!(pages.markdown.contains("process costs roughly 1.8 times"));
    assert!(pages.html.find("quick: no intervals") < pages.html.find("<main"));
}

#[test]
fn a_side_that_is_missing_leaves_a_row_without_a_ratio_and_is_told() {
    let pages = quiet_and(&[
        ("switch/thread-pipe/one-cpu", 2000.0),
        ("switch/thread-channel/one-cpu", 900.0),
    ])
    .write();
    let row = pages.primitives.row("switch", "pipe", "one-cpu").unwrap();
    assert!(row.process.is_none() && row.wall_ratio.is_none());
    assert!(
        pages
            .markdown
            .contains("pipe one CPU was not measured for the process")
    );
    assert!(!pages.markdown.contains("channel one CPU was not measured"));
}

#[test]
fn what_cannot_be_read_is_passed_over_and_told_and_the_rest_is_there() {
    let criterion = quiet_and(&[("switch/thread-pipe/one-cpu", 2000.0)]);
    let cut = criterion.put(NEWEST, "switch/thread-futex/one-cpu", &samples(1.0, 100));
    fs::write(cut.join("sample.json"), "{\"iters\":[1.0").unwrap();
    let foreign = criterion.put(NEWEST, "other/thing/x", &samples(1.0, 100));
    fs::write(foreign.join("benchmark.json"), "[\"something else\"]").unwrap();
    let half = criterion.put(NEWEST, "switch/process-pipe/one-cpu", &samples(1.0, 100));
    fs::remove_file(half.join("benchmark.json")).unwrap();
    criterion.put(
        NEWEST,
        "switch/process-futex/one-cpu",
        &[(0.0, 5.0), (1.0, 5.0)],
    );
    criterion.put(NEWEST, "switch/process-eventfd/one-cpu", &[]);
    fs::write(criterion.path().join("notes.txt"), "mine").unwrap();
    fs::create_dir_all(criterion.path().join("empty/new")).unwrap();
    let pages = criterion.write();
    assert_eq!(pages.passed_over.len(), 5, "{:?}", pages.passed_over);
    for line in &pages.passed_over {
        assert!(
            line.lines().count() == 1 && line.contains("is passed over: "),
            "{line}"
        );
    }
    assert!(pages.primitives.row("switch", "pipe", "one-cpu").is_some());
    assert!(pages.html.contains("Passed over: 5"));
}

#[test]
fn without_figures_the_folder_is_named_and_the_cure() {
    let criterion = Criterion::new();
    criterion.put("base", "switch/thread-pipe/one-cpu", &samples(1.0, 100));
    let error = write(criterion.path(), NEWEST, None)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("'new'") && error.contains("cargo bench"),
        "{error}"
    );
    let missing = criterion.path().join("nowhere");
    let error = write(&missing, NEWEST, None).unwrap_err().to_string();
    assert!(error.contains("nowhere"), "{error}");
    assert!(write(criterion.path(), "base", None).is_ok());
}

#[test]
fn a_group_that_nobody_described_is_listed_with_its_cpu_time() {
    let pages = quiet_and(&[
        ("mine/<b>&|/x_y", 12.0),
        ("mine-cpu/<b>&|/x_y", 11.0),
        ("whole", 5.0),
        ("parse/sized/whole", 80.0),
    ])
    .write();
    let mine = pages
        .primitives
        .groups
        .iter()
        .find(|group| group.name == "mine")
        .unwrap();
    assert_eq!(mine.rows.len(), 1);
    let cost = mine.rows[0].alone.as_ref().unwrap();
    assert!(cost.wall_ns.is_some() && cost.cpu_ns.is_some());
    assert!(!pages.html.contains("<b>&|"), "names are no markup");
    assert!(pages.html.contains("Reading an answer"));
}

#[test]
fn a_figure_is_of_one_element_and_bytes_become_a_rate() {
    let criterion = Criterion::new();
    let put = |id, throughput| criterion.put_with(NEWEST, id, &samples(1000.0, 100), &throughput);
    put("mine/a/1", json!({"Elements": 10}));
    put("mine/b/1", json!({"Bytes": 2_000_000}));
    put(
        "mine/c/1",
        json!({"ElementsAndBytes": {"elements": 4, "bytes": 4096}}),
    );
    let pages = criterion.write();
    let cost = |what| {
        pages
            .primitives
            .row("mine", what, "1")
            .unwrap()
            .alone
            .clone()
            .unwrap()
    };
    assert!((cost("a").wall_ns.unwrap().point - 100.0).abs() < 1.0);
    assert_eq!(cost("b").bytes, Some(2_000_000));
    assert_eq!(cost("c").bytes, Some(1024));
    assert!(pages.html.contains(" GB/s"));
}

#[test]
fn samples_that_grow_are_cut_into_blocks_of_about_as_many_iterations() {
    let criterion = Criterion::new();
    criterion.put(NEWEST, "a/full/1", &samples(100.0, 100));
    criterion.put(NEWEST, "a/ten/1", &samples(100.0, 10));
    criterion.put(NEWEST, "a/two/1", &samples(100.0, 2));
    let folder = Folder::read(criterion.path(), NEWEST);
    let intervals: Vec<bool> = folder
        .measured
        .iter()
        .map(|measured| Blocks::of(measured).cost().unwrap().interval.is_some())
        .collect();
    assert_eq!(intervals, [true, true, false]);
}

#[test]
fn of_one_id_in_two_folders_the_newest_counts() {
    let criterion = Criterion::measured(&[("mine/a/1", 10.0)]);
    let copy = criterion.path().join("mine/a/1_2/new");
    fs::create_dir_all(&copy).unwrap();
    for file in ["benchmark.json", "sample.json"] {
        fs::copy(
            criterion.path().join("mine/a/1/new").join(file),
            copy.join(file),
        )
        .unwrap();
    }
    assert_eq!(Folder::read(criterion.path(), NEWEST).measured.len(), 1);
}

#[test]
fn pages_link_to_the_reports_of_criterion_that_are_there() {
    let criterion = quiet_and(&[
        ("switch/thread-pipe/one-cpu", 2000.0),
        ("handoff/thread-none/1", 2000.0),
    ]);
    let report = criterion.path().join("switch/report");
    fs::create_dir_all(&report).unwrap();
    fs::write(report.join("index.html"), "").unwrap();
    let html = criterion.write().html;
    assert!(html.contains("href=\"../switch/report/index.html\""));
    assert!(!html.contains("handoff/report"));
    assert_eq!(
        way(Path::new("/a/b c/d"), Path::new("/a/x y")),
        "../../x%20y"
    );
}

#[test]
fn a_bench_and_the_catalogue_cannot_drift_apart() {
    let all = [
        "noise/thread-a/one-cpu",
        "noise/thread-b/one-cpu",
        "noise/process-a/one-cpu",
        "noise/process-b/one-cpu",
        "noise-cpu/thread-a/one-cpu",
    ];
    check("noise", &all, 2).unwrap();
    let refused = |ids: &[&str]| format!("{:#}", check("noise", ids, 2).unwrap_err());
    assert!(refused(&all[1..]).contains("'thread-a'"));
    assert!(refused(&all[..4]).contains("CPU time"));
    for stranger in [
        "noise/thread-c/one-cpu",
        "noise/thread-a/three-cpus",
        "nois/thread-a/one-cpu",
    ] {
        let mut ids = all.to_vec();
        ids.push(stranger);
        assert!(refused(&ids).contains(stranger), "{stranger}");
    }
}

#[test]
fn names_of_the_catalogue_are_unique_and_fit_criterion_s_folders() {
    for group in GROUPS {
        assert_eq!(catalogue::group(group.name).unwrap().title, group.title);
        let functions = group.lines.iter().flat_map(catalogue::Line::functions);
        let parameters = group.parameters.iter().map(|(id, _)| *id);
        for name in functions.chain(parameters).chain([group.name]) {
            let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
            assert!(!name.is_empty() && name.chars().all(fits), "{name}");
        }
    }
}
