//! The facts of POP3 (RFC 1939).

use super::Pop3;
use crate::proto::Speech;
use crate::proto::capabilities::{Capabilities, Told, is_answer_to};
use crate::proto::facts::{
    Advice, Facts, Farewell, Sasl, Scheme, Server, Success, Tls, WRONG_CREDENTIALS,
};
use crate::proto::starts;

const OK: Success = Success::Word("+OK");

/// The commands of RFC 1939, 2449, 2595, 5034 and 6856.
const COMMANDS: [&str; 17] = [
    "APOP", "AUTH", "CAPA", "DELE", "LANG", "LIST", "NOOP", "PASS", "QUIT", "RETR", "RSET", "STAT",
    "STLS", "TOP", "UIDL", "USER", "UTF8",
];

pub(in crate::proto) static FACTS: Facts = Facts {
    name: "POP3",
    schemes: &[
        Scheme { name: "pop3", speech: Speech::Pop3, port: Some(110), suggested_by: &[110] },
        Scheme { name: "pop3s", speech: Speech::Pop3, port: Some(995), suggested_by: &[995] },
    ],
    dialogue: |name| Box::new(Pop3::new(name)),
    greetings: &["+OK"],
    greeting: &[OK],
    refusals: &[Success::Word("-ERR")],
    success: OK,
    successes: &[],
    statuses: &["+OK", "-ERR", "+"],
    unasked: None,
    commands: &[&COMMANDS],
    has_tags: false,
    has_literals: false,
    has_messages: false,
    block: Some(has_block),
    farewell: Some(Farewell { command: "QUIT", success: OK, answer: &["+OK bye"] }),
    tls: Some(Tls { command: "STLS", success: OK, go_ahead: "+OK begin TLS", greets_again: false }),
    // Exchanges follow RFC 5034 section 4; the length of a line follows RFC 2449 section 4.
    sasl: &Sasl {
        service: "pop",
        command: "AUTH",
        challenge: b"+",
        success: OK,
        cancelled: Success::Word("-ERR"),
        granted: "+OK authenticated",
        denied: "-ERR [AUTH] authentication failed",
        longest: 255,
        question: Some("CAPA"),
    },
    told,
    server: Server {
        greeting: &["+OK localhost ready"],
        too_many: "-ERR [SYS/TEMP] Too many connections",
        refusal: "-ERR {}",
    },
    advice: &ADVICE,
};

/// The listing of one message (RFC 1939 section 5) and of one language (RFC 6856 section 3.1) is a
/// line. AUTH without a mechanism lists the mechanisms, as servers did before CAPA existed.
fn has_block(command: &[u8]) -> bool {
    let mut words = command.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let verb = words.next().unwrap_or_default().to_ascii_uppercase();
    match &verb[..] {
        b"CAPA" | b"RETR" | b"TOP" => true,
        b"LIST" | b"UIDL" | b"LANG" | b"AUTH" => words.next().is_none(),
        _ => false,
    }
}

/// The block after the reply to CAPA announces the capabilities (RFC 2449 section 5); STLS makes
/// them void.
fn told(answered: &[u8], said: &[u8]) -> Told {
    let is_success = starts(said, "+OK");
    if is_answer_to(answered, "CAPA") && !is_success && !starts(said, "-ERR") {
        Told::Capabilities(Box::new(Capabilities::remembered_lines(said)))
    } else if is_answer_to(answered, "STLS") && is_success {
        Told::Void
    } else {
        Told::Nothing
    }
}

const ADVICE: [Advice; 7] = [
    Advice {
        code: "-err",
        text: "[in-use]",
        says: "another session has the maildrop open: let it send QUIT, or wait until the server ends that session",
    },
    Advice {
        code: "-err",
        text: "[login-delay]",
        says: "this user logged in too short a while ago: CAPA says how long to wait",
    },
    Advice { code: "-err", text: "[auth]", says: WRONG_CREDENTIALS },
    Advice {
        code: "-err",
        text: "[sys/temp]",
        says: "the server has a temporary problem: the same may work later",
    },
    Advice {
        code: "-err",
        text: "[sys/perm]",
        says: "the server has a permanent problem: look at its log",
    },
    Advice {
        code: "-err",
        text: "disallowed on non-secure",
        says: "the server requires TLS before a password: stls(), or the pop3s port (RFC 2595)",
    },
    Advice {
        code: "-err",
        text: "unknown command",
        says: "the server may know it in another state: before the login there are few commands (RFC 1939, 4)",
    },
];
