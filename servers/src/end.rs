//! How a server ended.

use crate::say;

/// How a server that was told to stop came to its end. Every one of these is exit code 0: the
/// server did what it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Every connection finished.
    Drained,
    /// The drain timeout passed with so many connections open.
    TimedOut(usize),
    /// It was told to end at once, with so many connections open.
    Hurried(usize),
}

impl End {
    /// Say on stderr what was cut, if anything.
    pub fn report(self, who: &str) {
        match self {
            Self::Drained | Self::TimedOut(0) | Self::Hurried(0) => {}
            Self::TimedOut(open) => say::trouble(
                who,
                format_args!(
                    "connections cut: {open}, which did not finish within the drain timeout; \
                     allow more with --drain-timeout"
                ),
            ),
            Self::Hurried(open) => say::trouble(
                who,
                format_args!("connections cut: {open}, for it was told a second time to end"),
            ),
        }
    }
}
