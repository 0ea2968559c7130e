//! The nine server designs of W. R. Stevens, UNIX Network Programming, vol. 1, chapter 30, measured as
//! the book measures them: CPU time of many short connections, less that of the server that does
//! nothing but answer.

use serde::{Deserialize, Serialize};

use super::{Estimate, Spread, Standing};

/// The book's table, now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stevens {
    /// Connections that the seconds of CPU time are for, as in the book.
    pub connections: u32,
    /// In the order of the book, the iterative server first.
    pub designs: Vec<Design>,
    /// Numbers of the designs by their process-control CPU time, least first.
    pub order_now: Vec<u8>,
    /// The same designs in the book's order, by its seconds as they are remembered, unverified.
    pub order_in_book: Vec<u8>,
    /// The book's conclusions, and how they stand today.
    pub conclusions: Vec<Conclusion>,
}

/// One design.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Design {
    /// Its row in the book's table: 0 is the iterative server.
    pub number: u8,
    /// In words.
    pub name: String,
    /// What became of its cell.
    pub standing: Standing,
    /// What was measured; absent where nothing was.
    pub figures: Option<DesignFigures>,
    /// Process-control CPU seconds in the book, as remembered, unverified; absent for the iterative
    /// server, which all are held against.
    pub book_control_s: Option<f64>,
}

/// CPU time for [`Stevens::connections`] connections, in seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DesignFigures {
    /// In user mode.
    pub user_s: Estimate,
    /// In the kernel.
    pub system_s: Estimate,
    /// User and system together.
    pub cpu_s: Estimate,
    /// Less what the iterative server takes, block by block: what the book calls process control.
    /// Absent for the iterative server, and where the two have no block in common. It may be below 0.
    pub control_s: Option<Estimate>,
    /// CPU time over that of the iterative server.
    pub over_iterative: Option<Estimate>,
    /// Connections over workers; absent where there is one worker, or one for each connection.
    pub connections: Option<Spread>,
}

/// What the book concludes, held against the figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conclusion {
    /// What the book says.
    pub claim: String,
    /// The ratio that decides; absent where it could not be taken.
    pub ratio: Option<Estimate>,
    /// Whether it stands.
    pub stands: Stands,
    /// The same in a sentence with its figures.
    pub sentence: String,
}

/// Whether a conclusion stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stands {
    /// The whole interval lies where the conclusion says.
    Yes,
    /// The whole interval lies where it says not.
    No,
    /// Neither, or nothing was measured to tell.
    Open,
}
