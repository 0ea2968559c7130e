//! What speaks against a load's figures: each doubt measured, and told in a sentence.

use schema::{Arrivals, Check, LatencyQuantiles, LoadResult, Pace};

use crate::spec::LoadSpec;

/// A generator whose busiest thread works more than this measures itself,
const BUSY_GENERATOR: f64 = 0.80;
/// but in a closed loop idle time is itself the proof that the server was waited for, and less of it
/// will do. (In an open loop it only says that the rate is low enough.)
const BUSY_CLOSED_LOOP: f64 = 0.90;
/// Lateness of the generator up to this is no matter,
const HARMLESS_LATENESS_NS: f64 = 100_000.0;
/// nor up to this share of the response time.
const HARMLESS_SHARE: f64 = 0.10;
/// Below saturation, at least so much of what was offered completes.
const LEAST_ACHIEVED: f64 = 0.99;
/// Little's law may be off by this much.
const LITTLE_TOLERANCE: f64 = 0.05;
/// Chi-square with 19 degrees of freedom is above this once in a million sound runs.
const GAPS_LIMIT: f64 = 62.0;
/// The index of dispersion of Poisson arrivals may be off by this much, beside chance.
const DISPERSION_TOLERANCE: f64 = 0.25;
/// That of constant arrivals may be so high.
const CONSTANT_DISPERSION: f64 = 0.5;
/// Standard deviations that chance may take.
const CHANCE: f64 = 5.0;
/// The generator may wait for its CPUs for this share of the window.
const CPU_WAIT_LIMIT: f64 = 0.05;
/// A hypervisor may keep the generator's CPUs for this share of the window.
const STOLEN_LIMIT: f64 = 0.10;

/// Checks a load's result. `server_cpus` are those the server may run on, where they are known.
#[must_use]
pub fn checks(spec: &LoadSpec, result: &LoadResult, server_cpus: Option<&[u32]>) -> Vec<Check> {
    let open = matches!(spec.pace, Pace::OpenLoop(_));
    let thinks = matches!(spec.pace, Pace::ClosedLoop { think_ns: 1.. });
    let mut checks = vec![
        answers(result),
        identity(result),
        generator_cpu(spec, result),
    ];
    if open || thinks {
        checks.push(lateness(result));
    }
    if open {
        checks.push(achieved(result));
        checks.extend(arrivals(spec, result));
    }
    checks.push(littles_law(result));
    checks.push(cpu_wait(spec, result, server_cpus));
    checks.extend(stolen(result));
    checks
}

fn check(
    name: &str,
    passed: bool,
    figure: Option<f64>,
    limit: Option<f64>,
    sentence: String,
) -> Check {
    Check {
        name: name.to_owned(),
        passed,
        figure,
        limit,
        sentence,
    }
}

fn answers(result: &LoadResult) -> Check {
    let wrong = result.errors + result.timeouts;
    let passed = wrong == 0 && result.unsolicited_bytes == 0 && result.completed > 0;
    let first = result.error_kinds.first();
    let sentence = if result.completed == 0 && wrong == 0 {
        "no request completed, so there are no figures".to_owned()
    } else if wrong > 0 {
        let first = first.map_or(String::new(), |kind| format!("; the first: {}", kind.first));
        format!(
            "{} requests were not answered rightly and {} not in time{first}",
            result.errors, result.timeouts
        )
    } else if result.unsolicited_bytes > 0 {
        format!(
            "{} bytes came that no request had asked for",
            result.unsolicited_bytes
        )
    } else {
        format!("all {} answers were right", result.completed)
    };
    check("answers", passed, Some(wrong as f64), Some(0.0), sentence)
}

fn identity(result: &LoadResult) -> Check {
    let accounted = result.completed + result.errors + result.timeouts + result.unfinished;
    let passed = accounted == result.offered;
    let sentence = format!(
        "offered {} {} completed {} + errors {} + timeouts {} + unfinished {}",
        result.offered,
        if passed { "=" } else { "is not" },
        result.completed,
        result.errors,
        result.timeouts,
        result.unfinished
    );
    let lost = result.offered.abs_diff(accounted);
    check("identity", passed, Some(lost as f64), Some(0.0), sentence)
}

fn generator_cpu(spec: &LoadSpec, result: &LoadResult) -> Check {
    let limit = match spec.pace {
        Pace::ClosedLoop { .. } => BUSY_CLOSED_LOOP,
        Pace::OpenLoop(_) => BUSY_GENERATOR,
    };
    let share = result.generator_busiest;
    let sentence = format!(
        "{} worked for {:.0} % of its CPU time; above {:.0} % it is the generator that is measured",
        if result.generator_threads == 1 {
            "the generator"
        } else {
            "the generator's busiest thread"
        },
        share * 100.0,
        limit * 100.0
    );
    check(
        "generator-cpu",
        share <= limit,
        Some(share),
        Some(limit),
        sentence,
    )
}

fn lateness(result: &LoadResult) -> Check {
    let p99 = |latency: Option<LatencyQuantiles>| latency.map(|latency| latency.p99_ns as f64);
    let (Some(late), Some(response)) = (p99(result.lateness), p99(result.response)) else {
        let sentence = "no request completed, so the generator's lateness is not known".to_owned();
        return check("lateness", false, None, None, sentence);
    };
    let limit = HARMLESS_LATENESS_NS.max(response * HARMLESS_SHARE);
    let sentence = format!(
        "the generator's own lateness was {:.1} µs at p99; up to {:.0} µs does no harm to a response time of {:.1} µs",
        late / 1e3,
        limit / 1e3,
        response / 1e3
    );
    check("lateness", late <= limit, Some(late), Some(limit), sentence)
}

fn achieved(result: &LoadResult) -> Check {
    // As many as are under way at any time are so at the close: a server that falls behind leaves more.
    let busy = result.mean_busy_connections;
    let steady = (busy + CHANCE * busy.sqrt() + 1.0).min(result.unfinished as f64);
    let share = result.completed as f64 / (result.offered as f64 - steady).max(1.0);
    let sentence = format!(
        "{:.2} % of the requests that were offered completed, but for those that are always under way{}",
        share * 100.0,
        if share < LEAST_ACHIEVED {
            ": the server did not keep up, so response times grow with the length of the run"
        } else {
            ""
        }
    );
    check(
        "achieved",
        share >= LEAST_ACHIEVED,
        Some(share),
        Some(LEAST_ACHIEVED),
        sentence,
    )
}

fn arrivals(spec: &LoadSpec, result: &LoadResult) -> Option<Check> {
    let Pace::OpenLoop(open) = spec.pace else {
        return None;
    };
    let figures = result.arrivals?;
    if figures.dispersion.is_none() && figures.gap_chi_square.is_none() {
        let sentence = format!(
            "{} arrivals are too few to be tested against their model",
            figures.came
        );
        return Some(check("arrivals", true, None, None, sentence));
    }
    let expected = match open.arrivals {
        Arrivals::Poisson => 1.0,
        Arrivals::Constant => 0.0,
    };
    let dispersion = figures.dispersion.unwrap_or(expected);
    let chance = CHANCE * (2.0 / figures.bins.max(1) as f64).sqrt();
    Some(match open.arrivals {
        Arrivals::Poisson => {
            let tolerance = DISPERSION_TOLERANCE + chance;
            let gaps = figures.gap_chi_square.unwrap_or(0.0);
            let passed = (dispersion - 1.0).abs() <= tolerance && gaps <= GAPS_LIMIT;
            let sentence = format!(
                "requests were taken in hand with a dispersion of {dispersion:.2} (Poisson: 1, within {tolerance:.2}); chi-square of their gaps {gaps:.1} (at most {GAPS_LIMIT})"
            );
            check(
                "arrivals",
                passed,
                Some(dispersion),
                Some(1.0 + tolerance),
                sentence,
            )
        }
        Arrivals::Constant => {
            let sentence = format!(
                "requests were taken in hand with a dispersion of {dispersion:.2} (constant: near 0, at most {CONSTANT_DISPERSION})"
            );
            check(
                "arrivals",
                dispersion <= CONSTANT_DISPERSION,
                Some(dispersion),
                Some(CONSTANT_DISPERSION),
                sentence,
            )
        }
    })
}

/// Mean number of busy connections, counted, against throughput times mean service time.
fn littles_law(result: &LoadResult) -> Check {
    let Some(service) = result.service else {
        let sentence = "no request completed, so Little's law says nothing".to_owned();
        return check("littles-law", false, None, None, sentence);
    };
    let per_ns = result.completed as f64 / result.elapsed_ns.max(1) as f64;
    let expected = per_ns * service.mean_ns;
    let counted = result.mean_busy_completed;
    let limit = LITTLE_TOLERANCE;
    let off = (counted - expected).abs() / counted.max(f64::MIN_POSITIVE);
    let sentence = format!(
        "{counted:.2} connections were busy on average with requests that completed; throughput times mean service time says {expected:.2} (Little's law, within {:.1} %)",
        limit * 100.0
    );
    check(
        "littles-law",
        off <= limit,
        Some(off),
        Some(limit),
        sentence,
    )
}

fn cpu_wait(spec: &LoadSpec, result: &LoadResult, server_cpus: Option<&[u32]>) -> Check {
    let shared: Vec<String> = spec
        .cpus
        .iter()
        .filter(|cpu| server_cpus.is_some_and(|cpus| cpus.contains(cpu)))
        .map(ToString::to_string)
        .collect();
    let may = match (server_cpus, shared.is_empty()) {
        (None, _) => "the server's CPUs are not known".to_owned(),
        (Some(_), true) => "the server has other CPUs".to_owned(),
        (Some(_), false) => format!("the server may use CPU {} too", shared.join(", ")),
    };
    let Some(waited) = result.generator_run_queue_wait_ns else {
        let sentence =
            format!("{may}; this kernel does not say how long the generator waited for its own");
        return check("cpu-wait", shared.is_empty(), None, None, sentence);
    };
    let had = result.elapsed_ns as f64 * f64::from(result.generator_threads.max(1));
    let share = waited as f64 / had.max(1.0);
    let sentence = format!(
        "{may}; the generator waited for its own CPU for {:.1} % of the time (at most {:.0} %)",
        share * 100.0,
        CPU_WAIT_LIMIT * 100.0
    );
    check(
        "cpu-wait",
        share <= CPU_WAIT_LIMIT,
        Some(share),
        Some(CPU_WAIT_LIMIT),
        sentence,
    )
}

fn stolen(result: &LoadResult) -> Option<Check> {
    let had = result.elapsed_ns as f64 * f64::from(result.generator_threads.max(1));
    let share = result.generator_stolen_ns? as f64 / had.max(1.0);
    let sentence = format!(
        "a hypervisor kept the generator's CPU for {:.1} % of the time (at most {:.0} %)",
        share * 100.0,
        STOLEN_LIMIT * 100.0
    );
    Some(check(
        "stolen-cpu",
        share <= STOLEN_LIMIT,
        Some(share),
        Some(STOLEN_LIMIT),
        sentence,
    ))
}
