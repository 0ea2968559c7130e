//! One trial's figures, and the trials of a cell.

use std::collections::{BTreeMap, BTreeSet};

use schema::{Accept, Cell, Failure, LatencyQuantiles, Measured, Outcome, Plan};

use crate::Run;

/// The trials of one cell that can be judged, by block.
pub(crate) type Trials<'a> = BTreeMap<u32, Trial<'a>>;

/// A trial that answered at least one request, so that there is something to divide by.
#[derive(Clone, Copy)]
pub(crate) struct Trial<'a> {
    measured: &'a Measured,
    latency: &'a LatencyQuantiles,
}

impl<'a> Trial<'a> {
    pub(crate) fn new(measured: &'a Measured) -> Option<Self> {
        let latency = measured.load.response.as_ref()?;
        let counts = measured.load.completed > 0 && measured.load.elapsed_ns > 0;
        counts.then_some(Self { measured, latency })
    }

    fn requests(self) -> f64 {
        self.measured.load.completed as f64
    }

    fn elapsed_ns(self) -> f64 {
        self.measured.load.elapsed_ns as f64
    }

    pub(crate) fn throughput_per_s(self) -> f64 {
        self.requests() / self.elapsed_ns() * 1e9
    }

    pub(crate) fn user_ns_per_request(self) -> f64 {
        self.measured.server.cpu.user_ns as f64 / self.requests()
    }

    pub(crate) fn system_ns_per_request(self) -> f64 {
        self.measured.server.cpu.system_ns as f64 / self.requests()
    }

    pub(crate) fn cpu_ns_per_request(self) -> f64 {
        self.measured.server.cpu.total_ns() as f64 / self.requests()
    }

    pub(crate) fn switches_per_request(self) -> f64 {
        let server = &self.measured.server;
        (server.voluntary_switches + server.involuntary_switches) as f64 / self.requests()
    }

    pub(crate) fn latency(self) -> &'a LatencyQuantiles {
        self.latency
    }

    pub(crate) fn pss_bytes(self) -> Option<u64> {
        self.measured.server.pss_bytes
    }

    /// Shares of the answers by worker, greatest first.
    pub(crate) fn shares(self) -> Vec<f64> {
        let answers = &self.measured.load.requests_by_worker;
        let all: u64 = answers.values().sum();
        let mut shares: Vec<f64> = answers
            .values()
            .map(|&count| count as f64 / all.max(1) as f64)
            .collect();
        shares.sort_by(|a, b| b.total_cmp(a));
        shares
    }

    /// Connections that were busy on average, as the generator counted them from one request to the
    /// next.
    pub(crate) fn busy_connections(self) -> f64 {
        self.measured.load.mean_busy_connections
    }

    /// Those of them whose requests completed.
    pub(crate) fn busy_completed(self) -> f64 {
        self.measured.load.mean_busy_completed
    }

    /// The same by Little's law: throughput × mean service time.
    pub(crate) fn busy_by_littles_law(self) -> f64 {
        let service = self.measured.load.service.as_ref();
        self.throughput_per_s() * service.map_or(0.0, |service| service.mean_ns) / 1e9
    }

    /// CPU time of the generator over what its CPUs had to give.
    pub(crate) fn generator_share(self, plan: &Plan) -> f64 {
        let cpus = plan.cores.generator_cpus.len().max(1);
        self.measured.load.generator_cpu.total_ns() as f64 / (self.elapsed_ns() * cpus as f64)
    }

    /// CPU time of the server over what its workers could have used. The acceptor of a handoff
    /// can keep a CPU busy beside its workers.
    pub(crate) fn server_share(self, plan: &Plan, cell: &Cell) -> f64 {
        let acceptors = usize::from(cell.model.accept == Accept::Handoff);
        let runnable = cell.workers as usize + acceptors;
        let cpus = plan.cores.server_cpus.len().min(runnable).max(1);
        self.measured.server.cpu.total_ns() as f64 / (self.elapsed_ns() * cpus as f64)
    }
}

/// A cell that was never tried, and why.
#[derive(Clone, Copy)]
pub(crate) struct Missing<'a> {
    pub(crate) cell: &'a Cell,
    pub(crate) reason: &'a str,
    pub(crate) cure: &'a str,
}

/// A trial that failed.
#[derive(Clone, Copy)]
pub(crate) struct Failed<'a> {
    pub(crate) cell: &'a Cell,
    pub(crate) block: u32,
    pub(crate) failure: &'a Failure,
}

impl Run {
    /// The cell of that id. Reading a folder refuses ids that have none.
    pub(crate) fn cell(&self, id: &str) -> Option<&Cell> {
        self.plan.cells.iter().find(|cell| cell.id == id)
    }

    /// Every trial that was measured, whatever it is worth, in the order of measurement.
    pub(crate) fn measured(&self) -> impl Iterator<Item = (&Cell, u32, &Measured)> {
        self.observations
            .iter()
            .filter_map(|observation| match &observation.outcome {
                Outcome::Measured(measured) => Some((
                    self.cell(&observation.cell)?,
                    observation.block,
                    &**measured,
                )),
                Outcome::Failed(_) | Outcome::NotMeasured { .. } => None,
            })
    }

    pub(crate) fn trials(&self, cell: &str) -> Trials<'_> {
        self.measured()
            .filter(|(of, ..)| of.id == cell)
            .filter_map(|(_, block, measured)| Some((block, Trial::new(measured)?)))
            .collect()
    }

    pub(crate) fn failures(&self) -> Vec<Failed<'_>> {
        self.observations
            .iter()
            .filter_map(|observation| match &observation.outcome {
                Outcome::Failed(failure) => Some(Failed {
                    cell: self.cell(&observation.cell)?,
                    block: observation.block,
                    failure,
                }),
                Outcome::Measured(_) | Outcome::NotMeasured { .. } => None,
            })
            .collect()
    }

    /// Cells that were never tried, each once, in the order of the plan.
    pub(crate) fn missing(&self) -> Vec<Missing<'_>> {
        self.plan
            .cells
            .iter()
            .filter_map(|cell| {
                self.observations
                    .iter()
                    .filter(|observation| observation.cell == cell.id)
                    .find_map(|observation| match &observation.outcome {
                        Outcome::NotMeasured { reason, cure } => {
                            Some(Missing { cell, reason, cure })
                        }
                        Outcome::Measured(_) | Outcome::Failed(_) => None,
                    })
            })
            .collect()
    }

    /// Trials that were made and trials that were planned. Those that could not be made, as a
    /// program is missing, are in neither.
    pub(crate) fn progress(&self) -> (usize, usize) {
        let missing: BTreeSet<&str> = self.missing().iter().map(|m| m.cell.id.as_str()).collect();
        let planned = self
            .plan
            .blocks
            .iter()
            .flatten()
            .filter_map(|&index| self.plan.cells.get(index))
            .filter(|cell| !missing.contains(cell.id.as_str()))
            .count();
        let made: BTreeSet<(&str, u32)> = self
            .observations
            .iter()
            .filter(|observation| !matches!(observation.outcome, Outcome::NotMeasured { .. }))
            .map(|observation| (observation.cell.as_str(), observation.block))
            .collect();
        (made.len(), planned)
    }
}
