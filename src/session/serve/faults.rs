//! Decides when faults happen: by the connection, the command, the address, and by chance.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::fault::{Fault, When};
use crate::chance::{Dice, Seed};

/// The occasion before TLS and the greeting.
pub(crate) const CONNECT: &str = "CONNECT";
/// The occasions that have no verb: before the first command, after a message, and after a response
/// to a challenge of SASL.
pub(crate) const GREETING: &str = "GREETING";
pub(crate) const MESSAGE: &str = "MESSAGE";
pub(crate) const RESPONSE: &str = "RESPONSE";

/// The faults of a listener. If several fit, the first one happens.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    all: Vec<Counted>,
    seed: Seed,
    /// The number of the listener in its script.
    listener: u64,
}

#[derive(Debug)]
struct Counted {
    fault: Fault,
    /// How many times the fault could have happened so far.
    could: AtomicU64,
}

impl Faults {
    pub(crate) fn new(all: Vec<Fault>, (seed, listener): (Seed, u64)) -> Self {
        let all = all.into_iter().map(|fault| Counted { fault, could: AtomicU64::new(0) });
        Self { all: all.collect(), seed, listener }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The faults of the connection with this number, from 1.
    pub(crate) fn on(self: &Arc<Self>, connection: u64) -> OnConnection {
        let dice = self.seed.dice(&[self.listener, connection]);
        let met = vec![false; self.all.len()];
        OnConnection { faults: Arc::clone(self), connection, dice, met }
    }
}

/// The faults of one connection.
#[derive(Debug)]
pub(crate) struct OnConnection {
    faults: Arc<Faults>,
    connection: u64,
    dice: Dice,
    /// For each fault, whether the current mail transaction has its address.
    met: Vec<bool>,
}

impl OnConnection {
    /// Returns the fault in the answer to this command, or at an occasion such as [`CONNECT`], if
    /// there is one.
    pub(crate) fn at(&mut self, command: &str) -> Option<Fault> {
        if self.faults.is_empty() {
            return None;
        }
        // A client may say millions of words. The first is a verb, or an occasion.
        let most = self.faults.all.iter().map(|counted| counted.fault.when.at.len()).max();
        let said = command.split_whitespace().take(most.unwrap_or_default().max(1));
        let said: Vec<_> = said.map(str::to_ascii_uppercase).collect();
        let met = self.meet(said.first().map(String::as_str), command);
        let faults = Arc::clone(&self.faults);
        for (counted, met) in faults.all.iter().zip(met) {
            if fits(&counted.fault.when, &said, self.connection, met) && self.happens(counted) {
                return Some(counted.fault.clone());
            }
        }
        None
    }

    /// The source of the random decisions on this connection.
    pub(crate) fn dice(&mut self) -> &mut Dice {
        &mut self.dice
    }

    /// Whether a fault happens this time. Decides at random if the fault has a probability.
    pub(crate) fn falls(&mut self, fault: &Fault) -> bool {
        fault.when.chance.is_none_or(|chance| self.dice.falls(chance))
    }

    fn happens(&mut self, counted: &Counted) -> bool {
        let number = counted.could.fetch_add(1, Ordering::Relaxed) + 1;
        let is_its = counted.fault.when.number.is_none_or(|wanted| wanted == number);
        is_its && self.falls(&counted.fault)
    }

    /// For each fault, whether its address is there: in the command itself for MAIL and RCPT, in
    /// the mail transaction so far for other commands.
    fn meet(&mut self, verb: Option<&str>, command: &str) -> Vec<bool> {
        if matches!(verb, Some("MAIL" | "RSET" | "EHLO" | "HELO" | "LHLO" | "STARTTLS")) {
            self.met.fill(false);
        }
        let Some("MAIL" | "RCPT") = verb else { return self.met.clone() };
        let inside = command.split_once('<').map_or("", |(_, inside)| inside);
        let address = inside.split('>').next().unwrap_or(inside).to_ascii_lowercase();
        let wanted = self.faults.all.iter().map(|counted| counted.fault.when.address.as_deref());
        let here: Vec<_> =
            wanted.map(|wanted| wanted.is_some_and(|wanted| is_at(&address, wanted))).collect();
        for (met, here) in self.met.iter_mut().zip(&here) {
            *met |= here;
        }
        here
    }
}

/// Whether an address, in lower case, is the wanted address or belongs to the wanted `@domain`.
fn is_at(address: &str, wanted: &str) -> bool {
    let wanted = wanted.to_ascii_lowercase();
    if wanted.starts_with('@') { address.ends_with(&wanted) } else { address == wanted }
}

fn fits(when: &When, said: &[String], connection: u64, met: bool) -> bool {
    let is_connect = said.first().is_some_and(|word| word == CONNECT);
    let is_at = if when.at.is_empty() { !is_connect } else { said.starts_with(&when.at) };
    is_at
        && when.connection.is_none_or(|wanted| wanted == connection)
        && (when.address.is_none() || met)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(all: impl IntoIterator<Item = Fault>) -> Arc<Faults> {
        Arc::new(Faults::new(all.into_iter().collect(), (Seed::of(1), 0)))
    }

    #[test]
    fn a_fault_happens_at_its_command_connection_and_number() {
        let all = faults([
            Fault::new().at("rcpt").connection(2).cut(1),
            Fault::new().at("RCPT").number(2).cut(2),
            Fault::new().at("AUTH PLAIN").cut(3),
        ]);
        let mut one = all.on(1);
        let mut two = all.on(2);
        let cut = |fault: Option<Fault>| fault.and_then(|fault| fault.cut);
        let rcpt = "RCPT TO:<a@b>";
        assert_eq!([one.at(rcpt), one.at(rcpt), one.at(rcpt)].map(cut), [None, Some(2), None]);
        assert_eq!([two.at(rcpt), two.at("auth plain AGE=")].map(cut), [Some(1), Some(3)]);
        assert_eq!(cut(two.at("AUTH LOGIN")), None);
    }

    #[test]
    fn a_fault_without_a_command_is_for_all_that_is_said() {
        let all = faults([Fault::new().cut(1)]);
        let mut one = all.on(1);
        assert_eq!(one.at(CONNECT), None);
        assert!(one.at(GREETING).is_some() && one.at("NOOP").is_some());
    }

    #[test]
    fn an_address_is_that_of_the_command_or_of_the_transaction() {
        let all = faults([Fault::new().address("A@x.example"), Fault::new().address("@y.example")]);
        let mut one = all.on(1);
        for (command, happens) in [
            ("MAIL FROM:<k@z.example>", false),
            ("RCPT TO:<a@X.example>", true),
            ("RCPT TO:<b@x.example>", false),
            ("DATA", true),
            (MESSAGE, true),
            ("MAIL FROM:<k@z.example>", false),
            ("DATA", false),
            ("RCPT TO:<c@Y.example>", true),
            ("RSET", false),
            ("DATA", false),
        ] {
            assert_eq!(one.at(command).is_some(), happens, "{command}");
        }
    }

    #[test]
    fn a_chance_falls_the_same_on_a_connection_whatever_others_do() {
        let fell = |others: usize| {
            let all = faults([Fault::new().chance(0.5)]);
            (2..2 + others).for_each(|other| drop(all.on(other as u64).at("NOOP")));
            let mut one = all.on(1);
            (0..32).map(|_| one.at("NOOP").is_some()).collect::<Vec<_>>()
        };
        assert_eq!(fell(0), fell(7));
        assert!(fell(0).contains(&true) && fell(0).contains(&false));
    }
}
