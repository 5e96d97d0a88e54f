//! The facts of ManageSieve (RFC 5804).

use bytes::Bytes;

use super::{Sieve, capabilities, data, is_ok};
use crate::pattern::Match;
use crate::proto::Speech;
use crate::proto::capabilities::{Told, is_answer_to};
use crate::proto::facts::{
    Advice, Facts, Farewell, Sasl, Scheme, Server, Success, Tls, WRONG_CREDENTIALS,
};
use crate::reply::Reply;

const OK: Success = Success::Word("OK");

/// The commands of RFC 5804.
const COMMANDS: [&str; 14] = [
    "AUTHENTICATE",
    "CAPABILITY",
    "CHECKSCRIPT",
    "DELETESCRIPT",
    "GETSCRIPT",
    "HAVESPACE",
    "LISTSCRIPTS",
    "LOGOUT",
    "NOOP",
    "PUTSCRIPT",
    "RENAMESCRIPT",
    "SETACTIVE",
    "STARTTLS",
    "UNAUTHENTICATE",
];

pub(in crate::proto) static FACTS: Facts = Facts {
    name: "ManageSieve",
    schemes: &[Scheme {
        name: "sieve",
        speech: Speech::Sieve,
        port: Some(4190),
        suggested_by: &[4190, 2000],
    }],
    dialogue: |name| Box::new(Sieve::new(name)),
    greetings: &["\"IMPLEMENTATION\""],
    greeting: &[OK],
    refusals: &[Success::Word("BYE"), Success::Word("NO")],
    success: OK,
    successes: &[],
    statuses: &["OK", "NO", "BYE"],
    // A server may close with BYE at any time (RFC 5804 section 1.3).
    unasked: Some("BYE"),
    commands: &[&COMMANDS],
    has_tags: false,
    has_literals: true,
    has_messages: false,
    block: None,
    farewell: Some(Farewell { command: "LOGOUT", success: OK, answer: &["OK"] }),
    // After the handshake, the server announces its capabilities unasked (RFC 5804 section 2.2).
    tls: Some(Tls { command: "STARTTLS", success: OK, go_ahead: "OK", greets_again: true }),
    // Challenges and responses are strings, whose length no line limits (RFC 5804 section 2.1).
    sasl: &Sasl {
        service: "sieve",
        command: "AUTHENTICATE",
        challenge: b"",
        success: OK,
        cancelled: Success::Word("NO"),
        granted: "OK",
        denied: "NO \"authentication failed\"",
        longest: usize::MAX - 2,
        question: Some("CAPABILITY"),
    },
    told,
    server: Server {
        greeting: &[
            "\"IMPLEMENTATION\" \"mailexpect\"",
            "\"SIEVE\" \"fileinto\"",
            "\"VERSION\" \"1.0\"",
            "OK",
        ],
        too_many: "BYE (TRYLATER) \"Too many connections\"",
        refusal: "NO \"{}\"",
    },
    advice: &ADVICE,
};

/// The greeting and the answer to CAPABILITY announce the capabilities (RFC 5804 section 1.7). The
/// server announces them again after STARTTLS.
fn told(answered: &[u8], reply: &[u8]) -> Told {
    let says_it = answered.is_empty()
        || ["CAPABILITY", "STARTTLS"].iter().any(|command| is_answer_to(answered, command));
    if says_it && is_ok(reply) && data(reply).next().is_some() {
        let reply = Reply::whole(Bytes::copy_from_slice(reply), Match::default());
        Told::Capabilities(Box::new(capabilities(reply)))
    } else {
        Told::Nothing
    }
}

const ADVICE: [Advice; 10] = [
    Advice {
        code: "no",
        text: "(quota/maxsize)",
        says: "the script is larger than this server takes; havespace(name, size) asks before",
    },
    Advice {
        code: "no",
        text: "(quota/maxscripts)",
        says: "the user has as many scripts as may be: deletescript(name) makes room",
    },
    Advice {
        code: "no",
        text: "(quota",
        says: "the user's scripts take all the room there is: deletescript(name) makes some",
    },
    Advice {
        code: "no",
        text: "(nonexistent)",
        says: "there is no script of that name: listscripts() says which there are",
    },
    Advice {
        code: "no",
        text: "(alreadyexists)",
        says: "there is a script of that name: renamescript never replaces one",
    },
    Advice {
        code: "no",
        text: "(active)",
        says: "the active script cannot be deleted: setactive(\"\") comes first",
    },
    Advice {
        code: "no",
        text: "(encrypt-needed)",
        says: "the server requires TLS before this mechanism: STARTTLS comes first",
    },
    Advice {
        code: "no",
        text: "(auth-too-weak)",
        says: "the server requires a stronger mechanism: see SASL among its capabilities",
    },
    Advice {
        code: "no",
        text: "(trylater)",
        says: "the server has a temporary problem: the same may work later",
    },
    Advice { code: "no", text: "authentication failed", says: WRONG_CREDENTIALS },
];
