//! What criterion left in its folder.
//!
//! A benchmark is a folder `<group>/<function>/<parameter>/<baseline>` with two files of criterion's in it:
//! `benchmark.json` names it, and `sample.json` has the iterations and the time of each sample. The files
//! tell, and not the folders' names, in which criterion replaces what a file system does not take.
//!
//! What cannot be read is passed over, and told: others may keep things in that folder, and a bench that was
//! interrupted leaves half of them.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, ensure};
use serde::{Deserialize, de::DeserializeOwned};

/// Criterion's folders are less deep.
const DEEPEST: usize = 6;

/// One benchmark, as measured.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Its names.
    pub id: Id,
    /// Iterations of each sample, in the order in which they were taken.
    pub iterations: Vec<f64>,
    /// What each sample took, ns.
    pub times_ns: Vec<f64>,
    /// Bytes carried by an iteration, where it says so.
    pub bytes: Option<u64>,
    /// When, s since 1970.
    pub unix_s: u64,
    /// The group's folder in criterion's.
    pub folder: PathBuf,
}

/// A benchmark's names; empty where it has none.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id {
    /// Of the group.
    pub group: String,
    /// Of the function.
    pub function: String,
    /// Of the parameter.
    pub parameter: String,
}

/// All that is there.
#[derive(Debug, Default)]
pub struct Folder {
    /// Each benchmark once.
    pub measured: Vec<Measured>,
    /// What was passed over, and why: a line each.
    pub passed_over: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct BenchmarkFile {
    group_id: String,
    function_id: Option<String>,
    value_str: Option<String>,
    throughput: Option<HashMap<String, serde_json::Value>>,
}

#[derive(Debug, Deserialize)]
struct SampleFile {
    iters: Vec<f64>,
    times: Vec<f64>,
}

impl Folder {
    /// Read all benchmarks of `baseline` in criterion's folder.
    #[must_use]
    pub fn read(criterion: &Path, baseline: &str) -> Self {
        let mut folder = Self::default();
        folder.look_into(criterion, criterion, baseline, 0);
        // One id may be in two folders: criterion gives a repeated name another one. The newest counts.
        let mut newest: HashMap<Id, Measured> = HashMap::new();
        for measured in folder.measured.drain(..) {
            match newest.get(&measured.id) {
                Some(other) if other.unix_s >= measured.unix_s => {}
                _ => drop(newest.insert(measured.id.clone(), measured)),
            }
        }
        folder.measured = newest.into_values().collect();
        folder.measured.sort_by(|a, b| a.id.cmp(&b.id));
        folder
    }

    fn look_into(&mut self, criterion: &Path, folder: &Path, baseline: &str, depth: usize) {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => return self.pass_over(folder, &error.into()),
        };
        let mut folders: Vec<PathBuf> = entries
            .flatten()
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
            .map(|entry| entry.path())
            .collect();
        folders.sort();
        for inner in folders {
            // A group or a function may have the baseline's name; only a benchmark has these files.
            let files = ["benchmark.json", "sample.json"].map(|name| inner.join(name));
            let named = depth > 0 && inner.file_name().is_some_and(|name| name == baseline);
            if named && files.iter().any(|file| file.exists()) {
                match benchmark(criterion, &files) {
                    Ok(measured) => self.measured.push(measured),
                    Err(error) => self.pass_over(&inner, &error),
                }
            } else if depth < DEEPEST {
                self.look_into(criterion, &inner, baseline, depth + 1);
            }
        }
    }

    fn pass_over(&mut self, what: &Path, why: &anyhow::Error) {
        self.passed_over
            .push(format!("{} is passed over: {why:#}", what.display()));
    }
}

fn benchmark(criterion: &Path, [names, samples]: &[PathBuf; 2]) -> anyhow::Result<Measured> {
    let file: BenchmarkFile = json(names)?;
    let SampleFile { iters, times } = json(samples)?;
    let positive = |values: &[f64]| values.iter().all(|v| v.is_finite() && *v > 0.0);
    ensure!(
        !iters.is_empty() && iters.len() == times.len() && positive(&iters) && positive(&times),
        "its sample.json has {} iterations and {} times, which have to be as many, at least one, and above 0",
        iters.len(),
        times.len()
    );
    let throughput = file.throughput.unwrap_or_default();
    let of = |kinds: [&str; 2]| {
        let [plain, both] = kinds;
        let both = throughput.get("ElementsAndBytes").map(|sizes| &sizes[both]);
        throughput
            .get(plain)
            .or(both)
            .and_then(serde_json::Value::as_u64)
    };
    // Where several things are done in an iteration, the figure is of one of them.
    let elements = of(["Elements", "elements"]).unwrap_or(1).max(1);
    let bytes = of(["Bytes", "bytes"]).or(of(["BytesDecimal", "bytes"]));
    let group = names
        .strip_prefix(criterion)
        .ok()
        .and_then(|path| path.iter().next());
    let time = fs::metadata(samples).and_then(|file| file.modified());
    Ok(Measured {
        id: Id {
            group: file.group_id,
            function: file.function_id.unwrap_or_default(),
            parameter: file.value_str.unwrap_or_default(),
        },
        iterations: iters.iter().map(|count| count * elements as f64).collect(),
        times_ns: times,
        bytes: bytes.map(|bytes| bytes / elements),
        unix_s: time.map_or(0, unix_s),
        folder: group.map(PathBuf::from).unwrap_or_default(),
    })
}

fn json<T: DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let text = fs::read(path).with_context(|| format!("cannot read its {name}"))?;
    serde_json::from_slice(&text).with_context(|| format!("its {name} is none of criterion's"))
}

fn unix_s(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .map_or(0, |since: Duration| since.as_secs())
}
