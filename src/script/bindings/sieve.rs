//! The verbs of ManageSieve.

use rhai::{Array, Dynamic, Map, Module};

use super::argument;
use super::verb::{Manual, collected, verbs};
use crate::error::Result;
use crate::reply::Reply;
use crate::session::{Payload, SieveScript};

pub(super) const INTRO: &str = "ManageSieve (RFC 5804). A response is its lines of data, up to and including the line that \
says `OK`, `NO` or `BYE`. The greeting is a response with the capabilities. Text for `expect` may match at the beginning of \
the response, or at the beginning of that last line. In AUTHENTICATE, each challenge is a response of its own. Arguments are \
quoted; arguments that are long or have line ends are sent as literals that do not wait (`{n+}`). A verb fails \
on data that its command does not ask for. The response code is \
`response_code`.";

/// A Sieve script: text, whose line ends become CRLF, or a blob.
struct Source {
    bytes: Vec<u8>,
    is_text: bool,
}

impl Source {
    fn read(script: Dynamic) -> Result<Self> {
        let is_text = script.is_string();
        Ok(Self { bytes: argument::bytes(script, "a script")?, is_text })
    }

    fn message(&self) -> Payload<'_> {
        match std::str::from_utf8(&self.bytes) {
            Ok(text) if self.is_text => text.into(),
            _ => self.bytes.as_slice().into(),
        }
    }
}

fn script(script: SieveScript) -> Dynamic {
    Dynamic::from_map(Map::from([
        ("name".into(), script.name.into()),
        ("active".into(), script.active.into()),
    ]))
}

pub(super) fn words(manual: Manual) -> Module {
    let mut module = Module::new();
    verbs! { module, manual:
        /// Stores a script: `PUTSCRIPT` (RFC 5804 section 2.6). A script of the same name is
        /// replaced. The script is text, whose line ends become CRLF, or a blob.
        ///
        /// ```dialogue sieve
        /// S: OK "ready"
        /// C: PUTSCRIPT "main" {7+}
        /// C: keep;
        /// C:
        /// S: OK (WARNINGS) "line 1: nothing but an implicit keep"
        /// ```
        ///
        /// ```rhai
        /// let s = connect(param("sieve"));
        /// s.expect("OK");
        /// assert_eq(s.putscript("main", "keep;\n").response_code, "WARNINGS");
        /// ```
        putscript(session, call, name: &str, script: Dynamic) -> Reply {
            let script = Source::read(script)?;
            session.putscript(name, script.message()).with(call).await
        }

        /// Checks a script without storing it: `CHECKSCRIPT` (RFC 5804 section 2.12).
        ///
        /// ```dialogue sieve
        /// S: OK "ready"
        /// C: CHECKSCRIPT "kep;"
        /// S: NO "line 1: unknown command 'kep'"
        /// ```
        ///
        /// ```rhai
        /// let s = connect(param("sieve"));
        /// s.expect("OK");
        /// s.checkscript("kep;", #{expect: re(`^NO .*line 1`)});
        /// ```
        checkscript(session, call, script: Dynamic) -> Reply {
            let script = Source::read(script)?;
            session.checkscript(script.message()).with(call).await
        }

        /// Lists the stored scripts: `LISTSCRIPTS` (RFC 5804 section 2.7). Returns a list of maps
        /// with `name` and `active`.
        ///
        /// ```dialogue sieve
        /// S: OK "ready"
        /// C: LISTSCRIPTS
        /// S: "summer"
        /// S: "main" ACTIVE
        /// S: OK
        /// ```
        ///
        /// ```rhai
        /// let s = connect(param("sieve"));
        /// s.expect("OK");
        /// assert_eq(s.listscripts(), [#{name: "summer", active: false}, #{name: "main", active: true}]);
        /// ```
        listscripts(session, call) -> Array {
            let scripts = session.listscripts().with(call).await?.into_iter();
            collected(session, scripts.map(|one| Ok(script(one))))
        }

        /// Fetches a script: `GETSCRIPT` (RFC 5804 section 2.9). The result is the script itself,
        /// as `text`, `lines` and `bytes`.
        ///
        /// ```dialogue sieve
        /// S: OK "ready"
        /// C: GETSCRIPT "main"
        /// S: {7}
        /// S: keep;
        /// S:
        /// S: OK
        /// C: GETSCRIPT "nothing"
        /// S: NO (NONEXISTENT) "There is no script by that name"
        /// ```
        ///
        /// ```rhai
        /// let s = connect(param("sieve"));
        /// s.expect("OK");
        /// assert_eq(s.getscript("main").text, "keep;");
        /// assert_eq(s.getscript("nothing", #{expect: "NO"}).response_code, "NONEXISTENT");
        /// ```
        getscript(session, call, name: &str) -> Reply { session.getscript(name).with(call).await }

        /// Makes a script the active one: `SETACTIVE` (RFC 5804 section 2.8). With `""` no script
        /// is active.
        ///
        /// ```dialogue sieve
        /// S: OK "ready"
        /// C: SETACTIVE "main"
        /// S: OK
        /// ```
        ///
        /// ```rhai
        /// let s = connect(param("sieve"));
        /// s.expect("OK");
        /// s.setactive("main");
        /// ```
        setactive(session, call, name: &str) -> Reply { session.setactive(name).with(call).await }

        /// Deletes a script: `DELETESCRIPT` (RFC 5804 section 2.10).
        ///
        /// ```dialogue sieve
        /// S: OK "ready"
        /// C: DELETESCRIPT "main"
        /// S: NO (ACTIVE) "You may not delete an active script"
        /// ```
        ///
        /// ```rhai
        /// let s = connect(param("sieve"));
        /// s.expect("OK");
        /// s.deletescript("main", #{expect: "NO (ACTIVE)"});
        /// ```
        deletescript(session, call, name: &str) -> Reply { session.deletescript(name).with(call).await }

        /// Gives a script another name: `RENAMESCRIPT` (RFC 5804 section 2.11).
        ///
        /// ```dialogue sieve
        /// S: OK "ready"
        /// C: RENAMESCRIPT "main" "old \"main\""
        /// S: OK
        /// ```
        ///
        /// ```rhai
        /// let s = connect(param("sieve"));
        /// s.expect("OK");
        /// s.renamescript("main", "old \"main\"");
        /// ```
        renamescript(session, call, old: &str, new: &str) -> Reply { session.renamescript(old, new).with(call).await }

        /// Asks whether the server would take a script of this name and size in octets: `HAVESPACE`
        /// (RFC 5804 section 2.5).
        ///
        /// ```dialogue sieve
        /// S: OK "ready"
        /// C: HAVESPACE "main" 999999999
        /// S: NO (QUOTA/MAXSIZE) "Script is too large"
        /// ```
        ///
        /// ```rhai
        /// let s = connect(param("sieve"));
        /// s.expect("OK");
        /// assert_eq(s.havespace("main", 999999999, #{expect: "NO"}).response_code, "QUOTA/MAXSIZE");
        /// ```
        havespace(session, call, name: &str, octets: i64) -> Reply { session.havespace(name, octets).with(call).await }

        /// Returns to the state before authentication: `UNAUTHENTICATE` (RFC 5804 section 2.14.1).
        ///
        /// ```dialogue sieve
        /// S: OK "ready"
        /// C: UNAUTHENTICATE
        /// S: OK
        /// ```
        ///
        /// ```rhai
        /// let s = connect(param("sieve"));
        /// s.expect("OK");
        /// s.unauthenticate();
        /// ```
        unauthenticate(session, call) -> Reply { session.unauthenticate().with(call).await }
    }
    module
}
