//! Exit codes, and which errors are the user's to mend.

use std::process::ExitCode;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All is well.
    Fine,
    /// Something on this machine failed.
    Failed,
    /// Wrong usage.
    Usage,
    /// The run was made, but breaks the rules of measurement.
    Invalid,
    /// Ctrl-C or SIGTERM.
    Interrupted,
    /// The code of a guarded command, passed on.
    Code(u8),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Fine => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Invalid => 3,
            Exit::Interrupted => 130,
            Exit::Code(code) => code,
        })
    }
}

impl Exit {
    /// The code for an error that ended the program.
    pub fn of(error: &anyhow::Error) -> Self {
        if error.is::<UsageError>() {
            Self::Usage
        } else {
            Self::Failed
        }
    }
}

/// What was asked for cannot be done; the message says what to do instead.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

/// A [`UsageError`] as the error of a function that can fail in other ways too.
pub fn usage(message: impl Into<String>) -> anyhow::Error {
    UsageError(message.into()).into()
}
