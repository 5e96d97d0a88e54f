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
    /// Stores a script, which replaces one of the same name: `PUTSCRIPT` (RFC 5804 section 2.6).
    /// The line ends of text become CRLF; bytes stay as they are.
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
    /// As [`Session::send`] and [`Session::expect`]; a mismatch where the response is not OK.
    pub async fn putscript<'a>(
        &mut self,
        name: &str,
        script: impl Into<Message<'a>>,
    ) -> Result<Reply> {
        let verb = self.verb("putscript", &SIEVE, OK)?;
        self.ask_with_strings("PUTSCRIPT", &[name.as_bytes(), script.into().bytes()], &verb).await
    }

    /// Has a script checked without storing it: `CHECKSCRIPT` (RFC 5804 section 2.12).
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
    /// let refusal = session.expecting("NO").checkscript("kep;").await?;
    /// assert!(refusal.text().contains("unknown command 'kep'"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Session::send`] and [`Session::expect`]; a mismatch where the response is not OK.
    pub async fn checkscript<'a>(&mut self, script: impl Into<Message<'a>>) -> Result<Reply> {
        let verb = self.verb("checkscript", &SIEVE, OK)?;
        self.ask_with_strings("CHECKSCRIPT", &[script.into().bytes()], &verb).await
    }

    /// Asks which scripts there are: `LISTSCRIPTS` (RFC 5804 section 2.7). A refusal that
    /// [`Session::expecting`] asked for has none.
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
        let is_active =
            |word: &Word| matches!(word, Word::Atom(atom) if atom.eq_ignore_ascii_case(b"ACTIVE"));
        let script = |line: Vec<Word>| Script {
            name: String::from_utf8_lossy(line.first().and_then(Word::text).unwrap_or_default())
                .into_owned(),
            active: line.get(1).is_some_and(is_active),
        };
        Ok(sieve::data(reply.bytes()).map(script).collect())
    }

    /// Fetches a script: `GETSCRIPT` (RFC 5804 section 2.9). What comes back is the script itself;
    /// where [`Session::expecting`] asked for a refusal, that.
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
    /// let refusal = session.expecting("NO").getscript("nothing").await?;
    /// assert_eq!(refusal.response_code().as_deref(), Some("NONEXISTENT"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Session::send`] and [`Session::expect`]; a mismatch where the response is not OK;
    /// malformed where it has no script.
    pub async fn getscript(&mut self, name: &str) -> Result<Reply> {
        let verb = self.verb("getscript", &SIEVE, OK)?;
        let reply = self.ask_with_strings("GETSCRIPT", &[name.as_bytes()], &verb).await?;
        let script = sieve::data(reply.bytes())
            .next()
            .and_then(|line| Some(Bytes::copy_from_slice(line.first()?.text()?)));
        match script {
            Some(script) => Ok(Reply::whole(script, Match::default())),
            None if sieve::is_ok(reply.bytes()) => {
                let error = self.fault(
                    Kind::Malformed,
                    "the response to GETSCRIPT has no script (RFC 5804, 2.9)",
                );
                Err(error.with_got(self.shown_lines(chomp(reply.bytes()))))
            }
            None => Ok(reply),
        }
    }

    /// Makes a script the one that is run; with an empty name none is: `SETACTIVE` (RFC 5804
    /// section 2.8).
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
    /// As [`Session::send`] and [`Session::expect`]; a mismatch where the response is not OK.
    pub async fn setactive(&mut self, name: &str) -> Result<Reply> {
        let verb = self.verb("setactive", &SIEVE, OK)?;
        self.ask_with_strings("SETACTIVE", &[name.as_bytes()], &verb).await
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
    /// let refusal = session.expecting("NO").deletescript("main").await?;
    /// assert_eq!(refusal.response_code().as_deref(), Some("ACTIVE"));
    /// session.deletescript("summer").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Session::send`] and [`Session::expect`]; a mismatch where the response is not OK.
    pub async fn deletescript(&mut self, name: &str) -> Result<Reply> {
        let verb = self.verb("deletescript", &SIEVE, OK)?;
        self.ask_with_strings("DELETESCRIPT", &[name.as_bytes()], &verb).await
    }

    /// Gives a script another name: `RENAMESCRIPT` (RFC 5804 section 2.11).
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
    /// let refusal = session.expecting("NO").renamescript("summer", "winter").await?;
    /// assert_eq!(refusal.response_code().as_deref(), Some("ALREADYEXISTS"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Session::send`] and [`Session::expect`]; a mismatch where the response is not OK.
    pub async fn renamescript(&mut self, old: &str, new: &str) -> Result<Reply> {
        let verb = self.verb("renamescript", &SIEVE, OK)?;
        self.ask_with_strings("RENAMESCRIPT", &[old.as_bytes(), new.as_bytes()], &verb).await
    }

    /// Asks whether a script of that name and so many octets would be taken: `HAVESPACE` (RFC 5804
    /// section 2.5).
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
    /// let refusal = session.expecting("NO").havespace("main", 999_999_999).await?;
    /// assert_eq!(refusal.response_code().as_deref(), Some("QUOTA/MAXSIZE"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Session::send`] and [`Session::expect`]; a mismatch where the response is not OK.
    pub async fn havespace(&mut self, name: &str, octets: i64) -> Result<Reply> {
        let verb = self.verb("havespace", &SIEVE, OK)?;
        let line =
            [b"HAVESPACE ", &sieve::string(name.as_bytes())[..], format!(" {octets}").as_bytes()]
                .concat();
        self.ask(line, &verb).await
    }

    /// Goes back to where the session was before it was authenticated: `UNAUTHENTICATE` (RFC 5804
    /// section 2.14.1).
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
    /// session.expecting("NO").listscripts().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Session::send`] and [`Session::expect`]; a mismatch where the response is not OK.
    pub async fn unauthenticate(&mut self) -> Result<Reply> {
        let verb = self.verb("unauthenticate", &SIEVE, OK)?;
        self.ask("UNAUTHENTICATE", &verb).await
    }

    /// Sends a command with strings.
    async fn ask_with_strings(
        &mut self,
        command: &str,
        strings: &[&[u8]],
        verb: &Verb,
    ) -> Result<Reply> {
        let mut line = command.as_bytes().to_vec();
        for string in strings {
            line.push(b' ');
            line.extend_from_slice(&sieve::string(string));
        }
        self.ask(line, verb).await
    }
}
