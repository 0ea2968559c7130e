//! From the bytes of requests to the bytes of answers, without a socket.
//!
//! # The memo
//! Clients say the same thing over and over. The bytes of the last head that asked for the hello
//! are kept with what they mean. Where input begins with the very same bytes, it begins with the
//! very same request: reading a head looks at nothing behind its empty line. One `memcmp` then
//! stands for the parser.

use super::{
    answers::{Answer, Answers, Manner},
    head::{self, Asked, Head, Unreadable, Version},
};

/// Answers put together before they are sent. The last one may go beyond it.
const ENOUGH_OUTPUT: usize = 32 * 1024;

/// Longest head worth keeping; a longer one is parsed every time.
const LONGEST_MEMO: usize = 2 * 1024;

/// Most characters of a request that its refusal repeats.
const ENOUGH_TO_RECOGNISE: usize = 1024;

const TEXT: &str = "content-type: text/plain\r\n";
const TEXT_AND_ALLOW: &str = "content-type: text/plain\r\nallow: GET, HEAD\r\n";

/// How a connection goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// Every whole request is answered. What is left is the beginning of one, or nothing.
    Listen,
    /// There is enough output; requests may be left.
    Full,
    /// The last answer said that the connection ends, and nothing came behind its request.
    End,
    /// The same, but the client may go on sending what nobody will read.
    EndUnheard,
}

/// What came of some input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Responded {
    /// Bytes of input that are dealt with.
    pub used: usize,
    /// How the connection goes on.
    pub course: Course,
}

/// The last head that asked for the hello.
#[derive(Debug)]
struct Memo {
    head: Vec<u8>,
    manner: Manner,
    with_body: bool,
}

/// Answers requests; one for all connections.
#[derive(Debug)]
pub struct Responder {
    answers: Answers,
    memo: Option<Memo>,
}

impl Responder {
    /// Answers as the worker with this id, dated `now_s` seconds after the epoch.
    #[must_use]
    pub fn new(worker: u32, now_s: u64) -> Self {
        Self {
            answers: Answers::new(worker, now_s),
            memo: None,
        }
    }

    /// Date all answers from now on.
    pub fn set_date(&mut self, now_s: u64) {
        self.answers.set_date(now_s);
    }

    /// Answer the requests in `input`, in order, behind `out`. With `last`, a request that ends
    /// where `input` ends is the last of its connection, and its answer says so.
    pub fn respond(&mut self, input: &[u8], last: bool, out: &mut Vec<u8>) -> Responded {
        let mut used = 0;
        let mut course = Course::Listen;
        while course == Course::Listen && used < input.len() {
            if out.len() >= ENOUGH_OUTPUT {
                course = Course::Full;
                break;
            }
            match self.answer_one(&input[used..], last, out) {
                Ok(Some((length, then))) => {
                    used += length;
                    course = then;
                }
                Ok(None) => break,
                Err(unreadable) => {
                    self.refuse(unreadable, out);
                    used = input.len();
                    course = Course::EndUnheard;
                }
            }
        }
        Responded { used, course }
    }

    /// Answer the request at the start of `rest`, unless its head is not whole. Tells the length of
    /// the head and how the connection goes on.
    fn answer_one(
        &mut self,
        rest: &[u8],
        last: bool,
        out: &mut Vec<u8>,
    ) -> Result<Option<(usize, Course)>, Unreadable> {
        let (length, manner, with_body) = match &self.memo {
            Some(memo) if rest.starts_with(&memo.head) => {
                (memo.head.len(), memo.manner, memo.with_body)
            }
            _ => {
                let Some(head) = head::read(rest)? else {
                    return Ok(None);
                };
                if head.asked != Asked::Hello || head.has_body {
                    return Ok(Some(self.answer_rare(&head, rest, last, out)));
                }
                self.remember(&head, rest);
                (head.length, manner_of(&head), head.with_body)
            }
        };
        let (manner, course) = end_if_told(manner, rest.len() == length, last);
        out.extend_from_slice(self.answers.hello(manner, with_body));
        Ok(Some((length, course)))
    }

    /// What no client asks for over and over: another path, another method, anything with a body.
    fn answer_rare(
        &self,
        head: &Head<'_>,
        rest: &[u8],
        last: bool,
        out: &mut Vec<u8>,
    ) -> (usize, Course) {
        let mut manner = manner_of(head);
        let course;
        if head.has_body {
            // Where the next request begins is known only to who reads the body.
            manner.persistent = false;
            course = Course::EndUnheard;
        } else {
            (manner, course) = end_if_told(manner, rest.len() == head.length, last);
        }
        let (status, fields, body) = match head.asked {
            Asked::Hello => {
                out.extend_from_slice(self.answers.hello(manner, head.with_body));
                return (head.length, course);
            }
            Asked::Path(path) => (
                "404 Not Found",
                TEXT,
                format!("nothing is at {}: ask for /\n", recognisable(path)),
            ),
            Asked::Method(method) => (
                "405 Method Not Allowed",
                TEXT_AND_ALLOW,
                format!(
                    "method {} is not served here: use GET or HEAD\n",
                    recognisable(method)
                ),
            ),
        };
        let answer = Answer {
            status,
            fields,
            body: &body,
        };
        self.answers.put(answer, manner, head.with_body, out);
        (head.length, course)
    }

    fn refuse(&self, unreadable: Unreadable, out: &mut Vec<u8>) {
        let answer = Answer {
            status: match unreadable {
                Unreadable::Malformed => "400 Bad Request",
                Unreadable::TooLong => "431 Request Header Fields Too Large",
            },
            fields: "",
            body: "",
        };
        let manner = Manner {
            version: Version::Http11,
            persistent: false,
        };
        self.answers.put(answer, manner, true, out);
    }

    fn remember(&mut self, head: &Head<'_>, rest: &[u8]) {
        if head.length > LONGEST_MEMO {
            return;
        }
        let mut kept = self.memo.take().map(|memo| memo.head).unwrap_or_default();
        kept.clear();
        kept.extend_from_slice(&rest[..head.length]);
        self.memo = Some(Memo {
            head: kept,
            manner: manner_of(head),
            with_body: head.with_body,
        });
    }
}

const fn manner_of(head: &Head<'_>) -> Manner {
    Manner {
        version: head.version,
        persistent: head.persistent,
    }
}

/// An answer ends its connection where the client said so, and where it is the last one.
const fn end_if_told(mut manner: Manner, nothing_follows: bool, last: bool) -> (Manner, Course) {
    manner.persistent &= !(last && nothing_follows);
    let course = match (manner.persistent, nothing_follows) {
        (true, _) => Course::Listen,
        (false, true) => Course::End,
        (false, false) => Course::EndUnheard,
    };
    (manner, course)
}

fn recognisable(text: &str) -> &str {
    match text.char_indices().nth(ENOUGH_TO_RECOGNISE) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: &str = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";

    fn fresh() -> Responder {
        Responder::new(7, 0)
    }

    /// The status codes of the answers to `input`, and what came of it.
    fn statuses(by: &mut Responder, input: &str, last: bool) -> (Vec<u16>, Responded) {
        let mut out = Vec::new();
        let responded = by.respond(input.as_bytes(), last, &mut out);
        let text = String::from_utf8(out).unwrap();
        let statuses = text
            .split("HTTP/1.1 ")
            .skip(1)
            .map(|answer| answer[..3].parse().unwrap());
        (statuses.collect(), responded)
    }

    #[test]
    fn a_remembered_head_gives_the_bytes_that_a_parsed_one_gives() {
        let others = [
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: test\r\nA: b\r\n\r\n",
            "HEAD / HTTP/1.1\r\nHost: test\r\n\r\n",
            "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
            "GET /a HTTP/1.1\r\nHost: test\r\n\r\n",
            HELLO,
        ];
        for first in others {
            for second in others {
                let mut with_memo = fresh();
                let mut out = Vec::new();
                with_memo.respond(first.as_bytes(), false, &mut Vec::new());
                with_memo.respond(second.as_bytes(), false, &mut out);
                let mut without = Vec::new();
                fresh().respond(second.as_bytes(), false, &mut without);
                assert_eq!(out, without, "{first:?} {second:?}");
            }
        }
    }

    #[test]
    fn requests_are_answered_in_order_and_the_beginning_of_one_is_left() {
        let input = format!("{HELLO}GET /a HTTP/1.1\r\n\r\nBREW / HTTP/1.1\r\n\r\n{HELLO}GET");
        let (statuses, responded) = statuses(&mut fresh(), &input, false);
        assert_eq!(statuses, [200, 404, 405, 200]);
        assert_eq!(responded.used, input.len() - 3);
        assert_eq!(responded.course, Course::Listen);
    }

    #[test]
    fn nothing_is_answered_behind_an_answer_that_ends_the_connection() {
        for (ending, status, behind) in [
            (
                "GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
                200,
                Course::End,
            ),
            (
                "GET /a HTTP/1.1\r\nConnection: close\r\n\r\n",
                404,
                Course::End,
            ),
            (
                "GET / HTTP/1.1\r\nContent-Length: 1\r\n\r\n",
                200,
                Course::EndUnheard,
            ),
            ("GET / HTTP/3\r\n\r\n", 400, Course::EndUnheard),
        ] {
            let (alone, responded) = statuses(&mut fresh(), ending, false);
            assert_eq!((alone, responded.course), (vec![status], behind));
            let input = format!("{HELLO}{ending}{HELLO}");
            let (statuses, responded) = statuses(&mut fresh(), &input, false);
            assert_eq!(statuses, [200, status]);
            assert_eq!(responded.course, Course::EndUnheard);
        }
    }

    #[test]
    fn only_the_last_answer_of_a_drained_connection_says_that_it_ends() {
        let mut out = Vec::new();
        let responded = fresh().respond(HELLO.repeat(3).as_bytes(), true, &mut out);
        assert_eq!(responded.course, Course::End);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.matches("200 OK").count(), 3);
        let (_, last) = text.rsplit_once("200 OK").unwrap();
        assert_eq!(text.matches("connection: close").count(), 1);
        assert!(last.contains("connection: close"));
    }

    #[test]
    fn output_has_a_limit_and_what_is_left_is_answered_next() {
        let input = HELLO.repeat(1000);
        let mut by = fresh();
        let (mut left, mut answered) = (input.as_str(), 0);
        while !left.is_empty() {
            let (statuses, responded) = statuses(&mut by, left, false);
            assert!(statuses.len() < 500 && !statuses.is_empty());
            answered += statuses.len();
            left = &left[responded.used..];
            assert_eq!(responded.course == Course::Full, !left.is_empty());
        }
        assert_eq!(answered, 1000);
    }

    #[test]
    fn a_refusal_repeats_no_more_of_a_request_than_it_takes_to_recognise_it() {
        let input = format!("GET /{} HTTP/1.1\r\n\r\n", "é".repeat(4000));
        let mut out = Vec::new();
        fresh().respond(input.as_bytes(), false, &mut out);
        assert!(out.starts_with(b"HTTP/1.1 404") && out.len() < 4000);
    }
}
