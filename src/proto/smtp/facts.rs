//! The facts of SMTP and LMTP (RFC 5321, RFC 2033).

use super::Smtp;
use crate::proto::Speech;
use crate::proto::capabilities::{Capabilities, Told, is_answer_to};
use crate::proto::facts::{
    Advice, Facts, Farewell, Sasl, Scheme, Server, Success, Tls, WRONG_CREDENTIALS,
};

/// The schemes of SMTP, with ports by RFC 5321, RFC 6409 and RFC 8314.
const SCHEMES: [Scheme; 5] = [
    Scheme { name: "smtp", speech: Speech::Smtp, port: Some(25), suggested_by: &[25, 26, 2525] },
    Scheme { name: "submission", speech: Speech::Smtp, port: Some(587), suggested_by: &[587] },
    Scheme { name: "mx", speech: Speech::Smtp, port: Some(25), suggested_by: &[] },
    Scheme { name: "smtps", speech: Speech::Smtp, port: Some(465), suggested_by: &[] },
    Scheme { name: "submissions", speech: Speech::Smtp, port: Some(465), suggested_by: &[465] },
];
/// The schemes of LMTP, which has no registered port.
const LMTP_SCHEMES: [Scheme; 2] = [
    Scheme { name: "lmtp", speech: Speech::Lmtp, port: None, suggested_by: &[24, 2003] },
    Scheme { name: "lmtps", speech: Speech::Lmtp, port: None, suggested_by: &[] },
];

/// The commands of RFC 5321, of RFCs 1870 to 6710, and of Postfix; without EHLO, HELO and LHLO.
const COMMANDS: [&str; 18] = [
    "ATRN",
    "AUTH",
    "BDAT",
    "BURL",
    "DATA",
    "ETRN",
    "EXPN",
    "HELP",
    "MAIL FROM:<",
    "NOOP",
    "QUIT",
    "RCPT TO:<",
    "RSET",
    "STARTTLS",
    "TURN",
    "VRFY",
    "XCLIENT",
    "XFORWARD",
];
/// The commands that do not succeed with 250 alone: 251 to 253 are successes of some commands (RFC
/// 5321 section 4.3.2, RFC 1985 section 5), and HELP has 211 and 214.
const SUCCESSES: [(&str, Success); 8] = [
    ("DATA", Success::Code(354)),
    ("ETRN", Success::Code(25)),
    ("EXPN", Success::Code(25)),
    ("HELP", Success::Code(21)),
    ("RCPT", Success::Code(25)),
    ("VRFY", Success::Code(25)),
    ("XCLIENT", Success::Code(220)),
    ("XFORWARD", Success::Code(25)),
];
/// The greeting commands of RFC 5321, and that of LMTP (RFC 2033).
const HELLO: [&str; 2] = ["EHLO", "HELO"];
const LMTP_HELLO: [&str; 1] = ["LHLO"];

const SMTP: Facts = Facts {
    name: "SMTP",
    schemes: &SCHEMES,
    dialogue: |name| Box::new(Smtp::new(name)),
    greetings: &["220"],
    greeting: &[Success::Code(220)],
    refusals: &[Success::Code(4), Success::Code(5)],
    success: Success::Code(250),
    successes: &SUCCESSES,
    statuses: &[],
    // A server may close with 421 at any time (RFC 5321 section 3.8).
    unasked: Some("421"),
    commands: &[&HELLO, &COMMANDS],
    has_tags: false,
    has_literals: false,
    has_messages: true,
    block: None,
    farewell: Some(Farewell {
        command: "QUIT",
        success: Success::Code(221),
        answer: &["221 2.0.0 bye"],
    }),
    tls: Some(Tls {
        command: "STARTTLS",
        success: Success::Code(220),
        go_ahead: "220 2.0.0 go ahead",
        greets_again: false,
    }),
    sasl: &SASL,
    told,
    server: Server {
        greeting: &["220 localhost ESMTP"],
        too_many: "421 4.7.0 Too many connections",
        refusal: "500 5.5.1 {}",
    },
    advice: &ADVICE,
};

pub(in crate::proto) static FACTS: Facts = SMTP;

/// The facts of LMTP: those of SMTP, except for the schemes and the replies to messages (RFC 2033).
pub(in crate::proto) static LMTP: Facts = Facts {
    name: "LMTP",
    schemes: &LMTP_SCHEMES,
    dialogue: |name| Box::new(Smtp::lmtp(name)),
    commands: &[&LMTP_HELLO, &COMMANDS],
    server: Server { greeting: &["220 localhost LMTP"], ..SMTP.server },
    ..SMTP
};

/// The reply to EHLO or LHLO announces the capabilities. HELO makes them void, and so does a
/// command after which the dialogue begins again (RFC 3207 section 4.2).
fn told(answered: &[u8], reply: &[u8]) -> Told {
    let is = |commands: &[&str]| commands.iter().any(|command| is_answer_to(answered, command));
    if !reply.starts_with(b"2") {
        Told::Nothing
    } else if is(&["EHLO", "LHLO"]) {
        Told::Capabilities(Box::new(Capabilities::remembered(reply)))
    } else if is(&["HELO", "STARTTLS", "XCLIENT"]) {
        Told::Void
    } else {
        Told::Nothing
    }
}

/// Exchanges follow RFC 4954 section 4.
pub(in crate::proto) static SASL: Sasl = Sasl {
    service: "smtp",
    command: "AUTH",
    challenge: b"334",
    success: Success::Code(235),
    cancelled: Success::Code(501),
    granted: "235 2.7.0 authenticated",
    denied: "535 5.7.8 authentication failed",
    longest: 12_288,
    question: None,
};

const ADVICE: [Advice; 12] = [
    Advice {
        code: "554",
        text: "synchronization",
        says: "the server saw input before it had answered: expect each reply before the next send (smtpd_forbid_unauth_pipelining in Postfix 3.9, smtp_enforce_sync in Exim)",
    },
    Advice {
        code: "503",
        text: "pipelin",
        says: "the server refuses commands that run ahead of its replies: expect each reply before the next send",
    },
    Advice {
        code: "421",
        text: "too soon",
        says: "the server requires clients to wait for its greeting: expect(220) before the first send",
    },
    Advice {
        code: "530",
        text: "starttls",
        says: "the server requires TLS before this command: starttls() (RFC 3207)",
    },
    Advice {
        code: "530",
        text: "",
        says: "the server requires AUTH before this command, and perhaps TLS before that (RFC 4954, 6)",
    },
    Advice {
        code: "538",
        text: "",
        says: "the server requires TLS before this mechanism (RFC 4954, 6)",
    },
    Advice { code: "535", text: "", says: WRONG_CREDENTIALS },
    Advice {
        code: "534",
        text: "",
        says: "the server requires a stronger mechanism; see the AUTH line of its EHLO reply",
    },
    Advice {
        code: "454",
        text: "relay",
        says: "this client may not relay: it is not in mynetworks and has not authenticated (Postfix's deferring form of 554 5.7.1)",
    },
    Advice {
        code: "454",
        text: "tls",
        says: "the server cannot start TLS now: look at its certificate and key",
    },
    Advice {
        code: "454",
        text: "auth",
        says: "the server's authentication service does not answer: look at its log",
    },
    Advice {
        code: "450",
        text: "greylist",
        says: "greylisted: the same delivery passes some minutes later",
    },
];
