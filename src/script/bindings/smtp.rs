//! The verbs of SMTP.

use rhai::Module;

use super::verb::verbs;
use crate::reply::Reply;

pub(super) const INTRO: &str = "Each verb sends its command, takes the reply and holds it against success; it gives the reply back. \
`#{expect: 550}` as the last argument says what the reply must be instead, and `#{timeout: \"30s\"}` how long all of it may take. \
A verb can always be written out by hand with `send` and `expect`.";

pub(super) fn words() -> Module {
    let mut module = Module::new();
    verbs! { module:
        /// Names the sender: `MAIL FROM:<address>` (RFC 5321 section 4.1.1.2). Where parameters follow, the address needs its angle
        /// brackets: `s.mail("<hoge@example.com> SIZE=1000")`.
        ///
        /// ```rhai
        /// let s = connect();
        /// s.expect(220);
        /// s.mail("hoge@example.com", #{expect: 503});
        /// s.quit();
        /// ```
        mail(session, from: &str) -> Reply { session.mail(from).await }

        /// Does nothing (RFC 5321 section 4.1.1.9).
        ///
        /// ```rhai
        /// let s = connect();
        /// s.expect(220);
        /// s.noop();
        /// ```
        noop(session) -> Reply { session.noop().await }

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
