//! The workers that are there, as the primary knows them: from their fork until they are reaped.
//!
//! Nothing here decides or waits. A worker is in the crew under its pid for as long as that pid cannot
//! be another's, so whoever finds it here may signal it.

use std::{collections::BTreeMap, net::TcpStream, os::fd::AsFd, time::Instant};

use nix::unistd::Pid;

use super::member::{Member, Stage};
use crate::accept::handoff::acceptor::Passed;

/// All of them.
#[derive(Debug, Default)]
pub struct Crew {
    members: BTreeMap<Pid, Member>,
}

impl Crew {
    /// A worker was made.
    pub fn add(&mut self, worker: Pid, member: Member) {
        self.members.insert(worker, member);
    }

    /// A worker was reaped.
    pub fn remove(&mut self, worker: Pid) -> Option<Member> {
        self.members.remove(&worker)
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, worker: Pid) -> Option<&Member> {
        self.members.get(&worker)
    }

    /// One of them, of whom something is learnt.
    pub fn get_mut(&mut self, worker: Pid) -> Option<&mut Member> {
        self.members.get_mut(&worker)
    }

    /// Whether nobody is there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Everybody, whatever they do.
    #[must_use]
    pub fn everybody(&self) -> Vec<Pid> {
        self.members.keys().copied().collect()
    }

    /// Whether a worker accepts connections.
    #[must_use]
    pub fn listens(&self, worker: Pid) -> bool {
        let member = self.members.get(&worker);
        member.is_some_and(|member| member.stage == Stage::Listening)
    }

    /// How many accept connections.
    #[must_use]
    pub fn listening(&self) -> usize {
        self.colleagues().len()
    }

    /// Who accepts connections, by task id.
    #[must_use]
    pub fn colleagues(&self) -> Vec<u32> {
        let accept = |member: &Member| member.stage == Stage::Listening;
        let pids = self.members.iter().filter(|(_, member)| accept(member));
        pids.map(|(worker, _)| worker.as_raw().cast_unsigned())
            .collect()
    }

    /// The first of `desks` desks where nobody counts.
    #[must_use]
    pub fn free_desk(&self, desks: usize) -> usize {
        let taken: Vec<usize> = self.members.values().map(|member| member.desk).collect();
        (0..desks)
            .find(|desk| !taken.contains(desk))
            .unwrap_or_default()
    }

    /// Whether anybody is left in the seats from `seats` on.
    #[must_use]
    pub fn has_anybody_beyond(&self, seats: usize) -> bool {
        self.members.values().any(|member| member.seat >= seats)
    }

    /// When the first of them is late.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let deadlines = self.members.values().filter_map(|member| member.deadline);
        deadlines.min()
    }

    /// Whose deadline has passed.
    #[must_use]
    pub fn late(&self, now: Instant) -> Vec<Pid> {
        let late = |member: &Member| member.deadline.is_some_and(|deadline| deadline <= now);
        let members = self.members.iter().filter(|(_, member)| late(member));
        members.map(|(worker, _)| *worker).collect()
    }

    /// Hand a connection to a worker, a copy of which stays with the caller.
    #[must_use]
    pub fn pass(&self, worker: Pid, connection: &TcpStream) -> Passed {
        let lane = self.get(worker).and_then(|member| member.lane.as_ref());
        lane.map_or(Passed::ToNobody, |lane| lane.pass(connection.as_fd()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::messages::between_processes;

    fn pid(number: i32) -> Pid {
        Pid::from_raw(number)
    }

    /// Workers 1 to 4, in seats and at desks 0 to 3, none of which listens.
    fn crew() -> Crew {
        let mut crew = Crew::default();
        for (place, worker) in (1..=4).enumerate() {
            let (link, _) = between_processes().unwrap();
            crew.add(pid(worker), Member::new(place, place, link, None));
        }
        crew
    }

    #[test]
    fn colleagues_are_those_who_accept_connections() {
        let mut crew = crew();
        assert_eq!(crew.listening(), 0);
        for (worker, stage) in [
            (2, Stage::Listening),
            (3, Stage::Retiring),
            (4, Stage::Listening),
        ] {
            crew.get_mut(pid(worker)).unwrap().stage = stage;
        }
        assert_eq!(crew.colleagues(), [2, 4]);
        assert!(crew.listens(pid(2)) && !crew.listens(pid(3)) && !crew.listens(pid(9)));
    }

    #[test]
    fn the_desk_of_a_worker_that_was_reaped_is_the_next_ones() {
        let mut crew = crew();
        assert_eq!(crew.free_desk(8), 4);
        crew.remove(pid(2));
        assert_eq!(crew.free_desk(8), 1);
    }

    #[test]
    fn seats_are_empty_once_their_last_worker_was_reaped() {
        let mut crew = crew();
        assert!(crew.has_anybody_beyond(3));
        crew.remove(pid(4));
        assert!(!crew.has_anybody_beyond(3) && crew.has_anybody_beyond(2));
    }

    #[test]
    fn the_first_deadline_is_that_of_all_and_passes_for_nobody_else() {
        let mut crew = crew();
        let now = Instant::now();
        for worker in 1_i32..=4 {
            let after = Duration::from_secs(worker.unsigned_abs().into());
            crew.get_mut(pid(worker)).unwrap().deadline = Some(now + after);
        }
        crew.get_mut(pid(1)).unwrap().deadline = None;
        let second = now + Duration::from_secs(2);
        assert_eq!(crew.deadline(), Some(second));
        assert!(crew.late(now).is_empty());
        assert_eq!(crew.late(second), [pid(2)]);
    }
}
