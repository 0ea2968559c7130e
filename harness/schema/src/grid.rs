//! Which cells of the model grid can be, what people know them as, and why the others cannot.

use crate::{Accept, Model, Style, Worker};

/// A cell of the grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which.
    pub model: Model,
    /// Where it is known from, and its number among Stevens' designs; or why it cannot be.
    pub standing: Result<Known, &'static str>,
}

/// A cell that can be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Programs that are built like this; empty where none is known.
    pub from: &'static str,
    /// Its number in the table of Stevens, UNIX Network Programming, vol. 1, chapter 30.
    pub stevens: Option<u8>,
}

const TASKS_NEED_ONE_MEMORY: &str =
    "a task is a piece of its process's memory, which another process cannot take over";
const NOTHING_TO_STEAL: &str = "a blocking worker has one connection and is in the middle of it: there is nothing waiting that \
     another could take";
const NOTHING_TO_WATCH: &str =
    "a worker with one connection has nothing else to watch: an event loop would only add its cost";

/// Every cell, row by row: style and accept policy, first of processes, then of threads.
pub const GRID: &[Place] = &{
    use Accept::{FileLock, Handoff, Mutex, PerConnection, Reuseport, Shared, Stealing};
    use Style::{Blocking, Evented};
    use Worker::{Process, Thread};
    [
        known(
            Process,
            Blocking,
            Shared,
            "PHP-FPM, Unicorn, Apache's prefork",
            Some(2),
        ),
        known(Process, Blocking, Reuseport, "", None),
        known(Process, Blocking, Handoff, "", Some(5)),
        known(
            Process,
            Blocking,
            FileLock,
            "Apache's prefork, Mutex flock",
            Some(3),
        ),
        known(
            Process,
            Blocking,
            Mutex,
            "Apache's prefork, Mutex pthread",
            Some(4),
        ),
        known(
            Process,
            Blocking,
            PerConnection,
            "inetd, sshd, PostgreSQL",
            Some(1),
        ),
        refused(Process, Blocking, Stealing, TASKS_NEED_ONE_MEMORY),
        known(
            Process,
            Evented,
            Shared,
            "nginx, Node with SCHED_NONE",
            None,
        ),
        known(Process, Evented, Reuseport, "nginx with reuseport", None),
        known(Process, Evented, Handoff, "Node's cluster", None),
        known(
            Process,
            Evented,
            FileLock,
            "nginx's accept_mutex with lock_file",
            None,
        ),
        known(Process, Evented, Mutex, "nginx's accept_mutex", None),
        refused(Process, Evented, PerConnection, NOTHING_TO_WATCH),
        refused(Process, Evented, Stealing, TASKS_NEED_ONE_MEMORY),
        known(Thread, Blocking, Shared, "", None),
        known(Thread, Blocking, Reuseport, "", None),
        known(
            Thread,
            Blocking,
            Handoff,
            "Puma, Tomcat's blocking connector",
            Some(8),
        ),
        known(Thread, Blocking, FileLock, "", None),
        known(Thread, Blocking, Mutex, "", Some(7)),
        known(Thread, Blocking, PerConnection, "MySQL, MariaDB", Some(6)),
        refused(Thread, Blocking, Stealing, NOTHING_TO_STEAL),
        known(Thread, Evented, Shared, "", None),
        known(Thread, Evented, Reuseport, "Envoy, Seastar", None),
        known(Thread, Evented, Handoff, "actix, memcached, Netty", None),
        known(Thread, Evented, FileLock, "", None),
        known(Thread, Evented, Mutex, "", None),
        refused(Thread, Evented, PerConnection, NOTHING_TO_WATCH),
        known(Thread, Evented, Stealing, "tokio, Go", None),
    ]
};

const fn known(
    worker: Worker,
    style: Style,
    accept: Accept,
    from: &'static str,
    stevens: Option<u8>,
) -> Place {
    Place {
        model: Model {
            worker,
            style,
            accept,
        },
        standing: Ok(Known { from, stevens }),
    }
}

const fn refused(worker: Worker, style: Style, accept: Accept, why: &'static str) -> Place {
    Place {
        model: Model {
            worker,
            style,
            accept,
        },
        standing: Err(why),
    }
}

impl Model {
    /// Its place in the grid.
    ///
    /// # Panics
    /// Never: the grid holds every model.
    #[must_use]
    pub fn place(self) -> &'static Place {
        GRID.iter()
            .find(|place| place.model == self)
            .expect("the grid holds every model")
    }

    /// Where it is known from; or why it cannot be.
    ///
    /// # Errors
    /// The reason, in words that stand after "because".
    pub fn known(self) -> Result<Known, &'static str> {
        self.place().standing
    }

    /// Every model that can be, in the order of the grid.
    pub fn legal() -> impl Iterator<Item = Self> {
        GRID.iter()
            .filter(|place| place.standing.is_ok())
            .map(|place| place.model)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_grid_holds_every_model_once() {
        for &worker in Worker::ALL {
            for &style in Style::ALL {
                for &accept in Accept::ALL {
                    let model = Model {
                        worker,
                        style,
                        accept,
                    };
                    let places = GRID.iter().filter(|place| place.model == model).count();
                    assert_eq!(places, 1, "{model}");
                }
            }
        }
    }

    #[test]
    fn stevens_designs_beside_the_iterative_one_are_there_once_each_and_all_blocking() {
        let numbers: Vec<u8> = Model::legal()
            .filter_map(|model| model.known().ok()?.stevens)
            .collect();
        assert_eq!(
            numbers.iter().copied().collect::<BTreeSet<_>>(),
            (1..=8).collect()
        );
        assert_eq!(numbers.len(), 8);
        let blocking = |place: &&Place| place.model.style == Style::Blocking;
        let numbered = |place: &&Place| place.standing.is_ok_and(|known| known.stevens.is_some());
        assert_eq!(GRID.iter().filter(numbered).filter(blocking).count(), 8);
    }
}
