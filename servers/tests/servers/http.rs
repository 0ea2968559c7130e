//! A client that sees the bytes as they are.

use std::{
    fmt::Write as _,
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
};

use crate::launch::PATIENCE;

/// One connection.
pub struct Client {
    stream: BufReader<TcpStream>,
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case, in the order they came.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Self {
        Self::try_connect(address).expect("the server accepts connections")
    }

    pub fn try_connect(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self {
            stream: BufReader::new(stream),
        })
    }

    /// Ask for all targets in one write, as a pipelining client does.
    pub fn send(&mut self, targets: &[&str]) {
        let mut requests = String::new();
        for target in targets {
            write!(requests, "GET {target} HTTP/1.1\r\nHost: test\r\n\r\n")
                .expect("strings take everything");
        }
        self.send_bytes(&requests);
    }

    pub fn send_bytes(&mut self, bytes: &str) {
        self.stream
            .get_mut()
            .write_all(bytes.as_bytes())
            .expect("the connection stands");
    }

    /// Shut down the sending side, as `nc -N` does.
    pub fn finish_sending(&self) {
        self.stream
            .get_ref()
            .shutdown(Shutdown::Write)
            .expect("the connection stands");
    }

    /// Read one answer with its body.
    pub fn receive(&mut self) -> Answer {
        let mut answer = self.receive_head();
        let mut body = vec![0; answer.content_length()];
        self.stream
            .read_exact(&mut body)
            .expect("the body is as long as announced");
        answer.body = String::from_utf8(body).expect("bodies are text");
        answer
    }

    /// Read one answer that has no body whatever its head says.
    pub fn receive_head(&mut self) -> Answer {
        let status_line = self.line();
        let status = status_line
            .strip_prefix("HTTP/1.1 ")
            .or_else(|| status_line.strip_prefix("HTTP/1.0 "))
            .and_then(|rest| rest.get(..3))
            .and_then(|code| code.parse().ok())
            .unwrap_or_else(|| panic!("'{status_line}' is no status line"));
        let mut headers = Vec::new();
        loop {
            let line = self.line();
            if line.is_empty() {
                return Answer {
                    status,
                    headers,
                    body: String::new(),
                };
            }
            let (name, value) = line.split_once(": ").expect("a header has a name");
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
    }

    pub fn get(&mut self, target: &str) -> Answer {
        self.send(&[target]);
        self.receive()
    }

    /// Wait until the server closes the connection, having sent nothing more.
    pub fn expect_end(&mut self) {
        let mut rest = Vec::new();
        self.stream
            .read_to_end(&mut rest)
            .expect("the connection ends in order");
        assert!(rest.is_empty(), "{}", String::from_utf8_lossy(&rest));
    }

    /// Whether bytes wait to be read at this moment.
    pub fn has_received(&self) -> bool {
        let stream = self.stream.get_ref();
        stream.set_nonblocking(true).expect("a socket has the flag");
        let received = stream.peek(&mut [0]).is_ok_and(|length| length > 0);
        stream
            .set_nonblocking(false)
            .expect("a socket has the flag");
        received
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream
            .read_line(&mut line)
            .expect("the server answers in time");
        line.strip_suffix("\r\n")
            .unwrap_or_else(|| panic!("the connection ended within a line: '{line}'"))
            .to_owned()
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }

    /// The id in `Hello from worker <id>`.
    pub fn worker(&self) -> u32 {
        assert_eq!(self.status, 200, "{self:?}");
        self.body
            .strip_prefix("Hello from worker ")
            .and_then(|rest| rest.strip_suffix('\n'))
            .and_then(|id| id.parse().ok())
            .unwrap_or_else(|| panic!("no worker says '{}'", self.body))
    }

    fn content_length(&self) -> usize {
        self.header("content-length")
            .and_then(|length| length.parse().ok())
            .expect("answers announce their length")
    }
}

/// Everything a server sends on a connection of its own until it closes it.
pub fn raw(address: SocketAddr, sent: &str) -> String {
    let mut client = Client::connect(address);
    client.send_bytes(sent);
    let mut received = String::new();
    client
        .stream
        .read_to_string(&mut received)
        .expect("the connection ends in order");
    received
}

/// Ask once, on a connection of its own.
pub fn get(address: SocketAddr, target: &str) -> Answer {
    Client::connect(address).get(target)
}
