//! The facts of IMAP (RFC 3501, RFC 9051).

use super::Imap;
use crate::proto::Speech;
use crate::proto::facts::{Advice, Facts, Sasl, Scheme, Success, Tls};

const OK: Success = Success::Word("OK");

pub(in crate::proto) static FACTS: Facts = Facts {
    name: "IMAP",
    schemes: &[
        Scheme { name: "imap", speech: Speech::Imap, port: Some(143) },
        Scheme { name: "imaps", speech: Speech::Imap, port: Some(993) },
    ],
    dialogue: |name| Box::new(Imap::new(name)),
    greetings: &["* OK", "* PREAUTH"],
    greeting: &[Success::Word("* OK"), Success::Word("* PREAUTH")],
    success: OK,
    statuses: &["OK", "NO", "BAD", "BYE", "PREAUTH"],
    // Untagged data and BYE (RFC 3501 section 7).
    unasked: Some("*"),
    tls: Some(Tls { command: "STARTTLS", success: OK, greets_again: false }),
    // RFC 3501 section 6.2.2; a line by RFC 7162 section 4.
    sasl: &Sasl {
        service: "imap",
        command: "AUTHENTICATE",
        challenge: b"+",
        success: OK,
        cancelled: Success::Word("BAD"),
        longest: 8192,
        question: Some("CAPABILITY"),
    },
    advice: &ADVICE,
};

const ADVICE: [Advice; 6] = [
    Advice {
        code: "no",
        text: "[authenticationfailed]",
        says: "wrong credentials; where the user is name@domain, try the name alone, and the other way round",
    },
    Advice {
        code: "no",
        text: "[privacyrequired]",
        says: "the server wants TLS before this command (RFC 5530)",
    },
    Advice {
        code: "no",
        text: "[trycreate]",
        says: "there is no such mailbox: create(...) it first (RFC 3501, 7.1)",
    },
    Advice {
        code: "no",
        text: "[nonexistent]",
        says: "there is no such mailbox: list(\"\", \"*\") shows those that there are",
    },
    Advice {
        code: "bad",
        text: "expected done",
        says: "an IDLE is under way: done() ends it (RFC 2177)",
    },
    Advice {
        code: "bad",
        text: "",
        says: "the server does not take this command here: look for a slip in it, or for the login or select(...) that it needs",
    },
];
