//! ManageSieve (RFC 5804).

use bytes::Bytes;

use super::{Session, Verb};
use crate::error::{Kind, Result};
use crate::pattern::Match;
use crate::proto::sieve::{self, Word};
use crate::proto::{Speech, chomp};
use crate::reply::Reply;
use crate::session::Message;

/// The protocols that have these verbs.
const SIEVE: [Speech; 1] = [Speech::Sieve];
/// What ManageSieve calls success.
pub(super) const OK: &str = "OK";

/// A script that a user has on the server (RFC 5804 section 2.7).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Script {
    /// Its name.
    pub name: String,
    /// It is the one that is run for what comes in.
    pub active: bool,
}

impl Session {
    /// Stores a script, which replaces one of the same name: `PUTSCRIPT` (RFC 5804 section 2.6). The line ends of text become
    /// CRLF; bytes stay as they are.
    ///
    /// # Errors
    /// As [`Session::send`] and [`Session::expect`]; a mismatch where the response is not OK.
    pub async fn putscript<'a>(&mut self, name: &str, script: impl Into<Message<'a>>) -> Result<Reply> {
        let verb = self.verb("putscript", &SIEVE, OK)?;
        self.ask_with_strings("PUTSCRIPT", &[name.as_bytes(), script.into().bytes()], &verb).await
    }

    /// Has a script checked without storing it: `CHECKSCRIPT` (RFC 5804 section 2.12).
    ///
    /// # Errors
    /// As [`Session::send`] and [`Session::expect`]; a mismatch where the response is not OK.
    pub async fn checkscript<'a>(&mut self, script: impl Into<Message<'a>>) -> Result<Reply> {
        let verb = self.verb("checkscript", &SIEVE, OK)?;
        self.ask_with_strings("CHECKSCRIPT", &[script.into().bytes()], &verb).await
    }

    /// Asks which scripts there are: `LISTSCRIPTS` (RFC 5804 section 2.7). A refusal that [`Session::expecting`] asked for has
    /// none.
    ///
    /// ```
    /// use mailexpect::{Session, server::Replay};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("S: OK\nC: LISTSCRIPTS\nS: \"summer\"\nS: \"main\" ACTIVE\nS: OK\nC: LOGOUT\nS: OK\nclose")?;
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let mut session = Session::connect(&server.url("sieve")).await?;
    /// session.expect("OK").await?;
    /// let scripts = session.listscripts().await?;
    /// let active = scripts.iter().find(|script| script.active);
    /// assert_eq!(active.map(|script| script.name.as_str()), Some("main"));
    /// session.logout().await?;
    /// # Ok::<_, mailexpect::Error>(())
    /// # })?;
    /// # Ok(server.finish()?)
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Session::send`] and [`Session::expect`]; a mismatch where the response is not OK.
    pub async fn listscripts(&mut self) -> Result<Vec<Script>> {
        let verb = self.verb("listscripts", &SIEVE, OK)?;
        let reply = self.ask("LISTSCRIPTS", &verb).await?;
        let is_active = |word: &Word| matches!(word, Word::Atom(atom) if atom.eq_ignore_ascii_case(b"ACTIVE"));
        let script = |line: Vec<Word>| Script {
            name: String::from_utf8_lossy(line.first().and_then(Word::text).unwrap_or_default()).into_owned(),
            active: line.get(1).is_some_and(is_active),
        };
        Ok(sieve::data(reply.bytes()).map(script).collect())
    }

    /// Fetches a script: `GETSCRIPT` (RFC 5804 section 2.9). What comes back is the script itself; where
    /// [`Session::expecting`] asked for a refusal, that.
    ///
    /// # Errors
    /// As [`Session::send`] and [`Session::expect`]; a mismatch where the response is not OK; malformed where it has no script.
    pub async fn getscript(&mut self, name: &str) -> Result<Reply> {
        let verb = self.verb("getscript", &SIEVE, OK)?;
        let reply = self.ask_with_strings("GETSCRIPT", &[name.as_bytes()], &verb).await?;
        let script = sieve::data(reply.bytes()).next().and_then(|line| Some(Bytes::copy_from_slice(line.first()?.text()?)));
        match script {
            Some(script) => Ok(Reply::whole(script, Match::default())),
            None if sieve::is_ok(reply.bytes()) => {
                let error = self.fault(Kind::Malformed, "the response to GETSCRIPT has no script (RFC 5804, 2.9)");
                Err(error.got(self.shown_lines(chomp(reply.bytes()))))
            }
            None => Ok(reply),
        }
    }

    /// Makes a script the one that is run; with an empty name none is: `SETACTIVE` (RFC 5804 section 2.8).
    ///
    /// # Errors
    /// As [`Session::send`] and [`Session::expect`]; a mismatch where the response is not OK.
    pub async fn setactive(&mut self, name: &str) -> Result<Reply> {
        let verb = self.verb("setactive", &SIEVE, OK)?;
        self.ask_with_strings("SETACTIVE", &[name.as_bytes()], &verb).await
    }

    /// Deletes a script: `DELETESCRIPT` (RFC 5804 section 2.10).
    ///
    /// # Errors
    /// As [`Session::send`] and [`Session::expect`]; a mismatch where the response is not OK.
    pub async fn deletescript(&mut self, name: &str) -> Result<Reply> {
        let verb = self.verb("deletescript", &SIEVE, OK)?;
        self.ask_with_strings("DELETESCRIPT", &[name.as_bytes()], &verb).await
    }

    /// Gives a script another name: `RENAMESCRIPT` (RFC 5804 section 2.11).
    ///
    /// # Errors
    /// As [`Session::send`] and [`Session::expect`]; a mismatch where the response is not OK.
    pub async fn renamescript(&mut self, old: &str, new: &str) -> Result<Reply> {
        let verb = self.verb("renamescript", &SIEVE, OK)?;
        self.ask_with_strings("RENAMESCRIPT", &[old.as_bytes(), new.as_bytes()], &verb).await
    }

    /// Asks whether a script of that name and so many octets would be taken: `HAVESPACE` (RFC 5804 section 2.5).
    ///
    /// # Errors
    /// As [`Session::send`] and [`Session::expect`]; a mismatch where the response is not OK.
    pub async fn havespace(&mut self, name: &str, octets: i64) -> Result<Reply> {
        let verb = self.verb("havespace", &SIEVE, OK)?;
        let line = [b"HAVESPACE ", &sieve::string(name.as_bytes())[..], format!(" {octets}").as_bytes()].concat();
        self.ask(line, &verb).await
    }

    /// Goes back to where the session was before it was authenticated: `UNAUTHENTICATE` (RFC 5804 section 2.14.1).
    ///
    /// # Errors
    /// As [`Session::send`] and [`Session::expect`]; a mismatch where the response is not OK.
    pub async fn unauthenticate(&mut self) -> Result<Reply> {
        let verb = self.verb("unauthenticate", &SIEVE, OK)?;
        self.ask("UNAUTHENTICATE", &verb).await
    }

    /// Sends a command with strings.
    async fn ask_with_strings(&mut self, command: &str, strings: &[&[u8]], verb: &Verb) -> Result<Reply> {
        let mut line = command.as_bytes().to_vec();
        for string in strings {
            line.push(b' ');
            line.extend_from_slice(&sieve::string(string));
        }
        self.ask(line, verb).await
    }
}
