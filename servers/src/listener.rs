//! The listening socket: made once, before there is any worker or runtime.

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use schema::Style;
use socket2::{Domain, Protocol, Socket, Type};

/// Connections that may wait to be accepted; the kernel cuts it to `net.core.somaxconn`.
pub const BACKLOG: i32 = 4096;

/// Listen on `address`; the result names the real address, where port 0 had the kernel pick one.
///
/// For the evented style the socket does not block, for accepting means losing races: several
/// workers wake for one connection, and all but one find nothing. Blocking workers sleep in `accept`
/// itself. The flag belongs to the open socket, so all who share it share the flag.
///
/// # Errors
/// The address is taken, not allowed or not of this machine.
pub fn listen(address: SocketAddr, style: Style) -> Result<(TcpListener, SocketAddr), ListenError> {
    listen_as(address, style, false)
}

/// The same, beside others of this kind and this user on the same port.
///
/// # Errors
/// As [`listen`].
pub fn listen_beside(
    address: SocketAddr,
    style: Style,
) -> Result<(TcpListener, SocketAddr), ListenError> {
    listen_as(address, style, true)
}

fn listen_as(
    address: SocketAddr,
    style: Style,
    beside: bool,
) -> Result<(TcpListener, SocketAddr), ListenError> {
    open(address, style, beside).map_err(|source| ListenError {
        address,
        cure: cure(&source),
        source,
    })
}

fn open(address: SocketAddr, style: Style, beside: bool) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // Connections of an earlier server still in TIME_WAIT must not hold up the next one. Two
    // listeners on one port stay impossible.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(beside)?;
    // Linux copies the flag from the listener to every connection accepted from it, which saves
    // each connection a system call.
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(style == Style::Evented)?;
    let listener = TcpListener::from(socket);
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// The socket could not be made to listen.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}; {cure}")]
pub struct ListenError {
    address: SocketAddr,
    source: io::Error,
    cure: &'static str,
}

fn cure(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "stop the program that has the port, or choose another with --port (0 picks a free one)"
        }
        io::ErrorKind::PermissionDenied => {
            "choose a port from 1024 up with --port (0 picks a free one)"
        }
        io::ErrorKind::AddrNotAvailable => {
            "choose an address that this machine has with --bind, as in 127.0.0.1"
        }
        _ => "choose another address with --bind and --port",
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpStream};

    use super::*;

    #[test]
    fn an_accepted_connection_has_nodelay_from_its_listener() {
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let (listener, address) = listen(anywhere, Style::Blocking).unwrap();
        let _client = TcpStream::connect(address).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        assert!(accepted.nodelay().unwrap());
    }
}
