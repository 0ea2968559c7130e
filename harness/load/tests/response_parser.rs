//! The parser against every split of valid answers, and against what is none.

use load::{Answer, Fed, KnownHead, Parser, ProtocolError};
use proptest::prelude::*;

/// Feeds `bytes` in pieces cut at `cuts`; all answers, and the close at the end if one is open.
fn answers(bytes: &[u8], cuts: &[usize]) -> Result<Vec<Answer>, ProtocolError> {
    let (mut parser, mut known) = (Parser::default(), KnownHead::default());
    let mut found = Vec::new();
    let mut edges: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    edges.extend([0, bytes.len()]);
    edges.sort_unstable();
    for piece in edges.windows(2) {
        let mut rest = &bytes[piece[0]..piece[1]];
        while let Fed::Whole { consumed, answer } = parser.feed(&mut known, rest)? {
            found.push(answer);
            rest = &rest[consumed..];
        }
    }
    if parser.is_within_answer() {
        found.push(parser.close()?);
    }
    Ok(found)
}

fn told(answers: &[Answer]) -> Vec<(u16, bool, u64, Vec<u8>)> {
    answers
        .iter()
        .map(|a| {
            (
                a.status,
                a.keep_alive,
                a.body.length(),
                a.body.kept().to_vec(),
            )
        })
        .collect()
}

const SIZED: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nHello from worker 7\n";
const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
    5\r\nHello\r\nf;name=value\r\n from worker 7\n\r\n0\r\nTrailer: x\r\n\r\n";
const CLOSING: &[u8] = b"HTTP/1.0 200 OK\r\nServer: x\r\n\r\nHello from worker 7\n";
const INTERIM: &[u8] = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n\
    HTTP/1.1 200 OK\r\nContent-Length: 20\r\nConnection: close\r\n\r\nHello from worker 7\n";
const BODILESS: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";

#[test]
fn every_single_split_of_each_framing_gives_the_same_answer() {
    for (bytes, keep_alive) in [
        (SIZED, true),
        (CHUNKED, true),
        (CLOSING, false),
        (INTERIM, false),
    ] {
        for cut in 0..=bytes.len() {
            let found = answers(bytes, &[cut]).unwrap();
            assert_eq!(
                told(&found),
                [(200, keep_alive, 20, b"Hello from worker 7\n".to_vec())],
                "split at {cut}"
            );
        }
    }
}

#[test]
fn a_known_head_is_not_taken_for_one_that_begins_alike() {
    let longer = SIZED.to_vec();
    let mut bytes = SIZED.to_vec();
    bytes.extend(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: y\r\n\r\nok");
    bytes.extend(&longer);
    bytes.extend(&longer);
    let lengths: Vec<u64> = answers(&bytes, &[])
        .unwrap()
        .iter()
        .map(|answer| answer.body.length())
        .collect();
    assert_eq!(lengths, [20, 2, 20, 20]);
}

#[test]
fn an_answer_without_body_ends_with_its_head() {
    assert_eq!(
        told(&answers(BODILESS, &[]).unwrap()),
        [(204, true, 0, vec![])]
    );
}

#[test]
fn close_outdoes_keep_alive_in_any_order() {
    for (version, fields, keep_alive) in [
        ("1.0", "", false),
        ("1.0", "Connection: x, Keep-Alive\r\n", true),
        ("1.1", "", true),
        ("1.1", "Connection: close, keep-alive\r\n", false),
        (
            "1.1",
            "Connection: close\r\nConnection: keep-alive\r\n",
            false,
        ),
        ("1.0", "Connection: keep-alive, close\r\n", false),
    ] {
        let bytes = format!("HTTP/{version} 200 OK\r\nContent-Length: 2\r\n{fields}\r\nok");
        let found = answers(bytes.as_bytes(), &[]).unwrap();
        assert_eq!(found[0].keep_alive, keep_alive, "{bytes:?}");
    }
}

#[test]
fn a_body_longer_than_the_witness_is_counted_not_stored() {
    let mut bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n".to_vec();
    bytes.extend(std::iter::repeat_n(b'x', 100_000));
    let found = answers(&bytes, &[1000, 70_000]).unwrap();
    assert_eq!(found[0].body.length(), 100_000);
    assert!(found[0].body.whole().is_none());
}

#[test]
fn what_is_no_answer_is_refused_by_name() {
    let cases: [(&[u8], ProtocolError); 10] = [
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHel",
            ProtocolError::Truncated,
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Le", ProtocolError::Truncated),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            ProtocolError::ContentLength,
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n",
            ProtocolError::ContentLength,
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
            ProtocolError::ContentLength,
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            ProtocolError::TransferEncoding,
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
            ProtocolError::AmbiguousFraming,
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
            ProtocolError::Chunk,
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n",
            ProtocolError::Chunk,
        ),
        (
            b"220 smtp.example ESMTP\r\n\r\n",
            ProtocolError::Head(httparse::Error::Version),
        ),
    ];
    for (bytes, error) in cases {
        assert_eq!(
            answers(bytes, &[]).map(|found| told(&found)),
            Err(error),
            "{}",
            String::from_utf8_lossy(bytes)
        );
    }
}

#[test]
fn a_head_that_is_too_long_is_refused_though_it_comes_whole() {
    let mut bytes = b"HTTP/1.1 200 OK\r\nX: ".to_vec();
    bytes.resize(70_000, b'x');
    for end in [&b""[..], b"\r\nContent-Length: 0\r\n\r\n"] {
        bytes.extend(end);
        for cuts in [&[][..], &[1000], &[65_536]] {
            assert_eq!(
                answers(&bytes, cuts).map(|found| told(&found)),
                Err(ProtocolError::HeadTooLong)
            );
        }
    }
}

proptest! {
    #[test]
    fn pipelined_answers_are_the_same_however_they_are_split(
        kinds in proptest::collection::vec(0_usize..3, 1..6),
        cuts in proptest::collection::vec(0_usize..4000, 0..12),
    ) {
        let pieces = [SIZED, CHUNKED, BODILESS];
        let bytes: Vec<u8> = kinds.iter().flat_map(|&kind| pieces[kind].iter().copied()).collect();
        let whole = answers(&bytes, &[]).unwrap();
        prop_assert_eq!(whole.len(), kinds.len());
        prop_assert_eq!(told(&answers(&bytes, &cuts).unwrap()), told(&whole));
    }

    #[test]
    fn mutated_answers_never_panic_and_splits_agree_on_them(
        kind in 0_usize..4,
        changes in proptest::collection::vec((0_usize..200, any::<u8>()), 1..5),
        cuts in proptest::collection::vec(0_usize..200, 0..6),
    ) {
        let mut bytes = [SIZED, CHUNKED, CLOSING, INTERIM][kind].to_vec();
        let length = bytes.len();
        for (at, byte) in changes {
            bytes[at % length] = byte;
        }
        let whole = answers(&bytes, &[]);
        let split = answers(&bytes, &cuts);
        prop_assert_eq!(
            whole.map(|answers| told(&answers)),
            split.map(|answers| told(&answers))
        );
    }
}
