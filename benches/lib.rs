//! What each part of a measurement costs, with criterion: `cargo bench`.
//!
//! | bench | asks |
//! |---|---|
//! | `parse` | what reading and checking one answer costs the load generator |
//! | `bootstrap` | what an interval costs, by number of trials |
//!
//! Beside them stands the program `compare-generators`: the load generator as a whole, set beside
//! its peers. See `scripts/compare-generators`.
