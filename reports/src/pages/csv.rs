//! `estimates.csv`: one line for each cell, numbers in the units of their column names.

use schema::{Cell, Estimate, Estimates, Reuse, ScalingPoint, Verdicts};

use crate::Run;

type Column<T> = (&'static str, fn(&T) -> Option<Estimate>);

/// Of every cell.
const COLUMNS: [Column<Estimates>; 13] = [
    ("throughput_per_s", |row| Some(row.throughput_per_s)),
    ("user_ns_per_request", |row| Some(row.user_ns_per_request)),
    ("system_ns_per_request", |row| {
        Some(row.system_ns_per_request)
    }),
    ("cpu_ns_per_request", |row| Some(row.cpu_ns_per_request)),
    ("switches_per_request", |row| row.switches_per_request),
    ("p50_ns", |row| Some(row.p50_ns)),
    ("p90_ns", |row| Some(row.p90_ns)),
    ("p99_ns", |row| Some(row.p99_ns)),
    ("p999_ns", |row| Some(row.p999_ns)),
    ("pss_bytes", |row| row.pss_bytes),
    ("at_share_rate_per_s", |row| {
        Some(row.at_share.as_ref()?.rate_per_s)
    }),
    ("at_share_p50_ns", |row| Some(row.at_share.as_ref()?.p50_ns)),
    ("at_share_p99_ns", |row| Some(row.at_share.as_ref()?.p99_ns)),
];

/// Of cells that belong to a curve.
const CURVE_COLUMNS: [Column<ScalingPoint>; 4] = [
    ("speedup", |point| Some(point.speedup)),
    ("efficiency", |point| Some(point.efficiency)),
    ("speedup_by_cpu_given", |point| {
        Some(point.speedup_by_cpu_given)
    }),
    ("given_over_quota", |point| point.given_over_quota),
];

/// Follows RFC 4180; a bound or a figure that is not known is empty.
pub(super) fn table(run: &Run, verdicts: &Verdicts) -> String {
    let mut heads: Vec<String> = [
        "cell",
        "experiment",
        "server",
        "origin",
        "model",
        "workers",
        "cores",
        "workload",
        "connections",
        "reuse",
        "arrivals_per_s",
        "at_share_percent",
        "trials",
    ]
    .map(str::to_owned)
    .into();
    let curves = CURVE_COLUMNS.map(|(name, _)| name);
    for name in COLUMNS.map(|(name, _)| name).into_iter().chain(curves) {
        heads.extend([
            name.to_owned(),
            format!("{name}_low"),
            format!("{name}_high"),
        ]);
    }
    let mut table = line(&heads);
    for row in &verdicts.estimates {
        if let Some(cell) = run.cell(&row.cell) {
            let mut points = verdicts.scaling.iter().flat_map(|curve| &curve.points);
            let point = points.find(|point| point.cell == cell.id);
            table.push_str(&line(&values(cell, row, point)));
        }
    }
    table
}

fn values(cell: &Cell, row: &Estimates, point: Option<&ScalingPoint>) -> Vec<String> {
    let origin = match cell.origin {
        schema::Origin::Own => "own",
        schema::Origin::Guest => "guest",
    };
    let mut values = vec![
        cell.id.clone(),
        cell.experiment.clone(),
        cell.server.clone(),
        origin.to_owned(),
        cell.model.to_string(),
        cell.workers.to_string(),
        cell.cores.name().to_owned(),
        cell.workload.name(),
        cell.connections.to_string(),
        match cell.reuse {
            Reuse::KeepAlive => "keep-alive".to_owned(),
            Reuse::NewConnection => "new-connection".to_owned(),
        },
        whole(cell.rate_per_s),
        whole(row.at_share.as_ref().map(|share| share.percent)),
        row.trials.to_string(),
    ];
    let of_cell = COLUMNS.map(|(_, figure)| figure(row));
    let of_curve = CURVE_COLUMNS.map(|(_, figure)| point.and_then(figure));
    for estimate in of_cell.into_iter().chain(of_curve) {
        let interval = estimate.and_then(|estimate| estimate.interval);
        let number = |value: Option<f64>| value.map(|v| v.to_string()).unwrap_or_default();
        values.extend([
            number(estimate.map(|estimate| estimate.point)),
            number(interval.map(|(low, _)| low)),
            number(interval.map(|(_, high)| high)),
        ]);
    }
    values
}

fn whole(value: Option<u32>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn line(values: &[String]) -> String {
    let quoted: Vec<String> = values.iter().map(|value| quoted(value)).collect();
    quoted.join(",") + "\r\n"
}

fn quoted(value: &str) -> String {
    if value.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", value.replace('"', "\"\""))
    } else {
        value.to_owned()
    }
}
