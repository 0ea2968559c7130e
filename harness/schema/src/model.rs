//! The model grid: worker × style × accept.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// What a worker is to the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Worker {
    /// A forked process with memory of its own.
    Process,
    /// A thread; all workers share one memory.
    Thread,
}

/// How a worker waits for its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Style {
    /// One connection at a time, blocking calls.
    Blocking,
    /// An event loop over many connections.
    Evented,
}

/// How a new connection finds its worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Accept {
    /// All workers wait on one listener; the kernel decides who wakes.
    Shared,
    /// One listener for each worker (`SO_REUSEPORT`); the kernel hashes connections over them.
    Reuseport,
    /// One acceptor passes connections on.
    Handoff,
    /// All workers wait on one listener, one at a time, behind a file lock.
    FileLock,
    /// All workers wait on one listener, one at a time, behind a mutex in shared memory.
    Mutex,
    /// A new worker for each connection.
    PerConnection,
    /// A runtime whose threads steal tasks from one another.
    Stealing,
}

/// One cell of the model grid. Written `worker/style/accept`, as in `process/evented/shared`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Model {
    /// Process or thread.
    pub worker: Worker,
    /// Blocking or evented.
    pub style: Style,
    /// The accept policy.
    pub accept: Accept,
}

macro_rules! names {
    ($type:ident { $($variant:ident = $name:literal),+ $(,)? }) => {
        impl $type {
            /// Every value, in the order of the grid.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The name used on disk and on command lines.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }

        impl FromStr for $type {
            type Err = ParseModelError;

            fn from_str(text: &str) -> Result<Self, ParseModelError> {
                Self::ALL.iter().copied().find(|value| value.name() == text).ok_or_else(|| {
                    ParseModelError {
                        found: text.to_owned(),
                        expected: [$($name),+].join(", "),
                    }
                })
            }
        }
    };
}

names!(Worker { Process = "process", Thread = "thread" });
names!(Style { Blocking = "blocking", Evented = "evented" });
names!(Accept {
    Shared = "shared",
    Reuseport = "reuseport",
    Handoff = "handoff",
    FileLock = "file-lock",
    Mutex = "mutex",
    PerConnection = "per-connection",
    Stealing = "stealing",
});

/// A word that is no axis value, or text that is no `worker/style/accept`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseModelError {
    found: String,
    expected: String,
}

impl fmt::Display for ParseModelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' is not one of: {}", self.found, self.expected)
    }
}

impl std::error::Error for ParseModelError {}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.worker, self.style, self.accept)
    }
}

impl FromStr for Model {
    type Err = ParseModelError;

    fn from_str(text: &str) -> Result<Self, ParseModelError> {
        let mut parts = text.split('/');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(worker), Some(style), Some(accept), None) => Ok(Self {
                worker: worker.parse()?,
                style: style.parse()?,
                accept: accept.parse()?,
            }),
            _ => Err(ParseModelError {
                found: text.to_owned(),
                expected: "worker/style/accept, as in process/evented/shared".to_owned(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_reads_back_from_its_name() {
        for &worker in Worker::ALL {
            for &style in Style::ALL {
                for &accept in Accept::ALL {
                    let model = Model {
                        worker,
                        style,
                        accept,
                    };
                    assert_eq!(model.to_string().parse(), Ok(model));
                }
            }
        }
    }

    #[test]
    fn names_on_disk_and_in_text_are_the_same() {
        for &accept in Accept::ALL {
            assert_eq!(serde_json::to_value(accept).unwrap(), accept.name());
        }
    }

    #[test]
    fn an_unknown_word_is_named_together_with_the_choices() {
        let error = "process/evented/magic"
            .parse::<Model>()
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("'magic'") && error.contains("reuseport"),
            "{error}"
        );
        assert!("process/evented".parse::<Model>().is_err());
        assert!("process/evented/shared/more".parse::<Model>().is_err());
    }
}
