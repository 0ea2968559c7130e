//! The answer in a few figures.

use schema::{Comparison, Metric, Verdict, Verdicts};

use crate::{
    Run,
    groups::{counted, server, workers},
    judge::{Theme, theme},
};

/// What stands above everything else.
pub(super) struct Headline<'a> {
    /// Processes against threads in throughput, at the most workers compared.
    pub(super) throughput: Option<&'a Comparison>,
    /// The same two cells in CPU time per request.
    pub(super) cpu: Option<&'a Comparison>,
    /// The most workers against one of the same server, in throughput.
    pub(super) growth: Vec<Growth<'a>>,
    /// Workers of each of the two cells.
    workers: u32,
    server_cpus: usize,
    valid: bool,
}

/// What many workers of a server give over one.
pub(super) struct Growth<'a> {
    pub(super) server: &'a str,
    pub(super) workers: u32,
    pub(super) comparison: &'a Comparison,
}

impl<'a> Headline<'a> {
    /// Of several groups, the first decides.
    pub(super) fn new(run: &'a Run, verdicts: &'a Verdicts) -> Self {
        let about = |wanted: Theme, metric: Metric| {
            verdicts.comparisons.iter().filter(move |comparison| {
                let cells = run
                    .cell(&comparison.reference)
                    .zip(run.cell(&comparison.subject));
                comparison.metric == metric
                    && cells.is_some_and(|(reference, subject)| theme(reference, subject) == wanted)
            })
        };
        let setting = |comparison: &Comparison| {
            run.cell(&comparison.subject)
                .map(|cell| (cell.experiment.as_str(), cell.workload, cell.cores))
        };
        let workers_of =
            |comparison: &Comparison| run.cell(&comparison.subject).map_or(0, |cell| cell.workers);
        let first = about(Theme::ProcessesAgainstThreads, Metric::Throughput)
            .chain(about(Theme::ManyAgainstOne, Metric::Throughput))
            .find_map(setting);
        let throughput = about(Theme::ProcessesAgainstThreads, Metric::Throughput)
            .filter(|comparison| setting(comparison) == first)
            .max_by_key(|comparison| workers_of(comparison));
        let cpu = about(Theme::ProcessesAgainstThreads, Metric::CpuPerRequest).find(|cpu| {
            throughput.is_some_and(|t| (&t.reference, &t.subject) == (&cpu.reference, &cpu.subject))
        });
        let growth = about(Theme::ManyAgainstOne, Metric::Throughput)
            .filter(|comparison| setting(comparison) == first)
            .filter_map(|comparison| {
                let cell = run.cell(&comparison.subject)?;
                Some(Growth {
                    server: &cell.server,
                    workers: cell.workers,
                    comparison,
                })
            })
            .collect();
        Self {
            throughput,
            cpu,
            growth,
            workers: throughput.map_or(0, workers_of),
            server_cpus: run.plan.cores.server_cpus.len(),
            valid: verdicts.valid,
        }
    }

    /// The answer in one short sentence; an invalid run gives none.
    pub(super) fn answer(&self) -> &'static str {
        if !self.valid {
            return "No answer: this run breaks a rule of measurement.";
        }
        let verdict = |comparison: Option<&Comparison>| comparison.map(|c| c.verdict);
        match (verdict(self.throughput), verdict(self.cpu)) {
            (Some(Verdict::Better), _) => "Processes serve more than threads.",
            (Some(Verdict::Worse), _) => "Threads serve more than processes.",
            (Some(Verdict::Equivalent), Some(Verdict::Better)) => {
                "Processes and threads serve the same; processes use less CPU."
            }
            (Some(Verdict::Equivalent), Some(Verdict::Worse)) => {
                "Processes and threads serve the same; threads use less CPU."
            }
            (Some(Verdict::Equivalent), _) => "Processes and threads serve the same.",
            (Some(Verdict::Undecided), _) => "This run cannot tell processes from threads.",
            (None, _) => "Processes and threads were not compared in this run.",
        }
    }

    /// Where the answer holds: `2 workers on 1 CPU`.
    pub(super) fn setting(&self) -> Option<String> {
        self.throughput.map(|_| {
            let cpus = counted(self.server_cpus, "CPU");
            format!("{} each, on {cpus}", workers(self.workers))
        })
    }
}

impl Growth<'_> {
    /// Whose growth: `processes` or `threads`.
    pub(super) fn who(&self) -> &str {
        match self.server {
            server::CLUSTER => "processes",
            server::THREADS => "threads",
            other => other,
        }
    }
}

/// A verdict as a badge: a sign and a word, so that colour is never needed.
pub(super) const fn badge(verdict: Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::Better => ("✓", "better"),
        Verdict::Worse => ("✕", "worse"),
        Verdict::Equivalent => ("=", "equivalent"),
        Verdict::Undecided => ("?", "undecided"),
    }
}

/// Comparisons by theme, each with its place in `verdicts`, themes without any left out.
pub(super) fn by_theme<'a>(run: &Run, verdicts: &'a Verdicts) -> Vec<(Theme, Vec<&'a Comparison>)> {
    Theme::ALL
        .into_iter()
        .map(|wanted| {
            let of_theme = verdicts.comparisons.iter().filter(|comparison| {
                run.cell(&comparison.reference)
                    .zip(run.cell(&comparison.subject))
                    .is_some_and(|(reference, subject)| theme(reference, subject) == wanted)
            });
            (wanted, of_theme.collect::<Vec<_>>())
        })
        .filter(|(_, comparisons)| !comparisons.is_empty())
        .collect()
}

/// How many verdicts chance alone may have brought about.
pub(super) fn chance_note(comparisons: usize) -> Option<String> {
    let by_chance = (comparisons as f64 * 0.05).round();
    (by_chance >= 1.0).then(|| {
        let (noun, verb) = if by_chance > 1.0 { ("verdicts", "are") } else { ("verdict", "is") };
        format!(
            "{comparisons} comparisons at 95 % confidence: even between equals, about {by_chance:.0} {noun} of better or worse {verb} to be expected by chance, fewer where the margin of equivalence catches them."
        )
    })
}
