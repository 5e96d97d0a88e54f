//! The verbs of SMTP.

use rhai::Module;

use super::verb::verbs;
use crate::reply::Reply;

pub(super) const INTRO: &str = "SMTP and submission (RFC 5321, RFC 6409).";

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
    }
    module
}
