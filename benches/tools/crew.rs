//! Workers that do each round of a bench together: told at once how much, waited for until all are done.
//!
//! # Order of events
//! [`Crew::begin`] begins the workers and returns when each has said that it is ready. [`Crew::round`] writes
//! down how many times everybody is to do its work, changes the start word and wakes them; who is done counts
//! itself off, and the last one wakes the bench. [`Crew::end`] is a round of nothing, after which workers end.
//! All that is in memory they share, whichever kind they are, and they sleep between rounds.
//!
//! # What fails
//! Each worker holds one end of a line until it ends, in whatever way. A bench that has waited for a while
//! looks whether all lines are held still, and else says what became of the worker. A crew that is dropped has
//! its processes killed and its threads told to end; a thread that waits for what a dead one had stays behind.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst},
};

use anyhow::{Context, bail};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    pipe::{PipeFlags, pipe_with},
    thread::futex::{self, Flags},
};

use super::{
    fork_server::{Job, Side, Worker, Workers},
    shared_memory::{LINE, SharedMemory},
};

/// How long the bench sleeps before it looks whether all workers are there.
const PATIENCE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 200_000_000,
};

/// The words of a crew, each in a line of its own.
#[derive(Debug)]
struct Board(SharedMemory);

impl Board {
    const BYTES: usize = 3 * LINE;

    /// Another with every round.
    fn round(&self) -> &AtomicU32 {
        &self.0.futexes()[0]
    }

    /// Workers that are not done yet.
    fn busy(&self) -> &AtomicU32 {
        &self.0.futexes()[LINE / size_of::<AtomicU32>()]
    }

    /// How much there is to do; nothing any more, if 0.
    fn count(&self) -> &AtomicU64 {
        &self.0.words()[2 * LINE / size_of::<AtomicU64>()]
    }

    fn tell(&self, workers: u32, count: u64) -> io::Result<()> {
        self.busy().store(workers, SeqCst);
        self.count().store(count, SeqCst);
        self.round().fetch_add(1, SeqCst);
        futex::wake(self.round(), Flags::empty(), workers)?;
        Ok(())
    }
}

/// A crew, from the bench's side.
#[derive(Debug)]
pub struct Crew<'a> {
    board: Board,
    members: Vec<Member<'a>>,
    size: u32,
}

#[derive(Debug)]
struct Member<'a> {
    worker: Worker<'a>,
    /// Hangs up when the worker has ended.
    line: OwnedFd,
}

impl<'a> Crew<'a> {
    /// Have a worker do each of `jobs`. It gets copies of `descriptors`, after those of its [`Place`].
    ///
    /// # Errors
    /// A worker could not be made, or ended before it was ready.
    pub fn begin<J: Job>(
        workers: Workers<'a>,
        side: Side,
        jobs: Vec<J>,
        descriptors: &[BorrowedFd<'_>],
    ) -> anyhow::Result<Self> {
        let memory = SharedMemory::new(Board::BYTES).context("cannot make memory for a crew")?;
        let members = u32::try_from(jobs.len()).context("too many workers for a crew")?;
        let mut crew = Self {
            board: Board(memory),
            members: Vec::new(),
            size: members,
        };
        crew.board.busy().store(members, SeqCst);
        for job in jobs {
            let (line, held) =
                pipe_with(PipeFlags::CLOEXEC).context("cannot make a line to a worker")?;
            let mut all = vec![crew.board.0.as_fd(), held.as_fd()];
            all.extend(descriptors);
            let worker = workers.begin(side, job, &all)?;
            crew.members.push(Member { worker, line });
        }
        crew.wait()?;
        Ok(crew)
    }

    /// Have every worker do its work `count` times, and wait for the last one. `count` is not 0.
    ///
    /// # Errors
    /// A worker has ended.
    pub fn round(&mut self, count: u64) -> anyhow::Result<()> {
        self.board.tell(self.size, count)?;
        self.wait()
    }

    /// Have all workers end.
    ///
    /// # Errors
    /// One failed.
    pub fn end(mut self) -> anyhow::Result<()> {
        self.board.tell(self.size, 0)?;
        self.members
            .drain(..)
            .try_for_each(|member| member.worker.finish())
    }

    fn wait(&mut self) -> anyhow::Result<()> {
        loop {
            let busy = self.board.busy().load(SeqCst);
            if busy == 0 {
                return Ok(());
            }
            match futex::wait(self.board.busy(), Flags::empty(), busy, Some(&PATIENCE)) {
                Ok(()) | Err(Errno::AGAIN | Errno::INTR) => {}
                Err(Errno::TIMEDOUT) => self.see_that_all_are_there()?,
                Err(error) => return Err(error).context("cannot wait for a crew"),
            }
        }
    }

    fn see_that_all_are_there(&mut self) -> anyhow::Result<()> {
        let lines = self.members.iter().map(|member| &member.line);
        let mut polled: Vec<_> = lines
            .map(|line| PollFd::new(line, PollFlags::empty()))
            .collect();
        let now = Timespec::default();
        poll(&mut polled, Some(&now)).context("cannot look after a crew")?;
        let gone = polled
            .iter()
            .position(|line| line.revents().contains(PollFlags::HUP));
        let Some(gone) = gone else {
            return Ok(());
        };
        // Its own reason comes first.
        self.members.swap_remove(gone).worker.finish()?;
        bail!("a worker ended before it was told to")
    }
}

impl Drop for Crew<'_> {
    fn drop(&mut self) {
        // Processes are killed as their workers are dropped, after this.
        let _ = self.board.tell(self.size, 0);
    }
}

/// A worker's place in its crew.
#[derive(Debug)]
pub struct Place {
    board: Board,
    /// Held until the worker ends.
    _line: OwnedFd,
}

impl Place {
    /// Of the first of the descriptors a worker got.
    ///
    /// # Errors
    /// They are those of something else.
    pub fn take(descriptors: &mut impl Iterator<Item = OwnedFd>) -> anyhow::Result<Self> {
        let (Some(memory), Some(line)) = (descriptors.next(), descriptors.next()) else {
            bail!("a worker lacks the descriptors of its crew");
        };
        let memory = SharedMemory::open(memory).context("cannot map the memory of a crew")?;
        Ok(Self {
            board: Board(memory),
            _line: line,
        })
    }

    /// Be ready, then do `work` as often as each round says, until there is no other.
    ///
    /// # Errors
    /// Those of `work`.
    pub fn work(&self, mut work: impl FnMut(u64) -> anyhow::Result<()>) -> anyhow::Result<()> {
        // The first round begins after all are ready, so this is from before it.
        let mut seen = self.board.round().load(SeqCst);
        loop {
            self.be_done()?;
            seen = self.next_round(seen)?;
            match self.board.count().load(SeqCst) {
                0 => return Ok(()),
                count => work(count)?,
            }
        }
    }

    fn be_done(&self) -> anyhow::Result<()> {
        let busy = self.board.busy();
        if busy.fetch_sub(1, SeqCst) == 1 {
            futex::wake(busy, Flags::empty(), 1).context("cannot wake the bench")?;
        }
        Ok(())
    }

    fn next_round(&self, seen: u32) -> anyhow::Result<u32> {
        let round = self.board.round();
        loop {
            let now = round.load(SeqCst);
            if now != seen {
                return Ok(now);
            }
            match futex::wait(round, Flags::empty(), seen, None) {
                Ok(()) | Err(Errno::AGAIN | Errno::INTR) => {}
                Err(error) => return Err(error).context("cannot wait for a round"),
            }
        }
    }
}
