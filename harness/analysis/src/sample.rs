//! Numbers that statistics can be made of.

/// One number from each trial: at least one, all finite.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample(Vec<f64>);

/// Why numbers are no [`Sample`].
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum SampleError {
    /// There are none.
    #[error("a sample needs at least one value and has none")]
    Empty,
    /// One of them is infinite or no number.
    #[error("value {index} of the sample is {value}; every value must be finite")]
    NotFinite {
        /// Which, from 0.
        index: usize,
        /// What it is.
        value: f64,
    },
    /// One of them has no logarithm.
    #[error("value {index} of the sample is {value}; a ratio needs values above 0")]
    NotPositive {
        /// Which, from 0.
        index: usize,
        /// What it is.
        value: f64,
    },
    /// Two cells do not have the same number of blocks.
    #[error("{reference} blocks of the reference cannot be paired with {subject} of the subject")]
    Unpaired {
        /// Blocks of the reference.
        reference: usize,
        /// Blocks of the subject.
        subject: usize,
    },
}

impl Sample {
    /// Takes the values in the order of their trials.
    ///
    /// # Errors
    /// Where there are none, or one is not finite.
    pub fn new(values: Vec<f64>) -> Result<Self, SampleError> {
        if values.is_empty() {
            return Err(SampleError::Empty);
        }
        match values.iter().position(|value| !value.is_finite()) {
            Some(index) => Err(SampleError::NotFinite {
                index,
                value: values[index],
            }),
            None => Ok(Self(values)),
        }
    }

    /// The values, in the order of their trials.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.0
    }

    /// How many.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "a sample is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The arithmetic mean.
    #[must_use]
    pub fn mean(&self) -> f64 {
        mean(&self.0)
    }

    /// The geometric mean, `exp(mean(ln x))`: the mean for ratios, as it alone is the same
    /// whichever of the two stands on top (Fleming and Wallace, CACM 29(3), 1986).
    ///
    /// # Errors
    /// Where a value is not above 0.
    pub fn geometric_mean(&self) -> Result<f64, SampleError> {
        Ok(mean(&logarithms(&self.0)?).exp())
    }
}

pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

pub(crate) fn logarithms(values: &[f64]) -> Result<Vec<f64>, SampleError> {
    values
        .iter()
        .enumerate()
        .map(|(index, &value)| {
            if value > 0.0 {
                Ok(value.ln())
            } else {
                Err(SampleError::NotPositive { index, value })
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_never_empty_and_never_holds_what_is_no_number() {
        assert_eq!(Sample::new(vec![]), Err(SampleError::Empty));
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let error = Sample::new(vec![1.0, bad]).unwrap_err().to_string();
            assert!(error.contains("value 1"), "{error}");
        }
    }

    #[test]
    fn means_of_one_two_four_are_known() {
        let sample = Sample::new(vec![1.0, 2.0, 4.0]).unwrap();
        assert!((sample.mean() - 7.0 / 3.0).abs() < 1e-12);
        assert!((sample.geometric_mean().unwrap() - 2.0).abs() < 1e-12);
    }

    #[test]
    fn zero_has_no_geometric_mean() {
        let sample = Sample::new(vec![1.0, 0.0]).unwrap();
        assert_eq!(
            sample.geometric_mean(),
            Err(SampleError::NotPositive {
                index: 1,
                value: 0.0
            })
        );
    }
}
