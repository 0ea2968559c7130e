//! What the pages hold, that nothing gets out of its place in them, and that they come out the same.

mod synthetic;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use reports::{Run, judge, read_folder, summary, write_pages};
use schema::Workload;
use synthetic::{failure, growing, not_found, replace, typical};
use tempfile::TempDir;

struct Pages {
    folder: TempDir,
    html: String,
    markdown: String,
}

fn pages(run: &Run) -> Pages {
    let folder = tempfile::tempdir().unwrap();
    let written = write_pages(run, &judge(run), folder.path()).unwrap();
    let read = |file: &Path| fs::read_to_string(file).unwrap();
    Pages {
        html: read(&written.html),
        markdown: read(&written.markdown),
        folder,
    }
}

/// Every file below a folder with its bytes, in order.
fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else {
            found.push((path.clone(), fs::read(&path).unwrap()));
        }
    }
    found.sort();
    found
}

#[test]
fn every_promised_file_is_there_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let run = typical(2);
    let written = write_pages(&run, &judge(&run), folder.path()).unwrap();
    assert_eq!(written.charts.len(), 5);
    let mut promised = written.charts;
    promised.extend([
        written.html,
        written.markdown,
        written.csv,
        written.verdicts,
    ]);
    promised.sort();
    let there: Vec<PathBuf> = contents(folder.path())
        .into_iter()
        .map(|(file, _)| file)
        .collect();
    assert_eq!(there, promised);
}

#[test]
fn pages_are_as_readable_as_any_other_file() {
    let pages = pages(&typical(1));
    let plain = pages.folder.path().join("plain");
    fs::write(&plain, "").unwrap();
    let mode = |file: &Path| fs::metadata(file).unwrap().permissions().mode();
    assert_eq!(mode(&pages.folder.path().join("report.html")), mode(&plain));
}

#[test]
fn the_same_folder_gives_the_same_bytes_every_time() {
    let folder = tempfile::tempdir().unwrap();
    synthetic::store(&typical(3), folder.path());
    let build = || {
        let run = read_folder(folder.path()).unwrap();
        write_pages(&run, &judge(&run), folder.path()).unwrap();
        contents(folder.path())
    };
    assert_eq!(build(), build());
}

#[test]
fn verdicts_on_disk_are_those_of_the_judge() {
    let run = typical(3);
    let pages = pages(&run);
    let text = fs::read_to_string(pages.folder.path().join("verdicts.json")).unwrap();
    assert_eq!(
        serde_json::from_str::<schema::Verdicts>(&text).unwrap(),
        judge(&run)
    );
}

#[test]
fn the_page_loads_nothing_and_runs_nothing() {
    let html = pages(&typical(2)).html;
    assert!(html.contains("default-src 'none'; style-src 'unsafe-inline'; img-src data:"));
    for forbidden in [
        "<script", "<link", "<img", "<iframe", "@import", "url(", "href=", "src=",
    ] {
        let found = html.matches(forbidden).count();
        assert_eq!(found, 0, "{forbidden}");
    }
    // No address but the names of what is measured.
    assert!(!html.contains("http://") && !html.contains("https://"));
}

#[test]
fn the_page_answers_first_and_warns_next() {
    let html = pages(&typical(5)).html;
    let answer = html
        .find("<h1>Processes and threads serve the same")
        .unwrap();
    let caveats = html.find("What to know before quoting this").unwrap();
    let charts = html.find("<figure class=\"chart\"").unwrap();
    assert!(answer < caveats && caveats < charts);
}

#[test]
fn the_page_holds_every_verdict_figure_and_caveat() {
    let run = typical(5);
    let verdicts = judge(&run);
    let html = pages(&run).html.replace('\u{a0}', " ");
    for text in verdicts
        .caveats
        .iter()
        .chain(verdicts.comparisons.iter().map(|c| &c.sentence))
    {
        // The first letter may have become a capital.
        let text = text[1..]
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;");
        assert!(html.contains(&text), "{text}");
    }
    for fact in [
        "141.2k",
        "process/evented/handoff",
        "Synthetic CPU @ 3.00GHz",
        "rustc 1.95.0",
        "counters run --preset quick",
        "<dd>42 (have it again with --seed)</dd>",
    ] {
        assert!(html.contains(fact), "{fact}");
    }
}

#[test]
fn every_chart_says_in_words_what_it_shows() {
    let html = pages(&typical(2)).html;
    assert_eq!(html.matches("<figcaption><h3>").count(), 5);
    assert!(html.contains("aria-label=\"Throughput by number of workers. single: "));
    // Each chart is drawn for wide and for narrow screens.
    assert_eq!(html.matches("<svg class=\"wide\"").count(), 5);
    assert_eq!(html.matches("<svg class=\"narrow\"").count(), 5);
}

#[test]
fn failed_trials_are_listed_with_stage_reason_and_stderr() {
    let mut run = typical(2);
    run.observations[2].outcome = failure("no worker was ready within 5 s", "panicked at main");
    let pages = pages(&run);
    for page in [&pages.html, &pages.markdown] {
        for part in [
            "ready",
            "no worker was ready within 5 s",
            "panicked at main",
        ] {
            assert!(page.contains(part), "{part}");
        }
    }
    assert!(pages.html.contains("<details>"));
    assert!(
        pages.html.contains("<h1>No answer"),
        "an invalid run answers nothing"
    );
}

#[test]
fn missing_guests_are_listed_with_the_cure() {
    let mut run = typical(2);
    replace(&mut run, "node-single", &not_found());
    replace(&mut run, "node-cluster", &not_found());
    let pages = pages(&run);
    for page in [&pages.html, &pages.markdown] {
        assert!(page.contains("Not measured"));
        assert!(page.contains("nstall it with: apt-get install nodejs"));
    }
}

#[test]
fn nothing_that_was_measured_can_become_markup() {
    let attack = "<script>alert('x')</script>|\"&`";
    let mut run = typical(2);
    for cell in &mut run.plan.cells {
        if cell.server == "threads" {
            attack.clone_into(&mut cell.server);
        }
    }
    run.machine.cpu_model = attack.to_owned();
    run.plan.command.push(attack.to_owned());
    run.observations[0].outcome = failure(attack, attack);
    let pages = pages(&run);
    assert!(!pages.html.contains("<script"));
    for (file, bytes) in contents(pages.folder.path()) {
        let text = String::from_utf8(bytes).unwrap();
        if file.extension().is_some_and(|extension| extension == "svg") {
            assert!(!text.contains("<script"), "{}", file.display());
        }
    }
    let fenced: String = pages.markdown.split("```").step_by(2).collect();
    assert!(!fenced.contains("<script"));
}

#[test]
fn a_bar_in_a_name_does_not_add_a_column_to_a_markdown_table() {
    let mut run = typical(2);
    run.plan.cells[2].server = "a|b".to_owned();
    let markdown = pages(&run).markdown;
    let columns = |line: &str| line.replace(r"\|", "").matches('|').count();
    let rows: Vec<&str> = markdown
        .lines()
        .filter(|line| line.contains("evented"))
        .collect();
    let table: Vec<_> = rows.iter().filter(|line| line.starts_with("| ")).collect();
    assert!(table.iter().any(|line| line.contains(r"a\|b")));
    assert!(
        table.iter().all(|line| columns(line) == columns(table[0])),
        "{table:#?}"
    );
}

#[test]
fn an_experiments_name_cannot_leave_the_folder() {
    let mut run = typical(1);
    for cell in &mut run.plan.cells {
        cell.experiment = "../../outside".to_owned();
    }
    let pages = pages(&run);
    assert_eq!(
        fs::read_dir(pages.folder.path().join("charts"))
            .unwrap()
            .count(),
        5
    );
}

#[test]
fn charts_stand_alone_on_white() {
    let pages = pages(&typical(2));
    for file in fs::read_dir(pages.folder.path().join("charts")).unwrap() {
        let svg = fs::read_to_string(file.unwrap().path()).unwrap();
        assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""));
        assert!(svg.contains("<title>") && svg.trim_end().ends_with("</svg>"));
        assert!(svg.contains("fill=\"#FFFFFF\""));
    }
}

#[test]
fn any_size_of_run_gives_pages() {
    let one_cell = synthetic::run_of(vec![synthetic::cell("single", 1)], 1);
    let mut nothing = typical(2);
    nothing.observations.clear();
    let mut no_blocks = typical(1);
    no_blocks.plan.experiments.clear();
    no_blocks.plan.cells.clear();
    no_blocks.observations.clear();
    let mut unknown_memory = typical(1);
    synthetic::every_trial(&mut unknown_memory, |m| m.server.pss_bytes = None);
    let runs = [
        typical(1),
        one_cell,
        nothing,
        no_blocks,
        unknown_memory,
        growing(32, &[1, 8, 64], 1),
    ];
    for run in runs {
        let pages = pages(&run);
        assert!(pages.html.ends_with("</html>") && !pages.html.contains("NaN"));
        assert!(!summary(&run, &judge(&run)).is_empty());
    }
}

#[test]
fn each_workload_has_its_own_charts() {
    let mut run = typical(1);
    for index in 0..2 {
        let mut other = run.plan.cells[index].clone();
        other.id = format!("{}-cpu", other.id);
        other.workload = Workload::Cpu { us: 200 };
        let measured = synthetic::measured(&other, 4_000.0, 200_000.0);
        let outcome = schema::Outcome::Measured(Box::new(measured));
        run.observations
            .push(synthetic::observation(&other, 0, outcome));
        let set = synthetic::alone(run.plan.cells.len());
        run.plan.experiments[0].sets.push(set);
        run.plan.cells.push(other);
    }
    let folder = pages(&run).folder;
    for name in ["throughput-hello-cpu.svg", "throughput-cpu200-cpu.svg"] {
        assert!(folder.path().join("charts").join(name).is_file(), "{name}");
    }
}

#[test]
fn the_table_for_other_programs_has_a_line_for_each_cell_and_empty_bounds_where_there_are_none() {
    let pages = pages(&typical(1));
    let table = fs::read_to_string(pages.folder.path().join("estimates.csv")).unwrap();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 8);
    let columns = lines[0].split(',').count();
    assert!(lines.iter().all(|line| line.split(',').count() == columns));
    assert!(lines[1].starts_with(
        "single-w1-hello,throughput,single,own,process/evented/shared,1,shared,hello,64,keep-alive,,,1,"
    ));
    assert!(lines[1].contains(",,"), "no interval from one trial");
}

#[test]
fn the_summary_fits_a_terminal_and_cannot_steer_it() {
    let mut run = typical(5);
    run.machine.governor = Some("\u{1b}[2Jpowersave".to_owned());
    let text = summary(&run, &judge(&run));
    assert!(!text.contains('\u{1b}'));
    assert!(text.contains("Processes and threads serve the same"));
    assert!(text.contains("141.2k") && text.contains("node-cluster"));
    let table = text.lines().skip_while(|line| !line.starts_with("server "));
    let table: Vec<&str> = table.take_while(|line| !line.is_empty()).collect();
    assert_eq!(table.len(), 8);
    assert!(table.iter().all(|line| line.chars().count() <= 100));
    assert!(!text.ends_with('\n'));
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let blocked = folder.path().join("blocked");
    fs::write(&blocked, "").unwrap();
    let run = typical(1);
    let error = write_pages(&run, &judge(&run), &blocked)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("blocked") && !error.contains('\n'),
        "{error}"
    );
}
