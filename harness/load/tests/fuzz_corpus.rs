//! The fuzzer's corpus without the fuzzer: every seed, cut in many ways that are the same each time.

#[path = "support/splits.rs"]
mod splits;

use std::{fs, path::Path};

use load::Parser;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use splits::{assert_agreement, lengths_and_stream};

const RANDOM_CUTS_PER_SEED: usize = 200;

/// File names and contents, in the order of names.
fn corpus() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/response");
    let mut seeds: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("no corpus in {}: {error}", folder.display()))
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs::read(&path).unwrap())
        })
        .collect();
    seeds.sort();
    assert!(!seeds.is_empty(), "{} is empty", folder.display());
    seeds
}

#[test]
fn every_seed_means_the_same_at_every_single_split() {
    for (name, input) in corpus() {
        let (lengths, stream) = lengths_and_stream(&input);
        eprintln!("{name}");
        assert_agreement(stream, &lengths);
        for cut in 1..stream.len() {
            assert_agreement(stream, &[cut, 0]);
        }
    }
}

#[test]
fn every_seed_means_the_same_in_pieces_of_any_lengths() {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    for (name, input) in corpus() {
        let (_, stream) = lengths_and_stream(&input);
        eprintln!("{name}");
        assert_agreement(stream, &[1]);
        for _ in 0..RANDOM_CUTS_PER_SEED {
            let count = random.random_range(1..8);
            let longest = random.random_range(1..=stream.len().max(2));
            let lengths: Vec<usize> = (0..count)
                .map(|_| random.random_range(1..=longest))
                .collect();
            assert_agreement(stream, &lengths);
        }
    }
}

#[test]
fn a_head_about_as_long_as_is_allowed_means_the_same_in_pieces() {
    for length in Parser::MAX_HELD_BYTES - 2..=Parser::MAX_HELD_BYTES + 2 {
        let mut stream = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: ".to_vec();
        stream.resize(length - 4, b'x');
        stream.extend(b"\r\n\r\nok");
        for lengths in [&[4096][..], &[length, 0], &[length - 1, 1, 1, 1, 1]] {
            assert_agreement(&stream, lengths);
        }
        // What is wrong beyond the limit is not looked at, cut or not.
        stream.truncate(length - 4);
        stream.extend(b"\r\nno field\r\n\r\n");
        for lengths in [&[4096][..], &[length, 0], &[length - 3, 1, 1, 1, 1]] {
            assert_agreement(&stream, lengths);
        }
    }
}
