//! Chooses ports that no other process takes between the choice and the server's listening.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{Ipv4Addr, TcpListener};

/// The ports of a block; the first of them is the lock of the block.
const BLOCK: u16 = 32;
/// The first port. All blocks are below the ephemeral ports, which a system gives out for port 0
/// and for outgoing connections (on Linux from 32768 on), so that neither collides with these
/// blocks.
const FIRST: u16 = 10_240;
const BLOCKS: u16 = 700;

/// A block of loopback ports that this process has locked.
#[derive(Debug)]
pub(crate) struct Ports {
    /// Held as long as the block is in use: every process that chooses ports in this way listens on
    /// this port first.
    _lock: TcpListener,
    first: u16,
}

impl Ports {
    /// Takes a block in which `count` ports are free.
    pub(crate) fn take(count: u16) -> io::Result<Self> {
        assert!(count < BLOCK, "a block has {BLOCK} ports");
        // The hasher has a random seed, so processes that choose at the same time start at
        // different blocks.
        let anywhere = RandomState::new().hash_one(());
        let start = u16::try_from(anywhere % u64::from(BLOCKS)).unwrap();
        let mut blocks = (0..BLOCKS).map(|n| FIRST + (start + n) % BLOCKS * BLOCK);
        blocks
            .find_map(|first| Self::lock(first, count))
            .ok_or_else(|| io::Error::other("no block of free ports"))
    }

    fn lock(first: u16, count: u16) -> Option<Self> {
        let listen = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
        let lock = listen(first).ok()?;
        let free = (1..=count).all(|n| listen(first + n).is_ok());
        free.then_some(Self { _lock: lock, first })
    }

    /// The port with this number, counted from 0.
    pub(crate) fn nth(&self, n: usize) -> u16 {
        self.first + 1 + u16::try_from(n).unwrap()
    }
}

#[test]
fn two_blocks_of_ports_have_none_in_common() {
    let (one, other) = (Ports::take(20).unwrap(), Ports::take(20).unwrap());
    assert!(one.first.abs_diff(other.first) >= BLOCK, "{one:?} {other:?}");
    assert!(Ports::lock(one.first, 20).is_none(), "a block that is taken was taken again");
    assert_eq!(one.nth(0), one.first + 1, "the first port is the lock");
}
