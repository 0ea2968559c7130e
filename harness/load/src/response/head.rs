//! The head of an answer: parsed by httparse, or known already.
//!
//! A server says nearly the same head every time. The last one that was parsed is remembered, and
//! bytes that begin with the very same head are not parsed again: the same bytes mean the same.

use std::mem::MaybeUninit;

use super::{Answer, Fed, ProtocolError};
use crate::witness::BodyStart;

const MAX_HEADERS: usize = 64;

#[derive(Clone, Copy, Debug)]
pub(super) enum Framing {
    Sized(u64),
    Chunked,
    UntilClose,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) keep_alive: bool,
    pub(super) framing: Framing,
}

impl Head {
    /// Another one follows.
    pub(super) fn is_interim(self) -> bool {
        (100..200).contains(&self.status) && self.status != 101
    }

    /// No body follows, whatever the fields say.
    pub(super) fn is_bodiless(self) -> bool {
        matches!(self.status, 101 | 204 | 304)
    }
}

/// The last head that was parsed; one does for all connections of a thread.
#[derive(Debug, Default)]
pub struct KnownHead {
    bytes: Vec<u8>,
    head: Option<Head>,
}

impl KnownHead {
    /// Bytes of the head that is remembered.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn begins(&self, input: &[u8]) -> Option<Head> {
        self.head.filter(|_| input.starts_with(&self.bytes))
    }

    /// The answer, where the input begins with all of it: the common case, at the least cost.
    pub(super) fn whole_answer(&self, input: &[u8]) -> Option<Fed> {
        let head = self.begins(input)?;
        let Framing::Sized(length @ 1..) = head.framing else {
            return None;
        };
        if head.is_interim() || head.is_bodiless() {
            return None;
        }
        let rest = &input[self.bytes.len()..];
        let body = rest.get(..usize::try_from(length).ok()?)?;
        Some(Fed::Whole {
            consumed: self.bytes.len() + body.len(),
            answer: Answer {
                status: head.status,
                keep_alive: head.keep_alive,
                body: BodyStart::of(body),
            },
        })
    }

    pub(super) fn remember(&mut self, bytes: &[u8], head: Head) {
        self.bytes.clear();
        self.bytes.extend_from_slice(bytes);
        self.head = Some(head);
    }
}

/// A head and its length in bytes, or nothing where it is not whole.
pub(super) fn parse_head(bytes: &[u8]) -> Result<Option<(usize, Head)>, ProtocolError> {
    let mut headers = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
        &mut response,
        bytes,
        &mut headers,
    );
    let length = match parsed.map_err(ProtocolError::Head)? {
        httparse::Status::Complete(length) => length,
        httparse::Status::Partial => return Ok(None),
    };
    let mut content_length = None;
    let mut chunked = false;
    let mut closes = false;
    let mut keeps_alive = response.version == Some(1);
    for header in response.headers.iter() {
        if header.name.eq_ignore_ascii_case("content-length") {
            let value = decimal(header.value.trim_ascii()).ok_or(ProtocolError::ContentLength)?;
            if content_length.is_some_and(|known| known != value) {
                return Err(ProtocolError::ContentLength);
            }
            content_length = Some(value);
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            if chunked || !header.value.trim_ascii().eq_ignore_ascii_case(b"chunked") {
                return Err(ProtocolError::TransferEncoding);
            }
            chunked = true;
        } else if header.name.eq_ignore_ascii_case("connection") {
            for option in header.value.split(|&byte| byte == b',') {
                if option.trim_ascii().eq_ignore_ascii_case(b"close") {
                    closes = true;
                } else if option.trim_ascii().eq_ignore_ascii_case(b"keep-alive") {
                    keeps_alive = true;
                }
            }
        }
    }
    let framing = match (chunked, content_length) {
        (true, Some(_)) => return Err(ProtocolError::AmbiguousFraming),
        (true, None) => Framing::Chunked,
        (false, Some(length)) => Framing::Sized(length),
        (false, None) => Framing::UntilClose,
    };
    let status = response.code.unwrap_or_default();
    Ok(Some((
        length,
        Head {
            status,
            // RFC 9112, section 9.3: close is looked for first, wherever it stands.
            keep_alive: keeps_alive && !closes,
            framing,
        },
    )))
}

fn decimal(digits: &[u8]) -> Option<u64> {
    // The standard parser takes a leading plus sign; the grammar does not.
    if digits.first() == Some(&b'+') {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}
