//! The verbs that several protocols have.

use rhai::Module;

use super::verb::verbs;
use crate::reply::Reply;

pub(super) const INTRO: &str = "Each verb sends its command, takes the reply and holds it against success; it gives the reply back. \
`#{expect: 550}` as the last argument says what the reply must be instead, and `#{timeout: \"30s\"}` how long all of it may take. \
A verb can always be written out by hand with `send` and `expect`. These mean the same in every protocol that has them.";

pub(super) fn words() -> Module {
    let mut module = Module::new();
    verbs! { module:
        /// Does nothing (RFC 5321 section 4.1.1.9).
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
