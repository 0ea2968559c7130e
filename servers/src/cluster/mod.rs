//! A primary process and its workers, each a process of its own.
//!
//! 1. [`doors`]: listeners or an acceptor, by accept policy, made before there is a worker.
//! 2. [`primary`]: makes workers ([`fork`]) for its [`seats`] (each a [`seat`]), hears them, learns of
//!    their ends ([`reap`]), replaces them ([`renewal`], [`memory`]), and tells of it ([`events`]). What
//!    it knows of those who are there is the [`crew`], each a [`member`].
//! 3. A worker: joins its slot, takes its desk in the ledger, serves in its style.
//!
//! A worker joins the [`slot`] of its seat before anything else, the successor of one that died as
//! well. One that cannot ends without having been ready, so the primary gives up after some.
//!
//! With a worker for each connection there is nobody to keep; that primary is
//! [`crate::accept::per_connection`].

use schema::{Accept, Model, Style, Worker};

use crate::{
    accept::per_connection::processes,
    blocking::Attention,
    end::End,
    evented::{self, Job},
    failure::Failure,
    ledger::Ledger,
    limits,
    messages::{self, ToPrimary},
    options::{ClusterOptions, MOST_WORKERS},
    orders::{Carrier, Chain},
    say, slot, tally, worker,
};

pub mod crew;
pub mod doors;
pub mod events;
pub mod fork;
pub mod member;
pub mod memory;
pub mod primary;
pub mod reap;
pub mod renewal;
pub mod seat;
pub mod seats;

use self::{
    doors::Doors,
    primary::{Keeping, Primary, Role, Start},
};

/// Serve until told to stop. Returns in the primary, and in each worker when that worker's time
/// has come.
///
/// # Errors
/// See [`Failure`].
pub fn run(options: &ClusterOptions) -> Result<(), Failure> {
    limits::check()?;
    let model = options.model.model(Worker::Process);
    if model.accept == Accept::PerConnection {
        return processes::run(options, model);
    }
    let workers = options.pool.workers()?;
    let address = options.server.socket_address();
    let seats = workers as usize;
    let (doors, address) = Doors::open(model, options.model.wake(), address, seats)?;
    // Two workers to a seat while one is replaced.
    let ledger = Ledger::new(2 * MOST_WORKERS)?;
    let keeping = Keeping {
        drain_timeout: options.server.drain_timeout,
        options: options.keeping,
    };
    let ready = || say::ready(address, model, workers);

    match Primary::new(keeping, doors, ledger, seats)?.run(ready)? {
        Role::Primary => Ok(()),
        Role::Worker(start) => {
            work(options, model, ledger, start)?.report(&format!("worker {}", std::process::id()));
            Ok(())
        }
    }
}

fn work(
    options: &ClusterOptions,
    model: Model,
    ledger: Ledger,
    start: Start,
) -> Result<End, Failure> {
    slot::join(&options.worker.slots, start.seat)?;
    tally::begin(ledger, start.desk);
    let mut link = start.link;
    link.tell(ToPrimary::Online)?;
    let listening = || {
        // A primary that is gone takes this worker with it.
        let _ = messages::tell(ToPrimary::Listening);
    };
    match model.style {
        Style::Evented => {
            let job = Job {
                intake: start.intake,
                orders: Carrier::Signals(Chain::Primary),
                link: Some(link),
                spin: options.worker.spin,
                drain_timeout: options.server.drain_timeout,
            };
            evented::run(job, listening)
        }
        Style::Blocking => {
            let attention = Attention::to(Chain::Primary)?;
            messages::install(link);
            worker::block(
                start.intake,
                &attention,
                options.worker.terms(options.model.style, &options.server),
                listening,
            )
        }
    }
}
