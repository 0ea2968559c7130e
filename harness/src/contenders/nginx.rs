//! nginx, the server that made evented worker processes popular: with one listener that all workers wait
//! on, and with one for each.
//!
//! Its configuration is written anew for each launch and says no more than it must to be like the others:
//! where to listen, how many workers, and the greeting with the worker's process id. Everything it writes
//! lies in the run folder, by paths below its prefix, so that it runs beside an nginx of the system, and
//! as any user. It says nothing once it is ready: it is when it answers and has forked all workers.

use std::{fs, path::Path};

use anyhow::Context;
use procfs::process::Process;
use schema::{Accept, Model, Origin, Program, Style, Worker};

use super::{
    Absent, Contender, ReadyBy, Recipe, Seat, Workers, free_address,
    installed::{Installed, Sought},
};

const CONFIGURATION: &str = include_str!("../../guests/nginx/nginx.conf");

const NGINX: Sought = Sought {
    program: "nginx",
    question: &["-v"],
    package: "nginx",
    version,
};

/// In `nginx version: nginx/1.22.1 (Ubuntu)`.
fn version(said: &str) -> Option<&str> {
    let (_, version) = said.split_once("nginx version: ")?.1.split_once('/')?;
    version.split_whitespace().next()
}

/// nginx with one listener or one for each worker.
pub struct NginxGuest {
    reuseport: bool,
    nginx: Result<Installed, Absent>,
}

/// Both guests; nginx is asked once.
pub fn guests() -> [NginxGuest; 2] {
    let nginx = NGINX.look();
    [false, true].map(|reuseport| NginxGuest {
        reuseport,
        nginx: nginx.clone(),
    })
}

fn configuration(port: u16, workers: u32, reuseport: bool, root: bool) -> String {
    let mut text = CONFIGURATION
        .replace("{workers}", &workers.to_string())
        .replace("{port}", &port.to_string())
        .replace("{reuseport}", if reuseport { " reuseport" } else { "" });
    if root {
        // Else its workers become somebody else, whose memory root may not look at where a container
        // has taken that right away.
        text.push_str("user root;\n");
    }
    text
}

impl Contender for NginxGuest {
    fn name(&self) -> &str {
        if self.reuseport {
            "nginx-reuseport"
        } else {
            "nginx-shared"
        }
    }

    fn about(&self) -> &'static str {
        if self.reuseport {
            "nginx: worker processes with a listener each"
        } else {
            "nginx: worker processes on one listener, of which EPOLLEXCLUSIVE wakes one"
        }
    }

    fn origin(&self) -> Origin {
        Origin::Guest
    }

    fn model(&self) -> Model {
        Model {
            worker: Worker::Process,
            style: Style::Evented,
            accept: if self.reuseport {
                Accept::Reuseport
            } else {
                Accept::Shared
            },
        }
    }

    fn workers(&self) -> Workers {
        Workers::Any
    }

    fn program(&self) -> Option<Program> {
        Some(NGINX.told(&self.nginx))
    }

    fn find(&self) -> Result<(), Absent> {
        self.nginx.as_ref().map(|_| ()).map_err(Clone::clone)
    }

    fn recipe(&self, workers: u32, scratch: &Path, _seats: &[Seat]) -> anyhow::Result<Recipe> {
        let nginx = self
            .nginx
            .as_ref()
            .map_err(|absent| anyhow::anyhow!("{absent}"))?;
        let address = free_address()?;
        let root = Process::myself()
            .and_then(|own| own.uid())
            .is_ok_and(|uid| uid == 0);
        let text = configuration(address.port(), workers, self.reuseport, root);
        let folder = scratch.join(self.name());
        let file = folder.join("nginx.conf");
        // nginx makes folders, but not those above them.
        fs::create_dir_all(folder.join("temporary"))
            .and_then(|()| fs::write(&file, text))
            .with_context(|| format!("cannot write to {}", folder.display()))?;
        Ok(Recipe {
            command: vec![
                nginx.path.clone().into_os_string(),
                "-p".into(),
                fs::canonicalize(&folder)?.into_os_string(),
                "-c".into(),
                fs::canonicalize(&file)?.into_os_string(),
            ],
            environment: Vec::new(),
            ready_by: ReadyBy::Forked { address, workers },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_found_in_what_nginx_says() {
        let said = "nginx version: nginx/1.18.0 (Ubuntu)\n";
        assert_eq!(version(said), Some("1.18.0"));
        assert_eq!(version("nginx version: nginx/1.22.1\n"), Some("1.22.1"));
        assert_eq!(version("cannot execute: no such file/folder\n"), None);
    }

    #[test]
    fn only_a_listener_for_each_worker_says_so_and_only_root_names_a_user() {
        let text = |reuseport, root| configuration(81, 3, reuseport, root);
        let (shared, each) = (text(false, false), text(true, true));
        assert!(
            shared.contains("listen 127.0.0.1:81 backlog=4096;")
                && shared.contains("worker_processes 3;")
                && !shared.contains("user "),
            "{shared}"
        );
        assert!(
            each.contains("listen 127.0.0.1:81 backlog=4096 reuseport;")
                && each.ends_with("user root;\n"),
            "{each}"
        );
    }
}
