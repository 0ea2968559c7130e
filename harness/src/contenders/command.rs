//! Whatever a command line starts.
//!
//! Where a word holds `{port}`, the server gets a free port of 127.0.0.1 there, another one for each
//! launch, and is ready once it answers `GET /`, whatever the answer. Without, it must choose its port
//! itself and say this project's ready line.
//!
//! Only that line tells what a server is. Of others, the plan holds a place of the grid that says
//! nothing of them ([`Known::default_on`]): no verdict depends on it.

use std::path::Path;

use schema::{Accept, Model, Origin, Program, Ready, Style, Worker};

use super::{Absent, Contender, ReadyBy, Recipe, Seat, Workers, free_address, installed};

/// Stands for the server's port.
const PORT: &str = "{port}";

/// A server that is started by a command line.
#[derive(Clone, Debug)]
pub struct CommandServer {
    name: &'static str,
    words: Vec<String>,
    known: Known,
}

/// What is known of a server.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    model: Model,
    workers: u32,
}

impl Known {
    /// Of a server that says nothing: one that may use every CPU it is given.
    pub fn default_on(cpus: &[u32]) -> Self {
        Self {
            model: Model {
                worker: Worker::Process,
                style: Style::Evented,
                accept: Accept::Shared,
            },
            workers: u32::try_from(cpus.len()).unwrap_or(u32::MAX).max(1),
        }
    }
}

impl From<&Ready> for Known {
    fn from(ready: &Ready) -> Self {
        Self {
            model: ready.model,
            workers: ready.workers,
        }
    }
}

impl CommandServer {
    /// The words of a command line, of which there is at least one.
    pub fn new(name: &'static str, words: Vec<String>, known: Known) -> Self {
        Self { name, words, known }
    }

    /// What messages call it.
    pub fn label(&self) -> &'static str {
        self.name
    }

    /// The same server, better known.
    pub fn known(self, known: Known) -> Self {
        Self { known, ..self }
    }

    /// Whether its port is chosen for it.
    pub fn takes_port(&self) -> bool {
        self.words.iter().any(|word| word.contains(PORT))
    }

    /// How many workers it said it has.
    pub fn worker_count(&self) -> u32 {
        self.known.workers
    }
}

impl Contender for CommandServer {
    fn name(&self) -> &str {
        self.name
    }

    fn about(&self) -> &'static str {
        "whatever its command line starts"
    }

    fn origin(&self) -> Origin {
        Origin::Guest
    }

    fn model(&self) -> Model {
        self.known.model
    }

    fn workers(&self) -> Workers {
        Workers::Fixed(self.known.workers)
    }

    fn program(&self) -> Option<Program> {
        None
    }

    fn find(&self) -> Result<(), Absent> {
        let program = &self.words[0];
        if installed::on_path(program).is_some() {
            return Ok(());
        }
        Err(Absent {
            reason: format!("'{program}' is neither a run folder nor a program"),
            cure: "name a folder that counters run wrote, or a command line that starts a server"
                .to_owned(),
        })
    }

    fn recipe(&self, _workers: u32, _scratch: &Path, _seats: &[Seat]) -> anyhow::Result<Recipe> {
        if !self.takes_port() {
            return Ok(Recipe {
                command: self.words.iter().map(Into::into).collect(),
                environment: Vec::new(),
                ready_by: ReadyBy::AnyReadyLine,
            });
        }
        let address = free_address()?;
        let port = address.port().to_string();
        let words = self.words.iter().map(|word| word.replace(PORT, &port));
        Ok(Recipe {
            command: words.map(Into::into).collect(),
            environment: Vec::new(),
            ready_by: ReadyBy::Answers {
                address,
                prefix: "",
                lines: 0,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(line: &str) -> CommandServer {
        let words = line.split_whitespace().map(str::to_owned).collect();
        CommandServer::new("A", words, Known::default_on(&[0]))
    }

    fn recipe(server: &CommandServer) -> Recipe {
        server.recipe(1, Path::new("/"), &[]).unwrap()
    }

    #[test]
    fn every_launch_gets_a_free_port_in_each_place_that_asks_for_it() {
        let recipe = recipe(&server("serve --bind 127.0.0.1:{port} -p {port}"));
        let ReadyBy::Answers { address, lines, .. } = recipe.ready_by else {
            panic!("{recipe:?}");
        };
        assert_eq!(lines, 0);
        let port = address.port();
        let expected = format!("serve --bind 127.0.0.1:{port} -p {port}");
        let words: Vec<_> = recipe.command.iter().map(|w| w.to_str().unwrap()).collect();
        assert_eq!(words.join(" "), expected);
    }

    #[test]
    fn a_server_that_takes_no_port_must_say_its_own() {
        let recipe = recipe(&server("single --port 0"));
        assert_eq!(recipe.ready_by, ReadyBy::AnyReadyLine);
    }

    #[test]
    fn programs_are_found_on_path_and_by_path_and_nothing_else_is_one() {
        for there in ["sh", "/bin/sh", "/proc/self/exe"] {
            assert_eq!(server(there).find(), Ok(()), "{there}");
        }
        for not in [
            "no-such-program",
            "/etc/passwd",
            "/tmp",
            "./no-such-program",
        ] {
            let absent = server(not).find().unwrap_err().to_string();
            assert!(
                absent.contains(not) && absent.contains("run folder"),
                "{absent}"
            );
        }
    }
}
