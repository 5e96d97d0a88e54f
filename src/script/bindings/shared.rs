//! The verbs that several protocols have.

use rhai::{Dynamic, Module};

use super::imap;
use super::verb::{Manual, verbs};
use crate::proto::capabilities::Capabilities;
use crate::reply::Reply;

pub(super) const INTRO: &str = "Each verb sends its command, takes the reply, fails unless it means success, and returns it. \
With `#{expect: 550}` as the last argument, the reply has to match this pattern instead. `#{timeout: \"30s\"}` sets the \
deadline of the whole verb. A verb can always be written out by hand with `send` and `expect`. In IMAP, a verb returns the \
whole answer with its untagged responses, as `command` does. The verbs of this chapter do the same in each protocol that has \
them.";

pub(super) fn words(manual: Manual) -> Module {
    let mut module = Module::new();
    verbs! { module, manual:
        /// Asks for the capabilities of the server: `CAPABILITY` in IMAP (RFC 3501 section 6.1.1)
        /// and in ManageSieve (RFC 5804 section 2.4), `CAPA` in POP3 (RFC 2449 section 5).
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
        ///
        /// ```dialogue sieve
        /// S: OK "ready"
        /// C: CAPABILITY
        /// S: "IMPLEMENTATION" "Example \"1.0\""
        /// S: "SIEVE" "fileinto vacation"
        /// S: "STARTTLS"
        /// S: OK
        /// ```
        /// ```rhai
        /// let s = connect(param("sieve"));
        /// s.expect("OK");
        /// let caps = s.capability();
        /// assert("SIEVE fileinto" in caps && "STARTTLS" in caps);
        /// assert_eq(caps["IMPLEMENTATION"], "Example \"1.0\"");
        /// ```
        capability(session, call) -> Capabilities { session.capability().with(call).await }

        /// Logs in with a password: `USER` and `PASS` in POP3 (RFC 1939 section 7), `LOGIN` in IMAP
        /// (RFC 3501 section 6.2.3). In IMAP, the result is the whole answer, with its untagged
        /// responses.
        ///
        /// ```dialogue pop3
        /// S: +OK ready
        /// C: USER mrose
        /// S: +OK
        /// C: PASS two words
        /// S: +OK Logged in.
        /// ```
        /// ```rhai
        /// let s = connect(param("pop3"));
        /// s.expect("+OK");
        /// s.login("mrose", "two words");
        /// ```
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
        login(session, call, user: &str, password: &str) -> Dynamic {
            let reply = session.login(user, password).with(call).await?;
            imap::answer(session, reply)
        }

        /// Ends the dialogue: `LOGOUT` in IMAP (RFC 3501 section 6.1.3) and in ManageSieve (RFC
        /// 5804 section 2.3). The server closes the connection afterwards; `expect_close()`
        /// requires that.
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
        logout(session, call) -> Dynamic {
            let reply = session.logout().with(call).await?;
            imap::answer(session, reply)
        }

        /// Sends `NOOP`, which does nothing (RFC 5321 section 4.1.1.9, RFC 1939 section 5, RFC 3501
        /// section 6.1.2, RFC 5804 section 2.13).
        ///
        /// ```rhai
        /// let s = connect();
        /// s.expect(220);
        /// s.noop();
        /// ```
        noop(session, call) -> Dynamic {
            let reply = session.noop().with(call).await?;
            imap::answer(session, reply)
        }

        /// Sends `RSET`, which drops the mail transaction in SMTP (RFC 5321 section 4.1.1.5) and
        /// the marks of `dele` in POP3 (RFC 1939 section 5).
        ///
        /// ```rhai
        /// let s = connect();
        /// s.expect(220);
        /// s.rset();
        /// ```
        rset(session, call) -> Reply { session.rset().with(call).await }

        /// Ends the dialogue: `QUIT` (RFC 5321 section 4.1.1.10, RFC 1939 section 6), and `LOGOUT`
        /// in IMAP and ManageSieve. The server closes the connection afterwards; `expect_close()`
        /// requires that.
        ///
        /// ```rhai
        /// let s = connect();
        /// s.expect(220);
        /// s.quit();
        /// ```
        quit(session, call) -> Reply { session.quit().with(call).await }
    }
    module
}
