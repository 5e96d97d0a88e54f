//! Values in decoded SASL challenges and responses that either side makes up anew for each
//! exchange.

use super::{Preset, scope};

pub(super) const PRESETS: &[Preset] = &[
    Preset {
        name: "scram.nonce",
        group: "ids",
        token: "NONCE",
        numbered: true,
        scope: scope::MEANING,
        regex: r"(?:^|,)r=(?P<v>[^,]+)",
        samples: &[
            ("n,,n=user,r=rOprNGfwEbeRWgbNEkqO", "rOprNGfwEbeRWgbNEkqO"),
            ("r=fyko3rfc,s=QSXCR+Q6sek8bf92,i=4096", "fyko3rfc"),
        ],
        others: &["Username:"],
    },
    Preset {
        name: "scram.salt",
        group: "ids",
        token: "SALT",
        numbered: true,
        scope: scope::MEANING,
        regex: r"(?:^|,)s=(?P<v>[^,\s]+),i=\d",
        samples: &[("r=fyko3rfc,s=QSXCR+Q6sek8bf92,i=4096", "QSXCR+Q6sek8bf92")],
        others: &["user=a,s=b"],
    },
    Preset {
        name: "scram.signature",
        group: "ids",
        token: "SIGNATURE",
        numbered: true,
        scope: scope::MEANING,
        regex: r"^v=(?P<v>[A-Za-z0-9+/]+=*)$",
        samples: &[("v=rmF9pqV8S7suAoZWja4dJRkFsKQ=", "rmF9pqV8S7suAoZWja4dJRkFsKQ=")],
        others: &["v=1, a=b"],
    },
    Preset {
        name: "digest.nonce",
        group: "ids",
        token: "NONCE",
        numbered: true,
        scope: scope::MEANING,
        regex: r#"(?i)(?:^|,\s*)c?nonce="(?P<v>[^"]+)""#,
        samples: &[
            (r#"realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",qop="auth""#, "OA6MG9tEQGm2hh"),
            (r#"username="chris",cnonce="OA6MHXh6VqTrRk""#, "OA6MHXh6VqTrRk"),
        ],
        others: &[r#"realm="nonce""#],
    },
    Preset {
        name: "digest.rspauth",
        group: "ids",
        token: "RSPAUTH",
        numbered: true,
        scope: scope::MEANING,
        regex: r"(?i)\brspauth=(?P<v>[0-9a-f]{32})\b",
        samples: &[(
            "rspauth=ea40f60335c427b5527b84dbabcdfffd",
            "ea40f60335c427b5527b84dbabcdfffd",
        )],
        others: &["rspauth=none"],
    },
    Preset {
        name: "cram.challenge",
        group: "ids",
        token: "CHALLENGE",
        numbered: true,
        scope: scope::MEANING,
        regex: r"^<(?P<v>[^<>\s@]+)@[^<>\s]+>$",
        samples: &[("<1896.697170952@postoffice.reston.mci.net>", "1896.697170952")],
        others: &["Password:"],
    },
    Preset {
        name: "sasl.size",
        group: "ids",
        token: "SIZE",
        numbered: false,
        scope: scope::SIEVE_AUTH,
        // The size of the challenge or response, which varies because both are made up anew for
        // each exchange.
        regex: r"^\{(?P<v>\d+)\+?\}$",
        samples: &[("{84}", "84"), ("{84+}", "84")],
        others: &["NO {123}"],
    },
];
