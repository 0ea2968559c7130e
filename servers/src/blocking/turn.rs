//! A blocking worker's turn to accept, where a gate lets workers accept one at a time.
//!
//! The worker sleeps in the line for the lock, and orders reach it there: a lock on a file is waited
//! for through a descriptor that orders sever, which gives up the lock as well; the wait for a mutex
//! watches the word of orders.

use super::{
    attention::Attention,
    standing::{self, Purpose, Severable},
};
use crate::accept::{file_lock, gate::Gate, mutex::Mutex};

/// One worker's place in the line.
#[derive(Debug)]
pub enum Turn<'a> {
    /// There is no line.
    Always,
    /// In line for a lock on a file.
    FileLock(Severable<'a>),
    /// In line for a mutex.
    Mutex(Mutex),
}

impl<'a> Turn<'a> {
    /// Through `gate`.
    #[must_use]
    pub fn behind(gate: Gate, attention: &'a Attention) -> Self {
        match gate {
            Gate::None => Self::Always,
            Gate::FileLock(lock, _) => {
                Self::FileLock(Severable::new(Purpose::Lock, lock.into(), attention))
            }
            Gate::Mutex(mutex, _) => Self::Mutex(mutex),
        }
    }

    /// Wait for it. Whether it came; it does not once the worker was told to drain, and may not
    /// when a signal came.
    #[must_use]
    pub fn wait(&self) -> bool {
        match self {
            Self::Always => true,
            Self::FileLock(lock) => file_lock::take(lock.to_block_on()).is_ok(),
            Self::Mutex(mutex) => standing::with_orders(|orders| mutex.take_unless(orders)),
        }
    }

    /// Let others have theirs.
    pub fn end(&self) {
        match self {
            Self::Always => {}
            Self::FileLock(lock) => file_lock::give_back(lock.to_block_on()),
            Self::Mutex(mutex) => mutex.give_back(),
        }
    }
}
