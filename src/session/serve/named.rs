//! The faults by their names, as scripts and the rules of the embedded server write them.
//!
//! # How to add a fault
//!
//! In `fault.rs`, add a field and a method to [`Fault`]; here, a line to [`FAULTS`]. Bytes that are
//! sent are changed in `spoilt.rs`. Tests fail until the check of scripts, the chapter "The server's
//! side" of the reference and the table of `server::Options::answer` know the name.

use std::time::Duration;

use super::fault::Fault;

/// A fault that has a name.
#[derive(Debug)]
pub(crate) struct Named {
    pub(crate) name: &'static str,
    pub(crate) set: Set,
}

/// What a fault is given, and how it is added to others.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Set {
    Flag(fn(Fault, bool) -> Fault),
    Time(fn(Fault, Duration) -> Fault),
    /// A number of bytes.
    Count(fn(Fault, usize) -> Fault),
    /// A number of octets more, or fewer.
    More(fn(Fault, i64) -> Fault),
    /// A number of bytes a second.
    Rate(fn(Fault, u32) -> Fault),
    /// A number from 0 to 1.
    Chance(fn(Fault, f64) -> Fault),
    /// A line without its line end.
    Line(fn(Fault, String) -> Fault),
    Bytes(fn(Fault, Vec<u8>) -> Fault),
}

/// All faults, except for [`Fault::then`], which is given one of a few words.
pub(crate) static FAULTS: [Named; 16] = [
    named("after", Set::Time(Fault::after)),
    named("jitter", Set::Time(Fault::jitter)),
    named("drip", Set::Time(Fault::drip)),
    named("cut", Set::Count(Fault::cut)),
    named("bare_lf", Set::Flag(Fault::bare_lf)),
    named("nul", Set::Flag(Fault::nul)),
    named("wrong", Set::Line(Fault::wrong)),
    named("doubled", Set::Flag(Fault::doubled)),
    named("missing", Set::Flag(Fault::missing)),
    named("endless", Set::Count(Fault::endless)),
    named("literal", Set::More(Fault::literal)),
    named("uidvalidity", Set::Flag(Fault::uidvalidity)),
    named("inject", Set::Bytes(Fault::inject)),
    named("garbage", Set::Flag(Fault::garbage)),
    named("read_rate", Set::Rate(Fault::read_rate)),
    named("chance", Set::Chance(Fault::chance)),
];

const fn named(name: &'static str, set: Set) -> Named {
    Named { name, set }
}

impl Named {
    pub(crate) fn find(name: &str) -> Option<&'static Self> {
        FAULTS.iter().find(|named| named.name == name)
    }
}
