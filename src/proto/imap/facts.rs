//! The facts of IMAP (RFC 3501, RFC 9051).

use super::Imap;
use crate::proto::Speech;
use crate::proto::capabilities::{CAPABILITY, Capabilities, Told, behind};
use crate::proto::facts::{
    Advice, Facts, Farewell, Sasl, Scheme, Server, Success, Tls, WRONG_CREDENTIALS,
};
use crate::proto::starts;

const OK: Success = Success::Word("OK");

/// The commands of RFC 3501, and of the extensions in IANA's registry of IMAP capabilities.
const COMMANDS: [&str; 59] = [
    "APPEND",
    "AUTHENTICATE",
    "CANCELUPDATE",
    "CAPABILITY",
    "CHECK",
    "CLOSE",
    "COMPRESS",
    "CONVERSIONS",
    "CONVERT",
    "COPY",
    "CREATE",
    "DELETE",
    "DELETEACL",
    "DONE",
    "ENABLE",
    "ESEARCH",
    "EXAMINE",
    "EXPUNGE",
    "FETCH",
    "GENURLAUTH",
    "GETACL",
    "GETANNOTATION",
    "GETJMAPACCESS",
    "GETMETADATA",
    "GETQUOTA",
    "GETQUOTAROOT",
    "ID",
    "IDLE",
    "LANGUAGE",
    "LIST",
    "LISTRIGHTS",
    "LOGIN",
    "LOGOUT",
    "LSUB",
    "MOVE",
    "MYRIGHTS",
    "NAMESPACE",
    "NOOP",
    "NOTIFY",
    "RENAME",
    "REPLACE",
    "RESETKEY",
    "SEARCH",
    "SELECT",
    "SETACL",
    "SETANNOTATION",
    "SETMETADATA",
    "SETQUOTA",
    "SORT",
    "STARTTLS",
    "STATUS",
    "STORE",
    "SUBSCRIBE",
    "THREAD",
    "UNAUTHENTICATE",
    "UNSELECT",
    "UNSUBSCRIBE",
    "URLFETCH",
    "UID",
];

pub(in crate::proto) static FACTS: Facts = Facts {
    name: "IMAP",
    schemes: &[
        Scheme { name: "imap", speech: Speech::Imap, port: Some(143), suggested_by: &[143] },
        Scheme { name: "imaps", speech: Speech::Imap, port: Some(993), suggested_by: &[993] },
    ],
    dialogue: |name| Box::new(Imap::new(name)),
    greetings: &["* OK", "* PREAUTH"],
    greeting: &[Success::Word("* OK"), Success::Word("* PREAUTH")],
    refusals: &[Success::Word("* BYE"), Success::Word("* BAD"), Success::Word("* NO")],
    success: OK,
    successes: &[],
    statuses: &["OK", "NO", "BAD", "BYE", "PREAUTH"],
    // A server may send untagged data and BYE at any time (RFC 3501 section 7).
    unasked: Some("*"),
    commands: &[&COMMANDS],
    has_tags: true,
    has_literals: true,
    has_messages: false,
    block: None,
    farewell: Some(Farewell {
        command: "LOGOUT",
        success: OK,
        answer: &["* BYE", "OK LOGOUT completed"],
    }),
    tls: Some(Tls {
        command: "STARTTLS",
        success: OK,
        go_ahead: "OK begin TLS",
        greets_again: false,
    }),
    // Exchanges follow RFC 3501 section 6.2.2; the length of a line follows RFC 7162 section 4.
    sasl: &Sasl {
        service: "imap",
        command: "AUTHENTICATE",
        challenge: b"+",
        success: OK,
        cancelled: Success::Word("BAD"),
        granted: "OK authenticated",
        denied: "NO [AUTHENTICATIONFAILED] authentication failed",
        longest: 8192,
        question: Some("CAPABILITY"),
    },
    told,
    server: Server {
        greeting: &["* OK localhost ready"],
        too_many: "* BYE Too many connections",
        refusal: "BAD {}",
    },
    advice: &ADVICE,
};

/// Servers announce capabilities in a response of its own, and in the response code of a greeting
/// or a login. STARTTLS makes them void (RFC 3501 section 6.2.1).
fn told(answered: &[u8], response: &[u8]) -> Told {
    let (tag, text) =
        response.split_at(memchr::memchr(b' ', response).map_or(response.len(), |at| at + 1));
    let status = &text[..text.len().min("PREAUTH [".len())];
    let code = memchr::memchr(b'[', status).map(|at| &text[at + 1..]);
    if [Some(text), code].into_iter().flatten().any(|text| behind(text, CAPABILITY).is_some()) {
        Told::Capabilities(Box::new(Capabilities::remembered_words(response)))
    } else if tag != b"* "
        && starts(text, "OK")
        && answered.to_ascii_uppercase().ends_with(b" STARTTLS")
    {
        Told::Void
    } else {
        Told::Nothing
    }
}

const ADVICE: [Advice; 6] = [
    Advice { code: "no", text: "[authenticationfailed]", says: WRONG_CREDENTIALS },
    Advice {
        code: "no",
        text: "[privacyrequired]",
        says: "the server requires TLS before this command (RFC 5530)",
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
        says: "the server does not take this command here: look for a mistake in it, or for the login or select(...) that it needs",
    },
];
