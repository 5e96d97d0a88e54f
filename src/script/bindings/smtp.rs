//! The verbs of SMTP.

use rhai::{Array, Dynamic, Map, Module};

use super::argument;
use super::verb::{Manual, verbs};
use crate::error::{Error, Result};
use crate::proto::Speech;
use crate::proto::capabilities::Capabilities;
use crate::reply::Reply;
use crate::session::Session;

pub(super) const INTRO: &str = "SMTP and submission (RFC 5321, RFC 6409), and LMTP (RFC 2033).";

/// The replies to a message: a list where there is one for each recipient.
fn verdicts(session: &Session, replies: Vec<Reply>) -> Dynamic {
    let is_list = session.speech() == Speech::Lmtp || replies.len() != 1;
    let mut replies = replies.into_iter().map(Dynamic::from);
    if is_list { replies.collect::<Array>().into() } else { replies.next().unwrap_or_default() }
}

fn pairs(attributes: Map, command: &str) -> Result<Vec<(String, Vec<u8>)>> {
    let pair = |(name, value)| {
        Ok((String::from(name), argument::bytes(value, "the value of an attribute")?))
    };
    let attributes: Vec<_> = attributes.into_iter().map(pair).collect::<Result<_>>()?;
    if attributes.is_empty() {
        let error = Error::usage(format!("{command} without attributes"));
        let word = command.to_lowercase();
        Err(error.hint(format!("s.{word}(#{{ADDR: \"192.0.2.1\"}})")))
    } else {
        Ok(attributes)
    }
}

pub(super) fn words(manual: Manual) -> Module {
    let mut module = Module::new();
    verbs! { module, manual:
        /// Introduces the client, and gives back what the server can do: `EHLO name` (RFC 5321
        /// section 4.1.1.1).
        ///
        /// ```rhai
        /// let s = connect();
        /// s.expect(220);
        /// let caps = s.ehlo("client.example");
        /// assert("8bitmime" in caps);
        /// assert_eq(caps.domain, "localhost");
        /// ```
        ehlo(session, call, name: &str) -> Capabilities { session.ehlo(name).with(call).await }

        /// The same in LMTP: `LHLO name` (RFC 2033 section 4.1).
        ///
        /// ```dialogue lmtp
        /// S: 220 lmtp.example ready
        /// C: LHLO client.example
        /// S: 250-lmtp.example
        /// S: 250 PIPELINING
        /// ```
        /// ```rhai
        /// let s = connect(param("lmtp"));
        /// s.expect(220);
        /// assert("pipelining" in s.lhlo("client.example"));
        /// ```
        lhlo(session, call, name: &str) -> Capabilities { session.lhlo(name).with(call).await }

        /// Introduces the client without learning anything: `HELO name` (RFC 5321 section 4.1.1.1).
        ///
        /// ```rhai
        /// let s = connect();
        /// s.expect(220);
        /// s.helo("client.example");
        /// ```
        helo(session, call, name: &str) -> Reply { session.helo(name).with(call).await }

        /// Names the sender: `MAIL FROM:<address>` (RFC 5321 section 4.1.1.2). Where parameters
        /// follow, the address needs its angle brackets: `s.mail("<hoge@example.com> SIZE=1000")`.
        /// An empty text is the null sender, `<>`.
        ///
        /// ```rhai
        /// let s = connect();
        /// s.expect(220);
        /// s.mail("hoge@example.com", #{expect: 503});
        /// s.ehlo("client.example");
        /// s.mail("<hoge@example.com> SIZE=1000 BODY=8BITMIME");
        /// ```
        ///
        /// Parameters stand after it by their names: `size`, `body`, `smtputf8`, `requiretls`,
        /// `ret`, `envid` (RFC 1870, 6152, 6531, 8689, 3461). What has no value is `true`; `envid` is
        /// sent as xtext.
        ///
        /// ```dialogue smtp
        /// S: 220 hi
        /// C: MAIL FROM:<a@client.example> BODY=8BITMIME SIZE=1000 SMTPUTF8
        /// S: 250 ok
        /// ```
        /// ```rhai
        /// let s = connect(param("smtp"));
        /// s.expect(220);
        /// s.mail("a@client.example", #{size: 1000, body: "8BITMIME", smtputf8: true});
        /// ```
        mail(session, call, from: &str; size; body; smtputf8; requiretls; ret; envid) -> Reply { session.mail(from).with(call).await }

        /// Names a recipient: `RCPT TO:<address>` (RFC 5321 section 4.1.1.3). Where parameters
        /// follow, the address needs its angle brackets: `s.rcpt("<hoge@example.com>
        /// NOTIFY=NEVER")`.
        ///
        /// ```rhai
        /// let s = connect();
        /// s.expect(220);
        /// s.ehlo("client.example");
        /// s.mail("hoge@example.com");
        /// s.rcpt("test-user@yahoo.co.jp", #{expect: 550});
        /// s.rcpt("test-user@example.com");
        /// ```
        ///
        /// Parameters stand after it by their names: `notify`, a word or a list, and `orcpt`, an
        /// address that is sent as xtext (RFC 3461).
        ///
        /// ```dialogue smtp
        /// S: 220 hi
        /// C: RCPT TO:<b@example.com> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;b+2Bx@example.com
        /// S: 250 ok
        /// ```
        /// ```rhai
        /// let s = connect(param("smtp"));
        /// s.expect(220);
        /// s.rcpt("b@example.com", #{notify: ["SUCCESS", "DELAY"], orcpt: "b+x@example.com"});
        /// ```
        rcpt(session, call, to: &str; notify; orcpt) -> Reply { session.rcpt(to).with(call).await }

        /// Sends a message: `DATA`, and after its 354 the message with leading dots doubled and
        /// the final dot, in one write (RFC 5321 section 4.1.1.4). The line ends of text become
        /// CRLF; a blob stays as it is. Where `DATA` itself is refused, that reply is held against
        /// the pattern.
        ///
        /// ```rhai
        /// let s = connect();
        /// s.expect(220);
        /// s.ehlo("client.example");
        /// s.mail("hoge@example.com");
        /// s.data("Subject: hello\n\nNobody gets this.\n", #{expect: 503});
        /// s.rcpt("hoge@example.com");
        /// assert_eq(s.data("Subject: hello\n\nHow are you?\n").enhanced, "2.0.0");
        /// ```
        ///
        /// LMTP answers a message once for each recipient that was accepted, in their order (RFC
        /// 2033 section 4.2): what comes back is a list, and the pattern is one for all or a list
        /// of patterns. It is so in SMTP as well where `MAIL` asked for `PRDR` and the server makes
        /// use of it; the last reply is then for the whole message.
        ///
        /// ```dialogue lmtp
        /// S: 220 lmtp.example ready
        /// C: LHLO client.example
        /// S: 250 lmtp.example
        /// C: MAIL FROM:<hoge@example.com>
        /// S: 250 2.1.0 ok
        /// C: RCPT TO:<alice@example.com>
        /// S: 250 2.1.5 ok
        /// C: RCPT TO:<full@example.com>
        /// S: 250 2.1.5 ok
        /// C: DATA
        /// S: 354 go on
        /// C: Subject: hello
        /// C: .
        /// S: 250 2.0.0 alice has it
        /// S: 452 4.2.2 the mailbox is full
        /// ```
        /// ```rhai
        /// let s = connect(param("lmtp"));
        /// s.expect(220);
        /// s.lhlo("client.example");
        /// s.mail("hoge@example.com");
        /// s.rcpt("alice@example.com");
        /// s.rcpt("full@example.com");
        /// let replies = s.data("Subject: hello\n", #{expect: [250, 452]});
        /// assert_eq(replies[1].enhanced, "4.2.2");
        /// ```
        data(session, call, message: Dynamic) -> Dynamic {
            let replies = session.data(argument::message(message)?).with(call).await?;
            Ok(verdicts(session, replies))
        }

        /// Sends a chunk of a message: `BDAT size`, with `LAST` where `last` is true, and its
        /// octets, in one write (RFC 3030 section 2). Nothing is stuffed. The line ends of text
        /// become CRLF; a blob stays as it is. What comes back for the last chunk is as with
        /// `data`.
        ///
        /// ```dialogue smtp
        /// S: 220 mx.example ESMTP
        /// C: BDAT 16
        /// C: Subject: hello
        /// S: 250 16 octets
        /// C: BDAT 5 LAST
        /// C:
        /// C: .
        /// S: 250 21 octets, queued
        /// ```
        /// ```rhai
        /// let s = connect(param("smtp"));
        /// s.expect(220);
        /// s.bdat("Subject: hello\n", false);
        /// s.bdat("\n.\n", true);
        /// ```
        bdat(session, call, chunk: Dynamic, last: bool) -> Dynamic {
            let replies = session.bdat(argument::message(chunk)?, last).with(call).await?;
            Ok(verdicts(session, replies))
        }

        /// Asks whether there is such a user: `VRFY string` (RFC 5321 section 4.1.1.6). Any 25x
        /// will do; 252 says that the server would not tell.
        ///
        /// ```rhai
        /// let s = connect();
        /// s.expect(220);
        /// assert_eq(s.vrfy("hoge").code, 252);
        /// ```
        vrfy(session, call, user: &str) -> Reply { session.vrfy(user).with(call).await }

        /// Asks who is on a mailing list: `EXPN string` (RFC 5321 section 4.1.1.7). Any 25x will
        /// do.
        ///
        /// ```rhai
        /// let s = connect();
        /// s.expect(220);
        /// s.expn("staff", #{expect: 502});
        /// ```
        expn(session, call, list: &str) -> Reply { session.expn(list).with(call).await }

        /// Asks for help: `HELP` (RFC 5321 section 4.1.1.8). Any 21x will do.
        ///
        /// ```rhai
        /// let s = connect();
        /// s.expect(220);
        /// assert(s.help().text.contains("RCPT"));
        /// ```
        help(session, call) -> Reply { session.help("").with(call).await }

        /// Asks for help on a command.
        help(session, call, command: &str) -> Reply { session.help(command).with(call).await }

        /// Asks the server to send what it holds for a domain: `ETRN domain` (RFC 1985 section 5).
        /// Any 25x will do.
        ///
        /// ```rhai
        /// let s = connect();
        /// s.expect(220);
        /// s.etrn("example.com", #{expect: 500});
        /// ```
        etrn(session, call, domain: &str) -> Reply { session.etrn(domain).with(call).await }

        /// Tells a server that trusts us whom it is to take us for: Postfix's `XCLIENT`. Values are
        /// sent as `xtext`. The server's greeting comes again, which is its reply, and the dialogue
        /// begins anew with EHLO.
        ///
        /// ```dialogue smtp
        /// S: 220 mx.example ESMTP
        /// C: XCLIENT ADDR=192.0.2.1 NAME=[UNAVAILABLE]
        /// S: 220 mx.example ESMTP
        /// ```
        /// ```rhai
        /// let s = connect(param("smtp"));
        /// s.expect(220);
        /// s.xclient(#{ADDR: "192.0.2.1", NAME: "[UNAVAILABLE]"});
        /// ```
        xclient(session, call, attributes: Map) -> Reply { session.xclient(pairs(attributes, "XCLIENT")?).with(call).await }

        /// Tells a server that trusts us, for its log and its filters, who the client is that we
        /// speak for: Postfix's `XFORWARD`. Values are sent as `xtext`; what is not known is
        /// `[UNAVAILABLE]`. The server names the attributes that it takes in its reply to EHLO:
        /// `NAME`, `ADDR`, `PORT`, `PROTO`, `HELO`, `IDENT` and `SOURCE`. They hold until the end
        /// of the next message.
        ///
        /// ```dialogue smtp
        /// S: 220 mx.example ESMTP
        /// C: EHLO filter.example
        /// S: 250-mx.example
        /// S: 250 XFORWARD NAME ADDR PROTO HELO SOURCE
        /// C: XFORWARD ADDR=192.0.2.1 NAME=[UNAVAILABLE] PROTO=ESMTP
        /// S: 250 2.0.0 Ok
        /// ```
        /// ```rhai
        /// let s = connect(param("smtp"));
        /// s.expect(220);
        /// s.ehlo("filter.example");
        /// s.require_capability("XFORWARD ADDR");
        /// s.xforward(#{ADDR: "192.0.2.1", NAME: "[UNAVAILABLE]", PROTO: "ESMTP"});
        /// ```
        xforward(session, call, attributes: Map) -> Reply { session.xforward(pairs(attributes, "XFORWARD")?).with(call).await }
    }
    module
}
