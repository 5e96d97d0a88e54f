//! Turns the results of the dialogues with a host into answers.

use std::net::IpAddr;

use super::ask::Asked;
use super::refusal::{Refusal, denies_access, is_same};
use super::{Answer, FOREIGN, FOREIGNERS, Note, Proof, Question, Said};
use crate::error::{Error, Kind};
use crate::probe::{Found, Host, State};

/// Words in a greeting that name the software of a mail server.
const SOFTWARE: [&str; 27] = [
    "postfix",
    "sendmail",
    "exim",
    "microsoft",
    "exchange",
    "qmail",
    "opensmtpd",
    "haraka",
    "stalwart",
    "maddy",
    "mox",
    "chasquid",
    "zimbra",
    "mailenable",
    "hmailserver",
    "courier",
    "dovecot",
    "cyrus",
    "ideasmtpserver",
    "mdaemon",
    "lotus",
    "domino",
    "communigate",
    "smtp4dev",
    "mercury",
    "axigen",
    "james",
];

/// The results for one host.
pub(super) struct Seen<'a> {
    pub(super) host: &'a str,
    pub(super) probed: &'a Host,
    pub(super) smtp: u16,
    pub(super) submission: u16,
    pub(super) relay: Option<Asked>,
    /// The dialogue about the domain's own recipient, if that about relaying broke off.
    pub(super) accepts: Option<Asked>,
    pub(super) submits: Option<Asked>,
    /// Whether any certificate is accepted.
    pub(super) is_lax: bool,
    /// Whether the host was only guessed: no MX record, and no recipient given by the user, shows
    /// that the host takes mail for this name.
    pub(super) is_guess: bool,
}

/// The answer about a host that has no address, or that could not be looked up.
pub(super) fn unresolved(host: &str, error: &Error) -> Answer {
    let is_unknown = error.kind() == Kind::Lookup;
    Answer {
        question: Question::Reachable,
        host: Some(host.to_owned()),
        said: if is_unknown { Said::Unknown } else { Said::No },
        is_well: Some(false),
        proof: vec![Proof::Line(error.in_short())],
    }
}

impl Seen<'_> {
    pub(super) fn answers(&self) -> Vec<Answer> {
        let mut answers = vec![self.reachable()];
        if self.relay.is_some() {
            answers.push(self.relays());
        }
        answers.push(self.demands_auth());
        if let Some(software) = self.tells_software() {
            answers.push(software);
        }
        let open: Vec<_> =
            self.probed.found.iter().filter(|found| found.state == State::Open).collect();
        if !open.is_empty() {
            answers.push(self.mechanisms(&open));
            answers.push(self.encrypts(&open));
        }
        if self.relay.is_some() {
            answers.push(self.accepts());
        }
        answers
    }

    fn answer(
        &self,
        question: Question,
        said: Said,
        is_well: Option<bool>,
        proof: Vec<Proof>,
    ) -> Answer {
        Answer { question, host: Some(self.host.to_owned()), said, is_well, proof }
    }

    fn at(&self, port: u16) -> Option<&Found> {
        let mut found = self.probed.at(port);
        let first = found.next()?;
        Some(if first.state == State::Open {
            first
        } else {
            found.find(|one| one.state == State::Open).unwrap_or(first)
        })
    }

    fn reachable(&self) -> Answer {
        let states = self.probed.at(self.smtp).map(|found| {
            let greeting = found.service.greeting.as_deref();
            let said = greeting.map(|greeting| format!(": {greeting}")).unwrap_or_default();
            Proof::Line(format!("{} {}{said}", found.address, found.state))
        });
        let mut proof: Vec<_> = states.collect();
        let state = self.probed.state(self.smtp);
        if state == State::Filtered {
            let other = self.probed.found.iter().find(|found| found.state == State::Open);
            proof.push(Proof::Note(match other {
                Some(other) => Note::Blocked(other.address.port()),
                None => Note::AllFiltered,
            }));
        }
        let is_open = state == State::Open;
        let said = if is_open { Said::Yes } else { Said::No };
        self.answer(Question::Reachable, said, Some(is_open), proof)
    }

    fn relays(&self) -> Answer {
        let Some(asked) = &self.relay else {
            return self.answer(Question::Relays, Said::Unknown, None, Vec::new());
        };
        let line = format!("RCPT TO:<{FOREIGN}>");
        let replies: Vec<_> = asked.of_recipients().filter(|(said, _)| *said == line).collect();
        let mut proof: Vec<_> = replies.iter().map(|(line, reply)| said(line, reply)).collect();
        proof.dedup();
        let near = near(asked);
        proof.extend(near.map(|ip| Proof::Note(Note::NearBy(ip))));
        if replies.iter().any(|(_, reply)| reply.starts_with('2')) {
            proof.push(Proof::Note(Note::EnvelopeOnly));
            // A server may relay for a client that it knows as its own.
            return self.answer(
                Question::Relays,
                Said::Yes,
                near.is_none().then_some(false),
                proof,
            );
        }
        // Senders that are refused for another reason may be accepted from another client.
        let senders: Vec<_> = asked.refused_senders().collect();
        proof.extend(senders.first().map(|(line, reply)| said(line, reply)));
        let decisions = replies.into_iter().chain(senders);
        let doubts: Vec<_> = decisions.map(|(_, reply)| self.doubt(reply)).collect();
        // One for each transaction.
        if doubts.len() >= FOREIGNERS && doubts.iter().all(Option::is_none) {
            return self.answer(Question::Relays, Said::No, Some(true), proof);
        }
        proof.extend(doubts.into_iter().flatten().next().map(Proof::Note));
        proof.extend(asked.failure.iter().map(|error| Proof::Line(error.in_short())));
        self.answer(Question::Relays, Said::Unknown, None, proof)
    }

    /// Why a refusal does not show that the server does not relay, or demands AUTH.
    fn doubt(&self, reply: &str) -> Option<Note> {
        Some(match Refusal::of(reply) {
            Some(Refusal::Relaying) => return None,
            Some(Refusal::Destination) => Note::OfDestination,
            Some(Refusal::Client) => Note::OfClient,
            Some(Refusal::Unsaid) => match self.own_recipient() {
                Some((_, own)) if is_same(reply, own) => Note::OfClient,
                _ => Note::Unsaid,
            },
            None => Note::PutOff,
        })
    }

    /// The domain's own recipient, with the reply.
    fn own_recipient(&self) -> Option<&(String, String)> {
        let asked = self.accepts.as_ref().or(self.relay.as_ref())?;
        let foreign = format!("RCPT TO:<{FOREIGN}>");
        asked.of_recipients().find(|(line, _)| *line != foreign)
    }

    /// Whether submission denies access to this client because it did not log in: AUTH is offered,
    /// and the same server takes the domain's own recipient from the same address.
    fn denies_strangers(&self, submits: &Asked, reply: &str) -> bool {
        let at_smtp = self.accepts.as_ref().or(self.relay.as_ref());
        let offers =
            self.at(self.submission).is_some_and(|found| !found.service.mechanisms.is_empty());
        let is_welcome = self.own_recipient().is_some_and(|(_, own)| own.starts_with('2'));
        offers
            && is_welcome
            && at_smtp.is_some_and(|asked| asked.from == submits.from)
            && denies_access(reply)
    }

    fn demands_auth(&self) -> Answer {
        let Some(asked) = &self.submits else {
            let state =
                self.at(self.submission).map(|found| format!("{} {}", found.address, found.state));
            let mut proof: Vec<_> = state.into_iter().map(Proof::Line).collect();
            proof.push(Proof::Note(Note::NoSubmission));
            return self.answer(Question::DemandsAuth, Said::Unknown, None, proof);
        };
        let near = near(asked);
        let notes = near.map(|ip| Proof::Note(Note::NearBy(ip)));
        let refused = asked
            .said
            .iter()
            .find(|(line, reply)| !line.starts_with("RSET") && !reply.starts_with('2'));
        if let Some((line, reply)) = refused {
            let mut proof = vec![said(line, reply)];
            let doubt = self.doubt(reply).filter(|_| !self.denies_strangers(asked, reply));
            let (said, is_well) = match doubt {
                Some(_) => (Said::Unknown, None),
                None => (Said::Yes, Some(true)),
            };
            proof.extend(doubt.map(Proof::Note));
            return self.answer(Question::DemandsAuth, said, is_well, proof);
        }
        let mut proof: Vec<_> = asked
            .said
            .iter()
            .filter(|(line, _)| !line.starts_with("RSET"))
            .map(|(line, reply)| said(line, reply))
            .collect();
        proof.extend(notes);
        if let Some(error) = &asked.failure {
            proof.push(Proof::Line(error.in_short()));
            return self.answer(Question::DemandsAuth, Said::Unknown, None, proof);
        }
        proof.push(Proof::Note(Note::EnvelopeOnly));
        self.answer(Question::DemandsAuth, Said::No, near.is_none().then_some(false), proof)
    }

    fn tells_software(&self) -> Option<Answer> {
        let mut ports = [self.smtp, self.submission].into_iter();
        let greeting = ports.find_map(|port| self.at(port)?.service.greeting.as_deref())?;
        let lower = greeting.to_ascii_lowercase();
        // After the reply code and the host's own name, which may hold any word.
        let named = lower.split_once([' ', '-']).map_or("", |(_, named)| named);
        let text = named.split_once(' ').map_or("", |(_, text)| text);
        let tells = SOFTWARE.iter().any(|name| text.contains(name));
        let said = if tells { Said::Yes } else { Said::No };
        let is_well = if tells { None } else { Some(true) };
        Some(self.answer(
            Question::TellsSoftware,
            said,
            is_well,
            vec![Proof::Line(greeting.to_owned())],
        ))
    }

    fn mechanisms(&self, open: &[&Found]) -> Answer {
        let offers = |found: &&&Found| !found.service.mechanisms.is_empty();
        let mut proof = Vec::new();
        let mut in_clear = false;
        for found in open.iter().filter(offers) {
            let service = &found.service;
            proof.push(Proof::Line(format!(
                "{}: AUTH {}",
                found.address.port(),
                service.mechanisms.join(" ")
            )));
            in_clear |= service.tls.is_none()
                && service
                    .mechanisms
                    .iter()
                    .any(|name| ["PLAIN", "LOGIN"].contains(&name.as_str()));
        }
        let said = if proof.is_empty() { Said::No } else { Said::Yes };
        if in_clear {
            proof.push(Proof::Note(Note::InClear));
        }
        self.answer(Question::Mechanisms, said, in_clear.then_some(false), proof)
    }

    fn encrypts(&self, open: &[&Found]) -> Answer {
        let mut proof = Vec::new();
        let (mut all, mut any) = (true, false);
        for found in open {
            let port = found.address.port();
            let Some(tls) = &found.service.tls else {
                all = false;
                let why =
                    found.failure.as_ref().map_or_else(|| "no TLS".to_owned(), Error::in_short);
                proof.push(Proof::Line(format!("{port}: {why}")));
                continue;
            };
            any = true;
            let days = tls.certificate.as_ref().map(crate::tls::Certificate::days_left);
            let days = days.map(|days| format!(", {days} days")).unwrap_or_default();
            let fault = tls.fault.as_deref().map(|fault| format!(": {fault}")).unwrap_or_default();
            all &= self.is_lax || tls.fault.is_none();
            proof.push(Proof::Line(format!("{port}: TLS {}{days}{fault}", tls.version)));
        }
        let said = if any { Said::Yes } else { Said::No };
        self.answer(Question::Encrypts, said, Some(all), proof)
    }

    fn accepts(&self) -> Answer {
        let Some(asked) = self.accepts.as_ref().or(self.relay.as_ref()) else {
            return self.answer(Question::Accepts, Said::Unknown, None, Vec::new());
        };
        let Some((line, reply)) = self.own_recipient() else {
            let sender = asked.refused_senders().next();
            let mut proof: Vec<_> =
                sender.map(|(line, reply)| said(line, reply)).into_iter().collect();
            if sender.is_some_and(|(_, reply)| reply.starts_with('4')) {
                proof.push(Proof::Note(Note::PutOff));
            }
            if let Some(error) = &asked.failure {
                // A server that greets and then says nothing takes no mail.
                proof.push(Proof::Line(error.in_short()));
                return self.answer(Question::Accepts, Said::No, Some(false), proof);
            }
            return self.answer(Question::Accepts, Said::Unknown, None, proof);
        };
        let mut proof = vec![said(line, reply)];
        let (said, is_well) = match reply.as_bytes().first() {
            Some(b'2') => {
                proof.push(Proof::Note(Note::EnvelopeOnly));
                (Said::Yes, Some(true))
            }
            Some(b'4') => {
                proof.push(Proof::Note(Note::PutOff));
                (Said::Unknown, None)
            }
            _ => (Said::No, (!self.is_guess).then_some(false)),
        };
        self.answer(Question::Accepts, said, is_well, proof)
    }
}

fn said(line: &str, reply: &str) -> Proof {
    Proof::Line(format!("{line} -> {reply}"))
}

/// The address that the question was asked from, if a server is likely to trust it.
fn near(asked: &Asked) -> Option<IpAddr> {
    let (own, peer) = asked.from?;
    let is_near = own.is_loopback() || own == peer || is_private(own);
    is_near.then_some(own)
}

fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}
