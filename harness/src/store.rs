//! The run folder: written as the run goes, so that a killed run keeps what it had.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use anyhow::Context;
use hdrhistogram::{
    Histogram,
    serialization::{
        V2DeflateSerializer,
        interval_log::{IntervalLogWriterBuilder, Tag},
    },
};
use schema::{Observation, Plan, Stop};
use serde::Serialize;

use crate::{binaries, exit::usage};

/// A run folder that is being written.
pub struct Store {
    dir: PathBuf,
    observations: File,
}

/// The folder for a run that was given none.
pub fn default_dir(plan: &Plan) -> PathBuf {
    dated_dir(plan.created_unix_ns, plan.preset.name())
}

/// Writes a file of JSON, whole or not at all.
pub fn write_whole(file: &Path, value: &impl Serialize) -> anyhow::Result<()> {
    let json = serde_json::to_string_pretty(value)? + "\n";
    let beside = file.with_extension("new");
    fs::write(&beside, json)
        .and_then(|()| fs::rename(&beside, file))
        .with_context(|| format!("cannot write {}; is the disk full?", file.display()))
}

/// A folder among the runs, by the time since the Unix epoch and what it is.
pub fn dated_dir(created_unix_ns: u64, what: &str) -> PathBuf {
    let created = SystemTime::UNIX_EPOCH + Duration::from_nanos(created_unix_ns);
    let stamp = humantime::format_rfc3339_seconds(created)
        .to_string()
        .replace([':', 'Z'], "");
    let runs = binaries::checkout().map_or_else(|| "runs".into(), |root| root.join("reports/runs"));
    runs.join(format!("{stamp}-{what}"))
}

impl Store {
    /// Makes the folder; one that is there must be empty.
    pub fn create(dir: &Path) -> anyhow::Result<Self> {
        let shown = dir.display();
        match fs::read_dir(dir) {
            Ok(mut entries) => {
                if entries.next().is_some() {
                    return Err(usage(format!(
                        "the run folder {shown} is not empty; name another one with --out, or remove it"
                    )));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => fs::create_dir_all(dir)
                .map_err(|error| {
                    usage(format!(
                        "cannot make the run folder {shown}: {error}; name another one with --out"
                    ))
                })?,
            Err(error) => {
                return Err(usage(format!(
                    "cannot use {shown} as run folder: {error}; name another one with --out"
                )));
            }
        }
        let path = dir.join("observations.jsonl");
        let observations = OpenOptions::new()
            .create_new(true)
            .append(true)
            .open(&path)
            .map_err(|error| {
                usage(format!(
                    "cannot write {}: {error}; name another folder with --out",
                    path.display()
                ))
            })?;
        fs::create_dir_all(dir.join("latency"))
            .with_context(|| format!("cannot write to {shown}"))?;
        Ok(Self {
            dir: dir.to_owned(),
            observations,
        })
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where guests' files go.
    pub fn guests(&self) -> PathBuf {
        self.dir.join("guests")
    }

    /// Writes `plan.json` or `machine.json`.
    pub fn write(&self, name: &str, value: &impl Serialize) -> anyhow::Result<()> {
        write_whole(&self.dir.join(name), value)
    }

    /// Appends one line to `observations.jsonl`, whole.
    pub fn append(&mut self, observation: &Observation) -> anyhow::Result<()> {
        let line = serde_json::to_string(observation)? + "\n";
        self.observations
            .write_all(line.as_bytes())
            .with_context(|| {
                format!(
                    "cannot append to observations.jsonl in {}; is the disk full?",
                    self.dir.display()
                )
            })
    }

    /// Appends why an experiment ended to `stops.jsonl`.
    pub fn append_stop(&self, stop: &Stop) -> anyhow::Result<()> {
        let path = self.dir.join("stops.jsonl");
        let line = serde_json::to_string(stop)? + "\n";
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .and_then(|mut file| file.write_all(line.as_bytes()))
            .with_context(|| format!("cannot append to {}; is the disk full?", path.display()))
    }

    /// Writes a trial's histogram as an `HdrHistogram` log of one interval.
    pub fn write_latency(
        &self,
        observation: &Observation,
        elapsed: Duration,
        latency: &Histogram<u64>,
    ) -> anyhow::Result<()> {
        let path = self.dir.join("latency").join(format!(
            "{}-b{}{}.hlog",
            observation.cell,
            observation.block,
            if observation.attempt > 0 {
                "-again"
            } else {
                ""
            }
        ));
        let started = SystemTime::UNIX_EPOCH + Duration::from_nanos(observation.started_unix_ns);
        let mut bytes = Vec::new();
        let mut serializer = V2DeflateSerializer::new();
        IntervalLogWriterBuilder::new()
            .with_start_time(started)
            .with_base_time(started)
            .begin_log_with(&mut bytes, &mut serializer)
            .map_err(|error| anyhow::anyhow!("cannot begin a latency log: {error}"))?
            .write_histogram(
                latency,
                Duration::ZERO,
                elapsed,
                Tag::new(&observation.cell),
            )
            .map_err(|error| anyhow::anyhow!("cannot serialize a latency histogram: {error:?}"))?;
        fs::write(&path, bytes)
            .with_context(|| format!("cannot write {}; is the disk full?", path.display()))
    }
}
