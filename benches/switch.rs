//! How long until another worker runs, and answers: ping-pong of a thread with a thread, and of a process
//! with a process, on one CPU and on two.
//!
//! Each benchmark is a whole round trip: two wake-ups, two switches. See [`ping_pong`].

use std::{process::ExitCode, sync::mpsc, thread};

use benches::tools::{
    cpus::stay_on,
    fork_server::Side,
    metric::Metric,
    ping_pong::{self, Means, Pong, by_turns},
    suite::{self, Bench, Suite},
};
use criterion::{BenchmarkGroup, BenchmarkId};

struct Switch;

impl Bench for Switch {
    type Job = Pong;

    fn measure<M: Metric>(suite: &mut Suite<'_, M>) -> anyhow::Result<()> {
        let here = suite.cpus[0];
        let mut places = vec![("one-cpu", here)];
        places.extend(suite.cpus.get(1).map(|&other| ("two-cpus", other)));
        let workers = suite.workers;
        let mut group = suite.group("switch");
        for (place, there) in places {
            for (means, name) in Means::ALL {
                for side in Side::BOTH {
                    let id = BenchmarkId::new(format!("{}-{name}", side.name()), place);
                    ping_pong::play(&mut group, workers, id, (side, means), (here, there))?;
                }
            }
            by_channel(&mut group, place, here, there)?;
        }
        group.finish();
        Ok(())
    }
}

/// A channel of the standard library: threads only, as what it carries lies in their common memory.
fn by_channel<M: Metric>(
    group: &mut BenchmarkGroup<'_, M>,
    place: &str,
    here: usize,
    there: usize,
) -> anyhow::Result<()> {
    let (there_says, here_hears) = mpsc::channel::<()>();
    let (here_says, there_hears) = mpsc::channel::<()>();
    let answering = thread::spawn(move || {
        stay_on(there)?;
        // Until the other side is dropped.
        while there_hears.recv().is_ok() && there_says.send(()).is_ok() {}
        anyhow::Ok(())
    });
    by_turns(
        group,
        BenchmarkId::new("thread-channel", place),
        here,
        || {
            here_says.send(())?;
            Ok(here_hears.recv()?)
        },
    )?;
    drop(here_says);
    answering
        .join()
        .map_err(|_| anyhow::anyhow!("a thread panicked; see above"))?
}

fn main() -> ExitCode {
    suite::run::<Switch>()
}
