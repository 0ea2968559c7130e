//! Making workers, waking them, cutting a job up among them.

use super::{
    super::{
        rows::{Clock, PROCESS, Rows, THREAD, Who},
        words::{either, list, time, times},
    },
    From, holds_from, said, standing,
};

/// For both groups of making workers.
pub fn spawn(rows: &Rows<'_>) -> Option<String> {
    let (first, last) = (rows.parameters().next()?, rows.last_parameter()?);
    let wall = |who, what, memory| rows.figure(Clock::Wall, who, what, memory);
    let thread = wall(THREAD, "fork", last)?;
    let fork = wall(PROCESS, "fork", last)?;
    let touched = |memory| rows.group.in_words(memory);
    let small = wall(PROCESS, "fork", first).filter(|_| first != last);
    let small = small.map_or_else(String::new, |small| {
        let ns = time(small.point);
        format!("{ns} where its maker has touched {} and ", touched(first))
    });
    let mut sentences = vec![format!(
        "A thread takes {}, a fork {small}{} where it has touched {}.",
        time(thread.point),
        time(fork.point),
        touched(last)
    )];
    let others = ["posix_spawn", "warm clone"].map(|other| {
        let from = holds_from(rows, |memory| {
            let (fork, other) = (
                wall(PROCESS, "fork", memory)?,
                wall(PROCESS, other, memory)?,
            );
            Some(rows.dearer(Clock::Wall, fork, other))
        })?;
        Some(match from {
            From::On(memory) if memory == first => {
                format!("more than a {other} whatever was touched")
            }
            From::On(memory) => format!("more than a {other} from {} on", touched(memory)),
            From::Nowhere => format!("no more than a {other}, as far as is told"),
        })
    });
    let others: Vec<String> = others.into_iter().flatten().collect();
    if !others.is_empty() {
        sentences.push(format!("A fork costs {}.", list(&others)));
    }
    if let Some(warm) =
        wall(PROCESS, "warm clone", last).filter(|warm| rows.dearer(Clock::Wall, fork, warm))
    {
        sentences.push(format!(
            "A large server that makes workers while it serves has them made by a small process, forked early: \
             that is {} times cheaper here.",
            times(fork.point / warm.point)
        ));
    }
    said(&sentences)
}

/// For `switch`.
pub fn switch(rows: &Rows<'_>) -> Option<String> {
    let mut sentences = Vec::new();
    for place in rows.parameters() {
        if let Some(standing) = standing(rows, |row| row.parameter == place) {
            sentences.push(format!("On {}, {standing}.", rows.group.in_words(place)));
        }
    }
    let whats = ["pipe", "socket-pair", "eventfd", "futex"];
    if let Some(place) = rows.parameters().next()
        && let Some((least, figure)) = rows.cheapest(Clock::Wall, PROCESS, &whats, place)
    {
        sentences.push(format!(
            "Another process is woken soonest by {}: {} there and back on {}.",
            either(&least),
            time(figure.point),
            rows.group.in_words(place)
        ));
    }
    said(&sentences)
}

/// For `fan-out`: from which grain on each way beats one worker alone.
pub fn fan_out(rows: &Rows<'_>) -> Option<String> {
    let ways = [
        (Who::Alone, "rayon", "a pool of threads"),
        (THREAD, "shared memory", "threads made for the job"),
        (
            PROCESS,
            "shared memory",
            "processes forked for it that answer through shared memory",
        ),
        (
            PROCESS,
            "pipe",
            "processes forked for it that answer through pipes",
        ),
    ];
    let parts: Vec<String> = ways
        .into_iter()
        .filter_map(|(who, what, words)| {
            let from = holds_from(rows, |grain| {
                let alone = rows.figure(Clock::Wall, Who::Alone, "alone", grain)?;
                let way = rows.figure(Clock::Wall, who, what, grain)?;
                Some(rows.dearer(Clock::Wall, alone, way))
            })?;
            Some(match from {
                From::On(grain) => format!(
                    "from pieces of {} on with {words}",
                    rows.group.in_words(grain)
                ),
                From::Nowhere => format!("at none of these sizes with {words}"),
            })
        })
        .collect();
    (!parts.is_empty()).then(|| format!("To cut up a request's work pays {}.", list(&parts)))
}
