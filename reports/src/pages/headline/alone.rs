//! The answer of a run that asked nothing but experiments that stand alone.

use schema::{Grid, GridRow, Reuse, Stevens, Verdict, Verdicts};

use crate::{
    figures::{capital, ratio_in_brief},
    groups::lifetime,
    pages::sections::{told, woken},
};

/// A short sentence, of the first that was asked and has one; and what each says at more length.
pub(super) fn answer(verdicts: &Verdicts) -> Option<(String, Vec<String>)> {
    let grid = verdicts.grid.as_ref();
    let stevens = verdicts.stevens.as_ref();
    let balance = verdicts.balance.as_ref();
    let short = grid
        .and_then(like_for_like)
        .or_else(|| stevens.map(then_and_now))
        .or_else(|| {
            balance.map(|_| "Who answers depends on how connections are handed out.".to_owned())
        })?;
    let mut remarks: Vec<String> = Vec::new();
    remarks.extend(grid.into_iter().flat_map(by_lifetime));
    remarks.extend(
        stevens
            .and_then(|stevens| stevens.conclusions.first())
            .map(|conclusion| capital(&conclusion.sentence)),
    );
    remarks.extend(balance.and_then(woken));
    Some((short, remarks))
}

/// How processes and threads compare over all lines, each by what tells them apart.
fn like_for_like(grid: &Grid) -> Option<String> {
    let verdicts: Vec<Verdict> = grid
        .rows
        .iter()
        .filter_map(|row| Some(row.judged()?.verdict))
        .collect();
    let count = |wanted: Verdict| verdicts.iter().filter(|v| **v == wanted).count();
    let (processes, threads) = (count(Verdict::Better), count(Verdict::Worse));
    let all = verdicts.len();
    match (processes, threads) {
        _ if all == 0 => None,
        (0, 0) if count(Verdict::Equivalent) == all => {
            Some("Like for like, processes and threads do the same.".to_owned())
        }
        (0, 0) => Some("Like for like, this run cannot tell processes from threads.".to_owned()),
        _ => Some(format!(
            "Like for like, processes win in {processes} of {all} ways to serve, threads in {threads}."
        )),
    }
}

fn by_lifetime(grid: &Grid) -> Vec<String> {
    [Reuse::KeepAlive, Reuse::NewConnection]
        .into_iter()
        .filter_map(|reuse| {
            let rows: Vec<&GridRow> = grid.rows.iter().filter(|row| row.reuse == reuse).collect();
            (!rows.is_empty())
                .then(|| format!("{}: {}", capital(lifetime(reuse)), uncapital(&told(&rows))))
        })
        .collect()
}

/// A sentence behind a colon.
fn uncapital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(char::to_lowercase);
    first.into_iter().flatten().chain(letters).collect()
}

fn then_and_now(stevens: &Stevens) -> String {
    let pool = stevens.conclusions.first();
    match pool.and_then(|pool| pool.ratio.as_ref()) {
        Some(ratio) => format!(
            "A process for each connection takes {} times the CPU time of a pool to control.",
            ratio_in_brief(ratio)
        ),
        None => "Nine designs of a book, measured again.".to_owned(),
    }
}
