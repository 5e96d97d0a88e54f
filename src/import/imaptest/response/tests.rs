//! Which lines the regexes of responses match.

use super::*;
use crate::pattern::Pattern;

fn holds(response: &str, line: &str) -> bool {
    let written = untagged(response, &BTreeSet::new());
    Pattern::regex(&written.regex).unwrap().matches(line.as_bytes()).is_some()
}

/// Checks which lines a response matches; those that it must not match begin with `!`.
fn check(response: &str, lines: &[&str]) {
    for line in lines {
        let (line, wanted) = line.strip_prefix('!').map_or((*line, true), |line| (line, false));
        assert_eq!(holds(response, line), wanted, "{response}: {line}");
    }
}

#[test]
fn a_response_reaches_to_the_end_of_the_line() {
    check("2 exists", &["* 2 EXISTS", "!* 2 EXISTS x", "!* 12 EXISTS", "!* OK a\r\n* 2 EXISTS"]);
    check("search 1 2", &["* SEARCH 1 2", "!* SEARCH 2 1", "!* SEARCH 1 2 3"]);
    check("ok [unseen 1]", &["* OK [UNSEEN 1] first", "!* OK [UNSEEN 2] first"]);
    check(
        "ok [capability $] re${case:ady}",
        &["* OK [CAPABILITY A B] ready now", "!* OK [CAPABILITY A] reADY"],
    );
}

#[test]
fn the_flags_of_a_mailbox_come_in_any_order_and_with_others() {
    let one = "list (\\haschildren) \"/\" foo";
    check(
        one,
        &["* LIST (\\HasChildren) \"/\" foo", "* LIST (\\A \\HasChildren \\B) \"/\" \"foo\""],
    );
    check(
        one,
        &[
            "!* LIST () \"/\" foo",
            "!* LIST (\\HasChildrenX) \"/\" foo",
            "!* LIST (\\HasChildren) \"/\" foo/bar",
        ],
    );
    check(
        "lsub () \"/\" foo",
        &["* LSUB () \"/\" foo", "* LSUB (\\A \\B) \"/\" foo", "!* LSUB () NIL foo"],
    );
    let two = "list (\\a \\b) nil \"a b\"";
    check(two, &["* LIST (\\B \\C \\A) NIL \"a b\"", "!* LIST (\\A \\C) NIL \"a b\""]);
    check("list ($!ordered \\a) \"/\" x", &["* LIST (\\A) \"/\" x", "!* LIST (\\B \\A) \"/\" x"]);
    let few = "list ($!unordered $!noextra $!ignore=\\c \\a \\b) \"/\" x";
    check(
        few,
        &[
            "* LIST (\\C \\B \\A) \"/\" x",
            "!* LIST (\\B \\A \\D) \"/\" x",
            "!* LIST (\\C \\A) \"/\" x",
        ],
    );
}

#[test]
fn the_items_of_a_status_come_in_any_order_and_with_others() {
    let status = "status box (messages 3 unseen 2)";
    check(
        status,
        &[
            "* STATUS box (UNSEEN 2 MESSAGES 3)",
            "* STATUS \"box\" (A 1 MESSAGES 3 B (x) UNSEEN 2 C 1)",
        ],
    );
    check(
        status,
        &[
            "!* STATUS box (UNSEEN 3 MESSAGES 2)",
            "!* STATUS box (MESSAGES 3 UNSEEN 21)",
            "!* STATUS x (MESSAGES 3 UNSEEN 2)",
        ],
    );
    check("status box ()", &["* STATUS box ()", "* STATUS box (MESSAGES 1)"]);
    let four = "status box (a 1 b 2 c 3 d 4)";
    check(
        four,
        &[
            "* STATUS box (D 4 X 9 C 3 B 2 A 1)",
            "!* STATUS box (D 4 C 3 B 2)",
            "!* STATUS box (D 4 C 3 B 2 A 11)",
        ],
    );
    check(four, &["* STATUS box (X 0 A 1 B 2 C 3 D 4 Y 0)"]);
}

#[test]
fn the_items_of_a_fetch_come_in_any_order_and_its_flags_with_recent() {
    let fetch = "1 fetch (uid 5 flags (\\seen))";
    check(
        fetch,
        &[
            "* 1 FETCH (FLAGS (\\Seen \\Recent) UID 5)",
            "* 1 FETCH (UID 5 FLAGS (\\Seen) BODY[] {3}\r\na)b)",
        ],
    );
    check(
        fetch,
        &[
            "!* 1 FETCH (UID 55 FLAGS (\\Seen))",
            "!* 1 FETCH (UID 5 FLAGS (\\Seen \\Deleted))",
            "!* 1 FETCH (UID 5)",
        ],
    );
    check(
        "1 fetch (flags ())",
        &["* 1 FETCH (FLAGS ())", "* 1 FETCH (FLAGS (\\Recent))", "!* 1 FETCH (FLAGS (\\Seen))"],
    );
    let flags = "1 fetch (flags (a b c d))";
    check(
        flags,
        &[
            "* 1 FETCH (FLAGS (d \\Recent c b a))",
            "!* 1 FETCH (FLAGS (d c b))",
            "!* 1 FETCH (FLAGS (a b c d e))",
        ],
    );
    check(
        "1 fetch ($!ordered uid 5 flags $)",
        &["* 1 FETCH (UID 5 FLAGS (\\Seen))", "!* 1 FETCH (FLAGS (\\Seen) UID 5)"],
    );
    check(
        "1 fetch (envelope $ uid 5)",
        &["* 1 FETCH (UID 5 ENVELOPE (\"a\" ((NIL NIL \"b\" \"c\"))))"],
    );
    let bound = "1 fetch (uid $uid body[header.fields (from)] {3})";
    check(bound, &["* 1 FETCH (BODY[HEADER.FIELDS (FROM)] {3} UID 77)", "!* 1 FETCH (UID 77)"]);
}

#[test]
fn what_a_regex_cannot_say_is_noted() {
    let notes = |response| untagged(response, &BTreeSet::new()).notes.join("; ");
    assert_eq!(notes("1 fetch (uid $uid)"), "");
    assert_eq!(
        notes("list ($!unordered $!ban=\\a) \"/\" x"),
        "$!ban=\\a is left out: the script takes \\a, too"
    );
    assert!(notes("$1 expunge").starts_with("$1 is any number"));
    assert!(notes("1 fetch (uid $uid flags ())").starts_with("the script counts the 2 items"));
    assert!(notes("status x (a 1 b)").contains("no whole number of items"));
    assert!(notes("esearch (tag $tag) all 1").starts_with("$tag is any tag"));
}
