//! One trial's figures.

use std::collections::BTreeMap;

use schema::{Accept, Cell, Cores, LatencyQuantiles, Measured, Plan};

/// The trials of one cell that are judged, by block.
pub(crate) type Trials<'a> = BTreeMap<u32, Trial<'a>>;

/// A trial that answered at least one request, so that there is something to divide by. Launches of a
/// cell at the same time are one trial: counts are those of all of them, and what cannot be added up is
/// the first one's.
#[derive(Clone, Copy)]
pub(crate) struct Trial<'a> {
    pub(crate) measured: &'a Measured,
    latency: &'a LatencyQuantiles,
    generator_ns: u64,
    sums: Sums,
}

/// Over the launches at the same time.
#[derive(Clone, Copy, Default)]
struct Sums {
    requests: f64,
    elapsed_ns: f64,
    user_ns: f64,
    system_ns: f64,
    switches: f64,
    given_ns: f64,
    quota_ns: f64,
}

impl Sums {
    fn of(launches: &[&Measured]) -> Self {
        let mut sums = Self::default();
        for Measured {
            load,
            server,
            slots,
            ..
        } in launches
        {
            sums.requests += load.completed as f64;
            sums.elapsed_ns += load.elapsed_ns as f64;
            sums.user_ns += server.cpu.user_ns as f64;
            sums.system_ns += server.cpu.system_ns as f64;
            sums.switches += (server.voluntary_switches + server.involuntary_switches) as f64;
            sums.given_ns += if slots.is_empty() {
                server.cpu.total_ns() as f64
            } else {
                slots.iter().map(|slot| slot.given_ns).sum::<u64>() as f64
            };
            sums.quota_ns += slots.iter().map(|slot| slot.quota_ns).sum::<u64>() as f64;
        }
        sums
    }
}

impl<'a> Trial<'a> {
    /// A trial by itself.
    pub(crate) fn new(measured: &'a Measured) -> Option<Self> {
        Self::beside(&[measured], generator_ns(measured))
    }

    /// The launches of a cell in a set whose load took so much CPU time of the generator, all cells
    /// together.
    pub(crate) fn beside(launches: &[&'a Measured], generator_ns: u64) -> Option<Self> {
        let (&measured, sums) = (launches.first()?, Sums::of(launches));
        let latency = measured.load.response.as_ref()?;
        (sums.requests > 0.0 && sums.elapsed_ns > 0.0).then_some(Self {
            measured,
            latency,
            generator_ns,
            sums,
        })
    }

    fn requests(self) -> f64 {
        self.sums.requests
    }

    pub(crate) fn elapsed_ns(self) -> f64 {
        self.measured.load.elapsed_ns as f64
    }

    pub(crate) fn throughput_per_s(self) -> f64 {
        self.requests() / self.sums.elapsed_ns * 1e9
    }

    pub(crate) fn user_ns_per_request(self) -> f64 {
        self.sums.user_ns / self.requests()
    }

    pub(crate) fn system_ns_per_request(self) -> f64 {
        self.sums.system_ns / self.requests()
    }

    pub(crate) fn cpu_ns_per_request(self) -> f64 {
        (self.sums.user_ns + self.sums.system_ns) / self.requests()
    }

    pub(crate) fn switches_per_request(self) -> f64 {
        self.sums.switches / self.requests()
    }

    /// Connections made in the window for each request answered in it.
    pub(crate) fn connections_per_request(self) -> f64 {
        let load = &self.measured.load;
        load.connections_opened as f64 / load.completed.max(1) as f64
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
        let load = &self.measured.load;
        let service = load.service.as_ref();
        let per_s = load.completed as f64 / self.elapsed_ns() * 1e9;
        per_s * service.map_or(0.0, |service| service.mean_ns) / 1e9
    }

    /// CPU time of the generator over what its CPUs had to give. Cells that are measured at the same
    /// time share these CPUs, so that the load of all of them counts.
    pub(crate) fn generator_share(self, plan: &Plan) -> f64 {
        let cpus = plan.cores.generator_cpus.len().max(1);
        self.generator_ns as f64 / (self.elapsed_ns() * cpus as f64)
    }

    /// CPU time that the server had: as its slots account for it, and without slots as its processes
    /// do.
    pub(crate) fn given_ns(self) -> f64 {
        self.sums.given_ns
    }

    /// CPU time that the server could have had. With slots it is their quota; without, the time of as
    /// many CPUs as its workers can use. The acceptor of a handoff can keep a CPU busy beside its
    /// workers.
    fn had_to_use_ns(self, cell: &Cell) -> f64 {
        if self.measured.slots.is_empty() {
            let acceptors = usize::from(cell.model.accept == Accept::Handoff);
            let runnable = cell.workers as usize + acceptors;
            let cpus = cell.cpus.len().min(runnable).max(1);
            self.sums.elapsed_ns * cpus as f64
        } else {
            self.sums.quota_ns
        }
    }

    /// CPU time of the server over what it could have had.
    pub(crate) fn server_share(self, cell: &Cell) -> f64 {
        self.given_ns() / self.had_to_use_ns(cell).max(1.0)
    }

    /// The same where cores are emulated.
    pub(crate) fn given_over_quota(self, cell: &Cell) -> Option<f64> {
        (cell.cores == Cores::Emulated && !self.measured.slots.is_empty())
            .then(|| self.server_share(cell))
    }

    /// Requests per second of CPU time that the server had.
    pub(crate) fn requests_per_cpu_s(self) -> f64 {
        self.requests() / self.given_ns().max(1.0) * 1e9
    }

    /// Share of the time of the server's CPUs that a hypervisor took.
    pub(crate) fn stolen_share(self, cell: &Cell) -> Option<f64> {
        self.share_of_cpus(self.measured.noise.stolen_ns, cell)
    }

    /// Share of the time of the server's CPUs that other programs used.
    pub(crate) fn foreign_share(self, cell: &Cell) -> Option<f64> {
        self.share_of_cpus(self.measured.noise.foreign_ns, cell)
    }

    fn share_of_cpus(self, part_ns: Option<u64>, cell: &Cell) -> Option<f64> {
        let cpus = cell.cpus.len().max(1) as f64;
        // What tasks used is laid to the CPU they were on last, so it can come to more than there was.
        part_ns.map(|part| (part as f64 / (self.elapsed_ns() * cpus)).min(1.0))
    }
}

/// CPU time that the generator worked for a trial; time it waited awake it could have worked.
pub(crate) fn generator_ns(measured: &Measured) -> u64 {
    let load = &measured.load;
    load.generator_cpu.total_ns().saturating_sub(load.awake_ns)
}
