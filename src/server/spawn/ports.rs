//! Ports that nobody else takes between choosing them and listening on them.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{Ipv4Addr, TcpListener};

use crate::error::{Error, Result};

/// A block has this many ports, the first of which is its lock.
const BLOCK: u16 = 32;
/// Below what systems give to whoever asks for any port (on Linux from 32768 on), so that neither
/// listeners of others nor connections are in the way.
const FIRST: u16 = 10_240;
const BLOCKS: u16 = 700;

/// The loopback ports of one server by the names that its command has for them.
#[derive(Debug, Default)]
pub(crate) struct Ports {
    /// Taken with the first port.
    block: Option<Block>,
    named: Vec<(String, u16)>,
}

impl Ports {
    /// The port of that name, which is chosen now unless it was before.
    pub(crate) fn choose(&mut self, name: &str) -> Result<u16> {
        if let Some(port) = self.get(name) {
            return Ok(port);
        }
        let none = |error| Error::usage(format!("no port for the server: {error}"));
        if self.block.is_none() {
            self.block = Some(Block::take().map_err(none)?);
        }
        let next = self.block.as_mut().and_then(Iterator::next);
        let port =
            next.ok_or_else(|| none(io::Error::other("all that one server may have are in use")))?;
        self.named.push((name.to_owned(), port));
        Ok(port)
    }

    /// The port of that name, if one was chosen.
    pub(super) fn get(&self, name: &str) -> Option<u16> {
        self.named.iter().find(|(known, _)| known == name).map(|(_, port)| *port)
    }
}

/// A block of ports of our own.
#[derive(Debug)]
struct Block {
    /// Held as long as the block is ours: everybody who chooses ports in this way, in whatever
    /// process, listens here first.
    _lock: TcpListener,
    ports: std::ops::Range<u16>,
}

impl Block {
    fn take() -> io::Result<Self> {
        // The hasher is seeded by the system's randomness, which spreads those who choose at the
        // same time.
        let anywhere = RandomState::new().hash_one(()) % u64::from(BLOCKS);
        let start = u16::try_from(anywhere).unwrap_or_default();
        let mut blocks = (0..BLOCKS).map(|n| FIRST + (start + n) % BLOCKS * BLOCK);
        blocks.find_map(Self::lock).ok_or_else(|| io::Error::other("no block of free ports"))
    }

    fn lock(first: u16) -> Option<Self> {
        let lock = listen(first).ok()?;
        Some(Self { _lock: lock, ports: first + 1..first + BLOCK })
    }
}

impl Iterator for Block {
    type Item = u16;

    /// The next port on which nobody listens.
    fn next(&mut self) -> Option<u16> {
        self.ports.find(|port| listen(*port).is_ok())
    }
}

fn listen(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_servers_have_no_port_in_common_and_a_name_keeps_its_own() {
        let (mut one, mut other) = (Ports::default(), Ports::default());
        let (first, second) = (one.choose("smtp").unwrap(), other.choose("smtp").unwrap());
        assert!(first.abs_diff(second) >= BLOCK, "{first} {second}");
        assert_eq!(one.choose("smtp").unwrap(), first);
        assert_ne!(one.choose("imap").unwrap(), first);
        assert!(Block::lock(first - 1).is_none(), "a block that is taken was taken again");
    }

    #[test]
    fn a_port_in_use_is_passed_over_and_the_end_of_the_block_is_said() {
        let mut block = Block::take().unwrap();
        let taken = listen(block.ports.start);
        assert_eq!(block.next(), Some(taken.unwrap().local_addr().unwrap().port() + 1));
        let mut ports = Ports { block: Some(block), named: Vec::new() };
        let error = (0..BLOCK).find_map(|n| ports.choose(&n.to_string()).err()).unwrap();
        assert!(error.message().contains("in use"), "{error}");
    }
}
