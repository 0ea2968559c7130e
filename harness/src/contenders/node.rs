//! The script of the popular explanation, under real Node: word for word, and, made of the same
//! lines, without cluster.
//!
//! The script's port, 3000, is written into it, on all interfaces. Its workers are as many as
//! `os.cpus()` has entries, whatever CPUs the process may use.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::Path,
    time::Duration,
};

use anyhow::{Context, ensure};
use procfs::Current;
use schema::{Accept, Model, Origin, Program, Style, Worker};

use super::{Absent, Contender, ReadyBy, Recipe, Workers};
use crate::{guard, guarded};

const SCRIPT: &str = include_str!("../../guests/node/app.mjs");
const PORT: u16 = 3000;
/// Looked up on PATH, where packages and installers put it.
const PROGRAM: &str = "node";
/// How long node may take to say its version.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// What node says of itself.
#[derive(Clone, Debug)]
struct Node {
    version: String,
    cpus: u32,
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
    let question = "console.log(process.version + ' ' + require('os').cpus().length)";
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
    let parsed = text.trim().split_once(' ').and_then(|(version, cpus)| {
        Some(Node {
            version: version.to_owned(),
            cpus: cpus.parse().ok()?,
        })
    });
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
    fn name(&self) -> &'static str {
        if self.clustered {
            "node-cluster"
        } else {
            "node-single"
        }
    }

    fn about(&self) -> &'static str {
        if self.clustered {
            "the source's script under Node: a worker process for each CPU, fed by the primary"
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
        if !self.clustered {
            return Workers::Fixed(1);
        }
        let online = || {
            let info = procfs::CpuInfo::current().ok()?;
            u32::try_from(info.num_cores()).ok()
        };
        let cpus = self.node.as_ref().map(|node| node.cpus).ok();
        Workers::Fixed(cpus.or_else(online).unwrap_or(1))
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

    fn recipe(&self, workers: u32, scratch: &Path) -> anyhow::Result<Recipe> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
        ensure!(
            TcpStream::connect_timeout(&address, Duration::from_millis(500)).is_err(),
            "port {PORT}, which is written into the script, is taken by another program; \
             end that program (find it with: ss -ltnp 'sport = :{PORT}')"
        );
        let folder = scratch.join(self.name());
        let script = folder.join("app.mjs");
        fs::create_dir_all(&folder)
            .and_then(|()| fs::write(&script, self.script()))
            .with_context(|| format!("cannot write {}", script.display()))?;
        // Run from its folder, as its readers would: `node app.mjs`.
        let script = fs::canonicalize(&script)?;
        Ok(Recipe {
            command: vec![PROGRAM.into(), script.into_os_string()],
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
