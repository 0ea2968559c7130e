//! Where connections come from.
//!
//! The side that closes a connection first keeps its pair of addresses and ports in `TIME_WAIT` for a
//! minute. With a new connection for each request, one source address has no port left after some
//! 28,000 of them. So, with new connections:
//! - to IPv4 loopback, connections come in turn from 256 source addresses, 127.0.1.0 to 127.0.1.255,
//!   which is 7 million in a minute; the kernel drops `TIME_WAIT` entries beyond
//!   `net.ipv4.tcp_max_tw_buckets` by itself;
//! - to other addresses, connections are ended by a reset (`SO_LINGER` with time zero), which leaves no
//!   `TIME_WAIT`.
//!
//! Requests then say `Connection: close`, so that it is mostly the server that closes first.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use schema::Reuse;

use crate::transport::Route;

/// Gives each new connection its route.
#[derive(Debug)]
pub struct Routes {
    to: SocketAddr,
    reuse: Reuse,
    turn: u8,
}

impl Routes {
    /// To an address; `start` keeps threads apart.
    pub const fn new(to: SocketAddr, reuse: Reuse, start: u8) -> Self {
        Self {
            to,
            reuse,
            turn: start,
        }
    }

    /// The next connection's.
    pub fn next(&mut self) -> Route {
        let mut route = Route {
            from: None,
            to: self.to,
            reset: false,
        };
        if self.reuse == Reuse::NewConnection {
            match self.to.ip() {
                IpAddr::V4(ip) if ip.is_loopback() => {
                    self.turn = self.turn.wrapping_add(1);
                    let from = Ipv4Addr::new(127, 0, 1, self.turn);
                    route.from = Some(SocketAddr::from((from, 0)));
                }
                _ => route.reset = true,
            }
        }
        route
    }
}
