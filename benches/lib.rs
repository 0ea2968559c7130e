//! What each part of a measurement costs, with criterion: `cargo bench`.
//!
//! | bench | asks |
//! |---|---|
//! | `parse` | what reading and checking one answer costs the load generator |
//! | `bootstrap` | what an interval costs, by number of trials |
