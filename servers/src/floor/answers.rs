//! The answers, as ready as they can be: field for field and in the order that hyper sends them.
//!
//! The hello is kept whole, once for each manner, and made anew when the second of its date changes.
//! Other answers are put together when they are needed.

use std::{
    io::Write as _,
    time::{Duration, UNIX_EPOCH},
};

use httpdate::fmt_http_date;

use super::head::Version;

/// How an answer is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manner {
    /// The version it speaks.
    pub version: Version,
    /// Whether the connection goes on after it.
    pub persistent: bool,
}

impl Manner {
    const ALL: [Self; 4] = [
        Self::new(Version::Http10, false),
        Self::new(Version::Http10, true),
        Self::new(Version::Http11, false),
        Self::new(Version::Http11, true),
    ];

    const fn new(version: Version, persistent: bool) -> Self {
        Self {
            version,
            persistent,
        }
    }

    /// Its place in [`Self::ALL`].
    const fn index(self) -> usize {
        let version = match self.version {
            Version::Http10 => 0,
            Version::Http11 => 2,
        };
        version + self.persistent as usize
    }

    /// What has to be said of the connection, where it is not the version's own way.
    const fn connection_field(self) -> &'static str {
        match (self.version, self.persistent) {
            (Version::Http10, true) => "connection: keep-alive\r\n",
            (Version::Http11, false) => "connection: close\r\n",
            _ => "",
        }
    }

    const fn version_name(self) -> &'static str {
        match self.version {
            Version::Http10 => "HTTP/1.0",
            Version::Http11 => "HTTP/1.1",
        }
    }
}

/// An answer but for its manner and its date.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// Code and reason.
    pub status: &'a str,
    /// Whole lines that belong to this answer only.
    pub fields: &'a str,
    /// All of its body.
    pub body: &'a str,
}

/// A hello, whole.
#[derive(Debug, Default)]
struct Hello {
    bytes: Vec<u8>,
    head_length: usize,
}

/// All answers of one worker.
#[derive(Debug)]
pub struct Answers {
    hello_body: String,
    hellos: [Hello; 4],
    second: Option<u64>,
    date: String,
}

impl Answers {
    /// Answers of the worker with this id, dated `now_s` seconds after the epoch.
    #[must_use]
    pub fn new(worker: u32, now_s: u64) -> Self {
        let mut answers = Self {
            hello_body: format!("Hello from worker {worker}\n"),
            hellos: Default::default(),
            second: None,
            date: String::new(),
        };
        answers.set_date(now_s);
        answers
    }

    /// Date all answers from now on. Costs a comparison where the second is the same.
    pub fn set_date(&mut self, now_s: u64) {
        if self.second == Some(now_s) {
            return;
        }
        self.second = Some(now_s);
        self.date = fmt_http_date(UNIX_EPOCH + Duration::from_secs(now_s));
        self.hellos = Manner::ALL.map(|manner| {
            let mut bytes = Vec::new();
            let hello = Answer {
                status: "200 OK",
                fields: "content-type: text/plain\r\n",
                body: &self.hello_body,
            };
            self.put(hello, manner, true, &mut bytes);
            let head_length = bytes.len() - self.hello_body.len();
            Hello { bytes, head_length }
        });
    }

    /// The hello's bytes, or those of its head.
    #[must_use]
    pub fn hello(&self, manner: Manner, with_body: bool) -> &[u8] {
        let hello = &self.hellos[manner.index()];
        if with_body {
            &hello.bytes
        } else {
            &hello.bytes[..hello.head_length]
        }
    }

    /// Put any other answer behind `out`.
    pub fn put(&self, answer: Answer<'_>, manner: Manner, with_body: bool, out: &mut Vec<u8>) {
        let Answer {
            status,
            fields,
            body,
        } = answer;
        write!(
            out,
            "{} {status}\r\n{fields}{}content-length: {}\r\ndate: {}\r\n\r\n{}",
            manner.version_name(),
            manner.connection_field(),
            body.len(),
            self.date,
            if with_body { body } else { "" },
        )
        .expect("memory takes everything");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(answers: &Answers, manner: Manner) -> &str {
        std::str::from_utf8(answers.hello(manner, true)).unwrap()
    }

    #[test]
    fn every_manner_says_what_its_version_does_not_imply() {
        let answers = Answers::new(7, 0);
        for (manner, start, said) in [
            (Manner::new(Version::Http10, false), "HTTP/1.0 200", None),
            (
                Manner::new(Version::Http10, true),
                "HTTP/1.0 200",
                Some("keep-alive"),
            ),
            (
                Manner::new(Version::Http11, false),
                "HTTP/1.1 200",
                Some("close"),
            ),
            (Manner::new(Version::Http11, true), "HTTP/1.1 200", None),
        ] {
            let hello = text(&answers, manner);
            assert!(hello.starts_with(start), "{hello}");
            let connection = hello
                .lines()
                .find_map(|line| line.strip_prefix("connection: "));
            assert_eq!(connection, said, "{hello}");
        }
    }

    #[test]
    fn the_date_is_that_of_the_second_set_last_and_changes_no_length() {
        let mut answers = Answers::new(7, 0);
        let manner = Manner::new(Version::Http11, true);
        let before = text(&answers, manner).to_owned();
        assert!(before.contains("\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"));
        answers.set_date(784_111_777);
        let after = text(&answers, manner);
        assert!(after.contains("\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"));
        assert_eq!(before.len(), after.len());
    }

    #[test]
    fn a_head_alone_announces_the_body_it_lacks() {
        let answers = Answers::new(7, 0);
        let manner = Manner::new(Version::Http11, true);
        let head = answers.hello(manner, false);
        assert!(head.ends_with(b"\r\n\r\n"));
        let body = "Hello from worker 7\n";
        assert_eq!(
            [head, body.as_bytes()].concat(),
            answers.hello(manner, true)
        );
        assert!(text(&answers, manner).contains("\r\ncontent-length: 20\r\n"));
    }
}
