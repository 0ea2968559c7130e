//! The server all generators load: started once, on its own CPU.

use std::{
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::{Context, bail};
use serde::Deserialize;

use crate::child;

const READY_TIMEOUT: Duration = Duration::from_secs(10);
const ARGUMENTS: [&str; 2] = ["--port", "0"];

/// A server that is ready. Dropping it kills it: it holds nothing worth saving.
#[derive(Debug)]
pub struct Server {
    child: Child,
    path: PathBuf,
    address: SocketAddr,
}

/// What is read of the line by which a server says that it is ready.
#[derive(Deserialize)]
struct Ready {
    address: SocketAddr,
}

impl Server {
    /// Starts it and waits until it is ready.
    pub fn start(path: &Path, cpu: usize) -> anyhow::Result<Self> {
        let mut child = child::spawn(path, ARGUMENTS, cpu, Stdio::inherit())
            .context("the server is missing; build it with: cargo build --release -p servers")?;
        let stdout = child.stdout.take().context("the server has no stdout")?;
        let mut server = Self {
            child,
            path: path.to_owned(),
            address: SocketAddr::from(([0, 0, 0, 0], 0)),
        };
        server.address = ready_address(stdout)
            .recv_timeout(READY_TIMEOUT)
            .ok()
            .with_context(|| {
                format!(
                    "{} ended or said nothing for {} s, where it should have printed one line of \
                     JSON with its address; run it by hand to see why",
                    path.display(),
                    READY_TIMEOUT.as_secs()
                )
            })?;
        Ok(server)
    }

    /// What to ask it for.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// The words it was started with.
    pub fn command(&self) -> Vec<String> {
        std::iter::once(self.path.display().to_string())
            .chain(ARGUMENTS.map(str::to_owned))
            .collect()
    }

    /// The name of its program.
    pub fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or(self.path.as_os_str());
        name.to_string_lossy().into_owned()
    }

    /// Fails where it has ended: nothing can be measured any more.
    pub fn check(&mut self) -> anyhow::Result<()> {
        if let Some(status) = self.child.try_wait().context("cannot watch the server")? {
            bail!(
                "{} ended ({status}) while it was loaded",
                self.path.display()
            );
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Tells the address once it is said, and drains what else is said.
fn ready_address(stdout: impl Read + Send + 'static) -> mpsc::Receiver<SocketAddr> {
    let (sender, address) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
            if let Ok(ready) = serde_json::from_slice::<Ready>(&line) {
                // Whoever waited may have given up; the pipe must be drained all the same.
                let _ = sender.send(ready.address);
            }
        }
    });
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_found_among_lines_for_people() {
        let said = "Worker 12 started\n\
            {\"schema_version\":2,\"pid\":12,\"address\":\"127.0.0.1:40000\",\"workers\":1}\n";
        let address = ready_address(said.as_bytes()).recv().unwrap();
        assert_eq!(address, SocketAddr::from(([127, 0, 0, 1], 40000)));
    }

    #[test]
    fn a_server_that_ends_early_is_seen_without_waiting() {
        assert!(ready_address("no JSON here\n".as_bytes()).recv().is_err());
    }

    #[test]
    fn a_missing_server_is_told_with_its_cure() {
        let cpu = crate::cpus::allowed().unwrap()[0];
        let error = Server::start(Path::new("/nowhere/floor"), cpu).unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains("/nowhere/floor"), "{text}");
        assert!(text.contains("cargo build"), "{text}");
    }
}
