//! Which cell of the grid a server is.

use clap::{Args, ValueEnum};
use schema::{Accept, Model, Style, Worker};

use super::StyleOptions;

/// The two axes that a binary leaves open; which worker it has is in its name.
#[derive(Args, Clone, Copy, Debug)]
pub struct ModelOptions {
    /// How its workers serve.
    #[command(flatten)]
    pub style: StyleOptions,

    /// How a connection finds its worker: shared, reuseport, handoff, file-lock, mutex, per-connection or
    /// stealing; by default shared, and stealing for evented threads
    #[arg(long, value_name = "POLICY")]
    accept: Option<Accept>,

    /// Whom a connection to a shared listener wakes, where workers are evented: all of them, as tokio
    /// and Node do, or exclusive: one of those that wait, as nginx does (EPOLLEXCLUSIVE)
    #[arg(long, value_name = "WHOM", default_value = "all")]
    wake: Wake,
}

/// Whom a connection to a shared listener wakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Wake {
    /// Every event loop that waits for it.
    All,
    /// One of them, or few.
    Exclusive,
}

impl ModelOptions {
    /// The cell, with workers of this kind.
    #[must_use]
    pub fn model(&self, worker: Worker) -> Model {
        let accept = self.accept.unwrap_or(match (worker, self.style.style) {
            (Worker::Thread, Style::Evented) => Accept::Stealing,
            _ => Accept::Shared,
        });
        Model {
            worker,
            style: self.style.style,
            accept,
        }
    }

    /// Whom a connection wakes.
    #[must_use]
    pub const fn wake(&self) -> Wake {
        self.wake
    }

    /// Whether the cell can be.
    pub(super) fn check(&self, worker: Worker) -> Result<(), String> {
        let model = self.model(worker);
        model.known().map_err(|why| {
            let possible: Vec<&str> = Model::legal()
                .filter(|other| (other.worker, other.style) == (worker, model.style))
                .map(|other| other.accept.name())
                .collect();
            format!(
                "{model} cannot be, for {why}; with --style {} choose --accept from: {}",
                model.style,
                possible.join(", ")
            )
        })?;
        if self.wake == Wake::Exclusive && (model.style, model.accept) != SHARED_LOOPS {
            return Err(format!(
                "--wake exclusive is for event loops that share a listener, not for {model}; use it \
                 with --style evented --accept shared"
            ));
        }
        Ok(())
    }
}

const SHARED_LOOPS: (Style, Accept) = (Style::Evented, Accept::Shared);
