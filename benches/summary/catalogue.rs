//! Every group of benches: what it asks, which figures stand beside each other, what they mean for a server.
//!
//! A bench and its entry here are changed together: a bench that is run as a test compares the names it makes
//! with this list ([`drift`](super::drift)).

use super::{rows::Rows, sentences};

/// A group, as it is shown.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// Criterion's name for it, without what marks CPU time.
    pub name: &'static str,
    /// The bench that makes it: `cargo bench --bench …`.
    pub bench: &'static str,
    /// The heading.
    pub title: &'static str,
    /// The question, and what one figure is of.
    pub asks: &'static str,
    /// What the parameter says; empty where there is none.
    pub unit: &'static str,
    /// Parameters in their order, each with the words for it.
    pub parameters: &'static [(&'static str, &'static str)],
    /// Lines of the table in their order; without any, the benchmarks are listed as they are.
    pub lines: &'static [Line],
    /// Whether it has a figure in CPU time besides.
    pub cpu: bool,
    /// What the figures mean for a server.
    pub means: fn(&Rows<'_>) -> Option<String>,
}

/// One thing that is done, and the functions that do it.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// What is done.
    pub what: &'static str,
    /// The function that does it between threads.
    pub thread: Option<&'static str>,
    /// The function that does it between processes.
    pub process: Option<&'static str>,
    /// The function that does it where there is no such question.
    pub alone: Option<&'static str>,
    /// Only where two CPUs may be used.
    pub two_cpus: bool,
}

impl Line {
    /// The functions, each once.
    pub fn functions(&self) -> impl Iterator<Item = &'static str> {
        [self.thread, self.process, self.alone]
            .into_iter()
            .flatten()
    }
}

/// The same by both.
macro_rules! both {
    ($what:literal) => {
        pair($what, concat!("thread-", $what), concat!("process-", $what))
    };
}

/// What only threads can.
macro_rules! threads {
    ($what:literal) => {
        Line {
            process: None,
            ..both!($what)
        }
    };
}

const fn pair(what: &'static str, thread: &'static str, process: &'static str) -> Line {
    Line {
        what,
        thread: Some(thread),
        process: Some(process),
        alone: None,
        two_cpus: false,
    }
}

const fn alone(what: &'static str, function: &'static str) -> Line {
    Line {
        what,
        thread: None,
        process: None,
        alone: Some(function),
        two_cpus: false,
    }
}

const fn on_two_cpus(line: Line) -> Line {
    Line {
        two_cpus: true,
        ..line
    }
}

const MEMORY: &[(&str, &str)] = &[
    ("0-MiB", "nothing"),
    ("64-MiB", "64 MiB"),
    ("512-MiB", "512 MiB"),
];

const BYTES: &[(&str, &str)] = &[
    ("16", "16 B"),
    ("64", "64 B"),
    ("4096", "4 KiB"),
    ("65536", "64 KiB"),
    ("1048576", "1 MiB"),
];

const BATCHED: &[(&str, &str)] = &[("64", "64 B"), ("4096", "4 KiB"), ("1048576", "1 MiB")];

const WRITERS: &[(&str, &str)] = &[("1", "1"), ("2", "2"), ("4", "4")];

const MAKING: &[Line] = &[
    pair("fork", "thread", "process-fork"),
    pair("fork and exec", "thread", "process-fork-exec"),
    pair("posix_spawn", "thread", "process-posix-spawn"),
    pair("warm clone", "thread", "process-warm-clone"),
];

const CARRIERS: &[Line] = &[
    both!("pipe"),
    both!("socket-pair"),
    both!("ring"),
    both!("own-channel"),
    threads!("std-channel"),
    threads!("crossbeam-channel"),
];

const ANSWERERS: &[Line] = &[
    pair("server", "thread-threads", "process-cluster"),
    alone("single", "single"),
    alone("floor", "floor"),
];

/// The group that tells how far two measurements of the same lie apart. It has no table of its own kind.
pub const NOISE: &str = "noise";

/// All groups, in the order in which a server meets what they ask.
pub const GROUPS: &[Group] = &[
    Group {
        name: "spawn-first-instruction",
        bench: "spawn",
        title: "Making a worker, until it runs",
        asks: "How long from the call until the new worker's first instruction, by how much memory its maker has touched?",
        unit: "touched by its maker",
        parameters: MEMORY,
        lines: MAKING,
        cpu: false,
        means: sentences::spawn,
    },
    Group {
        name: "spawn-reaped",
        bench: "spawn",
        title: "Making a worker, until it was waited for",
        asks: "What does a worker cost that does nothing, from the call until its end has been waited for?",
        unit: "touched by its maker",
        parameters: MEMORY,
        lines: MAKING,
        cpu: true,
        means: sentences::spawn,
    },
    Group {
        name: "switch",
        bench: "switch",
        title: "Waking another worker",
        asks: "How long until another worker runs, and answers? Each figure is of a round trip: two wake-ups, two switches.",
        unit: "the two run on",
        parameters: &[("one-cpu", "one CPU"), ("two-cpus", "two CPUs")],
        lines: &[
            both!("pipe"),
            both!("socket-pair"),
            both!("eventfd"),
            both!("futex"),
            threads!("channel"),
        ],
        cpu: true,
        means: sentences::switch,
    },
    Group {
        name: "handoff",
        bench: "handoff",
        title: "Giving a connection to another worker",
        asks: "What does a connection cost whose acceptor passes it on, and what one that its worker accepts itself? Each figure is of a whole connection: made, accepted, one byte, closed; client included.",
        unit: "connections at a time",
        parameters: &[("1", "1"), ("8", "8"), ("64", "64")],
        lines: &[
            pair("passed on", "thread-channel", "process-scm-rights"),
            both!("none"),
        ],
        cpu: true,
        means: sentences::handoff,
    },
    Group {
        name: "messages-round-trip",
        bench: "messages",
        title: "A message there and back",
        asks: "How long does a message take to another worker and back, by what carries it and by its size?",
        unit: "size",
        parameters: BYTES,
        lines: &[
            both!("pipe"),
            both!("socket-pair"),
            both!("ring"),
            both!("own-channel"),
            threads!("std-channel"),
            threads!("crossbeam-channel"),
            on_two_cpus(both!("ring-spinning")),
            on_two_cpus(both!("pipe-spinning")),
        ],
        cpu: true,
        means: sentences::round_trips,
    },
    Group {
        name: "messages-throughput",
        bench: "messages",
        title: "Many messages one way",
        asks: "How much goes through in one direction, by what carries it and by the size of a message? Each figure is of a batch, with its size beside it as a rate.",
        unit: "size",
        parameters: BATCHED,
        lines: CARRIERS,
        cpu: true,
        means: sentences::throughput,
    },
    Group {
        name: "accept",
        bench: "accept",
        title: "From connection to first byte",
        asks: "What does a new connection with one request cost under each accept policy, client included?",
        unit: "workers are",
        parameters: &[("evented", "evented"), ("blocking", "blocking")],
        lines: &[
            both!("shared"),
            both!("reuseport"),
            both!("handoff"),
            both!("file-lock"),
            both!("mutex"),
            both!("per-connection"),
            threads!("stealing"),
        ],
        cpu: true,
        means: sentences::accept,
    },
    Group {
        name: "share-counter",
        bench: "share",
        title: "One counter that all workers raise",
        asks: "What does it cost that all workers write the same number? Each figure is of one increment by every writer.",
        unit: "writers",
        parameters: WRITERS,
        lines: &[both!("atomic"), both!("mutex"), both!("sharded")],
        cpu: true,
        means: sentences::counter,
    },
    Group {
        name: "share-sessions",
        bench: "share",
        title: "One session table for all workers",
        asks: "What does a session cost that is read and written back, in a table that all workers share? Each figure is of one such operation by every writer.",
        unit: "writers",
        parameters: WRITERS,
        lines: &[both!("mutex"), both!("sharded"), both!("lmdb")],
        cpu: true,
        means: sentences::sessions,
    },
    Group {
        name: "fan-out",
        bench: "fan_out",
        title: "One job cut into pieces",
        asks: "From how much work on does it pay to cut a job into as many pieces as there are CPUs? Each figure is of the whole job.",
        unit: "a piece takes",
        parameters: &[
            ("10-us", "10 µs"),
            ("100-us", "100 µs"),
            ("1-ms", "1 ms"),
            ("10-ms", "10 ms"),
        ],
        lines: &[
            alone("alone", "alone"),
            alone("rayon", "thread-rayon"),
            pair("shared memory", "thread-spawned", "process-shared-memory"),
            pair("pipe", "thread-spawned", "process-pipe"),
        ],
        cpu: true,
        means: sentences::fan_out,
    },
    Group {
        name: "endpoint-keep-alive",
        bench: "endpoint",
        title: "A request to a whole server",
        asks: "What does a request cost over a connection that stays? By the clock: the time between two answers of a server under full load; in CPU time: the server's alone.",
        unit: "",
        parameters: &[],
        lines: ANSWERERS,
        cpu: true,
        means: sentences::endpoint,
    },
    Group {
        name: "endpoint-new-connection",
        bench: "endpoint",
        title: "A request to a whole server, each with its own connection",
        asks: "What does a request cost that comes with a connection of its own? By the clock: the time between two answers of a server under full load; in CPU time: the server's alone.",
        unit: "",
        parameters: &[],
        lines: ANSWERERS,
        cpu: true,
        means: sentences::endpoint,
    },
    Group {
        name: NOISE,
        bench: "noise",
        title: "The same, measured twice",
        asks: "How far do two measurements of the same function lie apart? Smaller differences are not told.",
        unit: "the two run on",
        parameters: &[("one-cpu", "one CPU")],
        lines: &[both!("a"), both!("b")],
        cpu: true,
        means: |_| None,
    },
    listed(
        "parse",
        "Reading an answer",
        "What does the load generator spend on reading and checking one answer?",
    ),
    listed(
        "bootstrap",
        "An interval",
        "What does an interval cost that stands behind a figure of a report?",
    ),
    listed(
        "simulator",
        "The simulator",
        "What does it cost to simulate a queue of the size that a report needs?",
    ),
];

/// A group of this project's own hot paths, listed as it is.
const fn listed(name: &'static str, title: &'static str, asks: &'static str) -> Group {
    Group {
        name,
        bench: name,
        title,
        asks,
        unit: "",
        parameters: &[],
        lines: &[],
        cpu: false,
        means: |_| None,
    }
}

/// The group of that name, where there is one.
#[must_use]
pub fn group(name: &str) -> Option<&'static Group> {
    GROUPS.iter().find(|group| group.name == name)
}

impl Group {
    /// A parameter in words.
    #[must_use]
    pub fn in_words<'a>(&'a self, parameter: &'a str) -> &'a str {
        let known = self.parameters.iter().find(|(id, _)| *id == parameter);
        known.map_or(parameter, |(_, words)| words)
    }
}
