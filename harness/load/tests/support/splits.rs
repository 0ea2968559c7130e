//! What must hold of the parser whatever the bytes: one property, for the fuzzer and for ordinary tests.
//!
//! However a stream is cut, and whatever head was known before it, the parser finds the same answers,
//! each ending at the same byte, and the same end: none open, closed by the peer, or the same error.
//! It takes no more than it was given and holds no more than it says.
//!
//! At which piece an error shows is left open: a cut may hide what is wrong until the next piece comes.

use load::{Answer, Fed, KnownHead, Parser, ProtocolError};

/// A head unlike most, to be known before the bytes in question come.
const ANOTHER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// The most piece lengths that a fuzzer's input begins with.
const MAX_LENGTHS: usize = 8;

/// What a stream came to.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    answers: Vec<Told>,
    /// The answer that the peer's closing ended, if one was open.
    end: Result<Option<Told>, ProtocolError>,
}

/// An answer, and the offset in the stream of what follows it.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    end: usize,
    status: u16,
    keep_alive: bool,
    length: u64,
    kept: Vec<u8>,
}

impl Told {
    fn new(answer: &Answer, end: usize) -> Self {
        Self {
            end,
            status: answer.status,
            keep_alive: answer.keep_alive,
            length: answer.body.length(),
            kept: answer.body.kept().to_vec(),
        }
    }
}

/// A fuzzer's input: the first byte, modulo 8, says how many piece lengths follow, a byte each; the
/// rest is the stream. So a digit below 8 stands for itself, and `0` before a stream leaves it whole.
pub fn lengths_and_stream(input: &[u8]) -> (Vec<usize>, &[u8]) {
    let Some((&count, rest)) = input.split_first() else {
        return (Vec::new(), input);
    };
    let count = usize::from(count) % MAX_LENGTHS;
    let (lengths, stream) = rest.split_at(count.min(rest.len()));
    (
        lengths.iter().map(|&length| length.into()).collect(),
        stream,
    )
}

/// Holds the stream, cut into pieces of these lengths in turn, against the stream as a whole.
/// A length of 0 stands for all that is left; so do no lengths at all.
///
/// # Panics
/// Where the property does not hold.
pub fn assert_agreement(stream: &[u8], lengths: &[usize]) {
    let whole = outcome(&mut KnownHead::default(), stream, &[]);
    for (known_before, mut known) in [
        ("none", KnownHead::default()),
        ("the stream's last", knowing(stream)),
        ("another", knowing(ANOTHER)),
    ] {
        for (name, lengths) in [("whole", &[][..]), ("in pieces", lengths)] {
            let found = outcome(&mut known, stream, lengths);
            assert_eq!(
                found,
                whole,
                "{name} (lengths {lengths:?}), the head known before being {known_before}, of '{}'",
                stream.escape_ascii()
            );
        }
    }
}

/// What is known after this stream.
fn knowing(stream: &[u8]) -> KnownHead {
    let mut known = KnownHead::default();
    outcome(&mut known, stream, &[]);
    known
}

fn outcome(known: &mut KnownHead, stream: &[u8], lengths: &[usize]) -> Outcome {
    let mut parser = Parser::default();
    let mut answers = Vec::new();
    let mut taken = 0;
    for piece in pieces(stream, lengths) {
        let mut rest = piece;
        // Once more after an answer that ends with its piece: no bytes change nothing.
        loop {
            let fed = parser.feed(known, rest);
            assert!(parser.held_bytes() <= Parser::MAX_HELD_BYTES);
            assert!(known.held_bytes() <= Parser::MAX_HELD_BYTES);
            match fed {
                Ok(Fed::Partial) => break,
                Ok(Fed::Whole { consumed, answer }) => {
                    assert!(
                        (1..=rest.len()).contains(&consumed),
                        "{consumed} bytes consumed of {}",
                        rest.len()
                    );
                    assert!(!parser.is_within_answer() && parser.held_bytes() == 0);
                    taken += consumed;
                    rest = &rest[consumed..];
                    answers.push(Told::new(&answer, taken));
                }
                Err(error) => {
                    let end = Err(error);
                    return Outcome { answers, end };
                }
            }
        }
        taken += rest.len();
    }
    let end = if parser.is_within_answer() {
        parser
            .close()
            .map(|answer| Some(Told::new(&answer, stream.len())))
    } else {
        Ok(None)
    };
    Outcome { answers, end }
}

fn pieces<'a>(stream: &'a [u8], lengths: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let mut rest = stream;
    let mut lengths = lengths.iter().cycle();
    std::iter::from_fn(move || {
        let length = match lengths.next() {
            None | Some(0) => rest.len(),
            Some(&length) => length.min(rest.len()),
        };
        let (piece, left) = rest.split_at(length);
        rest = left;
        (!piece.is_empty()).then_some(piece)
    })
}
