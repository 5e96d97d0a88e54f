//! Injects faults into the answers of a server that runs by itself.

use std::num::NonZeroU32;

use super::said::{Drip, Next, Said};
use crate::chance::Dice;
use crate::session::{Fault, Then};

/// The answer with a fault injected.
pub(super) fn spoil(said: Said, fault: &Fault, dice: &mut Dice) -> Said {
    let jitter = fault.jitter.unwrap_or_default();
    let pause = fault.after.unwrap_or_default() + dice.up_to(jitter);
    let drip = fault.drip.map(|pause| Drip { pause, jitter, dice: dice.clone() });
    Said {
        bytes: fault.spoilt(&said.bytes).into(),
        next: next(said.next, fault),
        wait: said.wait + pause,
        drip: drip.or(said.drip),
        read_rate: fault.read_rate.and_then(NonZeroU32::new).or(said.read_rate),
    }
}

fn next(meant: Next, fault: &Fault) -> Next {
    match fault.then.or(fault.cut.map(|_| Then::Close)) {
        Some(Then::Close) => Next::Close,
        Some(Then::Reset) => Next::Reset,
        Some(Then::HalfClose) => Next::HalfClose,
        Some(Then::Silence) => Next::Stall,
        Some(Then::CutTls) => Next::Cut,
        None if fault.garbage && meant == Next::Tls => Next::Garbage,
        None if fault.read_rate == Some(0) => Next::Unread,
        None => meant,
    }
}

/// The fault that happens before TLS and the greeting.
pub(super) fn connect(fault: &Fault, dice: &mut Dice) -> Said {
    let meant = if fault.garbage { Next::Tls } else { Next::Line };
    let fault = Fault { drip: None, ..fault.clone() };
    Said { bytes: Vec::new(), ..spoil(Said::nothing().then(meant), &fault, dice) }
}
