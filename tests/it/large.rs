//! Large mailboxes and large mails: sizes that occur in practice, and the limits of a script.

use std::fmt::Write as _;
use std::time::Duration;

use mailexpect::outcome::{ExitCode, Outcome};
use mailexpect::script::Case;

use crate::peer::answering;
use crate::program::{folder, run};

const MESSAGES: usize = 200_000;

fn of_each(messages: usize, line: impl Fn(usize) -> String) -> String {
    (1..=messages).fold(String::new(), |mut all, number| {
        let _ = write!(all, "{}\r\n", line(number));
        all
    })
}

fn pop3() -> String {
    let address = answering("+OK hi\r\n", |line| match line {
        "LIST" => format!("+OK\r\n{}.\r\n", of_each(MESSAGES, |n| format!("{n} 1234"))),
        "UIDL" => format!("+OK\r\n{}.\r\n", of_each(MESSAGES, |n| format!("{n} {n:08x}5f3a"))),
        "STAT" => format!("+OK {MESSAGES} {}\r\n", MESSAGES * 1234),
        _ => "+OK\r\n".to_owned(),
    });
    format!("pop3://{address}")
}

fn imap(messages: usize) -> String {
    let address = answering("* OK hi\r\n", move |line| {
        let words: Vec<_> = line.split(' ').collect();
        let data = match words[1] {
            "SELECT" => format!("* FLAGS (\\Seen)\r\n* {messages} EXISTS\r\n"),
            "FETCH" => of_each(messages, |n| {
                format!("* {n} FETCH (UID {n} FLAGS (\\Seen) RFC822.SIZE 1234)")
            }),
            "SEARCH" => {
                let all = (1..=messages).map(|n| n.to_string()).collect::<Vec<_>>();
                format!("* SEARCH {}\r\n", all.join(" "))
            }
            "LIST" => of_each(messages, |n| format!("* LIST () \"/\" \"folder-{n}\"")),
            "LOGOUT" => "* BYE\r\n".to_owned(),
            _ => String::new(),
        };
        format!("{data}{} OK done\r\n", words[0])
    });
    format!("imap://{address}")
}

fn outcome(script: &str, url: &str) -> Outcome {
    let folder = folder(&[("a.rhai", script)]);
    let case = Case::new(folder.path().join("a.rhai"));
    let case = if url.is_empty() { case } else { case.set("url", url) };
    case.timeout(Duration::from_mins(2)).deadline(Duration::from_mins(4)).run()
}

fn passes(script: &str, url: &str) {
    let outcome = outcome(script, url);
    assert!(outcome.is_ok(), "{script}\n{:?}", outcome.failure());
}

#[test]
fn a_maildrop_of_two_hundred_thousand_messages_is_listed() {
    let script = "
        let s = connect(param(\"url\"));
        s.expect(\"+OK\");
        assert_eq(s.stat().messages, 200000);
        {
            let list = s.list();
            assert_eq(list.len(), 200000);
            assert_eq(list[199999].octets, 1234);
        }
        assert_eq(s.uidl().len(), 200000);
        s.quit();
    ";
    passes(script, &pop3());
}

#[test]
#[ignore = "takes a minute"]
fn a_script_goes_through_two_hundred_thousand_messages_in_loops() {
    let script = "
        let s = connect(param(\"url\"));
        s.expect(\"+OK\");
        {
            let list = s.list();
            let octets = 0;
            for n in 0..list.len() { octets += list[n].octets; }
            assert_eq(octets, 200000 * 1234);
        }
        let ids = [];
        for one in s.uidl() { ids.push(one.id); }
        assert_eq(ids.len(), 200000);
        s.quit();
    ";
    passes(script, &pop3());
}

#[test]
fn numbers_of_two_hundred_thousand_messages_are_searched() {
    let script = "
        let s = connect(param(\"url\"));
        s.expect(\"* OK\");
        assert_eq(s.select(\"INBOX\").exists, 200000);
        assert_eq(s.search(\"ALL\").len(), 200000);
        s.logout();
    ";
    passes(script, &imap(MESSAGES));
}

const FETCHED: &str = "
    let s = connect(param(\"url\"));
    s.expect(\"* OK\");
    let exists = s.select(\"INBOX\").exists;
    {
        let fetched = s.fetch(\"1:*\", \"(UID FLAGS RFC822.SIZE)\");
        assert_eq(fetched.len(), exists);
        assert_eq(fetched[exists - 1].UID, exists);
    }
    assert_eq(s.list(\"\", \"*\").len(), exists);
    s.logout();
";

#[test]
fn tens_of_thousands_of_messages_are_fetched_and_folders_listed() {
    passes(FETCHED, &imap(20_000));
}

#[test]
#[ignore = "takes a minute"]
fn two_hundred_thousand_messages_are_fetched_and_folders_listed() {
    passes(FETCHED, &imap(MESSAGES));
}

#[test]
fn more_than_a_session_holds_is_told_of_the_server() {
    let script = "
        let s = connect(param(\"url\"), #{limit: 1000000});
        s.expect(\"* OK\");
        s.select(\"INBOX\");
        s.fetch(\"1:*\", \"(UID FLAGS RFC822.SIZE)\");
    ";
    let outcome = outcome(script, &imap(30_000));
    let error = &outcome.failure().unwrap().error;
    let text = error.to_string();
    assert_eq!(outcome.exit_code(), ExitCode::Failed, "{text}");
    assert!(text.contains("more than 1000000 bytes") && text.contains("imap://"), "{text}");
    let hint = error.next_step().unwrap_or_default();
    assert!(hint.contains("connect(url, #{limit: 20000"), "{hint}");
}

#[test]
fn one_response_has_as_many_values_as_the_script_has_memory_for() {
    let script = "let s = connect(\"URL\");
        s.expect(\"* OK\");
        s.select(\"INBOX\");
        assert_eq(s.search(\"ALL\").len(), 1200000);
        s.logout();
    ";
    for (memory, code) in [("256M", 0), ("32M", 1)] {
        let script = script.replace("URL", &imap(1_200_000));
        let folder = folder(&[("a.rhai", &*script)]);
        let ran = run(folder.path(), &["run", "a.rhai", "--memory", memory, "--timeout", "2m"]);
        assert_eq!(ran.code, Some(code), "{memory}\n{ran:?}");
        let is_told = ran.out.contains("what the server sent takes more memory");
        assert_eq!(is_told, code == 1, "{memory}\n{ran:?}");
    }
}

#[test]
fn a_mail_of_many_parts_and_a_long_header_is_read() {
    let script = "
        let header = \"\"; header.pad(1 << 20, \"x\");
        let part = \"--b\\r\\nContent-Type: text/csv\\r\\nContent-Disposition: attachment\\r\\n\\r\\na,b\\r\\n\";
        let mail = parse_message(\"X-Long: \" + header +
            \"\\r\\nContent-Type: multipart/mixed; boundary=b\\r\\n\\r\\n\" + repeat(part, 10000) + \"--b--\\r\\n\");
        assert_eq(mail.attachments.len(), 10000);
        assert_eq(mail[\"x-long\"].len(), 1 << 20);
    ";
    passes(script, "");
}

#[test]
fn the_first_of_what_was_not_fetched_is_the_servers_fault() {
    let script = "
        let s = connect(param(\"url\"));
        s.expect(\"* OK\");
        s.select(\"INBOX\");
        s.fetch(\"1\", \"UID\", #{bare: true})[0];
    ";
    let outcome = outcome(script, &imap(0));
    let text = outcome.failure().unwrap().error.to_string();
    assert_eq!(outcome.exit_code(), ExitCode::Failed, "{text}");
    assert!(text.contains("no element 0") && text.contains("imap://"), "{text}");
}

#[test]
fn an_error_about_answers_that_take_too_much_memory_has_a_way_out() {
    for (url, verb) in [
        (imap(MESSAGES), "s.expect(\"* OK\"); s.select(\"INBOX\"); s.fetch(\"1:*\", \"FLAGS\");"),
        (imap(MESSAGES), "s.expect(\"* OK\"); s.select(\"INBOX\"); s.list(\"\", \"*\");"),
        (pop3(), "s.expect(\"+OK\"); s.uidl();"),
        (pop3(), "s.expect(\"+OK\"); s.list();"),
    ] {
        let script = format!("let s = connect(\"{url}\");\n{verb}");
        let folder = folder(&[("a.rhai", &*script)]);
        let ran = run(folder.path(), &["run", "a.rhai", "--memory", "24M", "--timeout", "2m"]);
        assert_eq!(ran.code, Some(1), "{verb}\n{ran:?}");
        for told in [
            "what the server sent takes more memory than the script may hold",
            "expected: at most 24 MiB",
            "--memory 48M",
            &url,
        ] {
            assert!(ran.out.contains(told), "{verb}\n{told}\n{}", ran.out);
        }
    }
}

#[test]
fn a_script_that_is_too_large_is_told_where_its_data_goes() {
    let script = "connect().expect(220);\n".repeat(100_000);
    let folder = folder(&[("a.rhai", &script)]);
    for args in [&["run", "a.rhai"][..], &["check", "a.rhai"]] {
        let ran = run(folder.path(), args);
        let text = format!("{}{}", ran.out, ran.err);
        assert_eq!(ran.code, Some(2), "{text}");
        assert!(text.contains("put long data into files of their own"), "{text}");
        assert!(!text.contains("a mistake in the path"), "{text}");
    }
}

#[test]
fn lists_as_long_as_large_mailboxes_are_compared_in_any_order() {
    let script = "// Lists.
let up = []; let down = []; let names = []; let flags = [];
for n in 0..30000 { up.push(n); down.push(30000 - n); names.push(`m${n}`); }
down[0] = 0;
assert_same(up, down);
assert_same(names, names.map(|name| name));
names.truncate(2000);
let maps = names.map(|name| #{name: name});
assert_same(maps, maps.map(|map| map));
flags += [1, 1, 2];
assert_same(flags, [2, 1, 1]);
assert_same([1, \"a\", 1.5], [1.5, \"a\", 1]);
fails(\"assert\", || assert_same([1, 1], [1, 2]));
";
    let folder = folder(&[("a.rhai", script)]);
    let ran = run(folder.path(), &["run", "a.rhai"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
}
