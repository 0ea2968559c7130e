//! Cells that cannot be.

use schema::{Accept, Model, Style, Worker};

use crate::{
    command_line::assert_one_line,
    launch::{CLUSTER, THREADS, run},
};

#[test]
fn a_cell_that_cannot_be_is_refused_in_one_line_with_the_reason_and_the_choice() {
    let mut refused = 0;
    for (program, worker) in [(CLUSTER, Worker::Process), (THREADS, Worker::Thread)] {
        for &style in Style::ALL {
            for &accept in Accept::ALL {
                let model = Model {
                    worker,
                    style,
                    accept,
                };
                let Err(why) = model.known() else {
                    continue;
                };
                let words = ["--style", style.name(), "--accept", accept.name()];
                let ended = run(program, &words);
                assert_one_line(&ended, 2, &format!("{model} cannot be, for {why}"));
                let (_, choice) = ended.stderr.split_once("choose --accept from: ").unwrap();
                for other in Model::legal() {
                    let fits = (other.worker, other.style) == (worker, style);
                    assert!(!fits || choice.contains(other.accept.name()), "{choice}");
                }
                refused += 1;
            }
        }
    }
    let all = Worker::ALL.len() * Style::ALL.len() * Accept::ALL.len();
    assert_eq!(refused + Model::legal().count(), all);
}

#[test]
fn a_wake_that_means_nothing_in_a_cell_is_refused() {
    for model in Model::legal() {
        if (model.style, model.accept) == (Style::Evented, Accept::Shared) {
            continue;
        }
        let program = match model.worker {
            Worker::Process => CLUSTER,
            Worker::Thread => THREADS,
        };
        let (style, accept) = (model.style.name(), model.accept.name());
        let words = ["--style", style, "--accept", accept, "--wake", "exclusive"];
        let ended = run(program, &words);
        assert_one_line(&ended, 2, &format!("not for {model}"));
    }
}
