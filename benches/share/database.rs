//! Sessions in LMDB: a file that all map, read by anybody at any time and written by one at a time.
//!
//! Nothing is synced to a disk, and where the machine has a file system in memory the file is there: what is
//! measured is the database, not a disk. A transaction is given to the kernel as it is committed (`pwrite`),
//! and writers keep each other out by a mutex that is for processes, on both sides.
//!
//! # Order of events
//! The bench makes it and opens it. A thread gets what the bench has opened, as a program may open a database
//! only once; a process, forked before, opens it for itself. Then the files' names are removed, so that
//! nothing is left however the bench ends.

use std::{
    cell::RefCell,
    path::{Path, PathBuf},
};

use anyhow::Context;
use benches::tools::session::{self, BYTES, SESSIONS, Value};
use heed::{
    EnvFlags, EnvOpenOptions, RoTxn,
    byteorder::BigEndian,
    types::{Bytes, U64},
};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

/// A file system in memory, on most machines.
const MEMORY: &str = "/dev/shm";

/// Much more than the sessions and all pages of transactions under way.
const MOST_BYTES: usize = 64 << 20;

type Sessions = heed::Database<U64<BigEndian>, Bytes>;

/// The database, from the bench's side.
pub struct Database {
    open: Open,
    folder: RefCell<Option<TempDir>>,
    path: PathBuf,
}

/// The way into it for a writer.
#[derive(Debug, Serialize, Deserialize)]
pub struct Door {
    path: PathBuf,
    /// As the bench has it open, which only its threads can use.
    #[serde(skip)]
    open: Option<Open>,
}

/// The database as one process has it open.
#[derive(Clone, Debug)]
pub struct Open {
    environment: heed::Env,
    sessions: Sessions,
}

impl Database {
    /// Make it with all sessions in it.
    pub fn make() -> anyhow::Result<Self> {
        let mut builder = tempfile::Builder::new();
        builder.prefix("ten-counters-bench-");
        let folder = if Path::new(MEMORY).is_dir() {
            builder.tempdir_in(MEMORY)
        } else {
            builder.tempdir()
        }
        .context("cannot make a folder for a database")?;
        let path = folder.path().to_owned();
        let environment = environment(&path)?;
        let mut transaction = environment.write_txn()?;
        let sessions: Sessions = environment.create_database(&mut transaction, None)?;
        for number in 0..SESSIONS {
            let name = session::name(number);
            let value = to_bytes(&session::value(name, 0));
            sessions.put(&mut transaction, &name, &value)?;
        }
        transaction.commit()?;
        Ok(Self {
            open: Open {
                environment,
                sessions,
            },
            folder: RefCell::new(Some(folder)),
            path,
        })
    }

    /// For one writer.
    pub fn door(&self) -> Door {
        Door {
            path: self.path.clone(),
            open: Some(self.open.clone()),
        }
    }

    /// Remove the names of its files. Nobody can open it any more.
    pub fn unlink(&self) -> anyhow::Result<()> {
        self.folder
            .take()
            .map_or(Ok(()), TempDir::close)
            .with_context(|| format!("cannot remove {}", self.path.display()))
    }

    /// The visits to all sessions together.
    pub fn visits(&self) -> anyhow::Result<u64> {
        let transaction = self.open.environment.read_txn()?;
        let mut sum = 0;
        for entry in self.open.sessions.iter(&transaction)? {
            let (name, kept) = entry?;
            sum += session::visits(name, &from_bytes(name, kept)?)?;
        }
        Ok(sum)
    }
}

impl Door {
    /// Open it, where it is not.
    pub fn open(self) -> anyhow::Result<Open> {
        if let Some(open) = self.open {
            return Ok(open);
        }
        let environment = environment(&self.path)?;
        let transaction = environment.read_txn()?;
        let sessions = environment
            .open_database(&transaction, None)?
            .with_context(|| format!("there are no sessions in {}", self.path.display()))?;
        // Kept open like this, or else the handle is gone with the transaction.
        transaction.commit()?;
        Ok(Open {
            environment,
            sessions,
        })
    }
}

impl Open {
    /// Read a session and write it back with one visit more, in a transaction. Its visits now.
    pub fn visit(&self, name: u64) -> anyhow::Result<u64> {
        let mut transaction = self.environment.write_txn()?;
        let kept = self.read(&transaction, name)?;
        let visits = session::visits(name, &kept)? + 1;
        let value = to_bytes(&session::value(name, visits));
        self.sessions.put(&mut transaction, &name, &value)?;
        transaction.commit()?;
        Ok(visits)
    }

    fn read(&self, transaction: &RoTxn<'_>, name: u64) -> anyhow::Result<Value> {
        let kept = self.sessions.get(transaction, &name)?;
        from_bytes(
            name,
            kept.with_context(|| format!("session {name:016x} is not in the database"))?,
        )
    }
}

#[allow(unsafe_code)]
fn environment(path: &Path) -> anyhow::Result<heed::Env> {
    let mut options = EnvOpenOptions::new();
    options.map_size(MOST_BYTES);
    // SAFETY: it is fine to lose what was written when the machine stops: the files are gone then anyhow.
    unsafe { options.flags(EnvFlags::NO_SYNC) };
    // SAFETY: the folder is new, its name is random and it is this user's alone, so nobody changes the files
    // but by LMDB; and one process opens it once.
    unsafe { options.open(path) }
        .with_context(|| format!("cannot open a database in {}", path.display()))
}

fn to_bytes(value: &Value) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    for (place, word) in bytes.as_chunks_mut().0.iter_mut().zip(value) {
        *place = word.to_ne_bytes();
    }
    bytes
}

fn from_bytes(name: u64, bytes: &[u8]) -> anyhow::Result<Value> {
    let bytes: &[u8; BYTES] = bytes
        .try_into()
        .with_context(|| format!("session {name:016x} has {} bytes", bytes.len()))?;
    let mut value = Value::default();
    for (word, place) in value.iter_mut().zip(bytes.as_chunks().0) {
        *word = u64::from_ne_bytes(*place);
    }
    Ok(value)
}
