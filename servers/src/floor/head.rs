//! The head of a request: what of it decides the answer and the fate of the connection.

use std::mem::MaybeUninit;

use httparse::{Error, Header, Request, Status};

/// Bytes a head may have, and not one more, however it is cut into segments.
pub const LONGEST: usize = 16 * 1024;

/// Fields a head may have, as in hyper.
const MOST_FIELDS: usize = 100;

/// The versions of HTTP/1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// A connection ends with its first answer unless the client asks for more.
    Http10,
    /// A connection goes on unless one side says that it ends.
    Http11,
}

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked<'a> {
    /// The hello.
    Hello,
    /// A path at which nothing is.
    Path(&'a str),
    /// A method that is not served.
    Method(&'a str),
}

/// A whole head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head<'a> {
    /// Its bytes, with the empty line at its end and any empty lines before its beginning.
    pub length: usize,
    /// What is asked.
    pub asked: Asked<'a>,
    /// Whether the answer's body is wanted: the method is not HEAD.
    pub with_body: bool,
    /// The client's version, which is the answer's too.
    pub version: Version,
    /// Whether the client wants to go on after the answer.
    pub persistent: bool,
    /// Whether a body follows.
    pub has_body: bool,
}

/// A head that cannot be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It is no HTTP/1.
    Malformed,
    /// It is longer than [`LONGEST`], or has too many fields.
    TooLong,
}

/// Read the head at the start of `bytes`, or nothing where its end has not come yet.
///
/// # Errors
/// No head can come of these bytes.
pub fn read(bytes: &[u8]) -> Result<Option<Head<'_>>, Unreadable> {
    let mut fields = [const { MaybeUninit::uninit() }; MOST_FIELDS];
    let mut request = Request::new(&mut []);
    let length = match request.parse_with_uninit_headers(bytes, &mut fields) {
        Ok(Status::Complete(length)) if length <= LONGEST => length,
        Ok(Status::Partial) if bytes.len() < LONGEST => return Ok(None),
        Ok(_) | Err(Error::TooManyHeaders) => return Err(Unreadable::TooLong),
        Err(_) => return Err(Unreadable::Malformed),
    };
    let (Some(method), Some(target), Some(minor)) = (request.method, request.path, request.version)
    else {
        return Err(Unreadable::Malformed);
    };
    let version = match minor {
        0 => Version::Http10,
        _ => Version::Http11,
    };
    let Fields {
        close,
        keep_alive,
        has_body,
    } = Fields::read(request.headers)?;
    Ok(Some(Head {
        length,
        asked: asked(method, target),
        with_body: method != "HEAD",
        version,
        persistent: !close && (keep_alive || version == Version::Http11),
        has_body,
    }))
}

/// What the fields say that matters here.
#[derive(Default)]
struct Fields {
    close: bool,
    keep_alive: bool,
    has_body: bool,
}

impl Fields {
    fn read(fields: &[Header<'_>]) -> Result<Self, Unreadable> {
        let mut read = Self::default();
        for field in fields {
            if field.name.eq_ignore_ascii_case("connection") {
                for option in field.value.split(|&byte| byte == b',') {
                    let option = option.trim_ascii();
                    read.close |= option.eq_ignore_ascii_case(b"close");
                    read.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
                }
            } else if field.name.eq_ignore_ascii_case("transfer-encoding") {
                read.has_body = true;
            } else if field.name.eq_ignore_ascii_case("content-length") {
                let digits = field.value;
                if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
                    return Err(Unreadable::Malformed);
                }
                read.has_body |= digits.iter().any(|&digit| digit != b'0');
            }
        }
        Ok(read)
    }
}

fn asked<'a>(method: &'a str, target: &'a str) -> Asked<'a> {
    if !matches!(method, "GET" | "HEAD") {
        return Asked::Method(method);
    }
    match path(target) {
        "/" => Asked::Hello,
        path => Asked::Path(path),
    }
}

/// The path in a target, which may be a whole URL (RFC 9112, 3.2.2) and may have a query.
fn path(target: &str) -> &str {
    let without_query = target.split('?').next().unwrap_or_default();
    let Some((_scheme, rest)) = without_query.split_once("://") else {
        return without_query;
    };
    if without_query.starts_with('/') {
        return without_query;
    }
    rest.find('/').map_or("/", |start| &rest[start..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(bytes: &str) -> Head<'_> {
        read(bytes.as_bytes())
            .expect("it can be read")
            .expect("it is whole")
    }

    fn request(first_line: &str, fields: &str) -> String {
        format!("{first_line}\r\nHost: test\r\n{fields}\r\n")
    }

    #[test]
    fn a_head_ends_at_its_empty_line_and_not_before() {
        let text = request("GET / HTTP/1.1", "");
        for end in 0..text.len() {
            assert_eq!(read(&text.as_bytes()[..end]), Ok(None), "{end}");
        }
        assert_eq!(whole(&text.repeat(2)).length, text.len());
    }

    #[test]
    fn who_goes_on_after_the_answer_depends_on_version_and_connection() {
        for (version, field, persistent) in [
            ("1.1", "", true),
            ("1.1", "Connection: keep-alive\r\n", true),
            ("1.1", "Connection: close\r\n", false),
            ("1.1", "CONNECTION:  x ,\tClOsE \r\n", false),
            ("1.1", "Connection: x\r\nConnection: close\r\n", false),
            ("1.1", "Connection: closed\r\n", true),
            ("1.1", "X-Connection: close\r\n", true),
            ("1.0", "", false),
            ("1.0", "Connection: Keep-Alive\r\n", true),
            ("1.0", "Connection: keep-alive, close\r\n", false),
        ] {
            let text = request(&format!("GET / HTTP/{version}"), field);
            assert_eq!(whole(&text).persistent, persistent, "{version} {field}");
        }
    }

    #[test]
    fn a_body_is_announced_by_its_length_or_its_coding() {
        for (field, has_body) in [
            ("", false),
            ("Content-Length: 0\r\n", false),
            ("content-length: 10\r\n", true),
            ("Content-Length: 0\r\nContent-Length: 1\r\n", true),
            ("Transfer-Encoding: chunked\r\n", true),
        ] {
            let text = request("GET / HTTP/1.1", field);
            assert_eq!(whole(&text).has_body, has_body, "{field}");
        }
        for length in ["", "x", "-1", "+1", "1 1", "0x1"] {
            let text = request("GET / HTTP/1.1", &format!("Content-Length: {length}\r\n"));
            let read = read(text.as_bytes());
            assert_eq!(read, Err(Unreadable::Malformed), "{length}");
        }
    }

    #[test]
    fn what_is_asked_is_told_by_method_and_path() {
        for (line, expected) in [
            ("GET /", Asked::Hello),
            ("GET /?a=/b://c", Asked::Hello),
            ("GET http://test", Asked::Hello),
            ("GET http://test/?a", Asked::Hello),
            ("HEAD /", Asked::Hello),
            ("GET //", Asked::Path("//")),
            ("GET /a://b/", Asked::Path("/a://b/")),
            ("GET http://test/a?b", Asked::Path("/a")),
            ("HEAD /a", Asked::Path("/a")),
            ("GET *", Asked::Path("*")),
            ("get /", Asked::Method("get")),
            ("POST /", Asked::Method("POST")),
        ] {
            let text = request(&format!("{line} HTTP/1.1"), "");
            let head = whole(&text);
            assert_eq!(head.asked, expected, "{line}");
            assert_eq!(head.with_body, !line.starts_with("HEAD"), "{line}");
        }
    }

    #[test]
    fn what_is_no_http_is_malformed() {
        for text in [
            "GET /\r\n\r\n",
            "GET / HTTP/2.0\r\n\r\n",
            "G@T / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\n : x\r\n\r\n",
            "GET / HTTP/1.1\r\nname\r\n\r\n",
            "\0",
        ] {
            let read = read(text.as_bytes());
            assert_eq!(read, Err(Unreadable::Malformed), "{text:?}");
        }
    }

    #[test]
    fn the_longest_head_is_read_and_one_byte_more_is_too_long() {
        let around = request("GET / HTTP/1.1", "a: \r\n").len();
        let of_length = |length: usize| {
            let filler = "a".repeat(length - around);
            request("GET / HTTP/1.1", &format!("a: {filler}\r\n"))
        };
        assert_eq!(whole(&of_length(LONGEST)).length, LONGEST);
        let too_long = of_length(LONGEST + 1);
        assert_eq!(read(too_long.as_bytes()), Err(Unreadable::TooLong));
        let start = &too_long.as_bytes()[..LONGEST];
        assert_eq!(read(start), Err(Unreadable::TooLong));
        assert_eq!(read(&start[..LONGEST - 1]), Ok(None));
    }

    #[test]
    fn more_fields_than_anyone_needs_are_too_many() {
        let text = request("GET / HTTP/1.1", &"a: b\r\n".repeat(MOST_FIELDS));
        assert_eq!(read(text.as_bytes()), Err(Unreadable::TooLong));
    }
}
