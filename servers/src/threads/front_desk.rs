//! What the first thread has to say to its workers, as a primary has to its own.

use crate::{
    ledger::Ledger,
    messages::{
        Announcement, Answer, ChannelError, ClusterStats, PrimaryEnd, Question, ToPrimary, ToWorker,
    },
};

/// Answer what was asked. Gives what else was said; nothing any more once the other end is closed.
pub fn answer(post: &mut PrimaryEnd, ledger: Ledger) -> Vec<ToPrimary> {
    let mut said = Vec::new();
    loop {
        match post.receive() {
            Ok(Some(ToPrimary::Ask {
                id,
                question: Question::ClusterStats,
            })) => {
                // Threads do not die one by one, and so are neither respawned nor reloaded.
                let answer = Answer::ClusterStats(ClusterStats::new(&ledger, 0, 0));
                // One that cannot be told gives up by itself.
                let _ = post.send(ToWorker::Answer { id, answer });
            }
            Ok(Some(other)) => said.push(other),
            Err(ChannelError::Garbled { .. } | ChannelError::TooLong { .. }) => {}
            Ok(None) | Err(_) => return said,
        }
    }
}

/// Tell who is there.
pub fn announce(post: &mut PrimaryEnd, ledger: Ledger) {
    let colleagues = ledger.read().iter().map(|seat| seat.worker).collect();
    let _ = post.send(ToWorker::Told(Announcement::Colleagues(colleagues)));
}
