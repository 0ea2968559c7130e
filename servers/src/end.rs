//! How a server ended.

use std::time::Duration;

use crate::say;

/// What workers get beyond the drain timeout to end by themselves and say what they cut.
pub const GRACE: Duration = Duration::from_secs(1);

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
    /// That of a server whose workers ended like this and left `open` connections beside, having been
    /// told a second time or not.
    #[must_use]
    pub fn sum(workers: &[Self], open: usize, hurried: bool) -> Self {
        let cut: usize = workers.iter().map(|end| end.cut()).sum();
        match cut + open {
            0 => Self::Drained,
            cut if hurried => Self::Hurried(cut),
            cut => Self::TimedOut(cut),
        }
    }

    const fn cut(self) -> usize {
        match self {
            Self::Drained => 0,
            Self::TimedOut(open) | Self::Hurried(open) => open,
        }
    }

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

#[cfg(test)]
mod tests {
    use super::End::{Drained, Hurried, TimedOut};
    use super::*;

    #[test]
    fn a_server_has_cut_what_its_workers_cut_and_what_they_did_not_come_to() {
        assert_eq!(End::sum(&[], 0, true), Drained);
        assert_eq!(End::sum(&[Drained, TimedOut(0)], 0, false), Drained);
        assert_eq!(End::sum(&[Drained, TimedOut(2)], 1, false), TimedOut(3));
        assert_eq!(End::sum(&[TimedOut(2), Hurried(1)], 0, true), Hurried(3));
    }
}
