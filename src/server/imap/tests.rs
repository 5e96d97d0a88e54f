//! Tests of whole dialogues, without a socket.

mod bounds;

use super::*;
use crate::server::auth::{PASSWORD, USER};

struct Client(Imap);

impl Client {
    fn new(site: &Arc<Site>) -> Self {
        Self(Imap::new(Arc::clone(site)))
    }

    fn user(site: &Arc<Site>) -> Self {
        let mut client = Self::new(site);
        assert!(client.say(&format!("a LOGIN {USER} {PASSWORD}")).starts_with("a OK [CAPABILITY "));
        client
    }

    /// A client with INBOX selected.
    fn selected(site: &Arc<Site>) -> Self {
        let mut client = Self::user(site);
        client.say("b SELECT inbox");
        client
    }

    fn say(&mut self, line: &str) -> String {
        text(self.0.line(line.as_bytes()))
    }

    /// Sends a command that ends with a literal.
    fn with_literal(&mut self, line: &str, octets: &[u8]) -> String {
        let said = self.0.line(line.as_bytes());
        assert_eq!(said.next, Next::Literal(octets.len()), "{line}");
        self.0.octets(Some(octets.to_vec()));
        self.say("")
    }
}

fn text(said: Said) -> String {
    String::from_utf8(said.bytes).unwrap()
}

fn site() -> Arc<Site> {
    let site = Arc::<Site>::default();
    for subject in ["one", "two", "three"] {
        let message =
            format!("From: kim@example.com\r\nSubject: {subject}\r\n\r\nHi {subject}.\r\n");
        site.store.deliver(USER, message.as_bytes());
    }
    site
}

#[test]
fn nothing_is_shown_to_strangers() {
    let site = site();
    let mut client = Client::new(&site);
    for line in ["a SELECT INBOX", "a LIST \"\" *", "a FETCH 1 FLAGS", "a IDLE"] {
        assert!(client.say(line).starts_with("a BAD "), "{line}");
    }
    assert_eq!(
        client.say("a LOGIN hoge@example.com wrong"),
        "a NO [AUTHENTICATIONFAILED] Wrong user or password\r\n"
    );
    assert_eq!(client.say("a AUTHENTICATE PLAIN"), "+ \r\n");
    let said = client.say("AGhvZ2VAZXhhbXBsZS5jb20AcHBwd3d3");
    assert!(said.starts_with("a OK [CAPABILITY IMAP4rev1"), "{said}");
}

#[test]
fn select_tells_what_the_mailbox_has() {
    let site = site();
    let said = Client::user(&site).say("b SELECT inbox");
    for line in
        ["* 3 EXISTS\r\n", "* 3 RECENT\r\n", "[UNSEEN 1]", "[UIDNEXT 4]", "b OK [READ-WRITE]"]
    {
        assert!(said.contains(line), "{line}: {said}");
    }
    let said = Client::user(&site).say("b EXAMINE INBOX");
    assert!(said.contains("* 0 RECENT\r\n") && said.contains("b OK [READ-ONLY]"), "{said}");
    assert!(Client::user(&site).say("b SELECT missing").starts_with("b NO [NONEXISTENT]"));
}

#[test]
fn fetch_shows_items_and_marks_what_was_seen() {
    let site = site();
    let mut client = Client::selected(&site);
    assert_eq!(
        client.say("c FETCH 2 (UID BODY.PEEK[HEADER.FIELDS (Subject)])"),
        "* 2 FETCH (UID 2 BODY[HEADER.FIELDS (Subject)] {16}\r\nSubject: two\r\n\r\n)\r\nc OK FETCH completed\r\n"
    );
    assert_eq!(
        client.say("c UID FETCH 3 BODY[TEXT]<3.5>"),
        "* 3 FETCH (UID 3 BODY[TEXT]<3> {5}\r\nthree FLAGS (\\Recent \\Seen))\r\nc OK FETCH completed\r\n"
    );
    let said = client.say("c FETCH 1:* FULL");
    assert!(said.contains("ENVELOPE (NIL \"one\" ((NIL NIL \"kim\" \"example.com\"))"), "{said}");
    assert!(
        said.contains("BODY (\"TEXT\" \"PLAIN\" (\"CHARSET\" \"us-ascii\") NIL NIL \"7BIT\" 9 1)"),
        "{said}"
    );
    assert_eq!(client.say("c FETCH 7 FLAGS"), "c OK FETCH completed\r\n");
    for wrong in
        ["c FETCH", "c FETCH x FLAGS", "c FETCH 1", "c FETCH 1 (FOO)", "c FETCH 1 BODY[FOO]"]
    {
        assert!(client.say(wrong).starts_with("c BAD "), "{wrong}");
    }
}

#[test]
fn other_sessions_hear_of_flags_and_expunges_when_numbers_may_change() {
    let site = site();
    let (mut client, mut other) = (Client::selected(&site), Client::selected(&site));
    assert_eq!(
        client.say("c STORE 1:2 +FLAGS (\\Deleted $x)"),
        "* 1 FETCH (FLAGS (\\Recent $x \\Deleted))\r\n* 2 FETCH (FLAGS (\\Recent $x \\Deleted))\r\nc OK STORE completed\r\n"
    );
    assert_eq!(client.say("c UID EXPUNGE 1,3"), "* 1 EXPUNGE\r\nc OK EXPUNGE completed\r\n");
    // The message was removed, but keeps its number until `EXPUNGE` may be sent to this client.
    let said = other.say("c FETCH 1:2 UID");
    assert!(said.starts_with("* 2 FETCH (UID 2)\r\n") && !said.contains("EXPUNGE"), "{said}");
    assert!(other.say("c NOOP").starts_with("* 1 EXPUNGE\r\n"));
    assert_eq!(client.say("c EXPUNGE"), "* 1 EXPUNGE\r\nc OK EXPUNGE completed\r\n");
}

#[test]
fn idle_tells_what_comes_in() {
    let site = site();
    let mut client = Client::selected(&site);
    assert_eq!(client.say("c IDLE"), "+ idling\r\n");
    assert_eq!(client.0.news(), None);
    site.store.deliver(USER, &b"Subject: four\r\n\r\n"[..]);
    assert_eq!(client.0.news().as_deref(), Some(&b"* 4 EXISTS\r\n* 4 RECENT\r\n"[..]));
    assert_eq!(client.say("DONE"), "c OK Idle completed\r\n");
    site.store.deliver(USER, &b"Subject: five\r\n\r\n"[..]);
    assert_eq!(client.0.news(), None);
    assert!(client.say("c NOOP").starts_with("* 5 EXISTS\r\n"));
    client.say("c IDLE");
    assert_eq!(client.say("NOOP"), "c BAD DONE ends IDLE\r\n");
}

#[test]
fn messages_are_appended_copied_and_moved_with_their_uids() {
    let site = site();
    let mut client = Client::selected(&site);
    assert_eq!(text(client.0.line(b"c APPEND Old {4}")), "+ Go ahead\r\n");
    client.0.octets(Some(b"a: b".to_vec()));
    assert!(client.say("").starts_with("c NO [TRYCREATE]"));
    assert_eq!(client.say("c CREATE Old/2026"), "c OK CREATE completed\r\n");
    let appended = client.with_literal(
        "c APPEND \"Old\" (\\Seen x) \"17-Jul-1996 02:44:25 -0700\" {8+}",
        b"a: b\r\n\r\n",
    );
    assert!(appended.starts_with("c OK [APPENDUID ") && appended.contains(" 1] "), "{appended}");
    let copied = client.say("c COPY 1,3 Old");
    assert!(copied.starts_with("c OK [COPYUID ") && copied.contains(" 1,3 2:3]"), "{copied}");
    let moved = client.say("c UID MOVE 2 Old/2026");
    assert!(moved.contains(" 2 1] Moved\r\n* 2 EXPUNGE\r\nc OK MOVE completed"), "{moved}");
    assert!(client.say("c MOVE 1 nowhere").starts_with("c NO [TRYCREATE]"));
    client.say("c SELECT Old");
    assert_eq!(
        client.say("c FETCH 1 (FLAGS INTERNALDATE RFC822)"),
        "* 1 FETCH (FLAGS (\\Recent \\Seen x) INTERNALDATE \"17-Jul-1996 09:44:25 +0000\" RFC822 {8}\r\na: b\r\n\r\n)\r\nc OK FETCH completed\r\n"
    );
    assert_eq!(
        client.say("c STATUS Old (MESSAGES UNSEEN UIDNEXT)"),
        "* STATUS \"Old\" (MESSAGES 3 UNSEEN 2 UIDNEXT 4)\r\nc OK STATUS completed\r\n"
    );
    assert_eq!(
        client.say("c LIST \"\" %"),
        "* LIST (\\HasNoChildren) \"/\" \"INBOX\"\r\n* LIST (\\HasChildren) \"/\" \"Old\"\r\nc OK LIST completed\r\n"
    );
}

#[test]
fn levels_without_a_mailbox_of_their_own_are_listed_where_a_percent_ends_at_them() {
    let site = site();
    let mut client = Client::user(&site);
    for name in ["p", "p/q", "r/s/t"] {
        client.say(&format!("c CREATE {name}"));
    }
    client.say("c DELETE p");
    client.say("c DELETE r");
    client.say("c SUBSCRIBE r/s/t");
    let all = "\"INBOX\" p/q r/s r/s/t".split(' ').count();
    assert_eq!(client.say("c LIST \"\" *").matches("* LIST").count(), all);
    for (pattern, line) in [
        ("LIST \"\" %", "* LIST (\\Noselect \\HasChildren) \"/\" \"p\"\r\n"),
        ("LIST \"\" p/%", "* LIST (\\HasNoChildren) \"/\" \"p/q\"\r\n"),
        ("LIST \"\" r/%", "* LIST (\\HasChildren) \"/\" \"r/s\"\r\n"),
        ("LSUB \"\" %", "* LSUB (\\Noselect \\HasChildren) \"/\" \"r\"\r\n"),
    ] {
        let said = client.say(&format!("c {pattern}"));
        assert!(said.contains(line), "{pattern}: {said}");
    }
    assert!(client.say("c STARTTLS").starts_with("c BAD "), "after LOGIN");
}

#[cfg(feature = "message")]
#[test]
fn a_search_with_a_charset_compares_what_messages_say() {
    let site = site();
    let fourth = b"Subject: =?utf-8?B?R3LDvMOfZQ==?=\r\nContent-Transfer-Encoding: base64\r\n\r\nc2VjcmV0IHfDtnJk\r\n";
    site.store.deliver(USER, &fourth[..]);
    let mut client = Client::selected(&site);
    for (keys, found) in [
        ("SUBJECT \"GR\u{fc}\u{df}\"", " 4"),
        ("BODY \"secret w\"", " 4"),
        ("TEXT \"subject: gr\"", " 4"),
        ("SUBJECT \"=?utf-8\"", ""),
        ("SUBJECT three", " 3"),
    ] {
        let said = client.say(&format!("c SEARCH CHARSET UTF-8 {keys}"));
        assert_eq!(said, format!("* SEARCH{found}\r\nc OK SEARCH completed\r\n"), "{keys}");
    }
}

#[test]
fn search_finds_by_text_flag_size_and_date() {
    let site = site();
    let mut client = Client::selected(&site);
    client.say("c STORE 2 FLAGS.SILENT (\\Flagged)");
    for (keys, found) in [
        ("ALL", " 1 2 3"),
        ("SUBJECT T", " 2 3"),
        ("FLAGGED", " 2"),
        ("UNFLAGGED BODY one", " 1"),
        ("OR TEXT \"hi two\" NOT FROM kim", " 2"),
        ("(1:2 UID 2:3)", " 2"),
        ("HEADER Subject three", " 3"),
        ("SINCE 1-Jan-2020 SMALLER 1000", " 1 2 3"),
        ("BEFORE 1-Jan-2020", ""),
        ("CHARSET us-ascii NEW", " 1 2 3"),
        ("OLD", ""),
    ] {
        let said = client.say(&format!("c SEARCH {keys}"));
        assert_eq!(said, format!("* SEARCH{found}\r\nc OK SEARCH completed\r\n"), "{keys}");
    }
    assert!(client.say("c SEARCH CHARSET X ALL").starts_with("c NO [BADCHARSET"));
    assert!(client.say("c SEARCH FOO").starts_with("c BAD "));
}

#[test]
fn literals_that_are_too_large_are_refused_and_not_held() {
    let site = site();
    let mut client = Client::user(&site);
    assert!(client.say("c APPEND INBOX {99999999999}").starts_with("c NO [TOOBIG]"));
    let said = client.0.line(b"c APPEND INBOX {99999999999999999999999+}");
    assert_eq!((said.bytes.len(), said.next), (0, Next::Skip(u64::MAX)));
    let said = client.0.line(b"d APPEND INBOX {99999999+}");
    assert_eq!(said.next, Next::Skip(99_999_999));
    client.0.octets(None);
    assert!(client.say("").contains("NO [TOOBIG]"));
    let mut stranger = Client::new(&site);
    assert!(stranger.say("c LOGIN {100000}").starts_with("c NO [TOOBIG]"));
}

#[test]
fn wrong_commands_are_counted_and_end_the_session() {
    let mut client = Client::new(&Arc::default());
    for _ in 0..MOST_ERRORS {
        assert!(client.say("a FOO").starts_with("a BAD "));
    }
    assert!(client.say("a FOO").starts_with("* BYE "));
    assert!(Client::new(&Arc::default()).say("").starts_with("* BAD "));
}

#[test]
fn a_command_that_has_too_much_to_read_is_refused() {
    let site = site();
    let body = format!("To: a@b\r\n\r\n{}", format!("{}\r\n", "x".repeat(1000)).repeat(1000));
    site.store.deliver(USER, body.as_bytes());
    let mut client = Client::selected(&site);
    let keys = "NOT BODY zz ".repeat(5000);
    assert_eq!(
        client.say(&format!("a SEARCH {keys}ALL")),
        "a NO [LIMIT] The search takes too much reading\r\n"
    );
    assert_eq!(
        client.say("b SEARCH BODY X NOT BODY zz"),
        "* SEARCH 4\r\nb OK SEARCH completed\r\n"
    );
    // The keys that need no reading.
    let keys = "NOT SEEN ".repeat(5000);
    assert!(client.say(&format!("c SEARCH {keys}ALL")).starts_with("* SEARCH 1 2 3 4\r\n"));
    let items = "BODYSTRUCTURE ".repeat(90);
    let said = client.say(&format!("d UID FETCH 1:* ({})", items.trim_end()));
    assert_eq!(said, "d NO [LIMIT] The answer takes too much reading\r\n");
}

#[test]
fn a_search_of_a_field_looks_at_all_fields_of_its_name() {
    let site = Arc::<Site>::default();
    let message = b"Received: a\r\nTo: kim@a.example\r\nReceived: from\r\n b.example\r\nto: lee@c.example\r\n\r\nx\r\n";
    site.store.deliver(USER, &message[..]);
    let mut client = Client::selected(&site);
    for key in ["HEADER Received \"from b.example\"", "TO lee", "TO kim", "HEADER RECEIVED \"\""] {
        assert!(client.say(&format!("a SEARCH {key}")).starts_with("* SEARCH 1\r\n"), "{key}");
    }
    assert!(client.say("a SEARCH TO from").starts_with("* SEARCH\r\n"));
}

#[test]
fn arguments_that_a_command_does_not_take_are_refused_before_it_acts() {
    let site = site();
    let mut client = Client::selected(&site);
    client.say("a CREATE Sent");
    client.say("a STORE 1 FLAGS (\\Flagged)");
    for line in [
        "CREATE Draft Mails",
        "CREATE \"a\"b",
        "DELETE Sent Items",
        "RENAME Sent Old Sent",
        "SUBSCRIBE Sent Items",
        "UNSUBSCRIBE Sent Items",
        "STATUS INBOX (MESSAGES) (UIDNEXT)",
        "LIST \"\" * x",
        "NAMESPACE x",
        "ID",
        "ID NIL x",
        "UID EXPUNGE 1 x",
        "FETCH 1(FLAGS)",
        "FETCH 1 FLAGS UID",
        "FETCH  1 FLAGS",
        "FETCH \"1\" FLAGS",
        "FETCH 1 (FLAGS ALL)",
        "FETCH 1 BODY.PEEK[HEADER.FIELDS (From  To)]",
        "UID FETCH 1 ()",
        "STORE 1 FLAGS",
        "STORE 1 FLAGS (\\Seen) (\\Deleted)",
        "STORE 1 FLAGS (\\Seen) junk",
        "STORE 1 FLAGS \\Seen (junk)",
        "STORE 1 FLAGS ((\\Seen))",
        "STORE 1 FLAGS \"\\\\Seen\"",
        "STORE 1 FLAGS (\\Recent)",
        "STORE 1 FLAGS (a*)",
        "APPEND INBOX (\"x\") \"a: b\"",
        "STATUS INBOX ()",
        "STATUS INBOX (\"MESSAGES\")",
        "ID x",
        "ID (\"name\")",
        "ID (name x)",
        "NOOP ",
        "LOGOUT ",
    ] {
        let mut client = Client::selected(&site);
        assert!(client.say(&format!("b {line}")).starts_with("b BAD "), "{line}");
    }
    let said = client.say("c FETCH 1 FLAGS");
    assert!(said.starts_with("* 1 FETCH (FLAGS (\\Recent \\Flagged))"), "{said}");
    for line in [
        "STORE 1 FLAGS \\Seen \\Answered",
        "STORE 1 FLAGS ()",
        "UID STORE 1 +FLAGS (\\seen $x)",
        "FETCH 1 FAST",
        "ID NIL",
        "ID (\"name\" \"x\" \"version\" NIL)",
    ] {
        let said = client.say(&format!("c {line}"));
        assert!(said.contains("c OK "), "{line}: {said}");
    }
    let said = client.say("c LIST \"\" *");
    assert!(said.contains(" \"Sent\"\r\n") && !said.contains("Draft"), "{said}");
}
