//! Status words and response codes of IMAP, POP3 and `ManageSieve`.

use crate::proto::Speech;

/// The meanings of response codes.
const CODES: [(&str, &str); 41] = [
    ("ALERT", "The text is for the user to read (RFC 3501)."),
    ("TRYCREATE", "The mailbox is not there: CREATE it first (RFC 3501)."),
    ("UNAVAILABLE", "A part of the server is down for now; try again later (RFC 5530)."),
    (
        "AUTHENTICATIONFAILED",
        "User or password are wrong, or the account may not be used; the server does not say which (RFC 5530).",
    ),
    (
        "AUTHORIZATIONFAILED",
        "The password is right, and the user may not act as the other one (RFC 5530).",
    ),
    ("EXPIRED", "The password is right and has expired (RFC 5530)."),
    ("PRIVACYREQUIRED", "TLS is required first: STARTTLS (RFC 5530)."),
    ("CONTACTADMIN", "The administrator has to be asked (RFC 5530)."),
    ("NOPERM", "The user has no right to do this (RFC 5530)."),
    ("INUSE", "The mailbox is in use by another session (RFC 5530)."),
    ("EXPUNGEISSUED", "Some of the messages were expunged by another session (RFC 5530)."),
    ("CORRUPTION", "The mailbox is damaged (RFC 5530)."),
    ("SERVERBUG", "The server found a mistake of its own (RFC 5530)."),
    ("CLIENTBUG", "The server found a mistake of the client's (RFC 5530)."),
    ("CANNOT", "The server can never do this, such as use that name (RFC 5530)."),
    ("LIMIT", "A limit of the server is reached (RFC 5530)."),
    ("OVERQUOTA", "The user is, or would be, over quota (RFC 5530)."),
    ("ALREADYEXISTS", "It is there already (RFC 5530)."),
    ("NONEXISTENT", "It is not there (RFC 5530)."),
    ("READ-ONLY", "The mailbox is open for reading alone (RFC 3501)."),
    ("READ-WRITE", "The mailbox is open for reading and writing (RFC 3501)."),
    ("UIDVALIDITY", "UIDs are valid while this number stays the same (RFC 3501)."),
    ("UIDNEXT", "The UID that the next message will have at least (RFC 3501)."),
    ("APPENDUID", "UIDVALIDITY and UID of the message that was appended (RFC 4315)."),
    ("COPYUID", "UIDs of the messages that were copied (RFC 4315)."),
    ("CAPABILITY", "What the server can do (RFC 3501)."),
    ("IN-USE", "The maildrop is locked by another session (RFC 2449)."),
    ("LOGIN-DELAY", "The last login was too short a while ago (RFC 2449)."),
    ("SYS/TEMP", "The server failed for now; try again later (RFC 3206)."),
    ("SYS/PERM", "The server failed, and its administrator has to repair it (RFC 3206)."),
    ("AUTH", "User or password are wrong (RFC 3206)."),
    ("AUTH-TOO-WEAK", "The mechanism is too weak (RFC 5804)."),
    ("ENCRYPT-NEEDED", "TLS is required first: STARTTLS (RFC 5804)."),
    ("QUOTA", "The script does not fit the quota (RFC 5804)."),
    ("ACTIVE", "The script is the active one, and cannot be deleted (RFC 5804)."),
    ("TRYLATER", "The server failed for now; try again later (RFC 5804)."),
    ("WARNINGS", "The script was taken, with warnings (RFC 5804)."),
    ("REFERRAL", "Another server is to be asked (RFC 5804)."),
    (
        "TRANSITION-NEEDED",
        "The password has to be given by PLAIN once, so that the server can store it anew (RFC 5804).",
    ),
    ("SASL", "The last message of the exchange (RFC 5804)."),
    ("TAG", "What the client had given with NOOP (RFC 5804)."),
];

/// The meaning of a response code.
pub(super) fn meaning(code: &str) -> Option<&'static str> {
    CODES.iter().find(|(known, _)| *known == code).map(|(_, meaning)| *meaning)
}

/// The known response codes in a reply: the first word after each bracket or parenthesis.
pub(super) fn codes(reply: &str) -> Vec<&'static str> {
    let opened = reply.split(['[', '(']).skip(1);
    let words = opened.filter_map(|rest| rest.split([']', ')', ' ', '\n']).next());
    let known = words.filter_map(|word| {
        CODES.iter().find(|(known, _)| known.eq_ignore_ascii_case(word)).map(|(known, _)| *known)
    });
    known.collect()
}

/// The meanings of status words.
const STATUSES: [(&str, &str); 8] = [
    ("OK", "The command succeeded."),
    ("+OK", "The command succeeded."),
    ("NO", "The command failed."),
    ("-ERR", "The command failed."),
    ("BAD", "The command is not known, or wrong."),
    ("BYE", "The server closes the connection."),
    ("PREAUTH", "The client is logged in from the start."),
    ("+", "The server waits for the client to go on."),
];

/// The status word of a reply, its meaning, and the protocol that it belongs to. A status that
/// comes after a tag is one of IMAP.
pub(super) fn status(reply: &str) -> Option<(&'static str, &'static str, Speech)> {
    let mut words = reply.split([' ', '(']).map(str::to_uppercase);
    let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let of = |word: &str, is_tagged: bool| {
        let speech = Speech::ALL.into_iter().find(|speech| {
            let facts = speech.facts();
            facts.has_tags == is_tagged && facts.statuses.contains(&word)
        })?;
        let (word, meaning) = STATUSES.into_iter().find(|(known, _)| *known == word)?;
        Some((word, meaning, speech))
    };
    of(&first, false).or_else(|| of(&second, true))
}
