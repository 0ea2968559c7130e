//! Drawing with replacement, many times over: the loop under every bootstrap here.
//!
//! Random numbers come in streams, told apart by `ChaCha`'s stream number; within a stream the
//! faster xoshiro256++ draws. Streams belong to pieces of the work, not to threads: the same seed
//! gives the same replicates in the same order, however many threads there are.

use rand::{RngExt, SeedableRng, rngs::Xoshiro256PlusPlus};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// Draws for one stream.
pub(crate) type Stream = Xoshiro256PlusPlus;

/// Replicates drawn from one stream.
const PER_STREAM: usize = 250;

/// `count` replicates, each made by a closure that `drawer` makes once for each stream.
pub(crate) fn replicates<T, Draw>(
    count: usize,
    seed: u64,
    drawer: impl Fn() -> Draw + Sync,
) -> Vec<T>
where
    T: Send,
    Draw: FnMut(&mut Stream) -> T,
{
    (0..count.div_ceil(PER_STREAM))
        .into_par_iter()
        .flat_map_iter(|stream| {
            let mut seeds = ChaCha8Rng::seed_from_u64(seed);
            seeds.set_stream(stream as u64);
            let mut random = Stream::from_rng(&mut seeds);
            let mut draw = drawer();
            let left = count - stream * PER_STREAM;
            (0..left.min(PER_STREAM)).map(move |_| draw(&mut random))
        })
        .collect()
}

/// Hands `take` as many indices below `count` as `count`, drawn with replacement.
///
/// Each number drawn gives two of them, from 32 bits each by multiplication (Lemire, ACM TOMACS
/// 29(1), 2019). What Lemire rejects for the sake of equal chances is kept: they differ by less
/// than `count` in 2³².
#[inline]
pub(crate) fn draw(count: usize, random: &mut Stream, mut take: impl FnMut(usize)) {
    #[allow(clippy::cast_possible_truncation, reason = "below count")]
    let below = |bits: u64| ((bits * count as u64) >> 32) as usize;
    for _ in 0..count / 2 {
        let bits: u64 = random.random();
        take(below(bits >> 32));
        take(below(bits & u64::from(u32::MAX)));
    }
    if count % 2 == 1 {
        take(below(random.random::<u64>() >> 32));
    }
}

/// The mean of as many values as there are, drawn with replacement.
#[inline]
pub(crate) fn mean_of_drawn(values: &[f64], random: &mut Stream) -> f64 {
    let mut sum = 0.0;
    draw(values.len(), random, |index| sum += values[index]);
    sum / values.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_longer_series_of_replicates_begins_with_the_shorter() {
        let draw = || |random: &mut Stream| random.random::<u64>();
        let short = replicates(PER_STREAM + 1, 3, draw);
        let long = replicates(2 * PER_STREAM + 7, 3, draw);
        assert_eq!(long.len(), 2 * PER_STREAM + 7);
        assert!(long.starts_with(&short));
    }

    #[test]
    fn streams_and_seeds_draw_apart() {
        let draw = || |random: &mut Stream| random.random::<u64>();
        let first = replicates(2 * PER_STREAM, 3, draw);
        assert_ne!(first[..PER_STREAM], first[PER_STREAM..]);
        assert_ne!(first, replicates(2 * PER_STREAM, 4, draw));
    }

    #[test]
    fn every_index_is_drawn_about_as_often_as_the_others() {
        let mut random = Stream::seed_from_u64(1);
        for count in [1, 2, 7, 30] {
            let mut drawn = vec![0_u32; count];
            for _ in 0..10_000 {
                draw(count, &mut random, |index| drawn[index] += 1);
            }
            // Five standard deviations of a Poisson count.
            assert!(
                drawn.iter().all(|&n| (9_500..=10_500).contains(&n)),
                "{drawn:?}"
            );
            assert_eq!(drawn.iter().sum::<u32>() as usize, 10_000 * count);
        }
    }
}
