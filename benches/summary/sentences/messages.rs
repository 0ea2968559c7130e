//! Messages between workers.

use schema::PrimitiveRow;

use super::{
    super::{
        rows::{Clock, PROCESS, Rows, THREAD, Who},
        words::{either, list, name, rate, time, times},
    },
    said, standing,
};

/// What carries messages, both sides asleep while they wait.
const CARRIERS: [&str; 6] = [
    "pipe",
    "socket-pair",
    "ring",
    "own-channel",
    "std-channel",
    "crossbeam-channel",
];

/// Which carriers are the fastest for each size, neighbouring sizes taken together: `ring for 64 B to 4 KiB`.
fn fastest_by_size(rows: &Rows<'_>, who: Who) -> Vec<String> {
    let mut runs: Vec<(Vec<&str>, &str, &str)> = Vec::new();
    for size in rows.parameters() {
        let Some((mut best, _)) = rows.cheapest(Clock::Wall, who, &CARRIERS, size) else {
            continue;
        };
        // Among those that are not told apart, the order is chance.
        best.sort_unstable();
        match runs.last_mut() {
            Some((same, _, to)) if *same == best => *to = size,
            _ => runs.push((best, size, size)),
        }
    }
    let words = |id| rows.group.in_words(id);
    let runs = runs.iter().map(|(best, from, to)| {
        let (best, from, to) = (either(best), words(from), words(to));
        if from == to {
            format!("{best} for {from}")
        } else {
            format!("{best} for {from} to {to}")
        }
    });
    runs.collect()
}

fn fastest(rows: &Rows<'_>) -> Option<String> {
    let process = fastest_by_size(rows, PROCESS);
    let thread = fastest_by_size(rows, THREAD);
    if process.is_empty() || thread.is_empty() {
        return None;
    }
    Some(if process == thread {
        format!(
            "Fastest, for threads and processes alike: {}.",
            list(&process)
        )
    } else {
        format!(
            "Fastest between processes: {}; between threads: {}.",
            list(&process),
            list(&thread)
        )
    })
}

/// For `messages-round-trip`.
pub fn round_trips(rows: &Rows<'_>) -> Option<String> {
    let mut sentences = vec![fastest(rows)?];
    let sleeping = |row: &PrimitiveRow| CARRIERS.contains(&row.what.as_str());
    if let Some(standing) = standing(rows, sleeping) {
        sentences.push(format!("Among all sizes, {standing}."));
    }
    sentences.extend(spinning(rows));
    said(&sentences)
}

/// What it brings to spin, and what it costs.
fn spinning(rows: &Rows<'_>) -> Option<String> {
    let (spun, slept, size) = rows.parameters().find_map(|size| {
        let spun = rows.cost(PROCESS, "ring-spinning", size)?;
        let slept = rows.cost(PROCESS, "ring", size)?;
        Some((spun, slept, size))
    })?;
    let (spun_wall, slept_wall) = (spun.wall_ns.as_ref()?, slept.wall_ns.as_ref()?);
    let sooner = if rows.dearer(Clock::Wall, slept_wall, spun_wall) {
        format!(
            "{} times sooner than where they sleep",
            times(slept_wall.point / spun_wall.point)
        )
    } else {
        "no sooner than where they sleep, as far as is told".to_owned()
    };
    let price = match (&spun.cpu_ns, &slept.cpu_ns) {
        (Some(spun), Some(slept)) => format!(
            ", for {} of CPU time instead of {}",
            time(spun.point),
            time(slept.point)
        ),
        _ => String::new(),
    };
    Some(format!(
        "A ring whose sides spin has {} answered by another process after {}, {sooner}{price}; between \
         messages both CPUs stay busy.",
        rows.group.in_words(size),
        time(spun_wall.point)
    ))
}

/// For `messages-throughput`.
pub fn throughput(rows: &Rows<'_>) -> Option<String> {
    let mut sentences = vec![fastest(rows)?];
    if let Some(most) = rows.last_parameter()
        && let Some((best, figure)) = rows.cheapest(Clock::Wall, PROCESS, &CARRIERS, most)
        && let Some(bytes) = rows
            .cost(PROCESS, best[0], most)
            .and_then(|cost| cost.bytes)
    {
        sentences.push(format!(
            "In messages of {} the {} carries {} to another process.",
            rows.group.in_words(most),
            name(best[0]),
            rate(bytes, figure.point)
        ));
    }
    if let Some(standing) = standing(rows, |_| true) {
        sentences.push(format!("Among all sizes, {standing}."));
    }
    said(&sentences)
}
