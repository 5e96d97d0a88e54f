//! Identifiers in the reply to the end of a message, in any form: a server that accepts a message
//! says here which identifier it gave the message.
//!
//! Places tell identifiers apart from other words: after `queued as`, as the first word, as the last
//! one after `OK`. A rule matches whatever stands in its place, whether it has digits or not, because
//! a random identifier may have none; its scope spares ordinary words. Without a place that tells,
//! only a mixture of letters and digits is taken for an identifier.

use super::{Preset, scope};
use crate::redaction::spared::Spared;

/// A word that is long enough for an identifier where other words may stand, too.
macro_rules! word {
    () => {
        "(?P<v>[A-Za-z0-9+/_-][A-Za-z0-9+/=_-]{7,})"
    };
}

/// What a server says of a message that it accepts.
macro_rules! status {
    () => {
        r"(?:ok|okay|accepted|queued|enqueued|received|stored|saved|spooled|submitted|delivered|delivery|completed?|success(?:ful|fully)?|done|sent|taken)"
    };
}

/// Quotes and brackets around an identifier.
macro_rules! opened {
    () => {
        r#"["'<(\[{]*"#
    };
}
macro_rules! closed {
    () => {
        r#"["'>)\]}.,;]*"#
    };
}

pub(super) const PRESETS: &[Preset] = &[
    Preset {
        name: "queue.host",
        group: "ids",
        token: "HOST",
        numbered: true,
        scope: scope::TAKEN,
        regex: r"(?i)^2\d\d .*\bqueued (?:on|at|by) (?P<v>[a-z0-9-]+\.[a-z0-9.-]+) (?:as |\d{10}-)",
        samples: &[(
            "250 2.0.0 Ok: queued on smtp3m.example.test as 1430081058-6ltgNFKSir-iHEKdOrm",
            "smtp3m.example.test",
        )],
        others: &["250 Ok: queued as 12345"],
    },
    Preset {
        name: "queue.on",
        group: "ids",
        token: "QUEUE_ID",
        numbered: true,
        scope: scope::ACCEPTED,
        // The time and two random words, as Yandex has it.
        regex: r"(?i)\bqueued (?:on|at|by) \S+ (?P<v>\d{10}-[0-9a-z]+(?:-[0-9a-z]+)?)$",
        samples: &[(
            "250 2.0.0 Ok: queued on mx1.example.test 1733000000-aBcDeFgHiK-x1Y2z3W4",
            "1733000000-aBcDeFgHiK-x1Y2z3W4",
        )],
        others: &["250 2.0.0 Ok: queued on mx1.example.test 12-2024"],
    },
    Preset {
        name: "queue.counted",
        group: "ids",
        token: "QUEUE_ID",
        numbered: true,
        scope: scope::ACCEPTED,
        // The host, the time and two counters, as messagelabs has it.
        regex: r"[ :](?P<v>[A-Za-z0-9.-]+!\d{10}!\d+!\d+)$",
        samples: &[(
            "250 ok 1733000000 server-1.example.test!1733000000!1234567!1",
            "server-1.example.test!1733000000!1234567!1",
        )],
        others: &["250 ok!1!2"],
    },
    Preset {
        name: "queue.as",
        group: "ids",
        token: "QUEUE_ID",
        numbered: true,
        scope: scope::ACCEPTED.sparing(Spared::Prose),
        regex: concat!(
            r"(?i)\b(?:queued|enqueued|accepted|stored|saved|spooled|received|submitted|delivered|delivery)\b[^,;:()]*?\bas:? +",
            opened!(),
            r#"(?P<v>[^\s"'<>()\[\]]+?(?: +[12]\d{9})?)"#,
            closed!(),
            r"(?:\s|$)"
        ),
        samples: &[
            ("250 2.0.0 Ok: queued as BT8kq2tEFBnkJZQwZzqyGd", "BT8kq2tEFBnkJZQwZzqyGd"),
            (
                "250 Ok: queued as rF8sl5dTqHEVlZPaXnVx8YcxaCVxiR-JKH6kgGLVqmQ=@mailhog.example",
                "rF8sl5dTqHEVlZPaXnVx8YcxaCVxiR-JKH6kgGLVqmQ=@mailhog.example",
            ),
            (
                "250 Mail OK queued as smtp14,EsCowECpdV1WQ0FUuRf2BQ--.1381S2 1413563633",
                "smtp14,EsCowECpdV1WQ0FUuRf2BQ--.1381S2 1413563633",
            ),
            (
                "250 2.0.0 Ok: queued on smtp3m.example.test as 1430081058-6ltgNFKSir-iHEKdOrm",
                "1430081058-6ltgNFKSir-iHEKdOrm",
            ),
            ("250 accepted for delivery as <4711.8@mx.example.test>.", "4711.8@mx.example.test"),
            ("250 Ok: queued as 4711", "4711"),
            ("250 Ok: queued as FACEBEEF", "FACEBEEF"),
            ("250 Queued mail for delivery as AbCdEfGhIjKlMnOpQr.", "AbCdEfGhIjKlMnOpQr"),
        ],
        others: &[
            "250 2.0.0 Ok: queued as mail",
            "250 taken as it is",
            "250 accepted as requested",
            "250 accepted, authenticated as alice",
        ],
    },
    Preset {
        name: "queue.id",
        group: "ids",
        token: "QUEUE_ID",
        numbered: true,
        scope: scope::ACCEPTED.sparing(Spared::Prose),
        regex: concat!(
            r#"(?i)(?:\b(?:message|msg|mail|email|queue|transaction|tracking|envelope|session|delivery|submission|request|uu|gu)[-_ ]?id["']?[ :=#]+|\bid["']?[:=#]+ ?|\b(?:with|under|under the|new|its|assigned) id[ :=#]+)(?:is |was )?"#,
            opened!(),
            r#"(?P<v>[^\s"'<>()\[\],;]+?)"#,
            closed!(),
            r"(?:[\s,;]|$)"
        ),
        samples: &[
            ("250 OK id=1xUzo8-0004zI-1P", "1xUzo8-0004zI-1P"),
            ("250 Requested mail action okay, completed: id=0LqXyz-1a2b3c", "0LqXyz-1a2b3c"),
            ("250 2.5.0 Ok, envelope id 0ABC00101@mx.example.test", "0ABC00101@mx.example.test"),
            ("250 {\"id\":\"5f8a01\"}", "5f8a01"),
            ("250 Message queued with id 4711.", "4711"),
            ("250 OK id=facade", "facade"),
            ("250 Message id is abcdef", "abcdef"),
        ],
        others: &["250 2.0.0 user id 12345678 is known", "250 Message id accepted"],
    },
    Preset {
        name: "queue.message",
        group: "ids",
        token: "QUEUE_ID",
        numbered: true,
        scope: scope::ACCEPTED.sparing(Spared::Prose),
        regex: concat!(
            r"(?i)\b(?:message|mail) #?",
            opened!(),
            "(?P<v>[A-Za-z0-9+/_-][A-Za-z0-9+/=_-]{3,})",
            closed!(),
            r" (?:(?:is|was|has been) )?(?:accepted|queued|received|stored|saved)\b"
        ),
        samples: &[
            ("250 ok:  Message 12345678 accepted", "12345678"),
            ("250 Message abcdabcd was queued", "abcdabcd"),
        ],
        others: &["250 2.0.0 ok (10485760)", "250 Message successfully queued"],
    },
    Preset {
        name: "queue.first",
        group: "ids",
        token: "QUEUE_ID",
        numbered: true,
        scope: scope::ACCEPTED.sparing(Spared::ProseAndSizes),
        regex: concat!(
            r"(?i)^2\d\d[ -](?:2\.\d{1,3}\.\d{1,3}:? )? *",
            opened!(),
            word!(),
            closed!(),
            r"(?:\s*$|\s+(?:message|mail|",
            status!(),
            r")\b)"
        ),
        samples: &[
            ("250 2.0.0 2xyz3abcde-1 Message accepted for delivery", "2xyz3abcde-1"),
            ("250 deadbeef", "deadbeef"),
        ],
        others: &[
            "250 Requested mail action okay, completed",
            "250 Delivered",
            "250 mx1.example.test accepted it",
        ],
    },
    Preset {
        name: "queue.last",
        group: "ids",
        token: "QUEUE_ID",
        numbered: true,
        scope: scope::ACCEPTED.sparing(Spared::ProseAndSizes),
        regex: concat!(
            r"(?i)(?:\b",
            status!(),
            r"[.:,;!]* +(?:[-=]+ +)?|[:#] +| \()",
            opened!(),
            word!(),
            closed!(),
            r"(?:\s*$|\s+",
            status!(),
            r"\b)"
        ),
        samples: &[
            ("250 2.0.0 OK: queued 2K6C7TNVWUIRJYGYXJ6K4TYT", "2K6C7TNVWUIRJYGYXJ6K4TYT"),
            ("250 OK 13572468", "13572468"),
            ("250 OK - FACEBEEF", "FACEBEEF"),
            ("250 Accepted (ctfjgpljabcd)", "ctfjgpljabcd"),
            ("250 Message accepted for delivery. (ctfjgpljabcd).", "ctfjgpljabcd"),
            ("250 The message is here: <ctfjgplj>", "ctfjgplj"),
            ("250 OK deadbeef queued", "deadbeef"),
        ],
        others: &[
            "250 2.0.0 mx1.example.test took it, ESMTPS, TLSv1.3",
            "250 ok (unauthenticated)",
            "250 ok (10485760)",
            "250 OK thanks",
            "250 ok 12345678 bytes",
            "250 queued for delivery to postmaster",
        ],
    },
    Preset {
        name: "queue.address",
        group: "ids",
        token: "QUEUE_ID",
        numbered: true,
        scope: scope::TAKEN.sparing(Spared::Addresses),
        regex: r"(?:^2\d\d (?:2\.\d+\.\d+ )?|[\s:(\[<=])(?P<v>[A-Za-z0-9][A-Za-z0-9+/=_.-]{7,}@[A-Za-z0-9.-]+)",
        samples: &[(
            "250 SmtpThread-1234567-1536057100728@mta-185.example.test Received OK",
            "SmtpThread-1234567-1536057100728@mta-185.example.test",
        )],
        others: &[
            "250 2.0.0 <kim.smith42@example.test> saved",
            "250 ok, mailer-daemon@example.test",
        ],
    },
    Preset {
        name: "queue.enclosed",
        group: "ids",
        token: "QUEUE_ID",
        numbered: true,
        scope: scope::TAKEN.sparing(Spared::Names),
        // Outside of brackets, words with dots are names of hosts, versions and ends of sentences.
        regex: r"[(\[<{](?P<v>[A-Za-z0-9+/=_-]+(?:\.[A-Za-z0-9+/=_-]+)+)[)\]>}]",
        samples: &[(
            "250 Received OK [58upEp8r8jpqNKv2TXzKDu.us185]",
            "58upEp8r8jpqNKv2TXzKDu.us185",
        )],
        others: &["250 ok (mx1.example.test)", "250 ok [192.0.2.1]", "250 taken (v2.4.17)"],
    },
    Preset {
        name: "queue.opaque",
        group: "ids",
        token: "QUEUE_ID",
        numbered: true,
        scope: scope::TAKEN.sparing(Spared::Names),
        // A word of letters and digits that is unlikely in prose.
        regex: r"(?:^2\d\d (?:2\.\d+\.\d+ )?|[\s:(\[<=])(?P<v>(?:[A-Za-z]+[0-9]|[0-9]+[A-Za-z])[A-Za-z0-9+/=_-]*)(?:[\s)\]>,;:]|\.?$|\.\s)",
        samples: &[("250 2.0.0 Here is 2xyz3abcde-1 on time", "2xyz3abcde-1")],
        others: &[
            "250 2.0.0 mx1.example.test took it, ESMTPS, TLSv1.3",
            "250 2.0.0 taken by mail-relay-01 with AES256-SHA384",
            "250 ok (unauthenticated)",
        ],
    },
];
