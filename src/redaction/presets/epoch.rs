//! Times as numbers. They are tried last, because many other values have a more distinctive form.

use super::{Preset, scope};

pub(super) const PRESETS: &[Preset] = &[Preset {
    name: "epoch",
    group: "dates",
    token: "EPOCH",
    numbered: false,
    scope: scope::TIMES,
    // Ten digits may be a size or a limit, so a number counts as a time only after a word that says
    // so.
    regex: r"(?i)(?:\b(?:at|since|until|till|time|timestamp|epoch|date|now|clock|expires?|expiry|created|queued|received|stamp)(?:=|: ?| )|[;,(\s]t=)(?P<v>\d{9,10}(?:\d{3})?(?:\.\d{1,9})?)(?:[).,;\]>]|$|\s+(?:[^\sbokmg]|$))",
    samples: &[
        ("received 1692480217", "1692480217"),
        ("421 busy until 2208988800.125, sorry", "2208988800.125"),
        ("time=1692480217123", "1692480217123"),
    ],
    others: &[
        "250 limit is 1073741824 bytes",
        "250 received 1073741824 bytes",
        "* OK [CAPABILITY APPENDLIMIT=1000000000]",
        "a1 OK [APPENDUID 1795323820 2] Append completed",
    ],
}];
