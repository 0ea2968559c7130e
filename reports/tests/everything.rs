//! A run of every kind of experiment: its page keeps its order, and stays one that a browser likes.

mod synthetic;

use reports::{Run, judge};
use synthetic::{
    designs::{balance, grid, stevens},
    emulated::{EVERY, emulated, linear},
    pages::Pages,
};

/// Two runs as one: what the second planned follows what the first did.
fn together(mut first: Run, second: Run) -> Run {
    let shift = first.plan.cells.len();
    first.plan.cells.extend(second.plan.cells);
    for mut experiment in second.plan.experiments {
        for set in &mut experiment.sets {
            set.cells.iter_mut().for_each(|cell| *cell += shift);
        }
        first.plan.experiments.push(experiment);
    }
    first.observations.extend(second.observations);
    first
}

fn everything() -> Run {
    [grid(3), stevens(3), balance(2)]
        .into_iter()
        .fold(emulated(&EVERY, 3, linear), together)
}

#[test]
fn sections_stand_in_the_order_of_the_questions() {
    let html = Pages::of(&everything()).html;
    let places: Vec<usize> = [
        "id=\"story\"",
        "id=\"headline-",
        "id=\"grid\"",
        "id=\"scaling-",
        "id=\"stevens\"",
        "id=\"balance\"",
        "id=\"fidelity-",
        "id=\"comparisons\"",
        "id=\"origin\"",
    ]
    .iter()
    .map(|id| html.find(id).unwrap_or_else(|| panic!("{id}")))
    .collect();
    assert!(places.is_sorted(), "{places:?}");
    assert!(html.len() < 1_500_000, "{} bytes", html.len());
}

#[test]
fn ten_caveats_are_shown_and_the_rest_is_folded_away() {
    let mut run = everything();
    run.cut_off = true;
    run.machine.virtual_machine = true;
    run.machine.governor = Some("powersave".to_owned());
    run.machine.build.profile = "debug".to_owned();
    run.observations.pop();
    synthetic::every_trial(&mut run, |m| m.stop = Some("was killed".to_owned()));
    let caveats = judge(&run).caveats;
    assert!(caveats.len() > 10, "{caveats:#?}");
    let html = Pages::of(&run).html;
    let folded = format!("<summary>And {} more</summary>", caveats.len() - 10);
    let (shown, _) = html.split_once(&folded).unwrap();
    let (_, list) = shown
        .split_once("What to know before quoting this")
        .unwrap();
    assert_eq!(list.matches("<li>").count(), 10);
}

#[test]
fn the_main_question_answers_where_it_was_asked() {
    let run = everything();
    let text = reports::summary(&run, &judge(&run));
    assert!(!text.starts_with("Like for like"), "{text}");
}
