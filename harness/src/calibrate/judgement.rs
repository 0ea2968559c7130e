//! What equal servers, and servers made slower, say of the instrument.

use std::{collections::BTreeMap, fmt, path::Path};

use analysis::{PairedRatio, binomial_interval, half_width, quantile, verdict};
use anyhow::{Context, ensure};
use schema::{Calibration, Direction, Estimate, Metric, Outcome, Power, SelfComparisons, Verdict};

/// As in the verdicts of a run.
const MARGIN: f64 = 0.02;

/// One server's trials, in the order of blocks.
#[derive(Clone, Copy, Debug)]
struct Trial {
    per_s: f64,
    cpu_ns_per_request: f64,
    /// Warm-up and window.
    seconds: f64,
}

/// What each server served, by block.
#[derive(Debug, Default)]
pub struct Served(BTreeMap<String, BTreeMap<u32, Trial>>);

impl Served {
    /// From a run folder. Of a trial that was made again, the second counts.
    pub fn read(dir: &Path) -> anyhow::Result<Self> {
        let run = reports::read_folder(dir)?;
        let mut served = Self::default();
        let warm_up_ns = run.plan.experiments.first().map_or(0, |e| e.warm_up_ns);
        for observation in &run.observations {
            let Outcome::Measured(measured) = &observation.outcome else {
                continue;
            };
            let load = &measured.load;
            ensure!(
                load.completed > 0 && load.errors + load.timeouts == 0,
                "{} answered wrongly in block {}: an instrument is not calibrated on that",
                observation.cell,
                observation.block
            );
            let trial = Trial {
                per_s: load.completed as f64 / load.elapsed_ns.max(1) as f64 * 1e9,
                cpu_ns_per_request: measured.server.cpu.total_ns() as f64 / load.completed as f64,
                seconds: (load.elapsed_ns + warm_up_ns) as f64 / 1e9,
            };
            let trials = served.0.entry(observation.cell.clone()).or_default();
            trials.insert(observation.block, trial);
        }
        Ok(served)
    }

    /// The median over all trials, ns.
    pub fn cpu_ns_per_request(&self) -> anyhow::Result<f64> {
        let all = self.0.values().flat_map(BTreeMap::values);
        median(all.map(|trial| trial.cpu_ns_per_request).collect())
            .context("no trial was measured, so there is nothing to calibrate by")
    }

    /// Blocks in which both were measured, in order.
    fn paired(&self, (reference, subject): (&str, &str)) -> Vec<(Trial, Trial)> {
        let (Some(reference), Some(subject)) = (self.0.get(reference), self.0.get(subject)) else {
            return Vec::new();
        };
        let both = |(block, &trial): (&u32, &Trial)| Some((trial, *subject.get(block)?));
        reference.iter().filter_map(both).collect()
    }
}

fn ratio(blocks: &[(Trial, Trial)], seed: u64) -> anyhow::Result<Estimate> {
    let (reference, subject): (Vec<f64>, Vec<f64>) =
        blocks.iter().map(|(a, b)| (a.per_s, b.per_s)).unzip();
    Ok(PairedRatio::new(&reference, &subject)?.estimate(seed))
}

/// Compares each pair of equal servers, `blocks` blocks at a time.
pub fn same(
    served: &Served,
    pairs: &[(&str, &str)],
    blocks: usize,
    seed: u64,
) -> anyhow::Result<SelfComparisons> {
    let mut ratios = Vec::new();
    for &pair in pairs {
        for chunk in served.paired(pair).chunks_exact(blocks) {
            ratios.push(ratio(chunk, seed)?);
        }
    }
    ensure!(
        !ratios.is_empty(),
        "no comparison was whole: one takes {blocks} blocks"
    );
    let different = ratios.iter().filter(|ratio| leaves_out_one(ratio)).count();
    let called = ratios.iter().filter(|ratio| {
        let verdict = verdict(ratio, MARGIN, Direction::MoreIsBetter);
        matches!(verdict, Verdict::Better | Verdict::Worse)
    });
    let mut distances: Vec<f64> = ratios
        .iter()
        .map(|ratio| (ratio.point - 1.0).abs())
        .collect();
    distances.sort_by(f64::total_cmp);
    Ok(SelfComparisons {
        metric: Metric::Throughput,
        comparisons: count(ratios.len()),
        blocks: count(blocks),
        different: count(different),
        rate: rate(different, ratios.len()),
        verdicts: count(called.count()),
        half_width: median(ratios.iter().filter_map(half_width).collect())
            .context("a comparison of so few blocks has no interval; ask for more with --blocks")?,
        spread: quantile(&distances, 0.95).unwrap_or(f64::NAN),
    })
}

/// Looks for a slowdown in each of so many runs of equal length.
pub fn power(
    served: &Served,
    pair: (&str, &str),
    slowdown: f64,
    runs: usize,
    seed: u64,
) -> anyhow::Result<Power> {
    let blocks = served.paired(pair);
    let each = blocks.len() / runs.max(1);
    ensure!(
        each > 2,
        "a run of so little time has {each} blocks, too few for an interval; ask for longer ones with --run-time"
    );
    let mut found = 0;
    let mut seconds = Vec::new();
    for run in blocks.chunks_exact(each).take(runs) {
        let slower = ratio(run, seed)?
            .interval
            .is_some_and(|(_, high)| high < 1.0);
        found += usize::from(slower);
        seconds.push(run.iter().map(|(plain, _)| plain.seconds).sum());
    }
    Ok(Power {
        slowdown,
        runs: count(seconds.len()),
        seconds: median(seconds).unwrap_or(0.0),
        found: count(found),
        rate: rate(found, runs),
    })
}

fn leaves_out_one(ratio: &Estimate) -> bool {
    ratio
        .interval
        .is_some_and(|(low, high)| low > 1.0 || high < 1.0)
}

fn rate(hits: usize, all: usize) -> (f64, f64, f64) {
    let (low, high) = binomial_interval(hits as u64, all as u64);
    (hits as f64 / all.max(1) as f64, low, high)
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// For a terminal.
pub struct InWords<'a>(pub &'a Calibration);

impl fmt::Display for InWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Calibration {
            same,
            power,
            setting,
            ..
        } = self.0;
        let percent = |share: f64| share * 100.0;
        let (rate, low, high) = same.rate;
        writeln!(f, "{setting}")?;
        writeln!(
            f,
            "equal servers: {} of {} comparisons of {} blocks found a difference: {:.1} % (95 % interval {:.1} to {:.1} %; 5 % is right); {} were called better or worse",
            same.different,
            same.comparisons,
            same.blocks,
            percent(rate),
            percent(low),
            percent(high),
            same.verdicts,
        )?;
        write!(
            f,
            "noise floor: ±{:.1} % is the half-width of such a comparison; 95 % of the ratios lay within {:.1} % of 1",
            percent(same.half_width),
            percent(same.spread),
        )?;
        for power in power {
            let (rate, low, high) = power.rate;
            write!(
                f,
                "\na slowdown of {:.1} %: found in {} of {} runs of {:.0} s: {:.0} % (95 % interval {:.0} to {:.0} %)",
                percent(power.slowdown),
                power.found,
                power.runs,
                power.seconds,
                percent(rate),
                percent(low),
                percent(high),
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(figures: &[(&str, &[f64])]) -> Served {
        let trials = |per_s: &[f64]| {
            (0..)
                .zip(per_s)
                .map(|(block, &per_s)| {
                    let trial = Trial {
                        per_s,
                        cpu_ns_per_request: 230_000.0,
                        seconds: 1.2,
                    };
                    (block, trial)
                })
                .collect()
        };
        Served(
            figures
                .iter()
                .map(|(name, per_s)| ((*name).to_owned(), trials(per_s)))
                .collect(),
        )
    }

    #[test]
    fn equal_servers_differ_only_where_every_block_says_so() {
        // Six blocks without and six with a difference.
        let a: Vec<f64> = (0..12)
            .map(|block| 1_000.0 + f64::from(block % 3))
            .collect();
        let b: Vec<f64> = (0..12)
            .map(|block| {
                let near = 1_000.0 + f64::from((block + 1) % 3);
                if block < 6 { near } else { near * 1.1 }
            })
            .collect();
        let found = same(&served(&[("a", &a), ("b", &b)]), &[("a", "b")], 6, 1).unwrap();
        assert_eq!(
            (found.comparisons, found.different, found.verdicts),
            (2, 1, 1)
        );
        assert!(found.rate.1 < 0.5 && found.rate.2 > 0.5);
    }

    #[test]
    fn a_slowdown_counts_as_found_only_in_its_own_direction() {
        let plain: Vec<f64> = (0..12)
            .map(|block| 1_000.0 + f64::from(block % 4))
            .collect();
        let changed: Vec<f64> = plain
            .iter()
            .enumerate()
            .map(|(block, per_s)| per_s * if block < 6 { 0.95 } else { 1.05 } + (block % 3) as f64)
            .collect();
        let served = served(&[("plain", &plain), ("slow", &changed)]);
        let power = power(&served, ("plain", "slow"), 0.05, 2, 1).unwrap();
        assert_eq!((power.runs, power.found), (2, 1));
        assert!((power.seconds - 6.0 * 1.2).abs() < 1e-9);
    }

    #[test]
    fn too_little_is_told_with_the_cure() {
        let served = served(&[("a", &[1.0, 2.0]), ("b", &[1.0, 2.0])]);
        let error = same(&served, &[("a", "b")], 6, 1).unwrap_err().to_string();
        assert!(error.contains("6 blocks"), "{error}");
        let error = power(&served, ("a", "b"), 0.02, 1, 1)
            .unwrap_err()
            .to_string();
        assert!(error.contains("--run-time"), "{error}");
    }
}
