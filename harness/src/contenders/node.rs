//! The script of the popular explanation, under real Node: word for word, with either of the policies by
//! which connections reach a cluster's workers, and, made of the same lines, without cluster.
//!
//! The script's port, 3000, is written into it, on all interfaces, and its workers are as many as
//! `os.cpus()` has entries. A module that node loads before it (`machine.cjs`) gives it another port, on
//! the loopback address, and as many CPUs as there are to be workers, so that several may run at once.

use std::{ffi::OsString, fs, path::Path, time::Duration};

use anyhow::Context;
use schema::{Accept, Model, Origin, Program, Style, Worker};

use super::{
    Absent, Contender, ReadyBy, Recipe, Seat, Workers, free_address,
    installed::{Installed, Sought},
};

const SCRIPT: &str = include_str!("../../guests/node/app.mjs");
/// By then node has compiled what a request runs through, in each of a few workers on one CPU.
const WARM_UP: Duration = Duration::from_millis(2_500);
const MACHINE: &str = include_str!("../../guests/node/machine.cjs");

const NODE: Sought = Sought {
    program: "node",
    question: &["-e", "console.log(process.version)"],
    package: "nodejs",
    version: |said| Some(said.trim()).filter(|version| version.starts_with('v')),
};

/// How connections reach the one that serves them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cluster {
    /// There is no cluster.
    None,
    /// The primary accepts them and gives them to the workers in turn: Node's default.
    RoundRobin,
    /// The primary listens, and all workers wait on its listener.
    Shared,
}

/// The script, with or without cluster.
pub struct NodeGuest {
    cluster: Cluster,
    node: Result<Installed, Absent>,
}

/// All three guests; node is asked once.
pub fn guests() -> [NodeGuest; 3] {
    let node = NODE.look();
    [Cluster::None, Cluster::RoundRobin, Cluster::Shared].map(|cluster| NodeGuest {
        cluster,
        node: node.clone(),
    })
}

impl NodeGuest {
    /// Told even where it is Node's default, which the surroundings may have changed.
    fn policy(&self) -> Option<&'static str> {
        match self.cluster {
            Cluster::None => None,
            Cluster::RoundRobin => Some("rr"),
            Cluster::Shared => Some("none"),
        }
    }

    fn script(&self) -> String {
        match self.cluster {
            Cluster::None => without_cluster(SCRIPT),
            Cluster::RoundRobin | Cluster::Shared => SCRIPT.to_owned(),
        }
    }
}

/// The worker's branch of the script and the import it needs, line for line.
fn without_cluster(script: &str) -> String {
    let imports = script
        .lines()
        .filter(|line| line.starts_with("import http"));
    let branch = script
        .lines()
        .skip_while(|line| *line != "} else {")
        .skip(1)
        .take_while(|line| *line != "}")
        .map(|line| line.strip_prefix("  ").unwrap_or(line));
    let lines: Vec<&str> = imports.chain([""]).chain(branch).collect();
    lines.join("\n") + "\n"
}

impl Contender for NodeGuest {
    fn name(&self) -> &str {
        match self.cluster {
            Cluster::None => "node-single",
            Cluster::RoundRobin => "node-cluster",
            Cluster::Shared => "node-cluster-none",
        }
    }

    fn about(&self) -> &'static str {
        match self.cluster {
            Cluster::None => "the same lines under Node without cluster: one process",
            Cluster::RoundRobin => {
                "the source's script under Node: worker processes, fed by the primary in turn"
            }
            Cluster::Shared => {
                "the same script with SCHED_NONE: worker processes on the primary's listener"
            }
        }
    }

    fn origin(&self) -> Origin {
        Origin::Guest
    }

    fn model(&self) -> Model {
        Model {
            worker: Worker::Process,
            style: Style::Evented,
            accept: match self.cluster {
                Cluster::RoundRobin => Accept::Handoff,
                Cluster::None | Cluster::Shared => Accept::Shared,
            },
        }
    }

    fn workers(&self) -> Workers {
        match self.cluster {
            Cluster::None => Workers::Fixed(1),
            Cluster::RoundRobin | Cluster::Shared => Workers::Any,
        }
    }

    fn warm_up(&self) -> Option<Duration> {
        Some(WARM_UP)
    }

    fn program(&self) -> Option<Program> {
        Some(NODE.told(&self.node))
    }

    fn find(&self) -> Result<(), Absent> {
        self.node.as_ref().map(|_| ()).map_err(Clone::clone)
    }

    fn recipe(&self, workers: u32, scratch: &Path, _seats: &[Seat]) -> anyhow::Result<Recipe> {
        let node = self
            .node
            .as_ref()
            .map_err(|absent| anyhow::anyhow!("{absent}"))?;
        let folder = scratch.join(self.name());
        let (script, machine) = (folder.join("app.mjs"), folder.join("machine.cjs"));
        fs::create_dir_all(&folder)
            .and_then(|()| fs::write(&script, self.script()))
            .and_then(|()| fs::write(&machine, MACHINE))
            .with_context(|| format!("cannot write to {}", folder.display()))?;
        // Run from its folder, as its readers would: `node app.mjs`.
        let (script, machine) = (fs::canonicalize(&script)?, fs::canonicalize(&machine)?);
        let address = free_address()?;
        let variable = |name: &str, value: String| (OsString::from(name), value.into());
        let mut environment = vec![
            variable("TEN_COUNTERS_WORKERS", workers.to_string()),
            variable("TEN_COUNTERS_PORT", address.port().to_string()),
        ];
        environment.extend(
            self.policy()
                .map(|policy| variable("NODE_CLUSTER_SCHED_POLICY", policy.to_owned())),
        );
        Ok(Recipe {
            command: vec![
                node.path.clone().into_os_string(),
                "--require".into(),
                machine.clone().into_os_string(),
                script.into_os_string(),
            ],
            environment,
            ready_by: ReadyBy::Answers {
                address,
                prefix: "Worker ",
                lines: workers,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_without_cluster_is_made_of_its_own_lines() {
        let single = without_cluster(SCRIPT);
        for line in single.lines() {
            assert!(
                SCRIPT.lines().any(|theirs| theirs.trim() == line.trim()),
                "{line}"
            );
        }
        assert!(
            !single.contains("cluster") && single.contains(".listen(3000);"),
            "{single}"
        );
        assert!(
            single.starts_with("import http from \"http\";\n\n// Workers share"),
            "{single}"
        );
    }
}
