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

/// The replies to a message. They are a list in LMTP, or if there is not exactly one.
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
        /// Introduces the client: `EHLO name` (RFC 5321 section 4.1.1.1). Returns the capabilities
        /// of the server.
        ///
        /// ```rhai
        /// let s = connect();
        /// s.expect(220);
        /// let caps = s.ehlo("client.example");
        /// assert("8bitmime" in caps);
        /// assert_eq(caps.domain, "localhost");
        /// ```
        ehlo(session, call, name: &str) -> Capabilities { session.ehlo(name).with(call).await }

        /// Introduces the client in LMTP: `LHLO name` (RFC 2033 section 4.1). Returns the
        /// capabilities of the server.
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

        /// Introduces the client without asking for capabilities: `HELO name` (RFC 5321 section
        /// 4.1.1.1).
        ///
        /// ```rhai
        /// let s = connect();
        /// s.expect(220);
        /// s.helo("client.example");
        /// ```
        helo(session, call, name: &str) -> Reply { session.helo(name).with(call).await }

        /// Names the sender: `MAIL FROM:<address>` (RFC 5321 section 4.1.1.2). If parameters follow
        /// in the same text, the address needs its angle brackets:
        /// `s.mail("<hoge@example.com> SIZE=1000")`. An empty text is the null sender, `<>`.
        ///
        /// ```rhai
        /// let s = connect();
        /// s.expect(220);
        /// s.mail("hoge@example.com", #{expect: 503});
        /// s.ehlo("client.example");
        /// s.mail("<hoge@example.com> SIZE=1000 BODY=8BITMIME");
        /// ```
        ///
        /// Parameters can also be given as options, by their names: `size`, `body`, `smtputf8`,
        /// `requiretls`, `ret`, `envid` (RFC 1870, 6152, 6531, 8689, 3461). A parameter without a
        /// value is `true`. `envid` is sent as xtext.
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

        /// Names a recipient: `RCPT TO:<address>` (RFC 5321 section 4.1.1.3). If parameters follow
        /// in the same text, the address needs its angle brackets:
        /// `s.rcpt("<hoge@example.com> NOTIFY=NEVER")`.
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
        /// Parameters can also be given as options, by their names: `notify`, a word or a list of
        /// words, and `orcpt`, an address that is sent as xtext (RFC 3461).
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

        /// Sends a message: `DATA`, and after the 354 reply the message in one write, with leading
        /// dots doubled and with the final dot (RFC 5321 section 4.1.1.4). The line ends of text
        /// become CRLF; a blob stays as it is. If the server refuses `DATA` itself, the refusal is
        /// matched against the pattern.
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
        /// An LMTP server answers a message once for each accepted recipient, in the order of the
        /// recipients (RFC 2033 section 4.2). So the result is a list, and `expect` is one pattern
        /// for all replies or a list of patterns. The same holds in SMTP if `MAIL` asked for `PRDR`
        /// and the server makes use of it; the last reply is then for the whole message.
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

        /// Sends a chunk of a message: `BDAT size` and the octets of the chunk, in one write (RFC
        /// 3030 section 2). If `last` is true, the command has `LAST`. Leading dots are not
        /// doubled. The line ends of text become CRLF; a blob stays as it is. The result for the
        /// last chunk is like that of `data`.
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

        /// Asks whether a user exists: `VRFY string` (RFC 5321 section 4.1.1.6). Any 25x reply is a
        /// success; 252 means that the server does not tell.
        ///
        /// ```rhai
        /// let s = connect();
        /// s.expect(220);
        /// assert_eq(s.vrfy("hoge").code, 252);
        /// ```
        vrfy(session, call, user: &str) -> Reply { session.smtp_verb("vrfy", user).with(call).await }

        /// Asks for the members of a mailing list: `EXPN string` (RFC 5321 section 4.1.1.7). Any
        /// 25x reply is a success.
        ///
        /// ```rhai
        /// let s = connect();
        /// s.expect(220);
        /// s.expn("staff", #{expect: 502});
        /// ```
        expn(session, call, list: &str) -> Reply { session.smtp_verb("expn", list).with(call).await }

        /// Asks for help: `HELP` (RFC 5321 section 4.1.1.8). Any 21x reply is a success.
        ///
        /// ```rhai
        /// let s = connect();
        /// s.expect(220);
        /// assert(s.help().text.contains("RCPT"));
        /// ```
        help(session, call) -> Reply { session.smtp_verb("help", "").with(call).await }

        /// Asks for help on a command. Any 21x reply is a success.
        help(session, call, command: &str) -> Reply { session.smtp_verb("help", command).with(call).await }

        /// Asks the server to send the mail that it holds for a domain: `ETRN domain` (RFC 1985
        /// section 5). Any 25x reply is a success.
        ///
        /// ```rhai
        /// let s = connect();
        /// s.expect(220);
        /// s.etrn("example.com", #{expect: 500});
        /// ```
        etrn(session, call, domain: &str) -> Reply { session.smtp_verb("etrn", domain).with(call).await }

        /// Tells a server that trusts us which client to take us for: `XCLIENT` of Postfix. Values
        /// are sent as `xtext`. The server greets again, which is its reply, and the dialogue
        /// begins again with EHLO.
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

        /// Tells a server that trusts us on behalf of which client we speak, for its log and its
        /// filters: `XFORWARD` of Postfix. Values are sent as `xtext`; a value that is not known is
        /// `[UNAVAILABLE]`. In its reply to EHLO, the server names the attributes that it takes:
        /// `NAME`, `ADDR`, `PORT`, `PROTO`, `HELO`, `IDENT` and `SOURCE`. The attributes hold until
        /// the end of the next message.
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
