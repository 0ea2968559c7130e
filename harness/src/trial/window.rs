//! What is read at the edges of a window, of all servers of a set.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use ::cores::{SlotError, Slots, slots::Reading};
use load::Window;
use schema::{Mark, MarkKind, Noise, SlotPlan, SlotUsage, TreeUsage};

use crate::{
    noise::{Sight, Watched},
    resources::{Counters, Forest, descendants_of, pss_below},
};

/// A window that closes so much before its time, by the clock that saw it open, was not cut short.
const EARLY: Duration = Duration::from_millis(20);
/// The servers' CPU time may be read from so late in the window on: what they used before is missing.
const MOST_LATE: f64 = 0.02;

/// Reads as the window opens and closes.
pub struct Watch(Arc<Mutex<Edges>>);

struct Edges {
    measure: Duration,
    guards: Vec<i32>,
    /// Loads that have not closed their window.
    loads: usize,
    slots: Option<Arc<Slots>>,
    forest: Option<Forest>,
    approached: Option<Sight>,
    opened: Option<Edge>,
    /// How long the window was open already once that was read.
    late: Duration,
    closed: Option<Edge>,
    passed: Option<Sight>,
    trouble: Option<String>,
}

/// What all servers had used at one moment.
struct Edge {
    at: Instant,
    slots: Result<Vec<Reading>, SlotError>,
    servers: BTreeMap<i32, anyhow::Result<Counters>>,
}

/// What one server used.
pub struct Used {
    /// Its process tree.
    pub tree: TreeUsage,
    /// What its slots gave.
    pub slots: Vec<SlotUsage>,
    /// What disturbed it.
    pub noise: Noise,
}

/// What was read, for the asking.
pub struct Readings {
    edges: Edges,
    noise: Option<Noise>,
}

impl Watch {
    /// Over the servers below these guards, each with a load of its own.
    pub fn over(guards: Vec<i32>, slots: Option<Arc<Slots>>, measure: Duration) -> Self {
        Self(Arc::new(Mutex::new(Edges {
            measure,
            loads: guards.len(),
            guards,
            slots,
            forest: None,
            approached: None,
            opened: None,
            late: Duration::ZERO,
            closed: None,
            passed: None,
            trouble: None,
        })))
    }

    /// What each of the loads calls; their windows are the same, so the first to come to an edge reads
    /// for all. A load that is cut short closes its window early, and is passed over.
    ///
    /// As the window opens the servers are at work, so their processes are found before; once it has
    /// closed nothing is asked of them any more, and there is time to look for new ones.
    pub fn hook(&self) -> Arc<dyn Fn(Window) + Send + Sync> {
        let edges = Arc::clone(&self.0);
        Arc::new(move |window| {
            let called = Instant::now();
            let mut edges = edges.lock().unwrap_or_else(PoisonError::into_inner);
            match window {
                Window::Approaches if edges.approached.is_none() => edges.approach(),
                Window::Opened { late } if edges.opened.is_none() => {
                    edges.opened = Some(edges.read(edges.forest.as_ref()));
                    edges.late = late + called.elapsed();
                }
                Window::Closed => edges.close(),
                Window::Approaches | Window::Opened { .. } => {}
            }
        })
    }

    /// What was read, once the loads are over.
    pub fn readings(self, watched: &Watched<'_>) -> Readings {
        let edges = {
            let mut edges = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Edges {
                measure: edges.measure,
                loads: edges.loads,
                guards: std::mem::take(&mut edges.guards),
                slots: edges.slots.take(),
                forest: edges.forest.take(),
                approached: edges.approached.take(),
                opened: edges.opened.take(),
                late: edges.late,
                closed: edges.closed.take(),
                passed: edges.passed.take(),
                trouble: edges.trouble.take(),
            }
        };
        let noise = match (&edges.approached, &edges.passed) {
            (Some(earlier), Some(later)) => Some(later.since(earlier, *watched, None)),
            _ => None,
        };
        Readings { edges, noise }
    }
}

impl Edges {
    fn approach(&mut self) {
        let limited = self.slots.as_ref().map(|slots| slots.limit());
        if let Some(Err(error)) = limited {
            self.trouble = Some(error.to_string());
        }
        self.forest = Some(Forest::below(&self.guards));
        self.approached = Some(Sight::now(&own()));
    }

    fn close(&mut self) {
        self.loads = self.loads.saturating_sub(1);
        let lasted = self.opened.as_ref().map(|opened| opened.at.elapsed());
        let in_time = lasted.is_some_and(|lasted| self.late + lasted + EARLY >= self.measure);
        if self.closed.is_none() && (in_time || self.loads == 0) {
            let forest = Forest::below(&self.guards);
            self.closed = Some(self.read(Some(&forest)));
            self.passed = Some(Sight::now(&own()));
        }
    }

    /// Slots first: they go on while the rest is read.
    fn read(&self, forest: Option<&Forest>) -> Edge {
        let at = Instant::now();
        Edge {
            at,
            slots: self
                .slots
                .as_ref()
                .map_or_else(|| Ok(Vec::new()), |slots| slots.read()),
            servers: forest.map(Forest::read).unwrap_or_default(),
        }
    }
}

/// The mark of a window whose beginning was missed.
fn read_late(late: Duration, measure: Duration) -> Option<Mark> {
    let figure = late.as_secs_f64() / measure.as_secs_f64().max(f64::MIN_POSITIVE);
    (figure > MOST_LATE).then_some(Mark {
        kind: MarkKind::ReadLate,
        figure: figure.min(1.0),
        limit: MOST_LATE,
    })
}

/// The processes under measurement, and this one.
fn own() -> BTreeSet<i32> {
    let this = std::process::id().cast_signed();
    let mut own = descendants_of(this);
    own.insert(this);
    own
}

impl Readings {
    /// What a server used, and the memory it holds now. Its slots are a range of all, where it has any.
    pub fn usage(
        &mut self,
        guard: i32,
        slots: Option<(Range<usize>, SlotPlan)>,
    ) -> anyhow::Result<Used> {
        if let Some(trouble) = &self.edges.trouble {
            anyhow::bail!("{trouble}");
        }
        let take = |edge: &mut Option<Edge>| edge.as_mut()?.servers.remove(&guard);
        let (opened, closed) = (take(&mut self.edges.opened), take(&mut self.edges.closed));
        let (Some(opened), Some(closed)) = (opened, closed) else {
            anyhow::bail!(
                "the server's CPU time was not read, as its load ended before the window opened"
            );
        };
        let (opened, closed) = (opened?, closed?);
        let mut noise = Noise {
            run_queue_wait_ns: closed.run_queue_wait_since(&opened),
            ..self.noise.clone().unwrap_or_default()
        };
        noise
            .marks
            .extend(read_late(self.edges.late, self.edges.measure));
        Ok(Used {
            tree: closed.since(&opened, pss_below(guard)?),
            slots: match slots {
                Some((range, plan)) => self.slots(range, plan)?,
                None => Vec::new(),
            },
            noise,
        })
    }

    fn slots(&self, range: Range<usize>, plan: SlotPlan) -> anyhow::Result<Vec<SlotUsage>> {
        let (Some(opened), Some(closed)) = (&self.edges.opened, &self.edges.closed) else {
            return Ok(Vec::new());
        };
        let read = |edge: &Edge| match &edge.slots {
            Ok(readings) => Ok(readings.clone()),
            Err(error) => Err(anyhow::anyhow!("{error}")),
        };
        let (then, now) = (read(opened)?, read(closed)?);
        let elapsed_ns = u64::try_from((closed.at - opened.at).as_nanos()).unwrap_or(u64::MAX);
        Ok(range
            .filter_map(|index| Some(now.get(index)?.since(then.get(index)?, plan, elapsed_ns)))
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_that_missed_more_than_a_fiftieth_of_the_window_is_marked() {
        let second = Duration::from_secs(1);
        assert_eq!(read_late(Duration::from_millis(20), second), None);
        let mark = read_late(Duration::from_millis(250), second).unwrap();
        assert_eq!(mark.kind, MarkKind::ReadLate);
        assert!((mark.figure - 0.25).abs() < 1e-9);
        let missed = read_late(3 * second, second).unwrap();
        assert!((missed.figure - 1.0).abs() < 1e-9);
    }
}
