//! The rows of one group, as sentences ask for them.

use schema::{Estimate, PrimitiveCost, PrimitiveNoise, PrimitiveRow, Worker};

use super::{catalogue::Group, figures::Judge};

/// By what a cost is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Clock {
    /// Wall-clock time.
    Wall,
    /// CPU time of everybody who took part.
    Cpu,
}

impl Clock {
    /// Both, in the order of tables.
    pub const BOTH: [Self; 2] = [Self::Wall, Self::Cpu];

    /// As a sentence has it.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Wall => "by the clock",
            Self::Cpu => "in CPU time",
        }
    }

    /// The figure by this clock.
    #[must_use]
    pub fn of(self, cost: &PrimitiveCost) -> Option<&Estimate> {
        match self {
            Self::Wall => cost.wall_ns.as_ref(),
            Self::Cpu => cost.cpu_ns.as_ref(),
        }
    }

    /// What differences by this clock are told by.
    #[must_use]
    pub const fn judge(self, noise: PrimitiveNoise) -> Judge {
        Judge {
            noise: match self {
                Self::Wall => noise.wall,
                Self::Cpu => noise.cpu,
            },
        }
    }

    /// The ratio by this clock.
    #[must_use]
    pub fn ratio(self, row: &PrimitiveRow) -> Option<&schema::PrimitiveRatio> {
        match self {
            Self::Wall => row.wall_ratio.as_ref(),
            Self::Cpu => row.cpu_ratio.as_ref(),
        }
    }
}

/// Who a cost is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Workers of a kind.
    Worker(Worker),
    /// Nobody in particular.
    Alone,
}

/// Threads, as a short name.
pub const THREAD: Who = Who::Worker(Worker::Thread);
/// Processes, as a short name.
pub const PROCESS: Who = Who::Worker(Worker::Process);

/// What was measured for one group.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// Which.
    pub group: &'a Group,
    /// In the order of the table.
    pub rows: &'a [PrimitiveRow],
    /// What a difference is told by.
    pub noise: PrimitiveNoise,
}

impl<'a> Rows<'a> {
    /// Who costs what, for `what` with `parameter`.
    #[must_use]
    pub fn cost(&self, who: Who, what: &str, parameter: &str) -> Option<&'a PrimitiveCost> {
        let row = self.row(what, parameter)?;
        match who {
            Who::Worker(Worker::Thread) => row.thread.as_ref(),
            Who::Worker(Worker::Process) => row.process.as_ref(),
            Who::Alone => row.alone.as_ref(),
        }
    }

    /// The same by one clock.
    #[must_use]
    pub fn figure(
        &self,
        clock: Clock,
        who: Who,
        what: &str,
        parameter: &str,
    ) -> Option<&'a Estimate> {
        clock.of(self.cost(who, what, parameter)?)
    }

    /// The row of `what` with `parameter`.
    #[must_use]
    pub fn row(&self, what: &str, parameter: &str) -> Option<&'a PrimitiveRow> {
        let mut rows = self.rows.iter();
        rows.find(|row| row.what == what && row.parameter == parameter)
    }

    /// Parameters of which anything was measured, in their order.
    #[must_use]
    pub fn parameters(&self) -> impl DoubleEndedIterator<Item = &'static str> {
        let rows = self.rows;
        let there = move |id: &&str| rows.iter().any(|row| row.parameter == *id);
        self.group
            .parameters
            .iter()
            .map(|(id, _)| *id)
            .filter(there)
    }

    /// The last of them: the largest.
    #[must_use]
    pub fn last_parameter(&self) -> Option<&'static str> {
        self.parameters().next_back()
    }

    /// Whether `one` costs more than `other`, both by `clock`.
    #[must_use]
    pub fn dearer(&self, clock: Clock, one: &Estimate, other: &Estimate) -> bool {
        clock.judge(self.noise).dearer(one, other)
    }

    /// Of several ways, the one that costs least, and after it those that are not told to cost more.
    #[must_use]
    pub fn cheapest(
        &self,
        clock: Clock,
        who: Who,
        whats: &[&'static str],
        parameter: &str,
    ) -> Option<(Vec<&'static str>, &'a Estimate)> {
        let mut figures: Vec<(&str, &Estimate)> = whats
            .iter()
            .filter_map(|&what| Some((what, self.figure(clock, who, what, parameter)?)))
            .collect();
        figures.sort_by(|(_, one), (_, other)| one.point.total_cmp(&other.point));
        let (_, least) = *figures.first()?;
        figures.retain(|(_, figure)| !self.dearer(clock, figure, least));
        Some((figures.into_iter().map(|(what, _)| what).collect(), least))
    }
}
