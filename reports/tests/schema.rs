//! `verdicts.json` is what `verdicts.schema.json` promises, whatever was measured.

mod synthetic;

use std::{path::Path, sync::LazyLock};

use jsonschema::Validator;
use reports::{Run, judge};
use schema::{Estimate, Law, Verdicts};
use serde_json::{Value, json};
use synthetic::{
    designs::{balance, grid, grid_with_primitives, stevens},
    emulated::{EVERY, Shown, calibration, emulated, linear},
    typical,
};

static SCHEMA: LazyLock<Validator> = LazyLock::new(|| {
    let schema: Value = serde_json::from_str(include_str!("../verdicts.schema.json")).unwrap();
    jsonschema::meta::validate(&schema).unwrap();
    jsonschema::validator_for(&schema).unwrap()
});

fn errors(document: &Value) -> Vec<String> {
    SCHEMA
        .iter_errors(document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

fn written(verdicts: &Verdicts) -> Value {
    serde_json::to_value(verdicts).unwrap()
}

fn fits(run: &Run) -> Value {
    let document = written(&judge(run));
    let errors = errors(&document);
    assert!(errors.is_empty(), "{errors:#?}");
    document
}

#[test]
fn verdicts_of_every_shape_of_run_fit_the_schema() {
    let mut nothing = typical(1);
    nothing.observations.clear();
    let mut no_memory = typical(3);
    synthetic::every_trial(&mut no_memory, |m| m.server.pss_bytes = None);
    let mut calibrated = emulated(&EVERY, 3, linear);
    calibrated.calibration = Some(calibration());
    let runs = [
        typical(1),
        typical(5),
        nothing,
        no_memory,
        emulated(&["headline"], 1, linear),
        emulated(&["scaling"], 3, |cell, block| Shown {
            given: 1.0 - 0.03 * f64::from(cell.workers),
            ..linear(cell, block)
        }),
        emulated(&["fidelity"], 2, linear),
        calibrated,
        grid(1),
        grid(3),
        grid_with_primitives(3),
        stevens(3),
        balance(2),
    ];
    for run in &runs {
        fits(run);
    }
}

#[test]
fn a_law_fits_the_schema_fitted_or_not_refused_or_not() {
    let mut verdicts = judge(&emulated(&["scaling"], 1, linear));
    let figure = |point| Estimate {
        point,
        interval: None,
    };
    let law = |peak, refusal: Option<&str>| Law::Fitted {
        alpha: figure(0.02),
        beta: figure(0.0001),
        gamma: figure(8_000.0),
        r_squared: Some(0.99),
        peak,
        refusal: refusal.map(str::to_owned),
    };
    let laws = [
        law(Some(figure(99.0)), None),
        law(None, Some("it was measured in too few places")),
        Law::NotFitted {
            reason: "too few numbers of workers were measured".to_owned(),
        },
    ];
    for law in laws {
        verdicts.scaling[0].law = law;
        let errors = errors(&written(&verdicts));
        assert!(errors.is_empty(), "{errors:#?}");
    }
}

#[test]
fn the_verdicts_of_the_committed_run_fit_the_schema() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("example");
    fits(&reports::read_folder(&folder).unwrap());
}

#[test]
fn a_document_that_is_wrong_anywhere_is_refused() {
    let mut run = emulated(&EVERY, 1, linear);
    run.calibration = Some(calibration());
    let document = fits(&run);
    let wrong: [(&str, Value); 9] = [
        ("/schema_version", json!(2)),
        ("/valid", json!("yes")),
        ("/headlines/0/kind", json!("coroutines")),
        ("/headlines/0/throughput/verdict", json!("splendid")),
        ("/estimates/0/throughput_per_s/interval", json!([1.0])),
        ("/scaling/0/workload", json!({"cpu": {"ms": 5}})),
        ("/scaling/0/law", json!({})),
        ("/calibration/same/rate", json!([0.05, 0.02, 7.0])),
        ("/caveats/0", json!("no full stop")),
    ];
    for (place, value) in wrong {
        let mut document = document.clone();
        *document.pointer_mut(place).unwrap() = value;
        assert!(!errors(&document).is_empty(), "{place}");
    }
}

#[test]
fn what_stands_alone_is_refused_where_it_is_wrong() {
    type OfBlocks = fn(u32) -> Run;
    let wrong: [(OfBlocks, &str, Value); 10] = [
        (grid, "/grid/rows/0/process", json!({"refused": {}})),
        (grid, "/grid/rows/0/sentence", json!("no full stop")),
        (grid, "/grid/policies/0/worker", json!("coroutine")),
        (stevens, "/stevens/designs/1/number", json!(9)),
        (stevens, "/stevens/conclusions/0/stands", json!("perhaps")),
        (balance, "/balance/cells/0/requests/shares", json!([])),
        (balance, "/balance/cells/0/workers", json!(0)),
        (
            grid_with_primitives,
            "/primitives/groups/1/rows/0/thread",
            json!({"wall_ns": null}),
        ),
        (
            grid_with_primitives,
            "/primitives/groups/1/means",
            json!("no full stop"),
        ),
        (grid_with_primitives, "/handoffs/0/predicted", json!(0.5)),
    ];
    for (run, place, value) in wrong {
        let mut document = fits(&run(3));
        *document.pointer_mut(place).unwrap() = value;
        assert!(!errors(&document).is_empty(), "{place}");
    }
}

#[test]
fn a_field_too_many_or_too_few_is_refused_at_every_level() {
    let mut run = emulated(&EVERY, 1, linear);
    run.calibration = Some(calibration());
    let document = fits(&run);
    let objects = [
        "",
        "/headlines/0",
        "/headlines/0/throughput",
        "/headlines/0/throughput/ratio",
        "/estimates/0",
        "/scaling/0",
        "/scaling/0/points/0",
        "/fidelity",
        "/fidelity/against_real/0",
        "/calibration",
        "/calibration/machine",
        "/calibration/same",
        "/calibration/power/0",
    ];
    for place in objects {
        let fields = document.pointer(place).unwrap().as_object().unwrap();
        for field in fields.keys() {
            let mut document = document.clone();
            let object = document.pointer_mut(place).unwrap();
            object.as_object_mut().unwrap().remove(field);
            assert!(!errors(&document).is_empty(), "{place} without {field}");
        }
        let mut document = document.clone();
        document.pointer_mut(place).unwrap()["surprise"] = json!(1);
        assert!(!errors(&document).is_empty(), "{place} with a surprise");
    }
}
