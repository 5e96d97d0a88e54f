//! The verbs that several protocols have.

use rhai::Module;

use super::verb::verbs;
use crate::proto::capabilities::Capabilities;
use crate::reply::Reply;

pub(super) const INTRO: &str = "Each verb sends its command, takes the reply and holds it against success; it gives the reply back. \
`#{expect: 550}` as the last argument says what the reply must be instead, and `#{timeout: \"30s\"}` how long all of it may take. \
A verb can always be written out by hand with `send` and `expect`. These mean the same in every protocol that has them.";

pub(super) fn words() -> Module {
    let mut module = Module::new();
    verbs! { module:
        /// Asks what the server can do: CAPABILITY in IMAP (RFC 3501 section 6.1.1).
        ///
        /// ```dialogue imap
        /// S: * OK hi
        /// C: a1 CAPABILITY
        /// S: * CAPABILITY IMAP4rev1 IDLE AUTH=PLAIN
        /// S: a1 OK done
        /// ```
        /// ```rhai
        /// let s = connect(param("imap"));
        /// s.expect("* OK");
        /// let caps = s.capability();
        /// assert("IDLE" in caps && "AUTH=PLAIN" in caps);
        /// ```
        capability(session) -> Capabilities { session.capability().await }

        /// Logs in: LOGIN in IMAP (RFC 3501 section 6.2.3). What comes back is all that came for it.
        ///
        /// ```dialogue imap
        /// S: * OK hi
        /// C: a1 LOGIN alice "pass word"
        /// S: * CAPABILITY IMAP4rev1 IDLE
        /// S: a1 OK Logged in
        /// C: a2 LOGOUT
        /// S: * BYE
        /// S: a2 OK done
        /// close
        /// ```
        /// ```rhai
        /// let s = connect(param("imap"));
        /// s.expect("* OK");
        /// assert_eq(s.login("alice", "pass word").lines.len(), 2);
        /// s.logout();
        /// ```
        login(session, user: &str, password: &str) -> Reply { session.login(user, password).await }

        /// Says goodbye: LOGOUT in IMAP (RFC 3501 section 6.1.3). The server's close is expected afterwards.
        ///
        /// ```dialogue imap
        /// S: * OK hi
        /// C: a1 LOGOUT
        /// S: * BYE
        /// S: a1 OK done
        /// close
        /// ```
        /// ```rhai
        /// let s = connect(param("imap"));
        /// s.expect("* OK");
        /// s.logout(#{require: "* BYE"});
        /// s.expect_close();
        /// ```
        logout(session) -> Reply { session.logout().await }

        /// Does nothing (RFC 5321 section 4.1.1.9, RFC 3501 section 6.1.2).
        ///
        /// ```rhai
        /// let s = connect();
        /// s.expect(220);
        /// s.noop();
        /// ```
        noop(session) -> Reply { session.noop().await }

        /// Drops what was begun: the mail transaction in SMTP (RFC 5321 section 4.1.1.5).
        ///
        /// ```rhai
        /// let s = connect();
        /// s.expect(220);
        /// s.rset();
        /// ```
        rset(session) -> Reply { session.rset().await }

        /// Says goodbye (RFC 5321 section 4.1.1.10). The server's close is expected afterwards.
        ///
        /// ```rhai
        /// let s = connect();
        /// s.expect(220);
        /// s.quit();
        /// ```
        quit(session) -> Reply { session.quit().await }
    }
    module
}
