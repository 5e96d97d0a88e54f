//! The verbs of SMTP.

use rhai::Module;

use super::verb::verbs;
use crate::proto::capabilities::Capabilities;
use crate::reply::Reply;

pub(super) const INTRO: &str = "SMTP and submission (RFC 5321, RFC 6409).";

pub(super) fn words() -> Module {
    let mut module = Module::new();
    verbs! { module:
        /// Introduces the client, and gives back what the server can do: `EHLO name` (RFC 5321 section 4.1.1.1).
        ///
        /// ```rhai
        /// let s = connect();
        /// s.expect(220);
        /// let caps = s.ehlo("client.example");
        /// assert("8bitmime" in caps);
        /// assert_eq(caps.domain, "localhost");
        /// ```
        ehlo(session, name: &str) -> Capabilities { session.ehlo(name).await }

        /// Introduces the client without learning anything: `HELO name` (RFC 5321 section 4.1.1.1).
        ///
        /// ```rhai
        /// let s = connect();
        /// s.expect(220);
        /// s.helo("client.example");
        /// ```
        helo(session, name: &str) -> Reply { session.helo(name).await }

        /// Names the sender: `MAIL FROM:<address>` (RFC 5321 section 4.1.1.2). Where parameters follow, the address needs its angle
        /// brackets: `s.mail("<hoge@example.com> SIZE=1000")`. An empty text is the null sender, `<>`.
        ///
        /// ```rhai
        /// let s = connect();
        /// s.expect(220);
        /// s.mail("hoge@example.com", #{expect: 503});
        /// s.ehlo("client.example");
        /// s.mail("<hoge@example.com> SIZE=1000 BODY=8BITMIME");
        /// ```
        mail(session, from: &str) -> Reply { session.mail(from).await }

        /// Names a recipient: `RCPT TO:<address>` (RFC 5321 section 4.1.1.3). Where parameters follow, the address needs its angle
        /// brackets: `s.rcpt("<hoge@example.com> NOTIFY=NEVER")`.
        ///
        /// ```rhai
        /// let s = connect();
        /// s.expect(220);
        /// s.ehlo("client.example");
        /// s.mail("hoge@example.com");
        /// s.rcpt("test-user@yahoo.co.jp", #{expect: 550});
        /// s.rcpt("test-user@example.com");
        /// ```
        rcpt(session, to: &str) -> Reply { session.rcpt(to).await }

        /// Asks whether there is such a user: `VRFY string` (RFC 5321 section 4.1.1.6). Any 25x will do; 252 says that the server
        /// would not tell.
        ///
        /// ```rhai
        /// let s = connect();
        /// s.expect(220);
        /// assert_eq(s.vrfy("hoge").code, 252);
        /// ```
        vrfy(session, user: &str) -> Reply { session.vrfy(user).await }

        /// Asks who is on a mailing list: `EXPN string` (RFC 5321 section 4.1.1.7). Any 25x will do.
        ///
        /// ```rhai
        /// let s = connect();
        /// s.expect(220);
        /// s.expn("staff", #{expect: 502});
        /// ```
        expn(session, list: &str) -> Reply { session.expn(list).await }

        /// Asks for help: `HELP` (RFC 5321 section 4.1.1.8). Any 21x will do.
        ///
        /// ```rhai
        /// let s = connect();
        /// s.expect(220);
        /// assert(s.help().text.contains("RCPT"));
        /// ```
        help(session) -> Reply { session.help("").await }

        /// Asks for help on a command.
        help(session, command: &str) -> Reply { session.help(command).await }

        /// Asks the server to send what it holds for a domain: `ETRN domain` (RFC 1985 section 5). Any 25x will do.
        ///
        /// ```rhai
        /// let s = connect();
        /// s.expect(220);
        /// s.etrn("example.com", #{expect: 500});
        /// ```
        etrn(session, domain: &str) -> Reply { session.etrn(domain).await }
    }
    module
}
