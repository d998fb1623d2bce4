//! Ports of the loopback interface that are a test's own until its process ends.
//!
//! A port of the range from which the system takes those of outgoing connections may be taken by
//! any of them between the moment it was found free and the moment a server listens there, and
//! again while a server is away; a client that asks for such a port can even be connected to
//! itself. So ports come from below that range, and a lock keeps other tests off.

use std::fs::{File, TryLockError};
use std::net::TcpListener;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Linux takes outgoing ports from 32768 on; little else listens here.
const PORTS: Range<u16> = 20_000..32_000;
/// Locks of ports lie here, for all tests on the machine.
const DIRECTORY: &str = "footman-test-ports";

/// What this process holds, and where it looks next.
static HELD: Mutex<Held> = Mutex::new(Held { locks: Vec::new(), next: None });

struct Held {
    locks: Vec<File>,
    next: Option<u16>,
}

/// A port that nobody else uses while this process lives.
pub fn free_port() -> u16 {
    let directory = std::env::temp_dir().join(DIRECTORY);
    std::fs::create_dir_all(&directory).unwrap();
    let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    let ports = PORTS.end - PORTS.start;
    // Tests that start together begin at places far apart.
    let first = u16::try_from(std::process::id().wrapping_mul(61) % u32::from(ports)).unwrap();
    let mut next = held.next.unwrap_or(PORTS.start + first);
    for _ in PORTS {
        let port = next;
        next = if port + 1 == PORTS.end { PORTS.start } else { port + 1 };
        let path = directory.join(port.to_string());
        let lock = File::options().create(true).append(true).open(&path).unwrap();
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => continue,
            Err(TryLockError::Error(error)) => panic!("{}: {error}", path.display()),
        }
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            held.locks.push(lock);
            held.next = Some(next);
            return port;
        }
    }
    panic!("every port of {PORTS:?} is taken");
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_port_is_given_twice_although_nobody_listens_there() {
        let given: BTreeSet<u16> = (0..200).map(|_| free_port()).collect();
        assert_eq!(given.len(), 200);
        assert!(given.iter().all(|port| PORTS.contains(port)));
        let outgoing = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap();
        let first: u16 = outgoing.split_whitespace().next().unwrap().parse().unwrap();
        assert!(PORTS.end <= first, "outgoing connections take ports from {first} on");
    }
}
