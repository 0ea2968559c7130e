//! State that all workers share.

use schema::Estimate;

use super::{
    super::{
        rows::{Clock, PROCESS, Rows},
        words::{time, times},
    },
    said, standing, writers,
};

/// For `share-counter`.
pub fn counter(rows: &Rows<'_>) -> Option<String> {
    let most = rows.last_parameter()?;
    let wall = |what| rows.figure(Clock::Wall, PROCESS, what, most);
    let mut sentences = Vec::new();
    if let (Some(atomic), Some(mutex), Some(sharded)) =
        (wall("atomic"), wall("mutex"), wall("sharded"))
    {
        sentences.push(format!(
            "With {}, processes that raise one number take {} atomically, {} behind a mutex, and {} where each \
             raises its own.",
            writers(most),
            time(atomic.point),
            time(mutex.point),
            time(sharded.point)
        ));
    }
    if let Some(standing) = standing(rows, |_| true) {
        sentences.push(format!(
            "Whether they are threads or processes: {standing}."
        ));
    }
    said(&sentences)
}

/// For `share-sessions`.
pub fn sessions(rows: &Rows<'_>) -> Option<String> {
    let most = rows.last_parameter()?;
    let mut sentences = Vec::new();
    let own = rows.cheapest(Clock::Wall, PROCESS, &["mutex", "sharded"], most);
    let lmdb = rows.figure(Clock::Wall, PROCESS, "lmdb", most);
    if let (Some((what, own)), Some(lmdb)) = (own, lmdb) {
        let locks = if what[0] == "mutex" {
            "one mutex"
        } else {
            "a lock for each shard"
        };
        sentences.push(format!(
            "With {}, processes that keep sessions in shared memory behind {locks} take {}; {}.",
            writers(most),
            time(own.point),
            lmdb_beside(rows, lmdb, own)
        ));
    }
    if let Some(standing) = standing(rows, |_| true) {
        sentences.push(format!(
            "Whether workers are threads or processes: {standing}."
        ));
    }
    said(&sentences)
}

fn lmdb_beside(rows: &Rows<'_>, lmdb: &Estimate, own: &Estimate) -> String {
    if rows.dearer(Clock::Wall, lmdb, own) {
        format!("LMDB costs {} times that", times(lmdb.point / own.point))
    } else if rows.dearer(Clock::Wall, own, lmdb) {
        format!(
            "that costs {} times what LMDB does",
            times(own.point / lmdb.point)
        )
    } else {
        "LMDB is not told apart from that".to_owned()
    }
}
