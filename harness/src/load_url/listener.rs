//! Which CPUs the server may use, where it is a process of this host that may be looked at.
//!
//! The listening socket's inode stands in /proc/net/tcp; whoever holds it open is the server, or
//! part of it.

use std::net::{IpAddr, SocketAddr};

use nix::{
    sched::{CpuSet, sched_getaffinity},
    unistd::Pid,
};
use procfs::{
    net::{TcpState, tcp, tcp6},
    process::{FDTarget, all_processes},
};

/// The CPUs that any thread of the processes listening at `address` may use; nothing where no such
/// process is seen.
pub fn cpus_of(address: SocketAddr) -> Option<Vec<u32>> {
    let inodes = listening_inodes(address);
    if inodes.is_empty() {
        return None;
    }
    let mut allowed = CpuSet::new();
    let mut seen = false;
    for process in all_processes().ok()?.flatten() {
        let Ok(files) = process.fd() else { continue };
        let listens = files
            .flatten()
            .any(|file| matches!(file.target, FDTarget::Socket(inode) if inodes.contains(&inode)));
        let Ok(threads) = process.tasks() else {
            continue;
        };
        if !listens {
            continue;
        }
        for thread in threads.flatten() {
            let Ok(set) = sched_getaffinity(Pid::from_raw(thread.tid)) else {
                continue;
            };
            seen = true;
            for cpu in 0..CpuSet::count() {
                if set.is_set(cpu).unwrap_or(false) {
                    // In range, as it came from a set of the same size.
                    let _ = allowed.set(cpu);
                }
            }
        }
    }
    let cpus = (0..CpuSet::count())
        .filter(|&cpu| allowed.is_set(cpu).unwrap_or(false))
        .filter_map(|cpu| u32::try_from(cpu).ok())
        .collect();
    seen.then_some(cpus)
}

fn listening_inodes(address: SocketAddr) -> Vec<u64> {
    let sockets = tcp()
        .into_iter()
        .flatten()
        .chain(tcp6().into_iter().flatten());
    sockets
        .filter(|socket| socket.state == TcpState::Listen)
        .filter(|socket| {
            let listens = socket.local_address;
            listens.port() == address.port()
                && (listens.ip().is_unspecified() || same(listens.ip(), address.ip()))
        })
        .map(|socket| socket.inode)
        .collect()
}

fn same(one: IpAddr, two: IpAddr) -> bool {
    one.to_canonical() == two.to_canonical()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_listener_of_this_process_is_found_with_its_cpus() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let cpus = cpus_of(address).unwrap();
        assert!(!cpus.is_empty());
        drop(listener);
        assert_eq!(cpus_of(address), None);
    }
}
