//! A dialogue in which any reply is an answer.

use std::net::IpAddr;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::pattern::Regex;
use crate::session::{Options, Session};
use crate::visible;

/// How much of a reply is kept.
const SHOWN: usize = 200;

/// What was said, line by line.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// Our own address, and the server's.
    pub(super) from: Option<(IpAddr, IpAddr)>,
    /// Each line with the reply to it.
    pub(super) said: Vec<(String, String)>,
    pub(super) failure: Option<Error>,
}

/// A dialogue that is to be had.
pub(super) struct Talk<'a> {
    pub(super) url: String,
    /// The name that we introduce ourselves by; our address if none is given.
    pub(super) helo: Option<&'a str>,
    pub(super) starttls: bool,
    pub(super) lines: &'a [String],
}

impl Asked {
    /// Says the lines, one after the other, and takes whatever comes.
    pub(super) async fn ask(&mut self, options: Options, talk: Talk<'_>) {
        self.failure = self.dialogue(options, talk).await.err();
    }

    async fn dialogue(&mut self, options: Options, talk: Talk<'_>) -> Result<()> {
        let mut session = options.connect(&talk.url).await?;
        self.from = session.addresses();
        let helo = talk.helo.map_or_else(|| session.own_literal(), str::to_owned);
        session.expect(220).await?;
        session.ehlo(&helo).await?;
        if talk.starttls {
            session.starttls().await?;
            session.ehlo(&helo).await?;
        }
        for line in talk.lines {
            let reply = one(&mut session, line).await?;
            let is_over = reply.starts_with("421");
            self.said.push((line.clone(), reply));
            if is_over {
                break;
            }
        }
        session.set_timeout(Duration::from_secs(1));
        // What comes of that says nothing of the server.
        let _ = session.quit().await;
        session.hang_up();
        Ok(())
    }

    /// The replies to a line that begins like this.
    pub(super) fn replies(&self, line: &str) -> impl Iterator<Item = &(String, String)> {
        self.said.iter().filter(move |(said, _)| said.starts_with(line))
    }

    /// The replies to recipients. After a sender who was refused, a reply (503) says nothing of
    /// the recipient.
    pub(super) fn of_recipients(&self) -> impl Iterator<Item = &(String, String)> {
        let mut has_sender = false;
        self.said.iter().filter(move |(line, reply)| {
            if line.starts_with("MAIL") {
                has_sender = reply.starts_with('2');
            }
            has_sender && line.starts_with("RCPT")
        })
    }

    /// The first sender who was refused, with the reply.
    pub(super) fn refused_sender(&self) -> Option<&(String, String)> {
        self.replies("MAIL").find(|(_, reply)| !reply.starts_with('2'))
    }
}

async fn one(session: &mut Session, line: &str) -> Result<String> {
    session.send(line).await?;
    let reply = session.expect(Regex::new("")?).await?;
    let lines = reply.lines();
    let last = lines.last().cloned().unwrap_or_default();
    Ok(visible::printable(&last).chars().take(SHOWN).collect())
}
