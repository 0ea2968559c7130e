//! From values to pixels, by plotters' coordinates, and the values worth a label.

use plotters::{
    coord::ranged1d::Ranged,
    coord::types::RangedCoordf64,
    prelude::{IntoLogRange, LogCoord},
};

/// One axis.
pub(super) enum Scale {
    /// From 0.
    Linear(RangedCoordf64, (i32, i32)),
    /// Equal factors take equal lengths.
    Log(LogCoord<f64>, (f64, f64), (i32, i32)),
}

impl Scale {
    /// From 0 to a little more than the greatest value.
    pub(super) fn from_zero(greatest: f64, pixels: (i32, i32)) -> Self {
        let end = if greatest > 0.0 { greatest * 1.04 } else { 1.0 };
        Self::Linear((0.0..end).into(), pixels)
    }

    /// From 0 to the first of about so many labels that is above the greatest value.
    pub(super) fn to_a_label(greatest: f64, labels: usize, pixels: (i32, i32)) -> Self {
        let fitting = Self::from_zero(greatest, pixels);
        match fitting.ticks(labels)[..] {
            [first, second, ..] => {
                let step = second - first;
                let end = (greatest / step).ceil() * step;
                // Just past the label, so that rounding does not lose it.
                Self::Linear((0.0..end * 1.000_1).into(), pixels)
            }
            _ => fitting,
        }
    }

    /// From 0 to 1, for shares.
    pub(super) fn shares(pixels: (i32, i32)) -> Self {
        Self::Linear((0.0..1.0).into(), pixels)
    }

    /// From a little less than the least value, above 0, to a little more than the greatest.
    pub(super) fn log(least: f64, greatest: f64, pixels: (i32, i32)) -> Self {
        let least = least.max(1.0);
        let (low, high) = (least * 0.8, greatest.max(least) * 1.25);
        Self::Log((low..high).log_scale().into(), (low, high), pixels)
    }

    pub(super) fn pixel(&self, value: f64) -> i32 {
        match self {
            Self::Linear(range, pixels) => range.map(&value, *pixels),
            Self::Log(range, (low, high), pixels) => range.map(&value.clamp(*low, *high), *pixels),
        }
    }

    /// Values for labels: about as many as fit.
    pub(super) fn ticks(&self, most: usize) -> Vec<f64> {
        match self {
            Self::Linear(range, _) => range.key_points(most),
            Self::Log(_, (low, high), _) => log_ticks(*low, *high, most),
        }
    }
}

/// 1, 2 and 5 of each power of ten, or fewer of them, or only the powers.
fn log_ticks(low: f64, high: f64, most: usize) -> Vec<f64> {
    let choices: [&[f64]; 3] = [&[1.0, 2.0, 5.0], &[1.0, 3.0], &[1.0]];
    let within = |steps: &[f64]| -> Vec<f64> {
        (0..=18)
            .flat_map(|exponent| steps.iter().map(move |step| step * 10_f64.powi(exponent)))
            .filter(|tick| (low..=high).contains(tick))
            .collect()
    };
    let mut ticks = Vec::new();
    for steps in choices {
        ticks = within(steps);
        if ticks.len() <= most {
            break;
        }
    }
    ticks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linear_axis_starts_at_zero_and_reaches_the_greatest_value() {
        let scale = Scale::from_zero(100.0, (0, 1040));
        assert_eq!(scale.pixel(0.0), 0);
        assert!((scale.pixel(100.0) - 1000).abs() <= 1);
        assert!(scale.ticks(5).len() >= 2);
    }

    #[test]
    fn an_axis_of_nothing_is_an_axis_all_the_same() {
        let scale = Scale::from_zero(0.0, (0, 100));
        assert_eq!(scale.pixel(0.0), 0);
        let scale = Scale::log(0.0, 0.0, (0, 100));
        assert!((0..=100).contains(&scale.pixel(0.0)));
    }

    #[test]
    fn a_log_axis_is_labelled_with_round_values_however_long_it_is() {
        assert_eq!(log_ticks(80.0, 1_300.0, 8), [100.0, 200.0, 500.0, 1000.0]);
        assert_eq!(log_ticks(80.0, 1_300.0, 3), [100.0, 300.0, 1000.0]);
        assert!(log_ticks(1.0, 1e9, 10).len() == 10);
    }
}
