//! A dialogue that accepts any reply as an answer.

use std::net::IpAddr;
use std::time::Instant;

use crate::error::{Error, Result};
use crate::pattern::Regex;
use crate::probe::GOODBYE;
use crate::secrets::Learned;
use crate::session::{Options, Session};
use crate::visible;

/// The number of characters of a reply that are kept.
const SHOWN: usize = 500;

/// The dialogue, line by line.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// Our own address, and the server's.
    pub(super) from: Option<(IpAddr, IpAddr)>,
    /// Each line that was sent, with the reply to it.
    pub(super) said: Vec<(String, String)>,
    pub(super) failure: Option<Error>,
}

/// A dialogue to hold with a server.
pub(super) struct Talk<'a> {
    pub(super) url: String,
    /// The name for EHLO; our own address as a literal if `None`.
    pub(super) helo: Option<&'a str>,
    pub(super) starttls: bool,
    pub(super) lines: &'a [String],
}

impl Asked {
    /// Sends the lines, one after the other, and accepts any reply.
    pub(super) async fn ask(&mut self, options: Options, talk: Talk<'_>) {
        self.failure = self.dialogue(options, talk).await.err();
    }

    async fn dialogue(&mut self, options: Options, talk: Talk<'_>) -> Result<()> {
        let until = Instant::now() + options.operation_timeout();
        let secrets = options.secrets();
        let mut session = options.connect(&talk.url).await?;
        session.set_until(Some(until));
        self.from = session.addresses();
        let helo = talk.helo.map_or_else(|| session.own_literal(), str::to_owned);
        session.expect(220).await?;
        session.ehlo(&helo).await?;
        if talk.starttls {
            session.starttls().await?;
            session.ehlo(&helo).await?;
        }
        for line in talk.lines {
            let reply = one(&mut session, line, &secrets).await?;
            let is_over = reply.starts_with("421");
            self.said.push((line.clone(), reply));
            if is_over {
                break;
            }
        }
        session.set_until(Some(until + GOODBYE));
        // The result says nothing about the server.
        let _ = session.quit().await;
        session.hang_up();
        Ok(())
    }

    /// The lines that begin like this, each with its reply.
    pub(super) fn replies(&self, line: &str) -> impl Iterator<Item = &(String, String)> {
        self.said.iter().filter(move |(said, _)| said.starts_with(line))
    }

    /// The recipients with their replies. Recipients after a refused sender are left out, because
    /// the reply to them (503) says nothing about the recipient.
    pub(super) fn of_recipients(&self) -> impl Iterator<Item = &(String, String)> {
        let mut has_sender = false;
        self.said.iter().filter(move |(line, reply)| {
            if line.starts_with("MAIL") {
                has_sender = reply.starts_with('2');
            }
            has_sender && line.starts_with("RCPT")
        })
    }

    /// The senders that were refused, with the replies.
    pub(super) fn refused_senders(&self) -> impl Iterator<Item = &(String, String)> {
        self.replies("MAIL").filter(|(_, reply)| !reply.starts_with('2'))
    }
}

async fn one(session: &mut Session, line: &str, secrets: &Learned) -> Result<String> {
    session.send(line).await?;
    let reply = session.expect(Regex::new("")?).await?;
    let mut text = reply.lines().join(" / ");
    secrets.mask_text(&mut text);
    Ok(visible::printable(&text).chars().take(SHOWN).collect())
}
