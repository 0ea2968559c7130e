//! HTTP/1.1 answers, read from bytes that may be split anywhere.
//!
//! The same bytes come to the same answers, or to the same error, however they are split. The head
//! is parsed by httparse, straight from the bytes received when they hold all of it. The body is
//! never stored: its start is kept for the witness and the rest is counted, so a connection costs the
//! same memory whatever it receives.
//!
//! Framing follows RFC 9112, section 6.3: no body for 1xx, 204 and 304; then Transfer-Encoding:
//! chunked; then Content-Length; else until the connection closes. Both header fields at once, or
//! two differing lengths, are refused: a client that guesses there can be led to count wrongly.

mod head;

pub use self::head::KnownHead;
use self::head::{Framing, Head, parse_head};
use crate::witness::BodyStart;

const MAX_HEAD_BYTES: usize = 64 * 1024;
const MAX_CHUNK_LINE_BYTES: usize = 256;

/// A whole answer.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Whether another request may follow on the connection.
    pub keep_alive: bool,
    /// The body's start and length.
    pub body: BodyStart,
}

/// What became of the bytes given to [`Parser::feed`].
#[derive(Clone, Copy, Debug)]
pub enum Fed {
    /// All bytes were taken and the answer goes on.
    Partial,
    /// The answer is whole; bytes from `consumed` on belong to what follows.
    Whole {
        /// Bytes taken.
        consumed: usize,
        /// The answer.
        answer: Answer,
    },
}

/// The bytes are not an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// httparse refused the head.
    #[error("the head is not HTTP/1.x: {0}")]
    Head(httparse::Error),
    /// The head did not end in time.
    #[error("the head is longer than {MAX_HEAD_BYTES} bytes")]
    HeadTooLong,
    /// Content-Length is no number, or two of them differ.
    #[error("Content-Length is no single number")]
    ContentLength,
    /// A transfer coding other than chunked.
    #[error("Transfer-Encoding is not 'chunked'")]
    TransferEncoding,
    /// Both Content-Length and Transfer-Encoding.
    #[error("both Content-Length and Transfer-Encoding are given")]
    AmbiguousFraming,
    /// A chunk's size line or end is malformed.
    #[error("a chunk is malformed")]
    Chunk,
    /// The connection closed before the answer was whole.
    #[error("the connection closed before the answer was whole")]
    Truncated,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Head,
    Sized { remaining: u64 },
    UntilClose,
    ChunkSize,
    ChunkData { remaining: u64 },
    ChunkEnd,
    Trailer,
}

/// Reads one answer after another from a connection's bytes.
#[derive(Debug)]
pub struct Parser {
    state: State,
    /// A head or a chunk's line that came in pieces.
    pending: Vec<u8>,
    status: u16,
    keep_alive: bool,
    body: BodyStart,
}

impl Default for Parser {
    fn default() -> Self {
        Self {
            state: State::Head,
            pending: Vec::new(),
            status: 0,
            keep_alive: true,
            body: BodyStart::default(),
        }
    }
}

impl Parser {
    /// The most that [`Parser::held_bytes`] and [`KnownHead::held_bytes`] tell.
    pub const MAX_HELD_BYTES: usize = MAX_HEAD_BYTES;

    /// Bytes held until the rest of their head or line comes.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.pending.len()
    }

    /// Whether bytes of an answer have been taken that is not whole yet.
    #[must_use]
    pub fn is_within_answer(&self) -> bool {
        self.state != State::Head || !self.pending.is_empty()
    }

    /// Takes bytes in the order they came.
    ///
    /// # Errors
    /// [`ProtocolError`] where they are no HTTP/1.1 answer; the connection is of no use then.
    pub fn feed(&mut self, known: &mut KnownHead, input: &[u8]) -> Result<Fed, ProtocolError> {
        if !self.is_within_answer()
            && let Some(whole) = known.whole_answer(input)
        {
            return Ok(whole);
        }
        let mut rest = input;
        while !rest.is_empty() {
            let done = match self.state {
                State::Head => self.take_head(known, &mut rest)?,
                State::Sized { remaining } => {
                    let left = self.take_body(&mut rest, remaining);
                    self.state = State::Sized { remaining: left };
                    left == 0
                }
                State::UntilClose => {
                    let length = rest.len() as u64;
                    self.take_body(&mut rest, length);
                    false
                }
                State::ChunkSize => {
                    self.state = match self.take_line(&mut rest, chunk_size)? {
                        Some(0) => State::Trailer,
                        Some(size) => State::ChunkData { remaining: size },
                        None => State::ChunkSize,
                    };
                    false
                }
                State::ChunkData { remaining } => {
                    let left = self.take_body(&mut rest, remaining);
                    self.state = if left == 0 {
                        State::ChunkEnd
                    } else {
                        State::ChunkData { remaining: left }
                    };
                    false
                }
                State::ChunkEnd => {
                    if self.take_line(&mut rest, chunk_end)?.is_some() {
                        self.state = State::ChunkSize;
                    }
                    false
                }
                State::Trailer => self
                    .take_line(&mut rest, |line| Ok(line.is_empty()))?
                    .unwrap_or(false),
            };
            if done {
                let consumed = input.len() - rest.len();
                return Ok(Fed::Whole {
                    consumed,
                    answer: self.finish(),
                });
            }
        }
        Ok(Fed::Partial)
    }

    /// The connection closed.
    ///
    /// # Errors
    /// [`ProtocolError::Truncated`] where the answer was to go on.
    pub fn close(&mut self) -> Result<Answer, ProtocolError> {
        if self.state == State::UntilClose {
            Ok(self.finish())
        } else {
            Err(ProtocolError::Truncated)
        }
    }

    fn finish(&mut self) -> Answer {
        let answer = Answer {
            status: self.status,
            keep_alive: self.keep_alive,
            body: self.body,
        };
        self.state = State::Head;
        self.body = BodyStart::default();
        answer
    }

    /// Takes a head, or what has come of it; true where the answer ends with it.
    ///
    /// Only whole lines within the limit are parsed, so that what is wrong with a head does not
    /// depend on where its bytes were cut, nor on what came behind it.
    fn take_head(
        &mut self,
        known: &mut KnownHead,
        rest: &mut &[u8],
    ) -> Result<bool, ProtocolError> {
        let already = self.pending.len();
        if already == 0
            && let Some(head) = known.begins(rest)
        {
            *rest = &rest[known.held_bytes()..];
            return Ok(self.begin_body(head));
        }
        let within_limit = &rest[..rest.len().min(MAX_HEAD_BYTES - already)];
        let whole_lines = within_limit.iter().rposition(|&byte| byte == b'\n');
        if already > 0 {
            self.pending.extend_from_slice(within_limit);
        }
        if let Some(end) = whole_lines {
            let bytes = if already > 0 {
                &self.pending
            } else {
                within_limit
            };
            if let Some((length, head)) = parse_head(&bytes[..=already + end])? {
                known.remember(&bytes[..length], head);
                *rest = &rest[length - already..];
                self.pending.clear();
                return Ok(self.begin_body(head));
            }
        }
        if already == 0 {
            self.pending.extend_from_slice(within_limit);
        }
        if within_limit.len() < rest.len() {
            return Err(ProtocolError::HeadTooLong);
        }
        *rest = &[];
        Ok(false)
    }

    /// Sets out on what follows a head; true where nothing does.
    fn begin_body(&mut self, head: Head) -> bool {
        if head.is_interim() {
            return false;
        }
        self.status = head.status;
        self.keep_alive = head.keep_alive;
        match head.framing {
            _ if head.is_bodiless() => return true,
            Framing::Sized(0) => return true,
            Framing::Sized(remaining) => self.state = State::Sized { remaining },
            Framing::Chunked => self.state = State::ChunkSize,
            Framing::UntilClose => {
                self.keep_alive = false;
                self.state = State::UntilClose;
            }
        }
        false
    }

    /// Takes body bytes; what remains of `wanted` is returned.
    fn take_body(&mut self, rest: &mut &[u8], wanted: u64) -> u64 {
        let taken = usize::try_from(wanted).map_or(rest.len(), |wanted| wanted.min(rest.len()));
        self.body.extend(&rest[..taken]);
        *rest = &rest[taken..];
        wanted - taken as u64
    }

    /// Takes a line of the chunked coding and reads it, without its CRLF, once it is whole.
    fn take_line<T>(
        &mut self,
        rest: &mut &[u8],
        read: fn(&[u8]) -> Result<T, ProtocolError>,
    ) -> Result<Option<T>, ProtocolError> {
        let end = rest.iter().position(|&byte| byte == b'\n');
        let (taken, left) = rest.split_at(end.map_or(rest.len(), |end| end + 1));
        *rest = left;
        if self.pending.len() + taken.len() > MAX_CHUNK_LINE_BYTES {
            return Err(ProtocolError::Chunk);
        }
        if end.is_some() && self.pending.is_empty() {
            return read_line(taken, read).map(Some);
        }
        self.pending.extend_from_slice(taken);
        if end.is_none() {
            return Ok(None);
        }
        let value = read_line(&self.pending, read)?;
        self.pending.clear();
        Ok(Some(value))
    }
}

fn read_line<T>(
    line: &[u8],
    read: fn(&[u8]) -> Result<T, ProtocolError>,
) -> Result<T, ProtocolError> {
    read(line.strip_suffix(b"\r\n").ok_or(ProtocolError::Chunk)?)
}

/// The size in a chunk's first line; extensions after a semicolon are passed over.
fn chunk_size(line: &[u8]) -> Result<u64, ProtocolError> {
    let digits = line
        .split(|&byte| byte == b';')
        .next()
        .unwrap_or_default()
        .trim_ascii();
    let text = std::str::from_utf8(digits).map_err(|_| ProtocolError::Chunk)?;
    if text.starts_with('+') {
        return Err(ProtocolError::Chunk);
    }
    u64::from_str_radix(text, 16).map_err(|_| ProtocolError::Chunk)
}

/// Nothing stands between a chunk's data and its line end.
fn chunk_end(line: &[u8]) -> Result<(), ProtocolError> {
    if line.is_empty() {
        Ok(())
    } else {
        Err(ProtocolError::Chunk)
    }
}
