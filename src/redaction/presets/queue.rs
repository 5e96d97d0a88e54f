//! Identifiers in the reply to the end of a message, in any form: a server that accepts a message
//! says here which identifier it gave the message.

use super::{Preset, scope};

pub(super) const PRESETS: &[Preset] = &[
    Preset {
        name: "queue.host",
        group: "ids",
        token: "HOST",
        numbered: true,
        scope: scope::TAKEN,
        regex: r"(?i)^2\d\d .*\bqueued (?:on|at|by) (?P<v>[a-z0-9-]+\.[a-z0-9.-]+) as ",
        samples: &[(
            "250 2.0.0 Ok: queued on smtp3m.example.test as 1430081058-6ltgNFKSir-iHEKdOrm",
            "smtp3m.example.test",
        )],
        others: &["250 Ok: queued as 12345"],
    },
    Preset {
        name: "queue.as",
        group: "ids",
        token: "QUEUE_ID",
        numbered: true,
        scope: scope::TAKEN,
        regex: r#"(?i)^2\d\d .*\b(?:queued|enqueued|accepted|stored|saved|spooled|received|submitted|delivered|delivery)\b.*?\bas:? +["'<(\[]*(?P<v>[^\s"'<>()\[\]]*\d[^\s"'<>()\[\]]*?(?: +[12]\d{9})?|[^\s"'<>()\[\]]{16,}?)["'>)\].,;]*(?:\s|$)"#,
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
            ("250 Queued mail for delivery as AbCdEfGhIjKlMnOpQr.", "AbCdEfGhIjKlMnOpQr"),
        ],
        others: &["250 2.0.0 Ok: queued as mail", "250 taken as it is"],
    },
    Preset {
        name: "queue.id",
        group: "ids",
        token: "QUEUE_ID",
        numbered: true,
        scope: scope::TAKEN,
        regex: r#"(?i)^2\d\d .*?(?:\b(?:message|msg|mail|email|queue|transaction|tracking|envelope|session|delivery|submission|request|uu|gu)[-_ ]?id["']?[ :=#]+|\bid["']?[:=#]+ ?|\b(?:with|under|under the|new|its|assigned) id[ :=#]+)["'<(\[]*(?P<v>[^\s"'<>()\[\],;]*\d[^\s"'<>()\[\],;]*?)["'>)\].,;}]*(?:[\s,;]|$)"#,
        samples: &[
            ("250 OK id=1xUzo8-0004zI-1P", "1xUzo8-0004zI-1P"),
            ("250 Requested mail action okay, completed: id=0LqXyz-1a2b3c", "0LqXyz-1a2b3c"),
            ("250 2.5.0 Ok, envelope id 0ABC00101@mx.example.test", "0ABC00101@mx.example.test"),
            ("250 {\"id\":\"5f8a01\"}", "5f8a01"),
            ("250 Message queued with id 4711.", "4711"),
        ],
        others: &["250 2.0.0 user id 12345678 is known"],
    },
    Preset {
        name: "queue.number",
        group: "ids",
        token: "QUEUE_ID",
        numbered: true,
        scope: scope::TAKEN,
        regex: r"(?i)^2\d\d .*\b(?:message|mail) #?(?P<v>\d{4,}) (?:accepted|queued|received|stored|saved)",
        samples: &[("250 ok:  Message 12345678 accepted", "12345678")],
        others: &["250 2.0.0 ok (10485760)"],
    },
    Preset {
        name: "queue.opaque",
        group: "ids",
        token: "QUEUE_ID",
        numbered: true,
        scope: scope::TAKEN,
        // A word of letters and digits that is unlikely in prose.
        regex: r"(?:^2\d\d (?:2\.\d+\.\d+ )?|[\s:(\[<=])(?P<v>(?:[A-Za-z]{1,9}[0-9]|[0-9]{1,9}[A-Za-z])[A-Za-z0-9+/=_-]{6,}|[0-9a-f]{32,})(?:[\s)\]>,;:]|\.?$|\.\s)",
        samples: &[
            ("250 2.0.0 OK: queued 2K6C7TNVWUIRJYGYXJ6K4TYT", "2K6C7TNVWUIRJYGYXJ6K4TYT"),
            ("250 2.0.0 2xyz3abcde-1 Message accepted for delivery", "2xyz3abcde-1"),
        ],
        others: &[
            "250 2.0.0 mx1.example.test took it, ESMTPS, TLSv1.3",
            "250 ok (unauthenticated)",
        ],
    },
];
