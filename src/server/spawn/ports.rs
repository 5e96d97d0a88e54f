//! Chooses ports that no other process takes between the choice and the server's listening.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use socket2::{Domain, Socket, Type};

use crate::error::{Error, Kind, Result};

/// The ports of a block; the first of them is the lock of the block.
const BLOCK: u16 = 32;
/// Below the ephemeral ports, which a system gives out for port 0 and for outgoing connections (on
/// Linux from 32768 on), so that neither collides with these blocks.
const FIRST: u16 = 10_240;
const BLOCKS: u16 = 700;

/// The loopback ports of one server, by the names that its command has for them.
#[derive(Debug, Default)]
pub(crate) struct Ports {
    /// Taken when the first port is chosen.
    block: Option<Block>,
    named: Vec<(String, u16)>,
}

impl Ports {
    /// The port of this name; chosen now if it was not chosen before.
    pub(crate) fn choose(&mut self, name: &str) -> Result<u16> {
        if let Some(port) = self.get(name) {
            return Ok(port);
        }
        let none = |error| Error::new(Kind::Io, format!("no port for the server: {error}"));
        if self.block.is_none() {
            self.block = Some(Block::take().map_err(none)?);
        }
        let next = self.block.as_mut().and_then(Iterator::next);
        let port =
            next.ok_or_else(|| none(io::Error::other("all that one server may have are in use")))?;
        self.named.push((name.to_owned(), port));
        Ok(port)
    }

    /// The port of this name, if one was chosen.
    pub(super) fn get(&self, name: &str) -> Option<u16> {
        self.named.iter().find(|(known, _)| known == name).map(|(_, port)| *port)
    }
}

/// A block of ports that this process has locked.
#[derive(Debug)]
struct Block {
    /// Held as long as the block is in use: every process that chooses ports in this way listens on
    /// this port first.
    _lock: TcpListener,
    ports: std::ops::Range<u16>,
}

impl Block {
    fn take() -> io::Result<Self> {
        // The hasher has a random seed, so processes that choose at the same time start at
        // different blocks.
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

    /// The next port on which no process listens, and no connection of the last minute lingers: a
    /// server without `SO_REUSEADDR` could not listen there.
    fn next(&mut self) -> Option<u16> {
        self.ports.find(|port| bind(*port).is_ok())
    }
}

fn bind(port: u16) -> io::Result<()> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())
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
        // The first ports of a block may linger, so they need not be the ones that are chosen.
        let block = |port: u16| FIRST + (port - FIRST) / BLOCK * BLOCK;
        assert_ne!(block(first), block(second), "{first} {second}");
        assert_eq!(one.choose("smtp").unwrap(), first);
        assert_ne!(one.choose("imap").unwrap(), first);
        assert!(Block::lock(block(first)).is_none(), "a block that is taken was taken again");
    }

    #[test]
    fn a_port_with_a_connection_that_lingers_is_passed_over() {
        let mut block = Block::take().unwrap();
        let port = block.next().unwrap();
        let listener = listen(port).unwrap();
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        // The side that closes first is the one that lingers.
        drop(listener.accept().unwrap());
        assert_eq!(std::io::Read::read(&mut &client, &mut [0]).unwrap(), 0);
        drop((client, listener));
        block.ports.start = port;
        assert!(block.next().is_some_and(|next| next > port));
    }

    #[test]
    fn a_port_in_use_is_passed_over_and_the_end_of_the_block_is_said() {
        let mut block = Block::take().unwrap();
        let free = block.next().unwrap();
        let _taken = listen(free).unwrap();
        block.ports.start = free;
        assert!(block.next().is_some_and(|next| next > free));
        let mut ports = Ports { block: Some(block), named: Vec::new() };
        let error = (0..BLOCK).find_map(|n| ports.choose(&n.to_string()).err()).unwrap();
        assert!(error.message().contains("in use"), "{error}");
    }
}
