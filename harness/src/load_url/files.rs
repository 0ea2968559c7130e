//! Histograms on disk: the log of every interval, and the distribution over all.
//!
//! Both formats are those of `HdrHistogram`, for its tools and viewers. The files are opened before any
//! load is driven, so that a path that cannot be written costs nothing.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
    time::{Duration, SystemTime},
};

use anyhow::Context;
use hdrhistogram::serialization::{
    V2DeflateSerializer,
    interval_log::{IntervalLogWriterBuilder, Tag},
};
use load::{Interval, Latencies, Loaded};

use crate::load_url::LoadArgs;

/// Five lines to each halving of the distance to 100 %, as the tools of `HdrHistogram` print.
const TICKS_PER_HALF: u32 = 5;
const NS_PER_MS: f64 = 1e6;

/// The files asked for.
pub struct Files {
    log: Option<Log>,
    distribution: Option<(File, String)>,
}

struct Log {
    file: File,
    name: String,
    started: SystemTime,
    begun: bool,
}

impl Files {
    /// Creates them.
    pub fn create(args: &LoadArgs, started_unix_ns: u64) -> anyhow::Result<Self> {
        let create = |path: &Path| -> anyhow::Result<(File, String)> {
            let file =
                File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
            Ok((file, path.display().to_string()))
        };
        let log = args.hlog.as_deref().map(create).transpose()?;
        Ok(Self {
            log: log.map(|(file, name)| Log {
                file,
                name,
                started: SystemTime::UNIX_EPOCH + Duration::from_nanos(started_unix_ns),
                begun: false,
            }),
            distribution: args.hgrm.as_deref().map(create).transpose()?,
        })
    }

    /// Appends an interval to the log, a line for each part of the response time.
    pub fn interval(&mut self, interval: &Interval) -> anyhow::Result<()> {
        let Some(log) = &mut self.log else {
            return Ok(());
        };
        log.append(interval)
            .with_context(|| format!("cannot write {}; is the disk full?", log.name))
    }

    /// Writes the distribution.
    pub fn finish(&mut self, loaded: &Loaded) -> anyhow::Result<()> {
        let Some((file, name)) = &mut self.distribution else {
            return Ok(());
        };
        write_distribution(&mut BufWriter::new(file), &loaded.latencies)
            .with_context(|| format!("cannot write {name}; is the disk full?"))
    }
}

impl Log {
    fn append(&mut self, interval: &Interval) -> anyhow::Result<()> {
        let parts = [
            ("response", interval.latencies.response()),
            ("service", interval.latencies.service()),
            ("connection-wait", interval.latencies.connection_wait()),
            ("lateness", interval.latencies.lateness()),
            ("waited-in-vain", interval.latencies.in_vain().clone()),
        ];
        let mut lines = Vec::new();
        let mut serializer = V2DeflateSerializer::new();
        let mut writer = IntervalLogWriterBuilder::new()
            .with_start_time(self.started)
            .with_base_time(self.started)
            .begin_log_with(&mut lines, &mut serializer)?;
        for (tag, histogram) in &parts {
            writer
                .write_histogram(histogram, interval.began, interval.lasted, Tag::new(tag))
                .map_err(|error| anyhow::anyhow!("cannot serialize a histogram: {error:?}"))?;
        }
        // Every writer begins with the header; the log has one, and intervals as they come.
        let header = lines
            .windows(5)
            .position(|bytes| bytes == b"\nTag=")
            .map_or(0, |newline| newline + 1);
        let from = if self.begun { header } else { 0 };
        self.begun = true;
        Ok(self.file.write_all(&lines[from..])?)
    }
}

/// The percentile distribution in the text form of `HdrHistogram`, values in milliseconds.
/// Requests that never completed stand in it at the time they were waited for.
fn write_distribution(to: &mut impl Write, latencies: &Latencies) -> io::Result<()> {
    let response = latencies.response_at_least();
    writeln!(
        to,
        "{:>12} {:>14} {:>10} {:>14}\n",
        "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
    )?;
    let mut count = 0;
    for value in response.iter_quantiles(TICKS_PER_HALF) {
        count += value.count_since_last_iteration();
        let at = value.value_iterated_to() as f64 / NS_PER_MS;
        let quantile = value.quantile_iterated_to();
        write!(to, "{at:>12.6} {quantile:>2.12} {count:>10}")?;
        if quantile < 1.0 {
            writeln!(to, " {:>14.2}", 1.0 / (1.0 - quantile))?;
        } else {
            writeln!(to)?;
        }
    }
    writeln!(
        to,
        "#[Mean    = {:>12.6}, StdDeviation   = {:>12.6}]",
        response.mean() / NS_PER_MS,
        response.stdev() / NS_PER_MS
    )?;
    writeln!(
        to,
        "#[Max     = {:>12.6}, Total count    = {:>12}]",
        response.max() as f64 / NS_PER_MS,
        response.len()
    )?;
    writeln!(
        to,
        "#[Buckets = {:>12}, SubBuckets     = {:>12}]",
        response.buckets(),
        2 * 10_u32.pow(u32::from(response.sigfig())).next_power_of_two()
    )?;
    writeln!(to, "#[Never completed = {}]", latencies.in_vain().len())
}
