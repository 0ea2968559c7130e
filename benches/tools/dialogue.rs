//! Questions to a worker process that measures by itself, and its answers.
//!
//! What only a process with one thread may do, as to fork, a worker does and measures. It is asked for so
//! many iterations at a time, so the question and the answer are in no figure.
//!
//! # Order of events
//! [`Dialogue::begin`] begins a job whose [`Job::run`] calls [`socket`] and then [`answer`];
//! [`Dialogue::ask`], as often as one likes; [`Dialogue::finish`], or just dropping it, ends the worker.
//!
//! # What fails
//! A worker that ends before it has answered: [`Dialogue::ask`] then tells how it ended.

use std::{
    io::ErrorKind::{BrokenPipe, ConnectionReset},
    os::fd::{AsFd, OwnedFd},
};

use anyhow::{Context, bail};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    fork_server::{Job, Side, Worker, Workers},
    packet,
};

/// The bench's side.
#[derive(Debug)]
pub struct Dialogue<'a> {
    /// Closed first, as fields are dropped in their order: the worker ends by it.
    socket: OwnedFd,
    worker: Option<Worker<'a>>,
}

impl<'a> Dialogue<'a> {
    /// Begin a worker process that does `job` and answers.
    ///
    /// # Errors
    /// No process or descriptor is to be had.
    pub fn begin<J: Job>(workers: Workers<'a>, job: J) -> anyhow::Result<Self> {
        let (socket, theirs) = packet::pair().context("cannot make a pair of sockets")?;
        let worker = workers.begin(Side::Process, job, &[theirs.as_fd()])?;
        Ok(Self {
            socket,
            worker: Some(worker),
        })
    }

    /// Ask, and wait for the answer.
    ///
    /// # Errors
    /// The worker has ended, or answers something else.
    pub fn ask<A: DeserializeOwned>(&mut self, question: &impl Serialize) -> anyhow::Result<A> {
        let answer =
            packet::send(&self.socket, question, &[]).and_then(|()| packet::receive(&self.socket));
        match answer {
            Ok(Some((answer, _))) => return Ok(answer),
            // It has ended, and maybe left a question unread.
            Ok(None) => {}
            Err(error) if matches!(error.kind(), BrokenPipe | ConnectionReset) => {}
            Err(error) => return Err(error).context("cannot ask a worker"),
        }
        if let Some(worker) = self.worker.take() {
            worker.finish()?;
        }
        bail!("a worker ended before it had answered")
    }

    /// End the worker, and wait for its end.
    ///
    /// # Errors
    /// It failed.
    pub fn finish(self) -> anyhow::Result<()> {
        drop(self.socket);
        self.worker.map_or(Ok(()), Worker::finish)
    }
}

/// The worker's side: over what it hears and says.
///
/// # Errors
/// The job was begun without.
pub fn socket(descriptors: Vec<OwnedFd>) -> anyhow::Result<OwnedFd> {
    let mut descriptors = descriptors.into_iter();
    descriptors.next().context("a descriptor is missing")
}

/// Answer each question until the bench closes its side.
///
/// # Errors
/// Those of `how`, or a question of another kind.
pub fn answer<Q: DeserializeOwned, A: Serialize>(
    socket: &OwnedFd,
    mut how: impl FnMut(Q) -> anyhow::Result<A>,
) -> anyhow::Result<()> {
    while let Some((question, _)) = packet::receive(socket)? {
        packet::send(socket, &how(question)?, &[])?;
    }
    Ok(())
}
