//! The primary of a cluster: keeps its workers alive and well, and serves nothing itself.
//!
//! It has one thread and no runtime, because it forks whenever a worker is due and a fork copies only
//! the thread that calls it. It waits in one place for everything: signals, messages of workers,
//! connections where it is the acceptor, and the earliest of its deadlines. Nothing it does there
//! waits: descriptors do not block, and what cannot be sent now is kept or dropped.
//!
//! # Order of events
//! Each round: wait, take what came, note what follows from it (seats that are due, seats to renew),
//! then make the workers that are due. A new worker returns from [`Primary::run`] in its own process, and
//! holds nothing of the primary's.
//!
//! # What a worker's end means
//! Whoever was told to end was wanted to. Anybody else is succeeded ([`super::seats`]), and what it
//! left of locks and connections is taken back ([`Doors::leave`]).

use std::{
    collections::BTreeMap,
    io,
    net::TcpStream,
    os::fd::AsFd,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    sys::{
        signal::{Signal, kill},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};

use super::{
    doors::{Doors, Key},
    events::{Event, Teller},
    fork::{ForkError, Forked, Sole, fork_worker},
    member::{Member, Source, Stage},
    memory,
    renewal::{Done, Reason, Renewals},
    seats::{MOST_FALSE_STARTS, Outlook, Seat},
};
use crate::{
    ledger::Ledger,
    messages::{
        Announcement, Answer, ChannelError, ClusterStats, Question, ToPrimary, ToWorker, WorkerEnd,
        between_processes,
    },
    options::{KeepingOptions, MOST_WORKERS},
    reactor::Reactor,
    say,
    signals::{Pending, Signals},
    worker::Intake,
};

/// What workers get beyond the drain timeout to end by themselves and say what they cut.
const GRACE: Duration = Duration::from_secs(1);

/// Which process returns from [`Primary::run`].
#[derive(Debug)]
pub enum Role {
    /// The primary, after all its workers ended.
    Primary,
    /// A worker, newly forked.
    Worker(Start),
}

/// What a new worker has.
#[derive(Debug)]
pub struct Start {
    /// Its place among the workers, from 0.
    pub seat: usize,
    /// Where it counts.
    pub desk: usize,
    /// How connections reach it.
    pub intake: Intake,
    /// Its messages.
    pub link: WorkerEnd,
}

/// Why a primary gave up.
#[derive(Debug, thiserror::Error)]
pub enum PrimaryError {
    /// No worker can be made.
    #[error(transparent)]
    Fork(#[from] ForkError),
    /// No channel to a worker.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// No listener or lane for a worker.
    #[error("cannot give a worker its connections: {0}; raise the limit of open files (ulimit -n)")]
    Doors(io::Error),
    /// Waiting failed.
    #[error("cannot wait for workers and signals: {0}; free memory or raise its limit")]
    Wait(#[from] io::Error),
    /// Signals or children could not be read.
    #[error("cannot read signals: {0}; raise the limit of open files (ulimit -n)")]
    Signals(#[from] nix::Error),
    /// Workers die before they can serve.
    #[error(
        "{MOST_FALSE_STARTS} workers in a row died before they accepted connections; cure what \
         they said on stderr (with no word, look for a memory limit), then start again"
    )]
    FalseStarts,
}

/// How a cluster is kept.
#[derive(Clone, Copy, Debug)]
pub struct Keeping {
    /// How long a worker that was told to end may take.
    pub drain_timeout: Duration,
    /// What was typed.
    pub options: KeepingOptions,
}

/// The primary.
pub struct Primary {
    sole: Sole,
    keeping: Keeping,
    tell: Teller,
    signals: Signals,
    reactor: Reactor,
    doors: Doors,
    listener_watched: bool,
    ledger: Ledger,
    seats: Vec<Seat>,
    members: BTreeMap<Pid, Member>,
    renewals: Renewals,
    memory_at: Option<Instant>,
    respawns: u64,
    reloads: u64,
    /// Every worker has listened once.
    complete: bool,
    stopping: bool,
    hurried: bool,
}

impl Primary {
    /// Of so many workers, none of which is there yet.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn new(
        keeping: Keeping,
        doors: Doors,
        ledger: Ledger,
        workers: usize,
    ) -> Result<Self, PrimaryError> {
        use Signal::{SIGCHLD, SIGHUP, SIGINT, SIGTERM, SIGTTIN, SIGTTOU, SIGUSR1};
        // Before the first fork: a worker that dies at once must not be missed.
        // SIGUSR1 as well: workers begin with this mask, and one may be told to retire early.
        let taken = [SIGTERM, SIGINT, SIGCHLD, SIGHUP, SIGTTIN, SIGTTOU, SIGUSR1];
        let signals = Signals::take(&taken)?;
        let reactor = Reactor::new()?;
        reactor.watch(&signals, Source::Signals.into())?;
        let mut seats = Vec::new();
        seats.resize_with(workers, Seat::default);
        seats.iter_mut().for_each(Seat::call);
        let KeepingOptions {
            max_memory,
            memory_every,
            events,
        } = keeping.options;
        Ok(Self {
            sole: Sole::check()?,
            keeping,
            tell: Teller::new(events),
            signals,
            reactor,
            doors,
            listener_watched: false,
            ledger,
            seats,
            members: BTreeMap::new(),
            renewals: Renewals::default(),
            memory_at: max_memory.map(|_| Instant::now() + memory_every),
            respawns: 0,
            reloads: 0,
            complete: false,
            stopping: false,
            hurried: false,
        })
    }

    /// Keep the workers until SIGTERM or SIGINT; then have them drain, and kill those that have not
    /// ended some time after the drain timeout. `ready` is called once, when every worker accepts
    /// connections.
    ///
    /// Returns in the primary when all is over, and in every worker right after its fork.
    ///
    /// # Errors
    /// See [`PrimaryError`]. A primary that returns an error has no workers, or loses them to the
    /// kernel as it ends.
    pub fn run(mut self, ready: impl FnOnce()) -> Result<Role, PrimaryError> {
        say::line(format_args!("Primary {} is running", std::process::id()));
        let mut ready = Some(ready);
        loop {
            if let Some(start) = self.make_those_due()? {
                return Ok(Role::Worker(start));
            }
            self.watch_listener()?;
            let deadline = self.deadline();
            for name in self.reactor.wait(deadline)? {
                self.take(Source::from(name))?;
            }
            self.look_at_deadlines()?;
            self.renew()?;
            if self.stopping && self.members.is_empty() {
                return Ok(Role::Primary);
            }
            if !self.complete && self.all_listen() {
                self.complete = true;
                if let Some(ready) = ready.take() {
                    ready();
                }
            }
        }
    }

    fn all_listen(&self) -> bool {
        let listens = |pid: &Pid| {
            self.members
                .get(pid)
                .is_some_and(|member| member.stage == Stage::Listening)
        };
        self.seats
            .iter()
            .all(|seat| seat.holder.as_ref().is_some_and(listens))
    }

    fn listening(&self) -> usize {
        let members = self.members.values();
        members
            .filter(|member| member.stage == Stage::Listening)
            .count()
    }

    // Making workers.

    /// In a new worker, and only there, the result is what it has.
    fn make_those_due(&mut self) -> Result<Option<Start>, PrimaryError> {
        if self.stopping {
            return Ok(None);
        }
        let now = Instant::now();
        for number in 0..self.seats.len() {
            if self.seats[number].take_due(now)
                && let Some(start) = self.make(number)?
            {
                return Ok(Some(start));
            }
        }
        Ok(None)
    }

    fn make(&mut self, seat: usize) -> Result<Option<Start>, PrimaryError> {
        let desk = self.free_desk();
        let Key { intake, lane } = self.doors.key(seat).map_err(PrimaryError::Doors)?;
        let (ours, theirs) = between_processes()?;
        match fork_worker(&self.sole)? {
            Forked::Worker => {
                // Everything of the primary's is closed with `self`.
                return Ok(Some(Start {
                    seat,
                    desk,
                    intake,
                    link: theirs,
                }));
            }
            Forked::Primary(worker) => {
                self.reactor
                    .watch(ours.fd(), Source::Messages(worker).into())?;
                if let Some(lane) = &lane {
                    self.reactor.watch(lane, Source::Lane(worker).into())?;
                }
                let member = Member::new(seat, desk, ours, lane);
                self.members.insert(worker, member);
                let place = &mut self.seats[seat];
                match place.holder {
                    None => place.holder = Some(worker),
                    Some(_) => place.heir = Some(worker),
                }
                self.tell(worker, seat, Event::Fork);
            }
        }
        Ok(None)
    }

    fn free_desk(&self) -> usize {
        let taken: Vec<usize> = self.members.values().map(|member| member.desk).collect();
        (0..self.ledger.seats())
            .find(|desk| !taken.contains(desk))
            .unwrap_or_default()
    }

    // What comes.

    fn take(&mut self, source: Source) -> Result<(), PrimaryError> {
        match source {
            Source::Signals => self.take_signals(),
            Source::Listener => {
                if let Doors::Handoff { acceptor, .. } = &mut self.doors {
                    acceptor.accept();
                }
                self.deal();
                Ok(())
            }
            Source::Messages(worker) => self.take_messages(worker),
            Source::Lane(worker) => {
                self.take_words(worker);
                Ok(())
            }
        }
    }

    /// Take all signals that have come, and reap all workers that have ended.
    ///
    /// A Ctrl-C ends workers too, and they must not be taken for dead ones to replace. The kernel
    /// signals a process group under a lock that an exiting process needs to become reapable, so
    /// once a worker that ended of a signal to the group can be reaped, the primary's own copy of
    /// that signal is pending. Hence signals are read once more after every reaping.
    fn take_signals(&mut self) -> Result<(), PrimaryError> {
        let mut ended = Vec::new();
        let mut orders = Pending::default();
        loop {
            let pending = self.signals.pending()?;
            orders.stop |= pending.stop;
            orders.reload |= pending.reload;
            orders.more |= pending.more;
            orders.less |= pending.less;
            if !pending.child {
                break;
            }
            reap(&mut ended)?;
        }
        if orders.stop {
            self.stop();
        }
        for status in ended {
            self.bury(status)?;
        }
        if !self.stopping {
            if orders.reload {
                self.reload();
            }
            if orders.more {
                self.scale_up()?;
            }
            if orders.less {
                self.scale_down();
            }
        }
        Ok(())
    }

    fn take_messages(&mut self, worker: Pid) -> Result<(), PrimaryError> {
        loop {
            let Some(link) = self.link(worker) else {
                return Ok(());
            };
            match link.receive() {
                Ok(Some(message)) => self.heed(worker, message)?,
                Ok(None) => {
                    self.watch_for_room(worker)?;
                    return Ok(());
                }
                Err(ChannelError::Garbled { .. } | ChannelError::TooLong { .. }) => {}
                // It has closed its end, which its death does too.
                Err(_) => {
                    if let Some(member) = self.members.get_mut(&worker)
                        && let Some(link) = member.link.take()
                    {
                        self.reactor.forget(link.fd());
                    }
                    return Ok(());
                }
            }
        }
    }

    fn link(&mut self, worker: Pid) -> Option<&mut crate::messages::PrimaryEnd> {
        self.members.get_mut(&worker)?.link.as_mut()
    }

    /// Have the reactor tell when there is room for what the worker did not take yet.
    fn watch_for_room(&mut self, worker: Pid) -> Result<(), PrimaryError> {
        if let Some(link) = self.members.get(&worker).and_then(|m| m.link.as_ref()) {
            let name = Source::Messages(worker).into();
            self.reactor
                .watch_for_room(link.fd(), name, link.wants_to_write())?;
        }
        Ok(())
    }

    fn heed(&mut self, worker: Pid, message: ToPrimary) -> Result<(), PrimaryError> {
        let Some(member) = self.members.get(&worker) else {
            return Ok(());
        };
        let seat = member.seat;
        match message {
            ToPrimary::Online => self.tell(worker, seat, Event::Online),
            ToPrimary::Listening => self.listens(worker, seat),
            ToPrimary::Leaving => {
                self.doors.retire(worker);
                self.tell(worker, seat, Event::Disconnect);
            }
            ToPrimary::Ask {
                id,
                question: Question::ClusterStats,
            } => {
                let stats = ClusterStats::new(&self.ledger, self.respawns, self.reloads);
                let answer = Answer::ClusterStats(stats);
                if let Some(link) = self.link(worker) {
                    // One that cannot be told gives up by itself.
                    let _ = link.send(ToWorker::Answer { id, answer });
                    self.watch_for_room(worker)?;
                }
            }
        }
        Ok(())
    }

    fn listens(&mut self, worker: Pid, seat: usize) {
        let Some(member) = self.members.get_mut(&worker) else {
            return;
        };
        if member.stage != Stage::Starting {
            return;
        }
        member.stage = Stage::Listening;
        member.deadline = None;
        self.doors.join(worker);
        self.tell(worker, seat, Event::Listening);
        say::line(format_args!("Worker {worker} started"));
        let heir_of = self
            .seats
            .get_mut(seat)
            .filter(|place| place.heir == Some(worker))
            .and_then(|place| {
                place.heir = None;
                place.holder.replace(worker)
            });
        if let Some(holder) = heir_of {
            self.renewals.succeeded(seat, holder);
            self.retire(holder);
        }
        self.announce();
        self.deal();
    }

    /// Tell all workers who is there.
    fn announce(&mut self) {
        let listening = |member: &&Member| member.stage == Stage::Listening;
        let colleagues: Vec<u32> = self
            .members
            .iter()
            .filter(|(_, member)| listening(member))
            .map(|(worker, _)| worker.as_raw().cast_unsigned())
            .collect();
        let everybody: Vec<Pid> = self.members.keys().copied().collect();
        for worker in everybody {
            if let Some(link) = self.link(worker) {
                let news = Announcement::Colleagues(colleagues.clone());
                let _ = link.send(ToWorker::Told(news));
                let _ = self.watch_for_room(worker);
            }
        }
    }

    // Connections that are handed on.

    fn take_words(&mut self, worker: Pid) {
        let Doors::Handoff { acceptor, .. } = &mut self.doors else {
            return;
        };
        let Some(member) = self.members.get_mut(&worker) else {
            return;
        };
        loop {
            match member.lane.as_ref().map(|lane| lane.word()) {
                Some(Ok(Some(word))) => acceptor.heard(worker, word),
                Some(Ok(None)) | None => break,
                // It has closed its end; its death will be told of.
                Some(Err(_)) => {
                    if let Some(lane) = member.lane.take() {
                        self.reactor.forget(&lane);
                    }
                    acceptor.leave(worker);
                    break;
                }
            }
        }
        self.deal();
    }

    fn deal(&mut self) {
        let members = &self.members;
        let pass = |worker: Pid, connection: &mut TcpStream| {
            let lane = members.get(&worker).and_then(|member| member.lane.as_ref());
            lane.is_some_and(|lane| lane.pass(connection.as_fd()).is_ok())
        };
        if let Doors::Handoff { acceptor, .. } = &mut self.doors {
            acceptor.deal(pass);
        }
    }

    /// Wait for connections only as long as somebody could have them.
    fn watch_listener(&mut self) -> Result<(), PrimaryError> {
        let Doors::Handoff { acceptor, .. } = &self.doors else {
            return Ok(());
        };
        match (acceptor.awaited(), self.listener_watched) {
            (Some(listener), false) => {
                self.reactor.watch(listener, Source::Listener.into())?;
                self.listener_watched = true;
            }
            (None, true) => {
                if let Some(listener) = acceptor.listener() {
                    self.reactor.forget(listener);
                }
                self.listener_watched = false;
            }
            _ => {}
        }
        Ok(())
    }

    // Ends.

    /// A worker has ended.
    fn bury(&mut self, status: WaitStatus) -> Result<(), PrimaryError> {
        let ended = status.pid().and_then(|pid| {
            let member = self.members.remove(&pid)?;
            Some((pid, member))
        });
        // A child from before the exec that made this process a primary is no worker.
        let Some((worker, member)) = ended else {
            return Ok(());
        };
        self.let_go(worker, &member);
        let wanted = matches!(member.stage, Stage::Retiring | Stage::Draining);
        if let Some((_, event)) = Event::exit(status, wanted) {
            self.tell(worker, member.seat, event);
        }
        let answered = self.answered(member.desk, worker);
        self.ledger.vacate(member.desk);
        if wanted {
            if let Some(done) = self.renewals.ended(worker) {
                self.reloaded(done);
            }
            self.close_empty_doors();
        } else if !self.stopping {
            self.mourn(worker, &member, status, answered)?;
        }
        if !self.stopping {
            self.announce();
            self.deal();
        }
        Ok(())
    }

    fn let_go(&mut self, worker: Pid, member: &Member) {
        self.doors.leave(worker);
        if let Some(link) = &member.link {
            self.reactor.forget(link.fd());
        }
        if let Some(lane) = &member.lane {
            self.reactor.forget(lane);
        }
    }

    fn answered(&self, desk: usize, worker: Pid) -> u64 {
        let worker = worker.as_raw().cast_unsigned();
        let seats = self.ledger.read();
        let own = |stats: &&crate::ledger::SeatStats| stats.seat == desk && stats.worker == worker;
        seats.iter().find(own).map_or(0, |stats| stats.requests)
    }

    /// A worker has died, and nobody had told it to.
    fn mourn(
        &mut self,
        worker: Pid,
        member: &Member,
        status: WaitStatus,
        answered: u64,
    ) -> Result<(), PrimaryError> {
        let Some(place) = self.seats.get_mut(member.seat) else {
            return Ok(());
        };
        if place.holder == Some(worker)
            && let Some(heir) = place.heir.take()
        {
            // It was to be succeeded anyway.
            place.holder = Some(heir);
            self.respawns += 1;
            say::line(format_args!("Worker {worker} died, starting a new one..."));
            self.skip_renewal(member.seat);
            return Ok(());
        }
        if place.heir == Some(worker) {
            place.heir = None;
            let replaced = self.renewals.give_up().unwrap_or_default();
            say::trouble(
                "cluster",
                format_args!(
                    "reload given up after {replaced} workers, for the next could not start \
                     (worker {worker}); the others go on as they were: cure what it said, then \
                     send SIGHUP again"
                ),
            );
            return Ok(());
        }
        if place.holder != Some(worker) {
            return Ok(());
        }
        let by_order = matches!(
            status,
            WaitStatus::Signaled(_, Signal::SIGKILL | Signal::SIGTERM | Signal::SIGQUIT, _)
                | WaitStatus::Exited(_, 0)
        );
        match place.bereave(member.life(answered, by_order), Instant::now()) {
            Outlook::Succession => {
                self.respawns += 1;
                say::line(format_args!("Worker {worker} died, starting a new one..."));
                if self.renewals.seat() == Some(member.seat)
                    && self.seats[member.seat].heir.is_none()
                {
                    self.skip_renewal(member.seat);
                }
                Ok(())
            }
            Outlook::CrashLoop => {
                let anybody = self.complete && self.listening() > 0;
                if !anybody {
                    self.abandon()?;
                    return Err(PrimaryError::FalseStarts);
                }
                say::trouble(
                    "cluster",
                    format_args!(
                        "seat {} is left empty, for {MOST_FALSE_STARTS} workers in a row died \
                         there before they were of use; cure what they said, then send SIGHUP",
                        member.seat
                    ),
                );
                self.skip_renewal(member.seat);
                Ok(())
            }
        }
    }

    fn skip_renewal(&mut self, seat: usize) {
        if let Some(done) = self.renewals.skip(seat) {
            self.reloaded(done);
        }
    }

    // Orders.

    fn reload(&mut self) {
        if !self.renewals.reload(self.seats.len()) {
            say::line("Already reloading");
            return;
        }
        self.reloads += 1;
        say::line(format_args!(
            "Reloading {} workers, one after another",
            self.seats.len()
        ));
    }

    fn reloaded(&self, done: Done) {
        say::line(format_args!(
            "Reloaded {} workers in {} ms",
            done.replaced,
            done.took.as_millis()
        ));
    }

    /// Have the heir made whose turn it is.
    fn renew(&mut self) -> Result<(), PrimaryError> {
        while !self.stopping
            && let Some(number) = self.renewals.next()
        {
            let Some(place) = self.seats.get_mut(number) else {
                self.skip_renewal(number);
                continue;
            };
            if place.holder.is_some() {
                place.call();
            } else {
                // Left empty, or about to be filled.
                place.call();
                self.skip_renewal(number);
            }
        }
        Ok(())
    }

    fn scale_up(&mut self) -> Result<(), PrimaryError> {
        let seats = self.seats.len() + 1;
        if seats > MOST_WORKERS as usize {
            say::line(format_args!("Already at the most workers: {MOST_WORKERS}"));
            return Ok(());
        }
        if let Err(failure) = self.doors.grow(seats) {
            say::trouble("cluster", format_args!("cannot add a worker: {failure}"));
            return Ok(());
        }
        let mut seat = Seat::default();
        seat.call();
        self.seats.push(seat);
        say::line(format_args!("Scaling up to {seats} workers"));
        Ok(())
    }

    fn scale_down(&mut self) {
        let seats = self.seats.len() - 1;
        if seats == 0 {
            say::line("Already at the least workers: 1");
            return;
        }
        say::line(format_args!("Scaling down to {seats} workers"));
        if let Err(error) = self.doors.narrow(seats) {
            say::trouble(
                "cluster",
                format_args!(
                    "cannot keep new connections from the worker that leaves: {error}; some may \
                     be reset, unless net.ipv4.tcp_migrate_req is 1"
                ),
            );
        }
        if let Some(seat) = self.seats.pop() {
            for worker in [seat.holder, seat.heir].into_iter().flatten() {
                self.retire(worker);
            }
        }
        self.skip_renewal(seats);
        self.close_empty_doors();
    }

    /// Close the listeners of seats that are no more, once their workers are gone.
    fn close_empty_doors(&mut self) {
        let seats = self.seats.len();
        let still_there = self.members.values().any(|member| member.seat >= seats);
        if !still_there && !self.stopping {
            self.doors.shrink(seats);
        }
    }

    /// Tell a worker that others succeed to accept no more, and to end once each of its connections
    /// has carried one more request.
    fn retire(&mut self, worker: Pid) {
        let deadline = Instant::now() + self.keeping.drain_timeout;
        if let Some(member) = self.members.get_mut(&worker)
            && matches!(member.stage, Stage::Starting | Stage::Listening)
        {
            member.stage = Stage::Retiring;
            member.deadline = Some(deadline);
            self.doors.retire(worker);
            // No pid can have passed to a stranger: only reaping frees it.
            let _ = kill(worker, Signal::SIGUSR1);
        }
    }

    /// Tell a worker to finish the requests in flight and end.
    fn drain(&mut self, worker: Pid) {
        let deadline = Instant::now() + self.keeping.drain_timeout + GRACE;
        if let Some(member) = self.members.get_mut(&worker)
            && member.stage != Stage::Draining
        {
            member.stage = Stage::Draining;
            member.deadline = Some(deadline);
            self.doors.retire(worker);
            let _ = kill(worker, Signal::SIGTERM);
        }
    }

    // Deadlines.

    fn deadline(&self) -> Option<Instant> {
        let members = self.members.values().filter_map(|member| member.deadline);
        let seats = self.seats.iter().filter_map(Seat::due);
        let retry = match &self.doors {
            Doors::Handoff { acceptor, .. } => acceptor.retry_at(),
            Doors::Shared { .. } | Doors::Reuseport(_) => None,
        };
        let due = seats.filter(|_| !self.stopping);
        members.chain(due).chain(retry).chain(self.memory_at).min()
    }

    fn look_at_deadlines(&mut self) -> Result<(), PrimaryError> {
        let now = Instant::now();
        let late: Vec<Pid> = self
            .members
            .iter()
            .filter(|(_, member)| member.deadline.is_some_and(|deadline| deadline <= now))
            .map(|(worker, _)| *worker)
            .collect();
        if !late.is_empty() {
            self.kill_late(&late);
        }
        if let Doors::Handoff { acceptor, .. } = &mut self.doors
            && acceptor.retry_at().is_some_and(|at| at <= now)
        {
            acceptor.accept();
            self.deal();
        }
        if self.memory_at.is_some_and(|at| at <= now) {
            self.look_at_memory();
        }
        Ok(())
    }

    fn kill_late(&mut self, late: &[Pid]) {
        let (mut starting, mut draining) = (0, 0);
        for worker in late {
            let Some(member) = self.members.get_mut(worker) else {
                continue;
            };
            member.deadline = None;
            match member.stage {
                // What connections it has left are idle.
                Stage::Retiring => {
                    self.drain(*worker);
                    continue;
                }
                Stage::Starting => starting += 1,
                Stage::Listening | Stage::Draining => draining += 1,
            }
            let _ = kill(*worker, Signal::SIGKILL);
        }
        if starting > 0 {
            say::trouble(
                "cluster",
                format_args!(
                    "workers killed, for they did not accept connections in time: {starting}; see \
                     what holds them up"
                ),
            );
        }
        if draining > 0 {
            say::trouble(
                "cluster",
                format_args!(
                    "workers killed with their connections, for they did not end in time: \
                     {draining}; allow requests more time with --drain-timeout"
                ),
            );
        }
    }

    fn look_at_memory(&mut self) {
        let KeepingOptions {
            max_memory: Some(most),
            memory_every,
            ..
        } = self.keeping.options
        else {
            return;
        };
        self.memory_at = Some(Instant::now() + memory_every);
        if self.stopping {
            self.memory_at = None;
            return;
        }
        for (number, seat) in self.seats.iter().enumerate() {
            let Some(worker) = seat.holder.filter(|_| seat.heir.is_none()) else {
                continue;
            };
            let listens = self.members.get(&worker).map(|member| member.stage);
            let held = memory::pss_bytes(worker).filter(|&held| held > most);
            if let (Some(Stage::Listening), Some(held)) = (listens, held)
                && self.renewals.add(number, Reason::Memory)
            {
                say::line(format_args!(
                    "Worker {worker} holds {held} bytes, more than {most}; replacing it"
                ));
            }
        }
    }

    // The end.

    /// Have all workers drain; the second time, end.
    fn stop(&mut self) {
        if self.stopping {
            if !self.hurried {
                self.hurried = true;
                let deadline = Instant::now() + GRACE;
                for (worker, member) in &mut self.members {
                    member.deadline = Some(deadline);
                    let _ = kill(*worker, Signal::SIGQUIT);
                }
            }
            return;
        }
        self.stopping = true;
        let everybody: Vec<Pid> = self.members.keys().copied().collect();
        if let Doors::Handoff { acceptor, .. } = &self.doors
            && let Some(listener) = acceptor.listener()
        {
            self.reactor.forget(listener);
        }
        let members = &self.members;
        self.doors.close(&everybody, |worker, connection| {
            let lane = members.get(&worker).and_then(|member| member.lane.as_ref());
            lane.is_some_and(|lane| lane.pass(connection.as_fd()).is_ok())
        });
        self.listener_watched = false;
        for worker in everybody {
            self.drain(worker);
        }
    }

    /// No cluster comes about: nobody stays.
    fn abandon(&mut self) -> Result<(), PrimaryError> {
        self.stop();
        while !self.members.is_empty() {
            let deadline = self.deadline();
            for name in self.reactor.wait(deadline)? {
                self.take(Source::from(name))?;
            }
            self.look_at_deadlines()?;
        }
        Ok(())
    }

    fn tell(&self, worker: Pid, seat: usize, event: Event) {
        self.tell.event(worker, seat, self.listening(), event);
    }
}

/// Reap all children that have ended.
fn reap(ended: &mut Vec<WaitStatus>) -> Result<(), PrimaryError> {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(status @ (WaitStatus::Exited(..) | WaitStatus::Signaled(..))) => ended.push(status),
            Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return Ok(()),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
