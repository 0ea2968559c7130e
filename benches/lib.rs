//! What each step of serving a request costs, in threads and in processes, with criterion: `cargo bench`.
//!
//! Every bench is a file beside this one, and asks one thing of both kinds of workers. What they have in
//! common is in [`tools`]; what their figures say is written by [`summary`], after each of them anew.
//!
//! Beside them stands the program `compare-generators`: the load generator as a whole, set beside
//! its peers. See `scripts/compare-generators`.

pub mod summary;
pub mod tools;
