//! The meanings of SMTP codes: basic codes of RFC 5321 section 4.2.3 and its extensions, and
//! enhanced codes of RFC 3463 and the registry of RFC 5248.

/// The meanings of basic codes.
const BASIC: [(u16, &str); 38] = [
    (211, "System status, or help on the system."),
    (214, "Help for a person."),
    (220, "The service is ready: the greeting, or go ahead after STARTTLS."),
    (221, "The server closes the connection."),
    (235, "Authentication succeeded (RFC 4954)."),
    (250, "Done."),
    (251, "The user is not local; the server forwards the message."),
    (252, "The server cannot verify the user, and takes the message all the same."),
    (334, "The server's challenge, in base64: the exchange of AUTH continues (RFC 4954)."),
    (353, "A reply for each recipient follows (PRDR)."),
    (354, "Send the message, and end it with a dot on a line of its own."),
    (
        421,
        "The service is not available, and the server closes the connection: it is too busy, shuts down, or has had enough of this client.",
    ),
    (432, "The password has to be changed first (RFC 4954)."),
    (
        450,
        "The mailbox is not available for now: it is locked, or the server tests whether the client tries again (greylisting).",
    ),
    (451, "The server has a local error, or defers by its policy (greylisting); try again later."),
    (452, "The server has too little space for now, or takes no more recipients for this message."),
    (
        454,
        "TLS is not available for now (RFC 3207), authentication failed for now (RFC 4954), or relaying is refused for now (Postfix).",
    ),
    (455, "The parameters cannot be accepted for now."),
    (500, "The command is not known, or too long."),
    (501, "The parameters or arguments are wrong."),
    (502, "The command is known and not implemented."),
    (
        503,
        "The command comes at the wrong time: another has to come before it, or AUTH is not available here.",
    ),
    (504, "The parameter, or the AUTH mechanism, is not implemented."),
    (521, "The host takes no mail (RFC 7504)."),
    (523, "The message is too large for this recipient."),
    (524, "The address of the mailing list cannot be expanded."),
    (530, "Authentication, or TLS before it, is required first (RFC 4954, 3207)."),
    (534, "The mechanism is too weak (RFC 4954)."),
    (535, "The credentials are wrong (RFC 4954)."),
    (538, "The mechanism needs TLS first (RFC 4954)."),
    (541, "The recipient refuses the message as spam."),
    (
        550,
        "Refused: there is no such mailbox, it may not be used, or the policy forbids it (relaying above all).",
    ),
    (551, "The user is not local; another address is to be tried."),
    (552, "The message takes more space than is allowed."),
    (553, "The name of the mailbox is not allowed, or the sender may not use it."),
    (
        554,
        "The transaction failed; as a greeting: no service for this client. Postfix refuses relaying so.",
    ),
    (555, "A parameter of MAIL or RCPT is not known."),
    (556, "The domain takes no mail (RFC 7504)."),
];

/// The meanings of enhanced codes, by subject and detail.
const ENHANCED: [(&str, &str); 78] = [
    ("1.0", "Another problem with an address."),
    ("1.1", "There is no such mailbox."),
    ("1.2", "There is no such domain, or it cannot take mail."),
    ("1.3", "The recipient's address is not well formed."),
    ("1.4", "The recipient's address is ambiguous."),
    ("1.5", "The recipient's address is valid."),
    ("1.6", "The mailbox has moved, and left no address."),
    ("1.7", "The sender's address is not well formed."),
    ("1.8", "The sender's domain does not exist, or takes no mail."),
    ("1.9", "The message was relayed to a system that does not say what becomes of it."),
    ("1.10", "The recipient's domain says that it takes no mail (null MX, RFC 7505)."),
    ("2.0", "Another problem with a mailbox."),
    ("2.1", "The mailbox is disabled."),
    ("2.2", "The mailbox is full."),
    ("2.3", "The message is longer than the mailbox takes."),
    ("2.4", "The mailing list cannot be expanded."),
    ("3.0", "Another problem with the mail system."),
    ("3.1", "The mail system is full."),
    ("3.2", "The system takes no mail for now."),
    ("3.3", "The system cannot do what the message needs."),
    ("3.4", "The message is too large for the system."),
    ("3.5", "The system is not set up right."),
    ("3.6", "The priority was changed."),
    ("4.0", "Another problem of network or routing."),
    ("4.1", "The next host does not answer."),
    ("4.2", "The connection is bad."),
    ("4.3", "The directory that routes mail failed."),
    ("4.4", "No route to the next host was found."),
    ("4.5", "The mail system is congested."),
    ("4.6", "The message goes round in a loop."),
    ("4.7", "The message was in the queue for too long."),
    ("5.0", "Another problem of the protocol."),
    ("5.1", "The command is not known, or comes at the wrong time."),
    ("5.2", "The syntax is wrong."),
    ("5.3", "The message has too many recipients."),
    ("5.4", "The arguments of the command are wrong."),
    ("5.5", "The versions of the protocol differ."),
    ("5.6", "The line of the AUTH exchange is too long."),
    ("6.0", "Another problem with the message."),
    ("6.1", "The kind of its content is not supported."),
    ("6.2", "Its content has to be converted, which is forbidden."),
    ("6.3", "Its content has to be converted, which is not supported."),
    ("6.4", "Its content was converted, with losses."),
    ("6.5", "Its content could not be converted."),
    ("6.6", "Its content is not available."),
    ("6.7", "Addresses in UTF-8 are not allowed here."),
    ("6.8", "The reply needs UTF-8, which the client does not take."),
    ("6.9", "The header in UTF-8 could not be carried over."),
    ("7.0", "Another problem of security."),
    (
        "7.1",
        "The sender is not authorised to send this here: relaying is denied, or a policy refuses the message.",
    ),
    ("7.2", "The sender may not post to this mailing list."),
    ("7.3", "The security of the message cannot be converted."),
    ("7.4", "The security feature is not supported."),
    ("7.5", "A cryptographic check failed."),
    ("7.6", "The cryptographic algorithm is not supported."),
    ("7.7", "The message was changed, or its integrity could not be checked."),
    ("7.8", "The credentials are wrong."),
    ("7.9", "The mechanism is too weak."),
    ("7.10", "TLS is needed first."),
    ("7.11", "The mechanism needs encryption."),
    ("7.12", "The password has to be changed first."),
    ("7.13", "The account is disabled."),
    ("7.14", "A trust relationship is needed."),
    ("7.15", "The priority is too low for now."),
    ("7.16", "The message is too large for its priority."),
    ("7.17", "The mailbox has had another owner since."),
    ("7.18", "The domain has had another owner since."),
    ("7.20", "No DKIM signature passes."),
    ("7.21", "No acceptable DKIM signature was found."),
    ("7.22", "No DKIM signature of the author's domain passes."),
    ("7.23", "SPF says that this client may not send for the domain."),
    ("7.24", "SPF could not be checked."),
    ("7.25", "The client's address has no name that leads back to it (reverse DNS)."),
    ("7.26", "Several checks of authentication failed (DMARC)."),
    ("7.27", "The sender's domain takes no mail (null MX)."),
    ("7.28", "Too much mail comes from this source."),
    ("7.29", "The ARC chain does not pass."),
    ("7.30", "The recipient requires TLS (REQUIRETLS)."),
];

/// The details that have a meaning in a success. The others are of problems: 2.7.0 is what Postfix
/// says after AUTH.
const OF_SUCCESS: [&str; 4] = ["1.5", "1.9", "3.6", "6.4"];

/// The subjects of enhanced codes (RFC 3463 section 4).
const SUBJECTS: [(&str, &str); 8] = [
    ("0", "no subject in particular"),
    ("1", "an address"),
    ("2", "a mailbox"),
    ("3", "the mail system"),
    ("4", "network or routing"),
    ("5", "the protocol"),
    ("6", "the message"),
    ("7", "security or policy"),
];

/// The meaning of the first digit (RFC 5321 section 4.2.1).
fn class(digit: u8) -> &'static str {
    match digit {
        b'2' => "It succeeded.",
        b'3' => "It is not over: the server waits for more.",
        b'4' => "It failed for now: the same may succeed later.",
        _ => "It is refused for good: the same will fail again.",
    }
}

/// Explains a basic code. A code that is in no RFC is explained by its first digit.
pub(super) fn basic(code: u16) -> String {
    let known = BASIC.iter().find(|(known, _)| *known == code);
    let class = class(code.to_string().bytes().next().unwrap_or(b'5'));
    known.map_or_else(
        || format!("{class} The code itself is the server's own."),
        |(_, meaning)| format!("{class} {meaning}"),
    )
}

/// Explains an enhanced code. A code that is not registered is explained by its subject.
pub(super) fn enhanced(code: &str) -> String {
    let detail = code.split_once('.').map_or("", |(_, detail)| detail);
    if detail == "0.0" {
        return "Nothing more is said than by the code before it (RFC 3463).".to_owned();
    }
    let subject = detail.split('.').next().unwrap_or_default();
    let subject = SUBJECTS.iter().find(|(known, _)| *known == subject);
    let subject = subject.map_or("something of the server's own", |(_, subject)| subject);
    if code.starts_with('2') && !OF_SUCCESS.contains(&detail) {
        return format!("It succeeded, and is about {subject} (RFC 3463)");
    }
    if let Some((_, meaning)) = ENHANCED.iter().find(|(known, _)| *known == detail) {
        return format!("{meaning} (RFC 3463)");
    }
    format!("It is about {subject}; the detail is not registered.")
}
