//! How quiet the machine is: the same work, over and over, on every CPU at once, for a second.

use std::{
    collections::BTreeSet,
    hint::black_box,
    thread,
    time::{Duration, Instant},
};

use ::cores::Topology;
use anyhow::Context;
use nix::time::{ClockId, clock_gettime};

use super::Finding;
use crate::noise::{Sight, Watched};

const LENGTH: Duration = Duration::from_secs(1);
/// Steps of arithmetic in one piece of work: about a tenth of a millisecond.
const STEPS: u64 = 100_000;
/// The CPU time of a piece of work may vary by this much on a machine that is quiet.
const QUIET_SPREAD: f64 = 0.05;
const QUIET_SHARE: f64 = 0.02;

pub(super) fn look(topology: &Topology) -> anyhow::Result<Vec<Finding>> {
    let cpus = topology.cpus();
    let own = BTreeSet::from([std::process::id().cast_signed()]);
    let before = Sight::now(&own);
    let workers: Vec<_> = cpus
        .iter()
        .map(|&cpu| {
            thread::Builder::new().spawn(move || {
                ::cores::bind(&[cpu])?;
                anyhow::Ok(spread())
            })
        })
        .collect::<Result<_, _>>()
        .context("cannot start a thread; raise the limit of processes (ulimit -u)")?;
    let mut widest: f64 = 0.0;
    for worker in workers {
        let spread = worker
            .join()
            .ok()
            .context("a thread of the doctor panicked")??;
        widest = widest.max(spread);
    }
    let watched = Watched {
        server: &cpus,
        generator: &[],
        slots: false,
    };
    let noise = Sight::now(&own).since(&before, watched, None);
    let share = |ns: Option<u64>| {
        ns.map(|ns| ns as f64 / LENGTH.as_nanos() as f64 / cpus.len().max(1) as f64)
    };
    Ok(findings(
        widest,
        share(noise.stolen_ns),
        share(noise.foreign_ns),
    ))
}

fn findings(spread: f64, stolen: Option<f64>, foreign: Option<f64>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let fact = format!(
        "the same work took up to {} more CPU time at one moment than at another (95th percentile over median)",
        percent(spread)
    );
    findings.push(if spread > QUIET_SPREAD {
        Finding::limits(
            "noise",
            fact,
            "use a machine of your own; else give runs more time (--preset full): ratios of what is measured at the same time hold all the same",
        )
    } else {
        Finding::fine("noise", fact)
    });
    findings.push(match stolen {
        Some(share) if share > QUIET_SHARE => Finding::limits(
            "stolen time",
            format!("a hypervisor took {} of the CPUs' time", percent(share)),
            "use a machine whose CPUs are not shared with others",
        ),
        Some(share) => Finding::fine(
            "stolen time",
            format!("a hypervisor took {} of the CPUs' time", percent(share)),
        ),
        None => Finding::limits(
            "stolen time",
            "the kernel does not tell what a hypervisor takes",
            "see that /proc is mounted",
        ),
    });
    if let Some(share) = foreign.filter(|&share| share > QUIET_SHARE) {
        findings.push(Finding::limits(
            "other programs",
            format!("used {} of the CPUs' time", percent(share)),
            "end them for as long as a run takes (find them with: top)",
        ));
    }
    findings
}

/// The 95th percentile of the pieces' CPU times over their median, less 1.
fn spread() -> f64 {
    let mut pieces = Vec::new();
    let began = Instant::now();
    while began.elapsed() < LENGTH {
        let before = cpu_time();
        let mut product = 1_u64;
        for step in 0..STEPS {
            product = black_box(product.wrapping_mul(step | 1));
        }
        pieces.push(cpu_time().saturating_sub(before).as_secs_f64());
    }
    pieces.sort_by(f64::total_cmp);
    let median = pieces[pieces.len() / 2];
    pieces[pieces.len() * 95 / 100] / median - 1.0
}

fn cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
        .map(Duration::from)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Grade;

    fn grades(spread: f64, stolen: Option<f64>, foreign: Option<f64>) -> Vec<Grade> {
        let findings = findings(spread, stolen, foreign);
        assert!(
            findings
                .iter()
                .all(|f| (f.grade == Grade::Fine) == f.cure.is_none())
        );
        findings.iter().map(|finding| finding.grade).collect()
    }

    #[test]
    fn what_is_not_quiet_is_told_with_a_cure() {
        use Grade::{Fine, Limits};
        assert_eq!(grades(0.01, Some(0.0), Some(0.001)), [Fine, Fine]);
        assert_eq!(grades(0.5, Some(0.3), Some(0.4)), [Limits, Limits, Limits]);
        assert_eq!(grades(0.01, None, None), [Fine, Limits]);
    }
}
