//! ManageSieve (RFC 5804).

use std::collections::HashSet;

use bytes::Bytes;

use super::{Operation, Session, Verb};
use crate::error::{Error, Kind, Result};
use crate::pattern::Match;
use crate::proto::sieve::{self, Word};
use crate::proto::{Speech, chomp};
use crate::reply::Reply;
use crate::session::Payload;

/// The protocols that have these verbs.
const SIEVE: [Speech; 1] = [Speech::Sieve];
/// The status that means success in ManageSieve.
pub(super) const OK: &str = "OK";

/// The commands whose response may have data (RFC 5804 sections 2.4, 2.7 and 2.9).
const WITH_DATA: [&str; 3] = ["CAPABILITY", "GETSCRIPT", "LISTSCRIPTS"];

/// A script that a user has stored on the server (RFC 5804 section 2.7).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SieveScript {
    /// The script's name.
    pub name: String,
    /// Whether the server runs this script for incoming mail.
    pub active: bool,
}

/// Client: `ManageSieve` (RFC 5804).
impl Session {
    /// Stores a script, and replaces any script of this name: `PUTSCRIPT` (RFC 5804 section 2.6).
    /// Line ends of text become CRLF; bytes stay as they are.
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start(r#"
    ///     S: OK "ready"
    ///     C: PUTSCRIPT "main" {7+}
    ///     C: keep;
    ///     C:
    ///     S: OK (WARNINGS) "line 1: nothing but an implicit keep"
    /// "#)?;
    /// let mut session = Session::connect(&server.url("sieve")).await?;
    /// session.expect("OK").await?;
    /// let response = session.putscript("main", "keep;\n").await?;
    /// assert_eq!(response.response_code().as_deref(), Some("WARNINGS"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::send`] and [`Session::expect`]; a mismatch if the response is not OK.
    pub fn putscript<'a>(
        &mut self,
        name: &str,
        script: impl Into<Payload<'a>>,
    ) -> Operation<'_, Reply> {
        self.exchange(
            "putscript",
            &SIEVE,
            OK,
            with_strings("PUTSCRIPT", &[name.as_bytes(), script.into().bytes()]),
        )
    }

    /// Asks the server to check a script without storing it: `CHECKSCRIPT` (RFC 5804 section 2.12).
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start(r#"
    ///     S: OK "ready"
    ///     C: CHECKSCRIPT "kep;"
    ///     S: NO "line 1: unknown command 'kep'"
    /// "#)?;
    /// let mut session = Session::connect(&server.url("sieve")).await?;
    /// session.expect("OK").await?;
    /// let refusal = session.checkscript("kep;").expect("NO").await?;
    /// assert!(refusal.text().contains("unknown command 'kep'"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::send`] and [`Session::expect`]; a mismatch if the response is not OK.
    pub fn checkscript<'a>(&mut self, script: impl Into<Payload<'a>>) -> Operation<'_, Reply> {
        self.exchange(
            "checkscript",
            &SIEVE,
            OK,
            with_strings("CHECKSCRIPT", &[script.into().bytes()]),
        )
    }

    /// Lists the scripts: `LISTSCRIPTS` (RFC 5804 section 2.7). Returns an empty list for a refusal
    /// that [`Operation::expect`] asked for.
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
    /// session.quit().await?;
    /// # Ok::<_, mailexpect::Error>(())
    /// # })?;
    /// # Ok(server.finish()?)
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::send`] and [`Session::expect`]; a mismatch if the response is not OK.
    pub fn listscripts(&mut self) -> Operation<'_, Vec<SieveScript>> {
        self.operation(|session, call| {
            Box::pin(async move {
                let verb = session.verb(call, "listscripts", &SIEVE, OK)?;
                let reply = session.ask("LISTSCRIPTS", &verb).await?;
                let form = "each name once, and ACTIVE after at most one (RFC 5804, 2.7)";
                listed(&reply).ok_or_else(|| session.unlike("LISTSCRIPTS", form, &reply))
            })
        })
    }

    /// Fetches a script: `GETSCRIPT` (RFC 5804 section 2.9). Returns the script itself; if
    /// [`Operation::expect`] asked for a refusal, returns the refusal.
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start(r#"
    ///     S: OK "ready"
    ///     C: GETSCRIPT "main"
    ///     S: {7}
    ///     S: keep;
    ///     S:
    ///     S: OK
    ///     C: GETSCRIPT "nothing"
    ///     S: NO (NONEXISTENT) "There is no script by that name"
    /// "#)?;
    /// let mut session = Session::connect(&server.url("sieve")).await?;
    /// session.expect("OK").await?;
    /// let script = session.getscript("main").await?;
    /// assert_eq!(script.bytes(), b"keep;\r\n");
    /// let refusal = session.getscript("nothing").expect("NO").await?;
    /// assert_eq!(refusal.response_code().as_deref(), Some("NONEXISTENT"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::send`] and [`Session::expect`]; a mismatch if the response is not OK;
    /// malformed if it has no script.
    pub fn getscript(&mut self, name: &str) -> Operation<'_, Reply> {
        let name = name.to_owned();
        self.operation(move |session, call| {
            Box::pin(async move {
                let verb = session.verb(call, "getscript", &SIEVE, OK)?;
                let reply =
                    session.ask(with_strings("GETSCRIPT", &[name.as_bytes()]), &verb).await?;
                if !sieve::is_ok(reply.bytes()) {
                    return Ok(reply);
                }
                let mut data = sieve::data(reply.bytes());
                match (data.next().as_deref(), data.next()) {
                    (Some([Word::Text(script)]), None) => {
                        Ok(Reply::whole(Bytes::copy_from_slice(script), Match::default()))
                    }
                    _ => Err(session.unlike("GETSCRIPT", "one string (RFC 5804, 2.9)", &reply)),
                }
            })
        })
    }

    /// Makes a script the active one: `SETACTIVE` (RFC 5804 section 2.8). With an empty name, no
    /// script is active.
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start(r#"
    ///     S: OK "ready"
    ///     C: SETACTIVE "main"
    ///     S: OK
    ///     C: LISTSCRIPTS
    ///     S: "summer"
    ///     S: "main" ACTIVE
    ///     S: OK
    /// "#)?;
    /// let mut session = Session::connect(&server.url("sieve")).await?;
    /// session.expect("OK").await?;
    /// session.setactive("main").await?;
    /// let scripts = session.listscripts().await?;
    /// assert_eq!(scripts.iter().map(|script| script.active).collect::<Vec<_>>(), [false, true]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::send`] and [`Session::expect`]; a mismatch if the response is not OK.
    pub fn setactive(&mut self, name: &str) -> Operation<'_, Reply> {
        self.exchange("setactive", &SIEVE, OK, with_strings("SETACTIVE", &[name.as_bytes()]))
    }

    /// Deletes a script: `DELETESCRIPT` (RFC 5804 section 2.10).
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start(r#"
    ///     S: OK "ready"
    ///     C: DELETESCRIPT "main"
    ///     S: NO (ACTIVE) "You may not delete an active script"
    ///     C: DELETESCRIPT "summer"
    ///     S: OK
    /// "#)?;
    /// let mut session = Session::connect(&server.url("sieve")).await?;
    /// session.expect("OK").await?;
    /// let refusal = session.deletescript("main").expect("NO").await?;
    /// assert_eq!(refusal.response_code().as_deref(), Some("ACTIVE"));
    /// session.deletescript("summer").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::send`] and [`Session::expect`]; a mismatch if the response is not OK.
    pub fn deletescript(&mut self, name: &str) -> Operation<'_, Reply> {
        self.exchange("deletescript", &SIEVE, OK, with_strings("DELETESCRIPT", &[name.as_bytes()]))
    }

    /// Renames a script: `RENAMESCRIPT` (RFC 5804 section 2.11).
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start(r#"
    ///     S: OK "ready"
    ///     C: RENAMESCRIPT "main" "old \"main\""
    ///     S: OK
    ///     C: RENAMESCRIPT "summer" "winter"
    ///     S: NO (ALREADYEXISTS) "There is a script by that name"
    /// "#)?;
    /// let mut session = Session::connect(&server.url("sieve")).await?;
    /// session.expect("OK").await?;
    /// session.renamescript("main", "old \"main\"").await?;
    /// let refusal = session.renamescript("summer", "winter").expect("NO").await?;
    /// assert_eq!(refusal.response_code().as_deref(), Some("ALREADYEXISTS"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::send`] and [`Session::expect`]; a mismatch if the response is not OK.
    pub fn renamescript(&mut self, old: &str, new: &str) -> Operation<'_, Reply> {
        self.exchange(
            "renamescript",
            &SIEVE,
            OK,
            with_strings("RENAMESCRIPT", &[old.as_bytes(), new.as_bytes()]),
        )
    }

    /// Asks whether the server would accept a script of this name and size in octets: `HAVESPACE`
    /// (RFC 5804 section 2.5).
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start(r#"
    ///     S: OK "ready"
    ///     C: HAVESPACE "main" 999999999
    ///     S: NO (QUOTA/MAXSIZE) "Script is too large"
    /// "#)?;
    /// let mut session = Session::connect(&server.url("sieve")).await?;
    /// session.expect("OK").await?;
    /// let refusal = session.havespace("main", 999_999_999).expect("NO").await?;
    /// assert_eq!(refusal.response_code().as_deref(), Some("QUOTA/MAXSIZE"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::send`] and [`Session::expect`]; a mismatch if the response is not OK.
    pub fn havespace(&mut self, name: &str, octets: i64) -> Operation<'_, Reply> {
        let mut line = with_strings("HAVESPACE", &[name.as_bytes()]);
        line.extend_from_slice(format!(" {octets}").as_bytes());
        self.exchange("havespace", &SIEVE, OK, line)
    }

    /// Returns to the state before authentication: `UNAUTHENTICATE` (RFC 5804 section 2.14.1).
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start(r#"
    ///     S: OK "ready"
    ///     C: UNAUTHENTICATE
    ///     S: OK "Done"
    ///     C: LISTSCRIPTS
    ///     S: NO "Authenticate first"
    /// "#)?;
    /// let mut session = Session::connect(&server.url("sieve")).await?;
    /// session.expect("OK").await?;
    /// assert_eq!(session.unauthenticate().await?.text(), "OK \"Done\"");
    /// session.listscripts().expect("NO").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::send`] and [`Session::expect`]; a mismatch if the response is not OK.
    pub fn unauthenticate(&mut self) -> Operation<'_, Reply> {
        self.exchange("unauthenticate", &SIEVE, OK, "UNAUTHENTICATE")
    }
}

impl Session {
    /// Fails on data in the response to a command that asks for none, or that is refused.
    pub(super) fn check_data(&self, command: &[u8], reply: &Reply, verb: &Verb) -> Result<()> {
        if command == b"CAPABILITY" && sieve::is_ok(reply.bytes()) {
            return self.check_capabilities(reply);
        }
        let asks = WITH_DATA.iter().any(|known| command.starts_with(known.as_bytes()))
            && sieve::is_ok(reply.bytes());
        if asks || sieve::data(reply.bytes()).next().is_none() {
            return Ok(());
        }
        let error = self.fault(Kind::Unexpected, "data came that the command does not ask for");
        let got = self.shown_lines(chomp(reply.bytes()));
        Err(error.with_expected(&verb.wanted).with_got(got).with_waited(verb.wait.waited()))
    }

    /// Fails unless there are capabilities, and each comes once (RFC 5804 section 1.7).
    pub(super) fn check_capabilities(&self, reply: &Reply) -> Result<()> {
        let mut names = HashSet::new();
        let is_well = sieve::data(reply.bytes()).all(|line| match line.into_iter().next() {
            Some(Word::Text(name)) => names.insert(name.to_ascii_uppercase()),
            _ => false,
        });
        if is_well && !names.is_empty() {
            return Ok(());
        }
        let form = "the capabilities, each once (RFC 5804, 1.7)";
        Err(self.unlike("CAPABILITY", form, reply))
    }

    fn unlike(&self, command: &str, form: &str, reply: &Reply) -> Error {
        let message = format!("the response to {command} is malformed");
        let error = self.fault(Kind::Malformed, message).with_expected(form);
        error.with_got(self.shown_lines(chomp(reply.bytes())))
    }
}

/// The scripts in a response to LISTSCRIPTS; `None` if they contradict each other.
fn listed(reply: &Reply) -> Option<Vec<SieveScript>> {
    let mut names = HashSet::new();
    let mut scripts = Vec::new();
    let mut has_active = false;
    for line in sieve::data(reply.bytes()) {
        let (name, active) = match &*line {
            [Word::Text(name)] => (name, false),
            [Word::Text(name), Word::Atom(_)] => (name, true),
            _ => return None,
        };
        if !names.insert(name.clone()) || (active && std::mem::replace(&mut has_active, true)) {
            return None;
        }
        scripts.push(SieveScript { name: String::from_utf8_lossy(name).into_owned(), active });
    }
    Some(scripts)
}

/// A command followed by these strings.
fn with_strings(command: &str, strings: &[&[u8]]) -> Vec<u8> {
    let mut line = command.as_bytes().to_vec();
    for string in strings {
        line.push(b' ');
        line.extend_from_slice(&sieve::string(string));
    }
    line
}
