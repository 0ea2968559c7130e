//! One connection of the closed loop: its socket, and how far its request has come.

use std::{
    io::{self, Read, Write},
    net::SocketAddr,
};

use mio::{Interest, Registry, Token, net::TcpStream};

use crate::response::{Answer, Fed, Parser, ProtocolError};

/// How far a connection's request has come. Times are nanoseconds on the engine's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// No socket; to be opened again at this time.
    Down { retry_at_ns: u64 },
    /// The kernel is connecting.
    Connecting { since_ns: u64 },
    /// Nothing is asked.
    Idle,
    /// A request is under way.
    Asking {
        /// When its first byte was sent.
        sent_ns: u64,
        /// Bytes of it the kernel has taken.
        written: usize,
    },
}

/// What reading brought.
#[derive(Debug)]
pub enum Heard {
    /// Nothing whole yet.
    Nothing,
    /// The answer to the request under way.
    Answer(Answer),
}

/// Why a connection is of no use any more.
#[derive(Debug)]
pub enum Broken {
    /// The peer closed, with no request under way.
    ClosedIdle,
    /// The peer closed or the kernel reported an error while a request was under way.
    Disconnect(io::Error),
    /// What came is no answer, or none was asked for.
    Protocol {
        error: ProtocolError,
        bytes: Vec<u8>,
    },
    /// Bytes came that no request asked for.
    Unsolicited { bytes: Vec<u8> },
}

/// A connection and its parser.
#[derive(Debug)]
pub struct Connection {
    stream: Option<TcpStream>,
    parser: Parser,
    pub phase: Phase,
    /// Whether the latency of the request under way may be recorded.
    pub recorded: bool,
}

impl Connection {
    /// Takes a socket that is being connected, or is connected already.
    pub fn new(stream: TcpStream, phase: Phase) -> Self {
        Self {
            stream: Some(stream),
            parser: Parser::default(),
            phase,
            recorded: false,
        }
    }

    /// Whether a request is under way.
    pub fn is_asking(&self) -> bool {
        matches!(self.phase, Phase::Asking { .. })
    }

    /// Drops the socket.
    pub fn shut(&mut self, retry_at_ns: u64) {
        self.stream = None;
        self.parser = Parser::default();
        self.phase = Phase::Down { retry_at_ns };
    }

    /// Begins a new connection.
    pub fn reopen(
        &mut self,
        address: SocketAddr,
        registry: &Registry,
        token: Token,
        now_ns: u64,
    ) -> io::Result<()> {
        let stream = open(address, registry, token)?;
        *self = Self::new(stream, Phase::Connecting { since_ns: now_ns });
        Ok(())
    }

    /// Whether the kernel has finished connecting.
    pub fn is_connected(&self) -> io::Result<bool> {
        let Some(stream) = &self.stream else {
            return Ok(false);
        };
        if let Some(error) = stream.take_error()? {
            return Err(error);
        }
        match stream.peer_addr() {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Sends a request, or as much of it as the kernel takes.
    pub fn ask(&mut self, request: &[u8], now_ns: u64) -> io::Result<()> {
        self.phase = Phase::Asking {
            sent_ns: now_ns,
            written: 0,
        };
        self.go_on_asking(request)
    }

    /// Sends what remains of a request.
    pub fn go_on_asking(&mut self, request: &[u8]) -> io::Result<()> {
        let (Phase::Asking { written, .. }, Some(stream)) = (&mut self.phase, &mut self.stream)
        else {
            return Ok(());
        };
        while *written < request.len() {
            match stream.write(&request[*written..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(taken) => *written += taken,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads what has come; `received` counts its bytes.
    ///
    /// The events are edge-triggered, so all that an event stands for must be read. A read that did
    /// not fill the buffer emptied the socket of bytes, and saves the read that would say so; but a
    /// close that came together with the bytes was part of the same edge. The kernel says so in the
    /// event (`EPOLLRDHUP`): with `peer_closed`, reading goes on to the end.
    pub fn hear(
        &mut self,
        buffer: &mut [u8],
        peer_closed: bool,
        received: &mut u64,
    ) -> Result<Heard, Broken> {
        let Some(stream) = &mut self.stream else {
            return Ok(Heard::Nothing);
        };
        let mut asking = matches!(self.phase, Phase::Asking { .. });
        let mut heard = Heard::Nothing;
        loop {
            let length = match stream.read(buffer) {
                Ok(length) if length > 0 => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(heard),
                // The peer is gone, but not before its answer: that counts first.
                _ if let Heard::Answer(answer) = &mut heard => {
                    answer.keep_alive = false;
                    return Ok(heard);
                }
                _ if !asking => return Err(Broken::ClosedIdle),
                Ok(_) => return self.heard_close(),
                Err(error) => return Err(Broken::Disconnect(error)),
            };
            *received += length as u64;
            let bytes = &buffer[..length];
            if !asking {
                return Err(Broken::Unsolicited {
                    bytes: bytes.to_vec(),
                });
            }
            match self.parser.feed(bytes) {
                Ok(Fed::Partial) => {}
                Ok(Fed::Whole { consumed, answer }) if consumed == length => {
                    heard = Heard::Answer(answer);
                    asking = false;
                }
                Ok(Fed::Whole { consumed, .. }) => {
                    return Err(Broken::Unsolicited {
                        bytes: bytes[consumed..].to_vec(),
                    });
                }
                Err(error) => {
                    return Err(Broken::Protocol {
                        error,
                        bytes: bytes.to_vec(),
                    });
                }
            }
            if length < buffer.len() && !peer_closed {
                return Ok(heard);
            }
        }
    }

    /// The peer closed while a request was under way: that may be how the answer ends.
    fn heard_close(&mut self) -> Result<Heard, Broken> {
        let within_answer = self.parser.is_within_answer();
        match self.parser.close() {
            Ok(answer) => Ok(Heard::Answer(answer)),
            Err(error) if within_answer => Err(Broken::Protocol {
                error,
                bytes: Vec::new(),
            }),
            Err(_) => Err(Broken::Disconnect(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the server closed the connection without an answer",
            ))),
        }
    }
}

/// Begins to connect, and registers the socket for whatever happens to it.
fn open(address: SocketAddr, registry: &Registry, token: Token) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
    Ok(stream)
}
