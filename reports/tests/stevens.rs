//! The book's designs: the iterative server is taken off exactly, and words follow the figures.

mod synthetic;

use reports::{Run, judge};
use schema::{Conclusion, Standing, Stands, Stevens};
use synthetic::{
    designs::{CONTROL_S, ITERATIVE_S, stevens},
    each_trial, typical,
};

fn judged(run: &Run) -> Stevens {
    judge(run).stevens.unwrap()
}

fn about<'a>(stevens: &'a Stevens, words: &str) -> &'a Conclusion {
    let mut found = stevens
        .conclusions
        .iter()
        .filter(|c| c.claim.contains(words));
    found.next().unwrap()
}

#[test]
fn a_run_that_did_not_ask_has_no_designs() {
    assert_eq!(judge(&typical(1)).stevens, None);
}

#[test]
fn process_control_is_what_a_design_takes_beyond_the_iterative_server_in_the_same_block() {
    let stevens = judged(&stevens(4));
    let iterative = stevens.designs[0].figures.as_ref().unwrap();
    // Blocks wobble by 0, 1, 2 and 0 %.
    assert!((iterative.cpu_s.point - ITERATIVE_S * 1.0075).abs() < 1e-5);
    assert_eq!(
        (iterative.control_s, iterative.over_iterative),
        (None, None)
    );
    for (design, control) in stevens.designs[1..].iter().zip(CONTROL_S) {
        let figures = design.figures.as_ref().unwrap();
        let seen = figures.control_s.unwrap();
        assert!(
            (seen.point - control).abs() < 1e-5,
            "{}: {seen:?}",
            design.number
        );
        let (low, high) = seen.interval.unwrap();
        assert!(high - low < 1e-5, "the wobble is in both and falls out");
        let sum = figures.user_s.point + figures.system_s.point;
        assert!((sum - figures.cpu_s.point).abs() < 1e-9);
        let ratio = figures.over_iterative.unwrap().point;
        assert!((ratio / (1.0 + control / ITERATIVE_S) - 1.0).abs() < 0.02);
    }
}

#[test]
fn designs_stand_in_the_order_of_their_process_control() {
    let stevens = judged(&stevens(4));
    assert_eq!(stevens.order_now, [2, 7, 4, 3, 8, 5, 6, 1]);
    assert_eq!(stevens.order_in_book, [6, 4, 2, 7, 8, 3, 5, 1]);
    let order = about(&stevens, "order");
    assert_eq!(order.stands, Stands::Open);
    assert!(
        order.sentence.contains("2, 7, 4, 3, 8, 5, 6, 1")
            && order.sentence.contains("as remembered"),
        "{}",
        order.sentence
    );
}

#[test]
fn a_pool_that_cuts_process_control_by_fifteen_bears_the_book_out() {
    let stevens = judged(&stevens(5));
    let pool = about(&stevens, "factor of ten");
    assert_eq!(pool.stands, Stands::Yes);
    assert!((pool.ratio.unwrap().point - 15.0).abs() < 0.01);
    assert!(
        pool.sentence.contains("15.0 times") && pool.sentence.contains("95 % interval"),
        "{}",
        pool.sentence
    );
    assert_eq!(about(&stevens, "passing descriptors").stands, Stands::Yes);
    assert_eq!(
        about(&stevens, "a thread for each connection").stands,
        Stands::Yes
    );
}

#[test]
fn a_pool_that_cuts_it_by_less_does_not() {
    let mut run = stevens(5);
    each_trial(
        &mut run,
        "stevens-1-process-blocking-per-connection",
        |measured| {
            measured.server.cpu.user_ns /= 3;
            measured.server.cpu.system_ns /= 3;
        },
    );
    let stevens = judged(&run);
    let pool = about(&stevens, "factor of ten");
    assert_eq!(pool.stands, Stands::No);
    assert!(
        pool.sentence.contains("stands no more"),
        "{}",
        pool.sentence
    );
}

#[test]
fn a_pool_that_costs_no_more_than_the_iterative_server_has_no_ratio_and_a_verdict_all_the_same() {
    let mut run = stevens(5);
    each_trial(&mut run, "stevens-2-process-blocking-shared", |measured| {
        measured.server.cpu.user_ns /= 2;
        measured.server.cpu.system_ns /= 2;
    });
    let stevens = judged(&run);
    assert!(
        stevens.designs[2]
            .figures
            .as_ref()
            .unwrap()
            .control_s
            .unwrap()
            .point
            < 0.0
    );
    let pool = about(&stevens, "factor of ten");
    assert_eq!((pool.ratio, pool.stands), (None, Stands::Yes));
    assert!(
        pool.sentence.contains("there is no ratio"),
        "{}",
        pool.sentence
    );
}

#[test]
fn connections_over_workers_are_told_where_a_pool_shares_them() {
    let stevens = judged(&stevens(3));
    let spread = |number: usize| {
        stevens.designs[number]
            .figures
            .as_ref()
            .unwrap()
            .connections
            .as_ref()
    };
    let pool = spread(2).unwrap();
    assert_eq!(pool.shares.len(), 15);
    assert!(pool.jain.point > 0.999 && (pool.max_over_mean.point - 1.0).abs() < 0.01);
    assert!(spread(0).is_none() && spread(1).is_none() && spread(6).is_none());
}

#[test]
fn without_the_iterative_server_nothing_is_taken_off_and_conclusions_stay_open() {
    let mut run = stevens(3);
    run.observations
        .retain(|o| o.cell != "stevens-0-single-blocking");
    let stevens = judged(&run);
    assert!(matches!(
        stevens.designs[0].standing,
        Standing::NotMeasured { .. }
    ));
    assert!(
        stevens
            .designs
            .iter()
            .all(|d| d.figures.as_ref().is_none_or(|f| f.control_s.is_none()))
    );
    assert_eq!(about(&stevens, "factor of ten").stands, Stands::Open);
    assert!(stevens.order_now.is_empty());
}

#[test]
fn pages_show_the_designs_beside_the_book_and_say_how_its_figures_are_known() {
    let mut run = stevens(4);
    for observation in &mut run.observations {
        if observation.cell.starts_with("stevens-4-") {
            observation.outcome = synthetic::failure("it broke", "");
        }
    }
    let pages = synthetic::pages::Pages::of(&run);
    for page in [&pages.html, &pages.markdown] {
        assert!(!page.contains("NaN"));
        for text in [
            "UNIX Network Programming, vol. 1, chapter 30",
            "remembered, unverified",
            "20.90",
            "What changed since",
            "15.0 times",
            "Design 4 has no figures: every trial failed: it broke.",
        ] {
            assert!(page.contains(text), "{text}");
        }
    }
    assert!(pages.chart("stevens").contains("1 process per connection"));
    assert!(!pages.html.contains("id=\"grid\"") && !pages.html.contains("id=\"balance\""));
}
