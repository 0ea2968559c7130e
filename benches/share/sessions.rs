//! A table of sessions that all writers visit, each by a generator of its own.

use std::{
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
};

use anyhow::Context;
use benches::tools::{
    crew::{Crew, Place},
    fork_server::{Side, Workers},
    mutex::Among,
    session::{SESSIONS, Visitors, name},
    session_table::SessionTable,
};
use serde::{Deserialize, Serialize};

use crate::{
    Shared, Writer,
    database::{Database, Door},
};

/// Where the sessions are.
#[derive(Clone, Copy, Debug)]
pub enum Way {
    /// In memory, behind so many mutexes.
    Table { shards: usize },
    /// In LMDB, which lets one transaction write at a time.
    Database,
}

pub const WAYS: [(Way, &str); 3] = [
    (Way::Table { shards: 1 }, "mutex"),
    (Way::Table { shards: 64 }, "sharded"),
    (Way::Database, "lmdb"),
];

/// The sessions, from the bench's side.
pub enum Sessions {
    Table(Arc<SessionTable>),
    Database(Database),
}

/// What a writer knows of them. The bench's own, which only its threads can have, is there or is not.
#[derive(Debug, Serialize, Deserialize)]
pub enum Task {
    Table(#[serde(skip)] Option<Arc<SessionTable>>),
    Database(Door),
}

impl Shared for Sessions {
    type Way = Way;

    fn make(way: Way, side: Side, _: usize) -> anyhow::Result<Self> {
        match way {
            Way::Table { shards } => {
                let among = match side {
                    Side::Thread => Among::Threads,
                    Side::Process => Among::Processes,
                };
                let table = SessionTable::new(shards, among)?;
                (0..SESSIONS).try_for_each(|number| table.insert(name(number)))?;
                Ok(Self::Table(Arc::new(table)))
            }
            Way::Database => Database::make().map(Self::Database),
        }
    }

    fn task(&self) -> crate::Task {
        crate::Task::Visit(match self {
            Self::Table(table) => Task::Table(Some(table.clone())),
            Self::Database(database) => Task::Database(database.door()),
        })
    }

    fn begin<'a>(
        &self,
        workers: Workers<'a>,
        side: Side,
        writers: Vec<Writer>,
    ) -> anyhow::Result<Crew<'a>> {
        match self {
            Self::Table(table) => Crew::begin(workers, side, writers, &[table.as_fd()]),
            Self::Database(database) => {
                let crew = Crew::begin(workers, side, writers, &[])?;
                // Everybody has it open by now.
                database.unlink()?;
                Ok(crew)
            }
        }
    }

    fn sum(&self) -> anyhow::Result<u64> {
        match self {
            Self::Table(table) => table.visits(),
            Self::Database(database) => database.visits(),
        }
    }
}

impl Task {
    /// Visit sessions as often as is asked.
    pub fn run(
        self,
        place: &Place,
        number: usize,
        descriptor: Option<OwnedFd>,
    ) -> anyhow::Result<()> {
        let visitors = Visitors::of(number as u64);
        match self {
            Self::Table(own) => {
                let table = match own {
                    Some(own) => own,
                    None => Arc::new(SessionTable::open(
                        descriptor.context("a writer lacks the descriptor of its table")?,
                    )?),
                };
                repeat(place, visitors, |name| table.visit(name))
            }
            Self::Database(door) => {
                let open = door.open()?;
                repeat(place, visitors, |name| open.visit(name))
            }
        }
    }
}

fn repeat(
    place: &Place,
    mut visitors: Visitors,
    mut visit: impl FnMut(u64) -> anyhow::Result<u64>,
) -> anyhow::Result<()> {
    place.work(|count| (0..count).try_for_each(|_| visit(visitors.next_name()).map(drop)))
}
