//! A listener for each worker: `SO_REUSEPORT`.
//!
//! The kernel keeps a queue for each listener and draws one by a hash of the client's address and
//! port. Nobody is woken for nothing, and no lock is shared; but a connection waits for its worker even
//! if another has nothing to do, and few connections are spread unevenly.
//!
//! # Listeners outlive workers
//! They belong to seats and are made by the primary (or the first thread), which keeps them: what is
//! queued for a worker that died or is replaced waits for its successor. So a reload loses nothing.
//!
//! # Closing one
//! When a seat is given up for good, its queue must end empty, for the kernel resets what a closed
//! listener has in it. `net.ipv4.tcp_migrate_req` (Linux 5.14) would have it move connections to other listeners
//! of the group instead, but is off by default, belongs to the whole machine, and moves only those it finds
//! another listener for. So:
//! 1. The kernel is told to give that listener no more ([`Group::steer`]: a classic BPF program that draws
//!    among the others).
//! 2. Its worker takes what is queued as it drains, and ends.
//! 3. A client that had begun before the first step may have arrived after the second. While anything
//!    is queued ([`Group::has_arrivals`]) the listener stays, and whoever keeps it has it served.
//! 4. The listener is closed, and the kernel's own hash is back in charge ([`Group::steer`] with all).
//!
//! What remains possible: a handshake that began before the first step and is still under way at the
//! fourth is reset. Its client was on its way for as long as a worker takes to drain, so that takes a slow
//! network; `net.ipv4.tcp_migrate_req=1` covers it.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    os::fd::{AsFd, AsRawFd},
    time::Instant,
};

use schema::Style;

use crate::{
    listener::{ListenError, listen_beside},
    poll,
};

/// The listeners of one address, in the order in which they joined, which is how the kernel numbers them.
#[derive(Debug)]
pub struct Group {
    address: SocketAddr,
    style: Style,
    listeners: Vec<TcpListener>,
}

impl Group {
    /// `count` listeners on `address`, at least one; where its port is 0 the kernel picks one for all.
    ///
    /// # Errors
    /// The address is taken, not allowed or not of this machine, or no descriptor is left.
    pub fn listen(address: SocketAddr, count: usize, style: Style) -> Result<Self, ListenError> {
        let (first, address) = listen_beside(address, style)?;
        let mut group = Self {
            address,
            style,
            listeners: vec![first],
        };
        while group.listeners.len() < count {
            group.grow()?;
        }
        Ok(group)
    }

    /// Where they listen.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// One more.
    ///
    /// # Errors
    /// As [`Self::listen`].
    pub fn grow(&mut self) -> Result<(), ListenError> {
        let (listener, _) = listen_beside(self.address, self.style)?;
        self.listeners.push(listener);
        Ok(())
    }

    /// Another descriptor of the listener of `seat`.
    ///
    /// # Errors
    /// There is none, or no descriptor is left.
    pub fn of_seat(&self, seat: usize) -> io::Result<TcpListener> {
        let listener = self.listeners.get(seat).ok_or(io::ErrorKind::NotFound)?;
        listener.try_clone()
    }

    /// Have the kernel give connections to the first `count` listeners only: in equal shares, drawn
    /// anew for each connection. With all of them its own hash decides again.
    ///
    /// # Errors
    /// The kernel takes no such program (Linux before 4.6).
    pub fn steer(&self, count: usize) -> io::Result<()> {
        let Some(any) = self.listeners.first() else {
            return Ok(());
        };
        if count < self.listeners.len() {
            attach(any, u32::try_from(count).unwrap_or(u32::MAX))
        } else {
            detach(any)
        }
    }

    /// Whether connections are queued for the listener of `seat`.
    #[must_use]
    pub fn has_arrivals(&self, seat: usize) -> bool {
        let Some(listener) = self.listeners.get(seat) else {
            return false;
        };
        // Where the kernel does not tell, it is closed as if nothing were.
        let readable = poll::readable(&[listener.as_fd()], Some(Instant::now()));
        readable.is_ok_and(|readable| readable[0])
    }

    /// Close the last one.
    pub fn shrink(&mut self) {
        self.listeners.pop();
    }

    /// Close all.
    pub fn close(&mut self) {
        self.listeners.clear();
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.listeners.len()
    }

    /// Whether all are closed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.listeners.is_empty()
    }
}

/// Offset at which a classic BPF program reads a random number instead of the packet.
const RANDOM: u32 = (libc::SKF_AD_OFF + libc::SKF_AD_RANDOM).cast_unsigned();

/// A program for the whole group: a random number modulo `count`.
fn attach(listener: &TcpListener, count: u32) -> io::Result<()> {
    let step = |code: u32, k| libc::sock_filter {
        code: u16::try_from(code).unwrap_or_default(),
        jt: 0,
        jf: 0,
        k,
    };
    let mut program = [
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, RANDOM),
        step(libc::BPF_ALU | libc::BPF_MOD | libc::BPF_K, count.max(1)),
        step(libc::BPF_RET | libc::BPF_A, 0),
    ];
    let program = libc::sock_fprog {
        len: 3,
        filter: program.as_mut_ptr(),
    };
    set(listener, libc::SO_ATTACH_REUSEPORT_CBPF, &program)
}

fn detach(listener: &TcpListener) -> io::Result<()> {
    match set(listener, libc::SO_DETACH_REUSEPORT_BPF, &0_i32) {
        // There is none.
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
        done => done,
    }
}

#[allow(unsafe_code)]
fn set<T>(listener: &TcpListener, option: libc::c_int, value: &T) -> io::Result<()> {
    // SAFETY: the pointer and the length are those of `value`, which outlives the call; so does the
    // program that it may point to, and the kernel copies both.
    let result = unsafe {
        libc::setsockopt(
            listener.as_raw_fd(),
            libc::SOL_SOCKET,
            option,
            std::ptr::from_ref(value).cast(),
            libc::socklen_t::try_from(size_of::<T>()).unwrap_or_default(),
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpStream};

    use super::*;

    fn group(count: usize) -> Group {
        Group::listen(
            SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            count,
            Style::Evented,
        )
        .unwrap()
    }

    /// Connections that came to each listener.
    fn queued(group: &Group) -> Vec<usize> {
        let count = |listener: &TcpListener| std::iter::from_fn(|| listener.accept().ok()).count();
        group.listeners.iter().map(count).collect()
    }

    fn connect(group: &Group, times: usize) -> Vec<TcpStream> {
        let connect = |_| TcpStream::connect(group.address()).unwrap();
        (0..times).map(connect).collect()
    }

    #[test]
    fn every_listener_of_a_group_gets_connections_and_none_is_lost() {
        let group = group(3);
        let _clients = connect(&group, 300);
        let queued = queued(&group);
        assert_eq!(queued.iter().sum::<usize>(), 300);
        assert!(queued.iter().all(|&count| count > 0), "{queued:?}");
    }

    #[test]
    fn a_listener_that_is_steered_away_from_gets_nothing_and_can_be_closed() {
        let mut group = group(3);
        group.steer(2).unwrap();
        let _clients = connect(&group, 300);
        let counts = queued(&group);
        assert_eq!((counts.iter().sum::<usize>(), counts[2]), (300, 0));
        assert!(!group.has_arrivals(2));
        assert!(counts[0] > 0 && counts[1] > 0, "{counts:?}");
        group.shrink();
        group.steer(2).unwrap();
        let _more = connect(&group, 300);
        assert_eq!(queued(&group).iter().sum::<usize>(), 300);
    }

    #[test]
    fn a_listener_tells_of_its_queue_without_taking_from_it() {
        let group = group(2);
        let clients = connect(&group, 100);
        for _ in 0..2 {
            assert!(group.has_arrivals(0) && group.has_arrivals(1));
        }
        assert_eq!(queued(&group).iter().sum::<usize>(), clients.len());
        assert!(!group.has_arrivals(0) && !group.has_arrivals(9));
    }

    #[test]
    fn a_group_that_grows_gives_connections_to_all() {
        let mut group = group(1);
        group.steer(1).unwrap();
        group.grow().unwrap();
        let _clients = connect(&group, 300);
        assert!(queued(&group).iter().all(|&count| count > 0));
    }
}
