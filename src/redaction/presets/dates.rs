//! Dates and times in the formats used in mail.

use super::{Preset, scope};

pub(super) const PRESETS: &[Preset] = &[
    Preset {
        name: "date.rfc5322",
        group: "dates",
        token: "DATE",
        numbered: false,
        scope: scope::ANYWHERE,
        regex: r"(?P<v>(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),\s+)?\d{1,2}\s+(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\s+\d{2,4}\s+\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:\s+(?:[+-]\d{2}:?\d{2}|UTC?\b|MSK\b|[A-Z]{2,4}T\b|Z\b|[A-IK-Z]\b)(?:\s+\([^()\s]{1,40}\))?)?)",
        samples: &[
            (
                "220 host.example.com ESMTP Sendmail 8.13.8/8.13.8; Thu, 13 Oct 2011 14:44:27 +0900",
                "Thu, 13 Oct 2011 14:44:27 +0900",
            ),
            (
                "     for <x>; Sun, 19 Jan 2014 00:38:18 +0900 (JST)",
                "Sun, 19 Jan 2014 00:38:18 +0900 (JST)",
            ),
            ("Date: 2 Mar 1999 09:44 GMT", "2 Mar 1999 09:44 GMT"),
            (
                "220 at Thu, 13 Oct 2011 14:44:27.123 CEST ready",
                "Thu, 13 Oct 2011 14:44:27.123 CEST",
            ),
            ("220 Thu, 13 Oct 2011 14:44:27 +09:00", "Thu, 13 Oct 2011 14:44:27 +09:00"),
            ("220 Thu, 13 Oct 2011 14:44:27; ESMTP", "Thu, 13 Oct 2011 14:44:27"),
            ("220 Thu, 13 Oct 2011 14:44:27 ESMTP", "Thu, 13 Oct 2011 14:44:27"),
        ],
        others: &[],
    },
    Preset {
        name: "date.imap_internal",
        group: "dates",
        token: "INTERNALDATE",
        numbered: false,
        scope: scope::ANYWHERE,
        regex: r#""(?P<v>[ \d]\d-(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)-\d{4} \d{2}:\d{2}:\d{2} [+-]\d{4})""#,
        samples: &[
            (
                r#"* 1 FETCH (INTERNALDATE "19-Jan-2014 00:38:18 +0900")"#,
                "19-Jan-2014 00:38:18 +0900",
            ),
            (r#"X " 7-Feb-1994 21:52:25 -0800""#, " 7-Feb-1994 21:52:25 -0800"),
        ],
        others: &[],
    },
    Preset {
        name: "date.syslog",
        group: "dates",
        token: "LOGTIME",
        numbered: false,
        scope: scope::LOG,
        regex: r"^(?P<v>(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ \d]\d \d{2}:\d{2}:\d{2})\s",
        samples: &[("Jan 18 22:26:33 example dovecot-auth: x", "Jan 18 22:26:33")],
        others: &[],
    },
    Preset {
        name: "date.rfc3339",
        group: "dates",
        token: "TIMESTAMP",
        numbered: false,
        scope: scope::ANYWHERE,
        regex: r"\b(?P<v>\d{4}[-/]\d{2}[-/]\d{2}[T ]\d{2}:\d{2}:\d{2}(?:[.,]\d+)?(?:Z|[+-]\d{2}:?\d{2}| (?:UTC|GMT|[+-]\d{4}\b)(?: UTC)?)?)",
        samples: &[
            ("2021-01-26T17:47:29.762763+01:00 INFO postfix", "2021-01-26T17:47:29.762763+01:00"),
            ("220 ready at 2021/01/26 17:47:29", "2021/01/26 17:47:29"),
            ("220 2021-01-26 17:47:29.1 +0100 CET", "2021-01-26 17:47:29.1 +0100"),
        ],
        others: &[],
    },
    Preset {
        name: "date.slashes",
        group: "dates",
        token: "DATE",
        numbered: false,
        scope: scope::ANYWHERE,
        regex: r"\b(?P<v>\d{1,2}[/.]\d{1,2}[/.]\d{2,4},? \d{1,2}:\d{2}(?::\d{2})?(?: ?[AaPp][Mm]\b)?)",
        samples: &[
            ("220 mail.example ESMTP; 10/13/2011 2:44:27 PM", "10/13/2011 2:44:27 PM"),
            ("220 mail.example ESMTP 10/13/11 14:44:27", "10/13/11 14:44:27"),
        ],
        others: &["220 Sendmail 8.13.8/8.13.8"],
    },
    Preset {
        name: "date.ctime",
        group: "dates",
        token: "CTIME",
        numbered: false,
        scope: scope::ANYWHERE,
        regex: r"\b(?P<v>(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ \d]?\d (?:\d{2}:\d{2}:\d{2}(?:[.,]\d+)?(?: (?:[A-Z]{2,4}T|UTC|MSK|[+-]\d{4}))? \d{4}|\d{4} \d{2}:\d{2}:\d{2}(?: (?:GMT|UTC)(?:[+-]\d{4})?)?(?: \([^()]{1,40}\))?))",
        samples: &[
            ("From user@x Tue Mar  2 09:44:33 1999", "Tue Mar  2 09:44:33 1999"),
            ("220 Tue Mar  2 09:44:33 CET 1999", "Tue Mar  2 09:44:33 CET 1999"),
            (
                "220 Tue Mar 02 1999 09:44:33 GMT+0900 (Japan Standard Time)",
                "Tue Mar 02 1999 09:44:33 GMT+0900 (Japan Standard Time)",
            ),
        ],
        others: &[],
    },
];
