//! What to know before quoting the figures, and how they were made; for all pages alike.

use schema::Worker;

use super::{
    catalogue::NOISE,
    figures::{BLOCKS, ROUGH},
    rows::Clock,
    tables::{Again, Summary, title},
    words::{instant, list, percent},
};

/// Figures taken further apart than this may be of different programs, or of a machine in another mood.
const APART_S: u64 = 6 * 60 * 60;

/// What to know first, the weightiest first.
pub fn before_quoting(summary: &Summary) -> Vec<String> {
    let groups = &summary.primitives.groups;
    let noise = summary.primitives.noise;
    let mut notes = Vec::new();
    if !summary.quick.is_empty() {
        let threshold = |noise: Option<f64>| percent(noise.unwrap_or(0.0).max(ROUGH));
        let (wall, cpu) = (threshold(noise.wall), threshold(noise.cpu));
        let which = if summary.quick.len() == groups.len() {
            "All figures were".to_owned()
        } else {
            let names: Vec<String> = summary.quick.iter().cloned().collect();
            format!("Figures of {} were", list(&names))
        };
        notes.push(format!(
            "quick: no intervals. {which} taken with --quick, in two samples each. Differences are told roughly, and \
             only beyond {wall} by the clock and {cpu} in CPU time."
        ));
    }
    notes.push(match (noise.wall, noise.cpu) {
        (None, None) => format!(
            "How far two measurements of the same lie apart was not measured, so only differences beyond {} are \
             told. Run cargo bench --bench noise.",
            percent(ROUGH)
        ),
        (wall, cpu) => {
            let parts = [(Clock::Wall, wall), (Clock::Cpu, cpu)];
            let parts: Vec<String> = parts
                .into_iter()
                .filter_map(|(clock, noise)| Some(format!("{} {}", percent(noise?), clock.words())))
                .collect();
            format!(
                "Two measurements of the same function lay up to {} apart. Smaller differences are not told.",
                list(&parts)
            )
        }
    });
    let times = groups.iter().map(|group| group.measured_unix_s);
    if let (Some(oldest), Some(newest)) = (times.clone().min(), times.max())
        && newest - oldest > APART_S
    {
        notes.push(format!(
            "The figures are not of one time: the oldest group is of {}, the newest of {}.",
            instant(oldest),
            instant(newest)
        ));
    }
    notes
}

/// How many rows say that a process costs more, that a thread does, and that no difference is told.
pub fn counts(summary: &Summary, clock: Clock, group: Option<&str>) -> [usize; 3] {
    let groups = summary.primitives.groups.iter();
    // The noise is no finding.
    let groups =
        groups.filter(|one| one.name != NOISE && group.is_none_or(|name| one.name == name));
    let mut counts = [0; 3];
    for ratio in groups
        .flat_map(|group| &group.rows)
        .filter_map(|row| clock.ratio(row))
    {
        counts[match ratio.dearer {
            Some(Worker::Process) => 0,
            Some(Worker::Thread) => 1,
            None => 2,
        }] += 1;
    }
    counts
}

/// All rows in a sentence, for each clock.
pub fn lead(summary: &Summary) -> Vec<String> {
    let lines = Clock::BOTH.into_iter().filter_map(|clock| {
        let [process, thread, none] = counts(summary, clock, None);
        let all = process + thread + none;
        (all > 0).then(|| {
            format!(
                "Of {all} things done by both and measured {}, a process costs more in {process}, a thread in \
                 {thread}, and no difference is told in {none}.",
                clock.words()
            )
        })
    });
    lines.collect()
}

/// What was measured twice, in words.
pub fn twice(again: &Again) -> String {
    let who = match again.worker {
        Worker::Thread => "threads",
        Worker::Process => "processes",
    };
    format!("{who}, {}", again.clock.words())
}

/// Groups as the table of all has them: name, heading, and the counts by both clocks.
pub fn overview(summary: &Summary) -> Vec<(String, String, [[usize; 3]; 2])> {
    let groups = summary.primitives.groups.iter().map(|group| {
        let counts = Clock::BOTH.map(|clock| counts(summary, clock, Some(&group.name)));
        (group.name.clone(), title(&group.name), counts)
    });
    groups
        .filter(|(_, _, counts)| counts.iter().flatten().sum::<usize>() > 0)
        .collect()
}

/// How figures, intervals and words came about.
pub fn method() -> Vec<String> {
    vec![
        "A figure is the mean time of one iteration, in wall-clock time or in CPU time of everybody who took part. \
         The CPU time of a group was measured in a second pass, and not together with the clock."
            .to_owned(),
        format!(
            "Criterion takes the samples of one benchmark right after each other, so what disturbs the machine \
             disturbs many of them alike: they are not independent. So they are cut into {BLOCKS} blocks of \
             consecutive samples, and the means of the blocks are taken for the trials: a figure is their mean, \
             a ratio that of their geometric means, and both have 95 % bootstrap intervals. These hold what \
             changed within the second that a benchmark took, and not what changes from one launch to the next."
        ),
        format!(
            "A difference is told where the interval of the ratio excludes 1 and the ratio lies beyond the \
             noise: the largest ratio by the same clock between two measurements of the same (group noise). \
             Without intervals, or without a measured noise, it has to lie beyond {} at least.",
            percent(ROUGH)
        ),
        "Criterion's own intervals, in its reports, take samples for independent, and are narrower."
            .to_owned(),
    ]
}
