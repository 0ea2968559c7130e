//! `counters load` as people type it: against this project's servers, against others' and against
//! nothing.

mod support;

use std::{
    fs,
    io::{BufRead, BufReader},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Output, Stdio},
};

use hdrhistogram::{
    Histogram,
    serialization::{
        Deserializer,
        interval_log::{IntervalLogIterator, LogEntry},
    },
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use schema::{LoadReport, Pace, Ready};

use support::{COUNTERS, assert_one_line, bin_dir, first_cpu, has, stderr, stdout, turn};

/// A server that ends with the test.
struct Server {
    child: Child,
    url: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a command and reads the lines it says on stdout until one gives the URL.
fn serve(command: &mut Command, url: impl Fn(&str) -> Option<String>) -> Server {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let url = lines
        .map_while(Result::ok)
        .find_map(|line| url(&line))
        .expect("the server ended before it was ready");
    Server { child, url }
}

fn single() -> Server {
    let mut command = Command::new(bin_dir().join("single"));
    serve(command.args(["--port", "0"]), |line| {
        let ready: Ready = serde_json::from_str(line).ok()?;
        Some(format!("http://{}/", ready.address))
    })
}

fn load(url: &str, args: &[&str]) -> Command {
    let mut command = Command::new(COUNTERS);
    command.args(["load", url]);
    for (flag, value) in [("-c", "8"), ("-d", "300ms")] {
        if !args.contains(&flag) {
            command.args([flag, value]);
        }
    }
    command
        .args(["--cpus", &first_cpu()])
        .args(args)
        .stdin(Stdio::null());
    command
}

fn report(output: &Output) -> LoadReport {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error}: {}{}", stdout(output), stderr(output));
    })
}

/// Nothing was wrong with the answers or the counts, and the exit code says what the checks say.
/// Whether the machine gave the generator its CPU is not asked here.
#[track_caller]
fn assert_right(output: &Output) -> LoadReport {
    let report = report(output);
    for name in ["answers", "identity", "littles-law"] {
        let check = report.checks.iter().find(|check| check.name == name);
        assert!(check.unwrap().passed, "{:?}", check.unwrap());
    }
    let code = if report.valid { 0 } else { 3 };
    assert_eq!(output.status.code(), Some(code), "{}", stderr(output));
    assert_eq!(report.valid, report.checks.iter().all(|check| check.passed));
    report
}

#[test]
fn our_own_server_answers_rightly_and_is_witnessed() {
    let _turn = turn();
    let server = single();
    let report = assert_right(&load(&server.url, &["--json"]).output().unwrap());
    let result = &report.result;
    assert_eq!(result.errors + result.timeouts, 0);
    let pid = u64::from(server.child.id());
    assert_eq!(result.requests_by_worker[&pid], result.completed);
    assert_eq!(result.connections_by_worker[&pid], 8);
    assert_eq!(report.pace, Pace::ClosedLoop { think_ns: 0 });
}

#[test]
fn an_open_loop_says_when_requests_were_due() {
    let _turn = turn();
    let server = single();
    let args = ["--json", "-r", "500:1500", "--seed", "5", "--timeout", "2s"];
    let report = assert_right(&load(&server.url, &args).output().unwrap());
    let Pace::OpenLoop(open) = report.pace else {
        panic!("{:?}", report.pace)
    };
    assert_eq!(
        (open.from_per_s, open.to_per_s, open.seed),
        (500.0, 1500.0, 5)
    );
    // 300 on average, and chance.
    assert!((200..400).contains(&report.result.offered), "{report:?}");
    assert!(report.result.arrivals.is_some());
}

#[test]
fn io_uring_gives_the_same_account() {
    let _turn = turn();
    let server = single();
    let more: [&[&str]; 3] = [&[], &["-r", "1000"], &["--new-connections"]];
    for more in more {
        let mut command = load(&server.url, &["--json", "--transport", "io-uring"]);
        let output = command.args(more).output().unwrap();
        if stderr(&output).contains("does not let the generator use io-uring") {
            assert_eq!(output.status.code(), Some(1));
            eprintln!("skipped: {}", stderr(&output).trim());
            return;
        }
        let report = assert_right(&output);
        assert_eq!(report.result.transport, "io-uring");
        assert!(report.result.completed > 50, "{report:?}");
    }
}

#[test]
fn people_get_columns_and_a_verdict() {
    let _turn = turn();
    let server = single();
    let output = load(&server.url, &["-r", "1000"]).output().unwrap();
    let text = stdout(&output);
    for words in [
        "open loop, 1000/s poisson",
        "completed in 0.30 s",
        "p99.9",
        "lateness",
        "Workers",
        "identity",
    ] {
        assert!(text.contains(words), "'{words}' is missing in: {text}");
    }
    assert!(text.trim_end().ends_with("VALID") || text.contains("INVALID: "));
    assert_eq!(stderr(&output), "");
}

#[test]
fn wrong_answers_make_the_result_invalid_and_are_told() {
    let _turn = turn();
    let server = single();
    let output = load(&format!("{}nothing-here", server.url), &[])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    let text = stdout(&output);
    assert!(text.contains("status 404 instead of 200"), "{text}");
    assert!(text.contains("FAILED  answers"), "{text}");
}

#[test]
fn histograms_land_in_the_files_asked_for() {
    let _turn = turn();
    let server = single();
    let dir = tempfile::tempdir().unwrap();
    let (hgrm, hlog) = (dir.path().join("a.hgrm"), dir.path().join("a.hlog"));
    let output = load(
        &server.url,
        &["--json", "--interval", "100ms", "-r", "1000"],
    )
    .arg("--hgrm")
    .arg(&hgrm)
    .arg("--hlog")
    .arg(&hlog)
    .output()
    .unwrap();
    let result = report(&output).result;
    let (completed, offered) = (result.completed, result.offered);

    let text = fs::read_to_string(&hgrm).unwrap();
    assert!(text.contains("1/(1-Percentile)"), "{text}");
    let last = text.lines().rfind(|line| !line.starts_with('#')).unwrap();
    let columns: Vec<&str> = last.split_whitespace().collect();
    assert_eq!(columns[1..], ["1.000000000000", &offered.to_string()]);

    let bytes = fs::read(&hlog).unwrap();
    let mut intervals = 0;
    let mut responses = 0;
    for entry in IntervalLogIterator::new(&bytes) {
        if let LogEntry::Interval(interval) = entry.unwrap() {
            intervals += 1;
            if interval.tag().unwrap().as_str() == "response" {
                let packed = base64(interval.encoded_histogram());
                let histogram: Histogram<u64> = Deserializer::new()
                    .deserialize(&mut packed.as_slice())
                    .unwrap();
                responses += histogram.len();
            }
        }
    }
    // Four parts of the response time and what was in vain, in three intervals.
    assert_eq!((intervals, responses), (15, completed));
}

/// The log's histograms are base64 text.
fn base64(text: &str) -> Vec<u8> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let mut bytes = Vec::new();
    let mut bits = 0_u32;
    for (index, byte) in text.bytes().filter(|&byte| byte != b'=').enumerate() {
        bits = bits << 6 | u32::from(value(byte));
        if index % 4 > 0 {
            let shift = [0, 4, 2, 0][index % 4];
            bytes.push((bits >> shift & 0xff) as u8);
        }
    }
    bytes
}

#[test]
fn ctrl_c_reports_what_was_measured_until_then() {
    let _turn = turn();
    let server = single();
    let dir = tempfile::tempdir().unwrap();
    let hlog = dir.path().join("a.hlog");
    let child = load(
        &server.url,
        &["--json", "--interval", "50ms", "-d", "10m", "--hlog"],
    )
    .arg(&hlog)
    .stdout(Stdio::piped())
    .stderr(Stdio::piped())
    .spawn();
    let mut child = child.unwrap();
    while !fs::read_to_string(&hlog).is_ok_and(|log| log.contains("Tag=")) {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::yield_now();
    }
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    let report = report(&output);
    assert!(report.interrupted && !report.valid);
    let result = &report.result;
    assert!(result.completed > 0 && result.elapsed_ns < 600_000_000_000);
    assert_eq!(
        result.offered,
        result.completed + result.errors + result.timeouts + result.unfinished
    );
}

#[test]
fn nobody_listening_is_said_in_one_line() {
    let address = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let output = load(&format!("http://{address}/"), &[]).output().unwrap();
    assert_one_line(&output, 1, &[&address.to_string(), "refused"]);
    assert_eq!(stderr(&output).matches("refused").count(), 1);
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    assert_one_line(
        &load("http://192.0.2.1/", &[]).output().unwrap(),
        2,
        &["192.0.2.1", "--allow-remote"],
    );
    assert_one_line(
        &load("https://127.0.0.1/", &[]).output().unwrap(),
        2,
        &["TLS"],
    );
    let nowhere = load(&url, &["--hgrm", "/nowhere/a.hgrm"]).output().unwrap();
    assert_one_line(&nowhere, 1, &["/nowhere/a.hgrm"]);
    for args in [
        ["-r", "fast"],
        ["-r", "0"],
        ["-c", "0"],
        ["-d", "0s"],
        ["-H", "no colon"],
        ["--arrivals", "poisson"],
        ["--threads", "0"],
    ] {
        let output = Command::new(COUNTERS)
            .args(["load", &url])
            .args(args)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}");
    }
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "something was sent");
}

#[test]
fn node_with_chunked_bodies_is_answered_rightly() {
    if !has("node") {
        return;
    }
    let _turn = turn();
    let script = "const s = require('http').createServer((q, r) => { r.write('Hello '); r.end('there'); });\
                  s.listen(0, '127.0.0.1', () => console.log('port ' + s.address().port));";
    let server = serve(Command::new("node").args(["-e", script]), |line| {
        Some(format!("http://127.0.0.1:{}/", line.strip_prefix("port ")?))
    });
    let report = assert_right(&load(&server.url, &["--json"]).output().unwrap());
    assert!(report.result.requests_by_worker.is_empty());
}

#[test]
fn python_that_closes_after_each_answer_is_answered_rightly() {
    if !has("python3") {
        return;
    }
    let _turn = turn();
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("index.html"), "<p>Hello</p>").unwrap();
    let mut command = Command::new("python3");
    command
        .args(["-u", "-m", "http.server", "--bind", "127.0.0.1", "0"])
        .current_dir(dir.path())
        .stderr(Stdio::null());
    let server = serve(&mut command, |line| {
        let port = line.split(" port ").nth(1)?.split(' ').next()?;
        Some(format!("http://127.0.0.1:{port}/"))
    });
    let report = assert_right(&load(&server.url, &["--json", "-c", "2"]).output().unwrap());
    let result = &report.result;
    assert!(
        result.connections_opened + 2 >= result.completed,
        "{result:?}"
    );
}

#[test]
fn nginx_is_answered_rightly() {
    if !has("nginx") {
        return;
    }
    let _turn = turn();
    let dir = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let config = dir.path().join("nginx.conf");
    let path = dir.path().display();
    let text = format!(
        "daemon off; master_process off; pid {path}/pid; error_log stderr;
         events {{}}
         http {{ access_log off; client_body_temp_path {path}/b; proxy_temp_path {path}/p;
           fastcgi_temp_path {path}/f; uwsgi_temp_path {path}/u; scgi_temp_path {path}/s;
           keepalive_requests 50;
           server {{ listen 127.0.0.1:{port}; location / {{ return 200 'hello'; }} }} }}"
    );
    fs::write(&config, text).unwrap();
    let child = Command::new("nginx")
        .arg("-p")
        .arg(dir.path())
        .arg("-c")
        .arg(&config)
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let mut server = Server {
        child,
        url: format!("http://127.0.0.1:{port}/"),
    };
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(server.child.try_wait().unwrap().is_none(), "nginx ended");
        std::thread::yield_now();
    }
    let report = assert_right(&load(&server.url, &["--json"]).output().unwrap());
    // nginx says `Connection: close` after every fiftieth request.
    let result = &report.result;
    assert!(result.connections_opened > 0, "{result:?}");
}
