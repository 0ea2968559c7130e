//! The script of the popular explanation, under real Node: word for word, and, made of the same
//! lines, without cluster.
//!
//! The script's port, 3000, is written into it, on all interfaces, and its workers are as many as
//! `os.cpus()` has entries. A module that node loads before it (`machine.cjs`) gives it another port, on
//! the loopback address, and as many CPUs as there are to be workers, so that several may run at once.

use std::{fs, path::Path, time::Duration};

use anyhow::Context;
use schema::{Accept, Model, Origin, Program, Style, Worker};

use super::{Absent, Contender, ReadyBy, Recipe, Seat, Workers, free_address};
use crate::{guard, guarded};

const SCRIPT: &str = include_str!("../../guests/node/app.mjs");
const MACHINE: &str = include_str!("../../guests/node/machine.cjs");
/// Looked up on PATH, where packages and installers put it.
const PROGRAM: &str = "node";
/// How long node may take to say its version.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// What node says of itself.
#[derive(Clone, Debug)]
struct Node {
    version: String,
}

/// The script, with or without cluster.
pub struct NodeGuest {
    clustered: bool,
    node: Result<Node, Absent>,
}

/// Both guests; node is asked once.
pub fn guests() -> [NodeGuest; 2] {
    let node = ask_node();
    [false, true].map(|clustered| NodeGuest {
        clustered,
        node: node.clone(),
    })
}

fn ask_node() -> Result<Node, Absent> {
    let question = "console.log(process.version)";
    let absent = |reason: String| Absent {
        reason,
        cure: "install it with: apt-get install nodejs".to_owned(),
    };
    let command = guarded::command(&[], &[PROGRAM, "-e", question].map(Into::into));
    let output = match guarded::output_within(command, ANSWER_TIMEOUT) {
        Ok(Some(output)) => output,
        Ok(None) => {
            return Err(Absent {
                reason: format!(
                    "node did not say its version within {}",
                    humantime::format_duration(ANSWER_TIMEOUT)
                ),
                cure: "see what holds up: node --version".to_owned(),
            });
        }
        Err(error) => return Err(absent(format!("node cannot be asked ({error:#})"))),
    };
    if output.status.code() == Some(i32::from(guard::NOT_FOUND)) {
        return Err(absent("node not found".to_owned()));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let version = text.trim().to_owned();
    let parsed = version.starts_with('v').then_some(Node { version });
    parsed.ok_or_else(|| absent(format!("node does not run ({})", output.status)))
}

impl NodeGuest {
    fn script(&self) -> String {
        if self.clustered {
            SCRIPT.to_owned()
        } else {
            without_cluster(SCRIPT)
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
        if self.clustered {
            "node-cluster"
        } else {
            "node-single"
        }
    }

    fn about(&self) -> &'static str {
        if self.clustered {
            "the source's script under Node: worker processes, fed by the primary"
        } else {
            "the same lines under Node without cluster: one process"
        }
    }

    fn origin(&self) -> Origin {
        Origin::Guest
    }

    fn model(&self) -> Model {
        let accept = if self.clustered {
            Accept::Handoff
        } else {
            Accept::Shared
        };
        Model {
            worker: Worker::Process,
            style: Style::Evented,
            accept,
        }
    }

    fn workers(&self) -> Workers {
        if self.clustered {
            Workers::Any
        } else {
            Workers::Fixed(1)
        }
    }

    fn does_workloads(&self) -> bool {
        false
    }

    fn program(&self) -> Option<Program> {
        let version = self.node.as_ref().ok().map(|node| node.version.clone());
        Some(Program {
            name: PROGRAM.to_owned(),
            version,
        })
    }

    fn find(&self) -> Result<(), Absent> {
        self.node.as_ref().map(|_| ()).map_err(Clone::clone)
    }

    fn joins_slots(&self) -> bool {
        false
    }

    fn recipe(&self, workers: u32, scratch: &Path, _seats: &[Seat]) -> anyhow::Result<Recipe> {
        let folder = scratch.join(self.name());
        let (script, machine) = (folder.join("app.mjs"), folder.join("machine.cjs"));
        fs::create_dir_all(&folder)
            .and_then(|()| fs::write(&script, self.script()))
            .and_then(|()| fs::write(&machine, MACHINE))
            .with_context(|| format!("cannot write to {}", folder.display()))?;
        // Run from its folder, as its readers would: `node app.mjs`.
        let (script, machine) = (fs::canonicalize(&script)?, fs::canonicalize(&machine)?);
        let address = free_address()?;
        let variable = |name: &str, value: String| (name.into(), value.into());
        Ok(Recipe {
            command: vec![
                PROGRAM.into(),
                "--require".into(),
                machine.clone().into_os_string(),
                script.into_os_string(),
            ],
            environment: vec![
                variable("TEN_COUNTERS_WORKERS", workers.to_string()),
                variable("TEN_COUNTERS_PORT", address.port().to_string()),
            ],
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
