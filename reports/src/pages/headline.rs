//! The answer in a few figures.

mod alone;

use schema::{
    Comparison, Cores, Estimate, Headline as MainAnswer, HeadlineKind, Metric, Verdict, Verdicts,
};

use crate::{
    Run,
    figures::{capital, in_letters},
    groups::{counted, server, workers},
    judge::{Theme, theme},
};

/// What stands above everything else.
pub(super) struct Headline<'a> {
    /// Processes against threads in throughput, at the most workers compared.
    pub(super) throughput: Option<Answer<'a>>,
    /// The same two cells in CPU time per request.
    pub(super) cpu: Option<Answer<'a>>,
    /// The most workers against one of the same server, in throughput.
    pub(super) growth: Vec<Answer<'a>>,
    /// What experiments that stand alone say, where none was asked but them: a short sentence, and one
    /// or more for each.
    alone: Option<(String, Vec<String>)>,
    valid: bool,
}

/// One figure of the answer.
pub(super) struct Answer<'a> {
    /// As in `Ten processes over one`.
    pub(super) title: String,
    /// Of what, as in `throughput`.
    pub(super) what: &'static str,
    /// Where it holds, as in `GET /, on ten cores`.
    pub(super) setting: String,
    pub(super) comparison: &'a Comparison,
    /// Where workers have a core each.
    pub(super) efficiency: Option<Estimate>,
    pub(super) by_cpu_given: Option<Estimate>,
    pub(super) emulated: bool,
}

impl<'a> Headline<'a> {
    pub(super) fn new(run: &'a Run, verdicts: &'a Verdicts) -> Self {
        let mut headline = if verdicts.headlines.is_empty() {
            Self::of_comparisons(run, verdicts)
        } else {
            Self::of_main_answers(verdicts)
        };
        headline.cpu = headline.cpu_beside(run, verdicts);
        if headline.answers().next().is_none() {
            headline.alone = alone::answer(verdicts);
        }
        headline
    }

    fn of_main_answers(verdicts: &'a Verdicts) -> Self {
        let of_kind = |wanted: fn(HeadlineKind) -> bool| {
            let answers = verdicts.headlines.iter();
            answers
                .filter(move |answer| wanted(answer.kind))
                .map(Answer::main)
        };
        Self {
            throughput: of_kind(|kind| kind == HeadlineKind::ProcessesOverThreads).next(),
            cpu: None,
            growth: of_kind(|kind| kind != HeadlineKind::ProcessesOverThreads).collect(),
            alone: None,
            valid: verdicts.valid,
        }
    }

    /// Where workers share their CPUs there are no main answers. Of several groups, the first decides.
    fn of_comparisons(run: &'a Run, verdicts: &'a Verdicts) -> Self {
        let about = |wanted: Theme| {
            let of_throughput = verdicts
                .comparisons
                .iter()
                .filter(|comparison| comparison.metric == Metric::Throughput);
            of_throughput.filter(move |comparison| is_about(run, comparison, wanted))
        };
        let setting = |comparison: &Comparison| {
            run.cell(&comparison.subject)
                .map(|cell| (cell.experiment.as_str(), cell.workload, cell.cores))
        };
        let workers_of =
            |comparison: &Comparison| run.cell(&comparison.subject).map_or(0, |cell| cell.workers);
        let first = about(Theme::ProcessesAgainstThreads)
            .chain(about(Theme::ManyAgainstOne))
            .find_map(setting);
        let throughput = about(Theme::ProcessesAgainstThreads)
            .filter(|comparison| setting(comparison) == first)
            .max_by_key(|comparison| workers_of(comparison));
        let growth = about(Theme::ManyAgainstOne)
            .filter(|comparison| setting(comparison) == first)
            .filter_map(|comparison| {
                let cell = run.cell(&comparison.subject)?;
                let title = format!(
                    "{} {} over one",
                    capital(&in_letters(cell.workers)),
                    who(&cell.server)
                );
                Some(Answer::seen(run, title, comparison))
            });
        Self {
            throughput: throughput.map(|comparison| {
                let title = "Processes over threads".to_owned();
                Answer::seen(run, title, comparison)
            }),
            cpu: None,
            growth: growth.collect(),
            alone: None,
            valid: verdicts.valid,
        }
    }

    /// CPU time per request of the two cells that are compared in throughput.
    fn cpu_beside(&self, run: &'a Run, verdicts: &'a Verdicts) -> Option<Answer<'a>> {
        let throughput = self.throughput.as_ref()?;
        let cells = (
            &throughput.comparison.reference,
            &throughput.comparison.subject,
        );
        let comparison = verdicts.comparisons.iter().find(|comparison| {
            comparison.metric == Metric::CpuPerRequest
                && (&comparison.reference, &comparison.subject) == cells
        })?;
        let title = "CPU per request".to_owned();
        Some(Answer {
            setting: throughput.setting.clone(),
            ..Answer::seen(run, title, comparison)
        })
    }

    /// The answer in one short sentence; an invalid run gives none.
    pub(super) fn answer(&self) -> String {
        self.in_short().to_owned()
    }

    fn in_short(&self) -> &str {
        if !self.valid {
            return "No answer: this run breaks a rule of measurement.";
        }
        let verdict = |answer: &Option<Answer<'_>>| answer.as_ref().map(|a| a.comparison.verdict);
        match (verdict(&self.throughput), verdict(&self.cpu)) {
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
            (None, _) => self.alone.as_ref().map_or(
                "Processes and threads were not compared in this run.",
                |(answer, _)| answer.as_str(),
            ),
        }
    }

    /// What there is to say without a figure of its own, in whole sentences.
    pub(super) fn remarks(&self) -> &[String] {
        self.alone.as_ref().map_or(&[], |(_, remarks)| remarks)
    }

    /// Every figure, in the order in which they are told.
    pub(super) fn answers(&self) -> impl Iterator<Item = &Answer<'a>> {
        let beside = self.throughput.iter().chain(&self.cpu);
        self.growth.iter().chain(beside)
    }
}

impl<'a> Answer<'a> {
    fn main(answer: &'a MainAnswer) -> Self {
        let number = in_letters(answer.workers);
        let title = match answer.kind {
            HeadlineKind::Processes => format!("{} processes over one", capital(&number)),
            HeadlineKind::Threads => format!("{} threads over one", capital(&number)),
            HeadlineKind::ProcessesOverThreads => "Processes over threads".to_owned(),
        };
        Self {
            title,
            what: "throughput",
            setting: format!("GET {}, on {number} cores", answer.workload.target()),
            comparison: &answer.throughput,
            efficiency: answer.efficiency,
            by_cpu_given: answer.by_cpu_given,
            emulated: answer.cores == Cores::Emulated,
        }
    }

    /// The finding without what stands in its card.
    pub(super) fn sentence(&self) -> &'a str {
        let sentence = self.comparison.sentence.as_str();
        let setting = sentence.strip_prefix('[').and_then(|s| s.split_once("] "));
        setting.map_or(sentence, |(_, finding)| finding)
    }

    fn seen(run: &Run, title: String, comparison: &'a Comparison) -> Self {
        let cell = run.cell(&comparison.subject);
        let setting = cell.map(|cell| {
            let cpus = counted(cell.cpus.len(), "CPU");
            format!("{}, on {cpus}", workers(cell.workers))
        });
        Self {
            title,
            what: match comparison.metric {
                Metric::Throughput => "throughput",
                Metric::CpuPerRequest => "processes over threads",
                Metric::P99 => "p99 latency",
            },
            setting: setting.unwrap_or_default(),
            comparison,
            efficiency: None,
            by_cpu_given: None,
            emulated: cell.is_some_and(|cell| cell.cores == Cores::Emulated),
        }
    }
}

/// The answer in one short sentence, and each figure of it in one.
pub(crate) fn in_sentences(run: &Run, verdicts: &Verdicts) -> (String, Vec<String>) {
    let headline = Headline::new(run, verdicts);
    let sentences = headline.answers().map(|answer| capital(answer.sentence()));
    let remarks = headline.remarks().iter().cloned();
    (headline.answer(), sentences.chain(remarks).collect())
}

fn who(server: &str) -> &str {
    match server {
        server::CLUSTER => "processes",
        server::THREADS => "threads",
        other => other,
    }
}

fn is_about(run: &Run, comparison: &Comparison, wanted: Theme) -> bool {
    run.cell(&comparison.reference)
        .zip(run.cell(&comparison.subject))
        .is_some_and(|(reference, subject)| theme(reference, subject) == wanted)
}

/// A verdict as a badge: a sign and a word, so that colour is never needed.
pub(crate) const fn badge(verdict: Verdict) -> (&'static str, &'static str) {
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
            let comparisons = verdicts.comparisons.iter();
            let of_theme = comparisons.filter(|comparison| is_about(run, comparison, wanted));
            (wanted, of_theme.collect::<Vec<_>>())
        })
        .filter(|(_, comparisons)| !comparisons.is_empty())
        .collect()
}

/// How many verdicts chance alone may have brought about.
pub(crate) fn chance_note(comparisons: usize) -> Option<String> {
    let by_chance = (comparisons as f64 * 0.05).round();
    (by_chance >= 1.0).then(|| {
        let (noun, verb) = if by_chance > 1.0 { ("verdicts", "are") } else { ("verdict", "is") };
        format!(
            "{comparisons} comparisons at 95 % confidence: even between equals, about {by_chance:.0} {noun} of better or worse {verb} to be expected by chance, fewer where the margin of equivalence catches them."
        )
    })
}
