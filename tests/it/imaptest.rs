//! `mailexpect import` of scripts of `ImapTest`: the scripts follow its rules for responses.

use mailexpect::server::Replay;

use crate::import::import;

/// Runs the script for a command, whose responses the server sends, and returns whether it passes.
fn passes(text: &str, command: &str, responses: &str) -> bool {
    let imported = import("rules.tst", &format!("state: nonauth\n\n{text}\n"));
    let responses = responses.replace('\n', "\nS: ");
    let replay = Replay::start(&format!("S: * OK hi\nC: a1 {command}\nS: {responses}")).unwrap();
    let ran = imported.run(&[format!("imap={}", replay.url("imap"))]);
    assert!([Some(0), Some(1)].contains(&ran.code), "{}\n{ran:?}", imported.script);
    replay.leave();
    ran.code == Some(0)
}

#[test]
fn what_must_not_come_is_told_from_what_begins_like_it() {
    let text = "ok list \"\" foo/*\n* list () \"/\" foo/bar\n! list () \"/\" foo";
    let list = |responses: &str| passes(text, "list \"\" foo/*", responses);
    assert!(list("* LIST () \"/\" foo/bar\na1 OK done"));
    assert!(list("* LIST (\\HasNoChildren) \"/\" \"foo/bar\"\na1 OK done"));
    assert!(!list("* LIST () \"/\" foo/bar\n* LIST (\\HasChildren) \"/\" foo\na1 OK done"));
    assert!(!list("* LIST () \"/\" foo/bar/baz\na1 OK done"));
}

#[test]
fn lists_are_compared_as_imaptest_compares_them() {
    let status = "ok status box (messages unseen)\n* status box (messages 3 unseen 2)";
    let command = "status box (messages unseen)";
    assert!(passes(status, command, "* STATUS box (UNSEEN 2 MESSAGES 3)\na1 OK done"));
    assert!(!passes(status, command, "* STATUS box (UNSEEN 2 MESSAGES 4)\na1 OK done"));
    let fetch = "ok fetch 1 (uid flags)\n* 1 fetch (uid 5 flags (\\seen))";
    let fetched = |responses: &str| passes(fetch, "fetch 1 (uid flags)", responses);
    assert!(fetched("* 1 FETCH (FLAGS (\\Seen \\Recent) UID 5)\na1 OK done"));
    assert!(!fetched("* 1 FETCH (FLAGS (\\Seen \\Deleted) UID 5)\na1 OK done"));
}

#[test]
fn a_directive_that_cannot_be_followed_is_a_difference() {
    let text = "state: nonauth\n\nok fetch 1 (uid flags)\n\
        * 1 fetch (uid 5 flags ($!unordered $!extra $!ban=\\deleted \\seen))\n* $1 expunge\n!sleep 1\n? 2 exists\n";
    let imported = import("ban.tst", text);
    for said in [
        "line 4: $!ban=\\deleted is left out: the script takes \\deleted, too",
        "line 5: $1 is any number in the script",
        "line 6: not read: !sleep 1",
    ] {
        assert!(imported.said.contains(said), "{said}: {}", imported.said);
        assert!(imported.script.contains(&format!("//   {said}")), "{}", imported.script);
    }
    assert!(!imported.said.contains("line 7"), "{}", imported.said);
    let text = "tag1 noop\ntag2 noop\n? 1 exists\n!ordered\ntag1 ok\ntag2 ok\n";
    let imported = import("at_once.tst", &format!("state: created\n\n{text}"));
    for said in [
        "line 1: ImapTest makes the mailbox",
        "line 5: not read: 1 exists (it may come, but the commands before it are sent at once)",
        "line 3: the commands are sent at once: their responses come in any order",
    ] {
        assert!(imported.said.contains(said), "{said}: {}", imported.said);
    }
}

#[test]
fn a_file_that_allows_no_other_responses_and_one_with_an_order_are_followed() {
    let text = "state: nonauth\nignore_extra_untagged: no\n\nok noop\n* 1 exists\n* 2 recent\n!ordered\n? 3 expunge\n";
    let imported = import("only.tst", text);
    let said = |responses: &str| format!("S: * OK hi\nC: a1 noop\n{responses}\nS: a1 OK done");
    imported.holds(&[("imap", "imap", &said("S: * 1 EXISTS\nS: * 3 EXPUNGE\nS: * 2 RECENT"))], &[]);
    imported.fails("imap", "imap", &said("S: * 2 RECENT\nS: * 1 EXISTS"));
    imported.fails("imap", "imap", &said("S: * 1 EXISTS\nS: * 2 RECENT\nS: * 4 EXPUNGE"));
}

#[test]
fn a_status_that_stands_apart_is_followed_to_its_end() {
    let text = "state: nonauth\n\nappend box {{{\nx\n}}}\nok [appenduid $validity $uid] in\n\n\
        ok list \"\" $mailbox\n! list () $sep ${mailbox}\n";
    let imported = import("apart.tst", text);
    assert!(
        imported.said.contains("the value of $uid is not taken from the status"),
        "{}",
        imported.said
    );
    let said = |status: &str, name: &str| {
        format!(
            "S: * OK hi\nC: a1 append box {{1}}\nS: + go\nC: x\nS: a1 {status}\nC: a2 list \"\" INBOX\n\
             S: * LIST () \"/\" {name}\nS: a2 OK done"
        )
    };
    imported.holds(&[("imap", "imap", &said("OK [APPENDUID 1 2] in it", "other"))], &[]);
    imported.fails("imap", "imap", &said("OK [APPENDUID 1] in it", "other"));
    imported.fails("imap", "imap", &said("OK [APPENDUID 1 2] in it", "\"INBOX\""));
}
