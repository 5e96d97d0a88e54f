//! Secrets, which nobody may read. These presets cannot be turned off.

use super::{Preset, scope};

pub(super) const PRESETS: &[Preset] = &[
    Preset {
        name: "secret.auth_ir",
        group: "secrets",
        token: "SECRET",
        numbered: false,
        scope: scope::CLIENT,
        regex: r"(?i)^(?:\S+ )?AUTH(?:ENTICATE)? [A-Z0-9-]+ (?P<v>[A-Za-z0-9+/=]{2,})$",
        samples: &[
            ("AUTH PLAIN AHNhbXBsZQBwYXNzd29yZA==", "AHNhbXBsZQBwYXNzd29yZA=="),
            ("a1 AUTHENTICATE PLAIN AHQAdA==", "AHQAdA=="),
        ],
        others: &["AUTH LOGIN"],
    },
    Preset {
        name: "secret.pop3_pass",
        group: "secrets",
        token: "SECRET",
        numbered: false,
        scope: scope::CLIENT,
        regex: "(?i)^PASS (?P<v>.+)$",
        samples: &[("PASS password", "password")],
        others: &[],
    },
    Preset {
        name: "secret.pop3_apop",
        group: "secrets",
        token: "SECRET",
        numbered: false,
        scope: scope::CLIENT,
        regex: r"(?i)^APOP \S+ (?P<v>[0-9a-f]{32})$",
        samples: &[(
            "APOP mrose c4c9334bac560ecc979e58001b3e22fb",
            "c4c9334bac560ecc979e58001b3e22fb",
        )],
        others: &[],
    },
    Preset {
        name: "secret.imap_login",
        group: "secrets",
        token: "SECRET",
        numbered: false,
        scope: scope::CLIENT,
        regex: r#"(?i)^\S+ LOGIN (?:"[^"]*"|\S+) (?P<v>"[^"]*"|\S+)$"#,
        samples: &[("a1 LOGIN user1@localhost.localdomain mypassword", "mypassword")],
        others: &["250-AUTH DIGEST-MD5 PLAIN LOGIN CRAM-MD5"],
    },
];
