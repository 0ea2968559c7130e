//! One finding over many cells as one sentence: a list of sixty is read by nobody.

use schema::Cell;

use crate::groups::in_words;

/// So many are named; of more it is told how many they are.
const NAMED: usize = 3;

/// What was found of cells, each once: of one alone in its own words, of several in a sentence with
/// their number and the worst of them.
pub(in crate::judge) fn gathered<T>(
    found: &[T],
    badness: impl Fn(&T) -> f64,
    alone: impl Fn(&T) -> String,
    together: impl Fn(usize, &T) -> String,
) -> Option<String> {
    let worst = found
        .iter()
        .max_by(|a, b| badness(a).total_cmp(&badness(b)))?;
    Some(match found.len() {
        1 => alone(worst),
        many => together(many, worst),
    })
}

/// A cell among those of several experiments, as in `threads with 2 workers (grid)`.
pub(in crate::judge) fn in_experiment(cell: &Cell) -> String {
    format!("{} ({})", in_words(cell), cell.experiment)
}

/// As in `one, two, three and 7 more`.
pub(in crate::judge) fn a_few(names: &[String]) -> String {
    match names {
        [all @ .., last] if names.len() <= NAMED && !all.is_empty() => {
            format!("{} and {last}", all.join(", "))
        }
        _ if names.len() <= NAMED => names.join(", "),
        _ => format!(
            "{} and {} more",
            names[..NAMED].join(", "),
            names.len() - NAMED
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_names_are_a_few_and_a_number() {
        let names: Vec<String> = ["a", "b", "c", "d", "e"].map(str::to_owned).into();
        assert_eq!(a_few(&names[..1]), "a");
        assert_eq!(a_few(&names[..2]), "a and b");
        assert_eq!(a_few(&names[..3]), "a, b and c");
        assert_eq!(a_few(&names), "a, b, c and 2 more");
    }

    #[test]
    fn one_finding_keeps_its_words_and_several_are_counted_with_the_worst() {
        let told = |found: &[f64]| {
            let alone = |share: &f64| format!("alone {share}");
            gathered(
                found,
                |share| *share,
                alone,
                |many, worst| format!("{many}, worst {worst}"),
            )
        };
        assert_eq!(told(&[]), None);
        assert_eq!(told(&[0.5]).unwrap(), "alone 0.5");
        assert_eq!(told(&[0.5, 0.9, 0.7]).unwrap(), "3, worst 0.9");
    }
}
