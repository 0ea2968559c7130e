//! The listening socket: made once, before there is any worker or runtime.

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections that may wait to be accepted; the kernel cuts it to `net.core.somaxconn`.
pub const BACKLOG: i32 = 4096;

/// Listen on `address`; the result names the real address, where port 0 had the kernel pick one.
///
/// The socket does not block, for accepting means losing races: several workers wake for one
/// connection, and all but one find nothing. The flag belongs to the open socket, so processes
/// that share it share the flag.
///
/// # Errors
/// The address is taken, not allowed or not of this machine.
pub fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ListenError> {
    listen_as(address, false, false)
}

/// The same, for workers that block in `accept` where `blocking`.
///
/// # Errors
/// As [`listen`].
pub fn listen_for(
    address: SocketAddr,
    blocking: bool,
) -> Result<(TcpListener, SocketAddr), ListenError> {
    listen_as(address, blocking, false)
}

/// The same, beside others of this kind and this user on the same port.
///
/// # Errors
/// As [`listen`].
pub fn listen_beside(
    address: SocketAddr,
    blocking: bool,
) -> Result<(TcpListener, SocketAddr), ListenError> {
    listen_as(address, blocking, true)
}

fn listen_as(
    address: SocketAddr,
    blocking: bool,
    beside: bool,
) -> Result<(TcpListener, SocketAddr), ListenError> {
    open(address, blocking, beside).map_err(|source| ListenError {
        address,
        cure: cure(&source),
        source,
    })
}

fn open(
    address: SocketAddr,
    blocking: bool,
    beside: bool,
) -> io::Result<(TcpListener, SocketAddr)> {
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
    socket.set_nonblocking(!blocking)?;
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
        let (listener, address) = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        listener.set_nonblocking(false).unwrap();
        let _client = TcpStream::connect(address).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        assert!(accepted.nodelay().unwrap());
    }
}
