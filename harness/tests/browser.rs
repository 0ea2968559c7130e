//! The report in a real browser, with the network off.

mod support;

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use support::{fine_or_in_doubt, has, short_run, stderr, turn};

/// As the charts draw them on a light page.
const CLUSTER: [u8; 3] = [0x00, 0x72, 0xb2];
const THREADS: [u8; 3] = [0xd5, 0x5e, 0x00];

/// Opens a page in headless Chromium; every request for anything else would go to a proxy that is
/// not there.
fn chromium(page: &Path, profile: &Path, option: &str) -> Output {
    // Its own hang would be the whole suite's.
    let output = Command::new("timeout")
        .args(["--kill-after=10", "120", "chromium"])
        .args([
            "--headless",
            "--disable-dev-shm-usage",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--hide-scrollbars",
        ])
        .args([
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ])
        .args([
            "--proxy-server=127.0.0.1:1",
            "--proxy-bypass-list=<-loopback>",
        ])
        .args(["--enable-logging=stderr", "--window-size=1100,3600"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(option)
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap();
    // Ended by the time limit, or killed as that was not enough.
    let hung = matches!(output.status.code(), Some(124 | 137));
    assert!(!hung, "chromium hangs: {}", stderr(&output));
    output
}

/// Pixels of this colour in a PNG.
fn pixels(png: &Path, colour: [u8; 3]) -> usize {
    let mut decoder = png::Decoder::new(std::io::BufReader::new(fs::File::open(png).unwrap()));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    let frame = reader.next_frame(&mut bytes).unwrap();
    let samples = frame.color_type.samples();
    bytes[..frame.buffer_size()]
        .chunks(samples)
        .filter(|pixel| pixel[..3] == colour)
        .count()
}

#[test]
fn the_report_shows_its_charts_without_network_and_without_console_errors() {
    let _turn = turn();
    if !has("chromium") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let output = short_run(&run, "single,cluster,threads").output().unwrap();
    fine_or_in_doubt(&output, &run);
    let page = run.join("report.html");
    let profile = folder.path().join("profile");

    let dom = chromium(&page, &profile, "--dump-dom");
    let text = String::from_utf8_lossy(&dom.stdout);
    assert!(
        text.contains("<figure") && text.matches("<svg").count() >= 5,
        "{}",
        stderr(&dom)
    );
    let console: Vec<_> = stderr(&dom)
        .lines()
        .filter(|line| line.contains("CONSOLE"))
        .map(str::to_owned)
        .collect();
    assert!(console.is_empty(), "{console:?}");

    let picture = folder.path().join("report.png");
    let shot = chromium(
        &page,
        &profile,
        &format!("--screenshot={}", picture.display()),
    );
    assert!(picture.is_file(), "{}", stderr(&shot));
    // The colours of cluster and threads: both have a line, bars and dots.
    for (server, colour) in [("cluster", CLUSTER), ("threads", THREADS)] {
        assert!(
            pixels(&picture, colour) > 500,
            "{server} is not in the picture"
        );
    }
}
