//! What keeps a cluster in service: workers are renewed, added, taken away and mended while clients ask.

mod crash_loop;
mod endurance;
mod events;
mod memory;
mod primary;
mod reload;
mod scaling;

use crate::{
    crowd::{Crowd, Habit, Tally},
    launch::Server,
};

/// Clients of both habits, two of each.
fn crowd(cluster: &Server) -> Crowd {
    use Habit::{Leaves, Stays};
    Crowd::gather(cluster.address(), &[Leaves, Stays, Leaves, Stays])
}

fn assert_nothing_lost(tally: &Tally, of: impl std::fmt::Display) {
    let lost: Vec<String> = tally.lost.iter().map(ToString::to_string).collect();
    assert!(lost.is_empty(), "{of}: {lost:?}");
}
