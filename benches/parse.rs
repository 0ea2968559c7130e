//! What reading and checking one answer costs the load generator, by framing, whole and in pieces, with
//! the head it had the last time and with a new one.

use std::{hint::black_box, process::ExitCode};

use benches::tools::suite;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use load::{Fed, KnownHead, Parser, worker_id};

/// As this project's servers answer.
const SIZED: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 24\r\n\
    date: Sun, 22 Nov 2026 12:00:00 GMT\r\n\r\nHello from worker 12345\n";
/// As Node answers.
const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\nDate: Sun, 22 Nov 2026 12:00:00 GMT\r\n\
    Connection: keep-alive\r\nKeep-Alive: timeout=5\r\nTransfer-Encoding: chunked\r\n\r\n\
    18\r\nHello from worker 12345\n\r\n0\r\n\r\n";

/// The worker named by the one answer in `bytes`, fed in pieces of at most `piece` bytes.
fn read(parser: &mut Parser, known: &mut KnownHead, bytes: &[u8], piece: usize) -> Option<u64> {
    for bytes in bytes.chunks(piece) {
        if let Ok(Fed::Whole { answer, .. }) = parser.feed(known, bytes) {
            return answer.body.whole().and_then(worker_id);
        }
    }
    None
}

fn parse(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    group.throughput(Throughput::Elements(1));
    for (name, bytes) in [("sized", SIZED), ("chunked", CHUNKED)] {
        for (pieces, piece) in [("whole", usize::MAX), ("in-64-byte-pieces", 64)] {
            let mut known = KnownHead::default();
            let mut parser = Parser::default();
            assert_eq!(
                read(&mut parser, &mut known, bytes, piece),
                Some(12345),
                "{name}"
            );
            group.bench_with_input(BenchmarkId::new(name, pieces), bytes, |bencher, bytes| {
                bencher.iter(|| read(&mut parser, &mut known, black_box(bytes), piece));
            });
        }
        let mut parser = Parser::default();
        group.bench_with_input(
            BenchmarkId::new(name, "new-head"),
            bytes,
            |bencher, bytes| {
                bencher.iter_batched_ref(
                    KnownHead::default,
                    |known| read(&mut parser, known, black_box(bytes), usize::MAX),
                    BatchSize::SmallInput,
                );
            },
        );
    }
    group.finish();
}

fn main() -> ExitCode {
    suite::run_alone(&[parse])
}
