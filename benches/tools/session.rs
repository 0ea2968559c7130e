//! Sessions, as the benches keep them: a name of 8 bytes, a value of 64, of which the first are a counter.
//!
//! The rest of a value follows from name and counter, so that a value which two have written at once is seen.

use anyhow::ensure;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// How many there are.
pub const SESSIONS: u32 = 10_000;

const WORDS: usize = 8;

/// Length of a value.
pub const BYTES: usize = WORDS * size_of::<u64>();

/// What is kept of a session, in words of this machine's order.
pub type Value = [u64; WORDS];

/// The name of a session. No two have one name, and none has 0.
#[must_use]
pub const fn name(number: u32) -> u64 {
    // Each step can be undone, so all results differ; all but 0 becomes something else than 0.
    let mut bits = number as u64 + 1;
    bits = (bits ^ (bits >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 29)).wrapping_mul(0xd1b5_4a32_d192_ed03);
    bits ^ (bits >> 32)
}

/// The value of the session `name` after so many visits.
#[must_use]
pub fn value(name: u64, visits: u64) -> Value {
    let mut value = [name.wrapping_add(visits); WORDS];
    value[0] = visits;
    value
}

/// How many visits a value counts.
///
/// # Errors
/// It is not a value of this session, or two have written it at once.
pub fn visits(name: u64, kept: &Value) -> anyhow::Result<u64> {
    let visits = kept[0];
    ensure!(
        *kept == value(name, visits),
        "session {name:016x} is damaged after {visits} visits: {kept:x?}"
    );
    Ok(visits)
}

/// Who is visited next. Each writer has a generator of its own, the same in every run.
#[derive(Debug)]
pub struct Visitors(ChaCha8Rng);

impl Visitors {
    /// Of the writer with this number.
    #[must_use]
    pub fn of(writer: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(writer))
    }

    /// The name of some session.
    pub fn next_name(&mut self) -> u64 {
        name(self.0.random_range(0..SESSIONS))
    }
}
