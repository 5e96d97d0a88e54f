//! Answers the questions for which people use telnet, for all mail hosts of a domain in parallel:
//! which hosts take its mail, whether they can be reached, whether they relay, what they demand and
//! what they reveal. No message is delivered unless the caller asks for it.

mod ask;
mod judge;
mod refusal;

use std::net::IpAddr;
use std::time::Duration;

use tokio::task::{JoinSet, LocalSet};

use crate::error::{Error, Kind, Result};
use crate::probe::{Account, Depth, Found, Host, HostPorts, Port, Probe};
use crate::session::Options;
use crate::transport::{Exchanger, Exchangers, NULL_MX};
use ask::{Asked, Talk};

/// A question about a domain or a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// Is there a host that takes mail for the domain?
    Exchangers,
    /// Can port 25 be reached from here?
    Reachable,
    /// Does the host relay for strangers?
    Relays,
    /// Does submission demand AUTH?
    DemandsAuth,
    /// Which mechanisms does the host offer?
    Mechanisms,
    /// Does the greeting name the software?
    TellsSoftware,
    /// Does the host use TLS with a valid certificate?
    Encrypts,
    /// Does the host accept mail for the domain?
    Accepts,
    /// Does a message arrive?
    Delivers,
}

/// The answer to a question in short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Yes,
    No,
    Unknown,
}

/// An answer, with its proof.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) question: Question,
    /// The host that the answer is about; `None` if it is about the domain.
    pub(crate) host: Option<String>,
    pub(crate) said: Said,
    /// Whether the answer is as it should be; `None` if it is neither good nor bad.
    pub(crate) is_well: Option<bool>,
    pub(crate) proof: Vec<Proof>,
}

/// A line that proves an answer, or limits what it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// A line of the dialogue, or the result of a connection attempt.
    Line(String),
    Note(Note),
}

/// Something that a reader has to know to understand an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Note {
    /// The server may trust the address from which it was asked.
    NearBy(IpAddr),
    /// Port 25 is filtered but this other port is open: the network blocks outbound port 25
    /// (OP25B).
    Blocked(u16),
    /// All ports are filtered.
    AllFiltered,
    /// Nothing listens at the submission port.
    NoSubmission,
    /// Only the envelope was sent.
    EnvelopeOnly,
    /// The server deferred its decision, which proves nothing.
    PutOff,
    /// The refusal is about the foreign domain, which takes no mail.
    OfDestination,
    /// The refusal is about the client or its name, whatever it asks for.
    OfClient,
    /// The refusal does not say what it is about.
    Unsaid,
    /// The password would be sent in clear.
    InClear,
    /// The question was not asked, because no message is delivered unless the caller asks for it.
    NotAsked,
    /// The name has no MX records, and was used as a host.
    IsHost,
    /// A null MX stands beside other MX records, which RFC 7505 section 3 forbids.
    NullBeside,
    /// An MX record has this address, where only the name of a host may stand (RFC 5321 section
    /// 5.1).
    Address(String),
    /// This many hosts are not asked, because there are more than [`MOST_HOSTS`].
    NotAsking(usize),
    /// The dialogue with the host failed.
    Failed,
}

/// All answers, and the addresses from which the questions were asked.
#[derive(Debug)]
pub(crate) struct Examined {
    pub(crate) domain: String,
    pub(crate) answers: Vec<Answer>,
    /// Our own address and the server's, for each host.
    pub(crate) from: Vec<(IpAddr, IpAddr)>,
}

/// How the questions are asked.
#[derive(Clone, Debug)]
pub(crate) struct Doctor {
    pub(crate) options: Options,
    pub(crate) timeout: Duration,
    pub(crate) helo: Option<String>,
    /// The ports of SMTP and of submission.
    pub(crate) ports: (u16, u16),
    /// The recipient to ask about; the postmaster of the domain if `None`.
    pub(crate) rcpt: Option<String>,
    /// The account and the mailbox for a test message; `None` if no message is to be delivered.
    pub(crate) deliver: Option<(Account, Option<String>)>,
}

/// How many hosts of a domain are asked, those with the lowest preference first. A domain may list
/// some thousand, and each host has seven ports.
const MOST_HOSTS: usize = 20;

/// A recipient in a foreign domain that is reserved for examples (RFC 2606 section 3).
const FOREIGN: &str = "relay-test@example.net";

/// In how many transactions at port 25 it is the recipient.
const FOREIGNERS: usize = 2;

/// The ports that are probed in addition to those of SMTP and submission.
const OTHERS: [u16; 5] = [465, 143, 993, 110, 995];

impl Doctor {
    /// Asks all questions. Each host is looked up and asked in a task of its own, so that none
    /// delays another.
    ///
    /// # Errors
    /// Unresolved, if the name is neither a domain with MX records nor a host; a failed look-up,
    /// which does not show whether it is one.
    pub(crate) async fn examine(&self, domain: &str) -> Result<Examined> {
        if let Some((account, _)) = &self.deliver {
            self.options.secrets().keep(account.password.as_bytes());
        }
        let (hosts, first) = self.exchangers(domain).await?;
        let mut answers = vec![first];
        let mut tasks = JoinSet::new();
        let local = LocalSet::new();
        for (n, host) in hosts.iter().enumerate() {
            let (doctor, host, domain) = (self.clone(), host.clone(), domain.to_owned());
            tasks.spawn_local_on(async move { (n, doctor.host(&host, &domain).await) }, &local);
        }
        let mut all = local.run_until(tasks.join_all()).await;
        all.sort_by_key(|(n, _)| *n);
        let mut from = Vec::new();
        for (_, examined) in all {
            let (of_host, seen) = examined?;
            answers.extend(of_host);
            from.extend(seen);
        }
        from.dedup();
        if let Some(host) = hosts.first() {
            answers.push(self.delivers(host, domain).await);
        }
        Ok(Examined { domain: domain.to_owned(), answers, from })
    }

    /// The hosts that take the domain's mail, and the answer about them.
    async fn exchangers(&self, domain: &str) -> Result<(Vec<String>, Answer)> {
        let answer = |said, is_well, proof| Answer {
            question: Question::Exchangers,
            host: None,
            said,
            is_well,
            proof,
        };
        let is_address = domain.parse::<IpAddr>().is_ok();
        let found = if is_address {
            Ok(Exchangers::of_its_own(domain))
        } else {
            self.options.exchangers(domain).await
        };
        let mut proof = Vec::new();
        match found {
            Ok(found) if found.hosts.is_empty() => {
                let proof = vec![Proof::Line(NULL_MX.to_owned())];
                return Ok((Vec::new(), answer(Said::No, None, proof)));
            }
            Ok(found) if found.are_listed => {
                let (hosts, is_well) = listed(found, &mut proof);
                let said = if hosts.is_empty() { Said::No } else { Said::Yes };
                return Ok((hosts, answer(said, Some(is_well), proof)));
            }
            Ok(_) => {}
            Err(error) if error.kind() == Kind::Lookup => return Err(error),
            // Not in the DNS, but this machine may know the name as that of a host.
            Err(error) => {
                if self.options.addresses(domain).await.is_err() {
                    return Err(error);
                }
                proof.push(Proof::Line(error.got().unwrap_or(error.message()).to_owned()));
            }
        }
        let said = if proof.is_empty() { Said::Yes } else { Said::Unknown };
        let addresses = self.options.addresses(domain).await?;
        let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
        proof.push(Proof::Line(format!("{domain}: {}", addresses.join(", "))));
        proof.push(Proof::Note(Note::IsHost));
        Ok((vec![domain.to_owned()], answer(said, None, proof)))
    }

    /// All answers about one host, and the two addresses of the connection.
    async fn host(
        &self,
        host: &str,
        domain: &str,
    ) -> Result<(Vec<Answer>, Option<(IpAddr, IpAddr)>)> {
        let (smtp, submission) = self.ports;
        let mut ports = vec![
            Port { number: smtp, scheme: Some("smtp") },
            Port { number: submission, scheme: Some("submission") },
        ];
        // With other ports given, the server's remaining ports are unknown.
        if self.ports == (25, 587) {
            ports.extend(OTHERS.map(Port::new));
        }
        let all = HostPorts { host: host.to_owned(), ports, is_named: true };
        let mut probe = Probe::new(self.options.clone(), self.timeout);
        probe.helo.clone_from(&self.helo);
        probe.masked = self.deliver.as_ref().map(|(account, _)| account.password.clone());
        probe.options = probe.options.tls(self.options.tls_options().clone().verify(false));
        let probed = match probe.host(&all).await {
            Ok(probed) => probed,
            Err(error) if error.is_unresolved() => {
                return Ok((vec![judge::unresolved(host, &error)], None));
            }
            Err(error) => return Err(error),
        };
        let open =
            |port: u16| probed.at(port).find(|found| found.state == crate::probe::State::Open);
        let rcpt = self.rcpt.clone().unwrap_or_else(|| format!("postmaster@{}", bare(domain)));
        let relay = match open(smtp) {
            Some(found) => Some(self.ask(host, found, false, &relayed(domain, &rcpt)).await),
            None => None,
        };
        // A dialogue that a foreign recipient ended says nothing about the domain's own.
        let accepts = match (open(smtp), &relay) {
            (Some(found), Some(asked)) if asked.failure.is_some() => {
                Some(self.ask(host, found, false, &accepted(&rcpt)).await)
            }
            _ => None,
        };
        let submits = match open(submission) {
            Some(found) => Some(self.ask(host, found, true, &submitted(domain)).await),
            None => None,
        };
        let from = relay.as_ref().or(submits.as_ref()).and_then(|asked| asked.from);
        let is_guess = self.rcpt.is_none() && host.eq_ignore_ascii_case(domain);
        let seen = judge::Seen {
            host,
            probed: &probed,
            smtp,
            submission,
            relay,
            accepts,
            submits,
            is_lax: !self.options.tls_options().verifies(),
            is_guess,
        };
        Ok((seen.answers(), from))
    }

    /// Asks one host, at the address at which the port is open.
    async fn ask(&self, host: &str, found: &Found, is_submission: bool, lines: &[String]) -> Asked {
        let options = self.options.clone().pinned_to(host, found.address.ip());
        let options = options.tls(self.options.tls_options().clone().verify(false));
        let scheme = if is_submission { "submission" } else { "smtp" };
        let all = HostPorts { host: host.to_owned(), ports: Vec::new(), is_named: true };
        let url = all.url(scheme, found.address.port());
        let starttls = found.service.tls.is_some();
        let talk = Talk { url, helo: self.helo.as_deref(), starttls, lines };
        let mut asked = Asked::default();
        asked.ask(options.timeout(self.timeout), talk).await;
        asked
    }

    /// Whether a message arrives, if that is to be tried.
    async fn delivers(&self, host: &str, domain: &str) -> Answer {
        let answer = |said, is_well, proof| Answer {
            question: Question::Delivers,
            host: None,
            said,
            is_well,
            proof,
        };
        let Some((account, mailbox)) = &self.deliver else {
            return answer(Said::Unknown, None, vec![Proof::Note(Note::NotAsked)]);
        };
        let mut probe = Probe::new(self.options.clone(), self.timeout);
        probe.helo.clone_from(&self.helo);
        probe.depth = Depth::Delivered;
        probe.masked = Some(account.password.clone());
        probe.rcpt =
            Some(self.rcpt.clone().unwrap_or_else(|| format!("postmaster@{}", bare(domain))));
        let at = HostPorts { host: host.to_owned(), ports: Vec::new(), is_named: true };
        let mailbox = mailbox.clone().unwrap_or_else(|| at.url("imaps", 993));
        probe.mailbox = Some((mailbox.clone(), account.clone()));
        let ports = vec![Port { number: self.ports.0, scheme: Some("smtp") }];
        let all = HostPorts { host: host.to_owned(), ports, is_named: true };
        let outcome: Result<Host, Error> = probe.host(&all).await;
        let is_open = |found: &Found| found.state == crate::probe::State::Open;
        let found = outcome.map(|host| host.found.into_iter().find(is_open));
        match found {
            Ok(Some(Found { failure: None, reached: Some(Depth::Delivered), .. })) => {
                answer(Said::Yes, Some(true), vec![Proof::Line(format!("{mailbox} INBOX"))])
            }
            Ok(Some(found)) => {
                let why = found.failure.map_or_else(String::new, |error| error.in_short());
                answer(Said::No, Some(false), vec![Proof::Line(why)])
            }
            Ok(None) => answer(Said::No, Some(false), vec![Proof::Note(Note::Failed)]),
            Err(error) => answer(Said::No, Some(false), vec![Proof::Line(error.in_short())]),
        }
    }
}

/// The hosts that are asked, of those that MX records list, and whether the records are as they
/// should be, with the proof of it.
fn listed(found: Exchangers, proof: &mut Vec<Proof>) -> (Vec<String>, bool) {
    let shown = found.hosts.iter().map(|one| format!("MX {} {}", one.preference, one.host));
    proof.extend(shown.map(Proof::Line));
    proof.extend(found.has_null.then_some(Proof::Note(Note::NullBeside)));
    let has_null = found.has_null;
    let (addresses, hosts): (Vec<_>, Vec<_>) =
        found.distinct().into_iter().partition(Exchanger::is_address);
    let is_well = !has_null && addresses.is_empty();
    proof.extend(addresses.into_iter().map(|one| Proof::Note(Note::Address(one.host))));
    let others = hosts.len().saturating_sub(MOST_HOSTS);
    proof.extend((others > 0).then_some(Proof::Note(Note::NotAsking(others))));
    (hosts.into_iter().map(|one| one.host).take(MOST_HOSTS).collect(), is_well)
}

/// The domain as it is written in a mail address.
fn bare(domain: &str) -> String {
    match domain.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => format!("[{ip}]"),
        Ok(IpAddr::V6(ip)) => format!("[IPv6:{ip}]"),
        Err(_) => domain.trim_end_matches('.').to_owned(),
    }
}

/// The transactions at port 25: to a foreign domain, once from the null sender and once from a
/// sender in the domain, and to the domain itself.
fn relayed(domain: &str, rcpt: &str) -> Vec<String> {
    let own = format!("MAIL FROM:<postmaster@{}>", bare(domain));
    let foreign = [
        "MAIL FROM:<>".to_owned(),
        format!("RCPT TO:<{FOREIGN}>"),
        "RSET".to_owned(),
        own,
        format!("RCPT TO:<{FOREIGN}>"),
        "RSET".to_owned(),
    ];
    [&foreign[..], &accepted(rcpt)].concat()
}

/// The transaction with a recipient in the domain itself.
fn accepted(rcpt: &str) -> Vec<String> {
    ["MAIL FROM:<>".to_owned(), format!("RCPT TO:<{rcpt}>"), "RSET".to_owned()].into()
}

/// The transaction at submission, without AUTH.
fn submitted(domain: &str) -> Vec<String> {
    let own = format!("MAIL FROM:<postmaster@{}>", bare(domain));
    [own, format!("RCPT TO:<{FOREIGN}>"), "RSET".to_owned()].into()
}
