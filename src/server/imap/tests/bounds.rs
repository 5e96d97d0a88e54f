//! What one client can make the server keep.

use super::*;
use crate::server::budget::Budget;
use crate::server::mail::{INCOMING, OUTGOING, Room, Transfer};
use crate::server::store::{Message, Store};

#[test]
fn a_command_that_is_too_large_is_not_kept() {
    let mut client = Client::new(&site());
    assert_eq!(client.0.line(b"a NOOP {70000+}").next, Next::Skip(70_000));
    client.0.octets(None);
    let line = [&b"y".repeat(60_000)[..], b" {1+}"].concat();
    for _ in 0..10 {
        assert_eq!(client.0.line(&line).next, Next::Skip(1));
        client.0.octets(None);
    }
    assert!(client.0.command.len() < 100, "{}", client.0.command.len());
    assert!(client.say("").starts_with("a NO "));
    assert!(client.say("b NOOP").starts_with("b OK "));
    // A brace within a word announces nothing.
    assert_eq!(client.0.line(b"c NOOP y{70000+}").next, Next::Line);
}

#[test]
fn a_command_for_which_no_memory_is_left_is_refused_with_its_tag() {
    let site = site();
    let mut client = Client::user(&site);
    let mut greedy = Room::new(Arc::clone(&site.spool), Transfer::Incoming);
    assert!(greedy.grow(INCOMING));
    let long = vec![b'x'; 10_000];
    let refused = "c NO [TOOBIG] The literal is too large\r\n";
    assert_eq!(client.with_literal("c APPEND INBOX {10000}", &long), refused);
    assert_eq!(client.say(&format!("c LIST \"\" {}", "x".repeat(10_000))), refused);
    assert!(client.say("c NOOP").starts_with("c OK "));
    drop(greedy);
    assert!(client.with_literal("c APPEND INBOX {10000}", &long).starts_with("c OK "));
}

#[test]
fn what_sessions_know_of_a_mailbox_counts_in_what_the_servers_of_a_script_hold() {
    let budget = Budget::of(300_000);
    let site = Arc::new(Site::new([], &budget));
    for _ in 0..1000 {
        site.store.deliver(USER, &b"x"[..]);
    }
    let clients: Vec<_> = (0..3)
        .map(|_| {
            let mut client = Client::user(&site);
            (client.say("c SELECT INBOX").starts_with("c NO [LIMIT] "), client)
        })
        .collect();
    assert_eq!(
        clients.iter().map(|(is_refused, _)| *is_refused).collect::<Vec<_>>(),
        [false, true, true]
    );
    drop(clients);
    assert!(Client::user(&site).say("c SELECT INBOX").ends_with("] Selected\r\n"));
}

/// A site whose mailboxes hold this many bytes, with two messages of one byte.
fn small_site(limit: usize) -> Arc<Site> {
    let site = Site { store: Store::new(limit, &Budget::default()), ..Site::default() };
    site.store.deliver(USER, &b"x"[..]);
    site.store.deliver(USER, &b"y"[..]);
    Arc::new(site)
}

#[test]
fn keywords_count_in_what_a_mailbox_may_hold() {
    let site = small_site(1000);
    let (mut client, mut other) = (Client::selected(&site), Client::selected(&site));
    let keywords: Vec<_> = (0..4).map(|number| format!("k{number}-{}", "x".repeat(90))).collect();
    let keywords = keywords.join(" ");
    let refused = "c NO [OVERQUOTA] There is no more room\r\n";
    assert_eq!(client.say(&format!("c STORE 1:2 FLAGS ({keywords})")), refused);
    assert_eq!(
        client.say("c FETCH 1 FLAGS"),
        "* 1 FETCH (FLAGS (\\Recent))\r\nc OK FETCH completed\r\n"
    );
    assert!(
        client.say(&format!("c STORE 1 FLAGS ({keywords})")).ends_with("c OK STORE completed\r\n")
    );
    assert_eq!(client.say("c COPY 1 INBOX"), refused);
    assert_eq!(client.with_literal(&format!("c APPEND INBOX ({keywords}) {{1}}"), b"z"), refused);
    assert!(other.say("c NOOP").starts_with("* 1 FETCH (FLAGS (k0-"));
    // Keywords that go make room.
    client.say("c STORE 1 FLAGS.SILENT ()");
    let stored = client.say(&format!("c STORE 2 +FLAGS ({keywords})"));
    assert!(stored.ends_with("c OK STORE completed\r\n"), "{stored}");
}

#[test]
fn messages_that_get_the_same_flags_share_them() {
    let site = small_site(100_000);
    let mut client = Client::selected(&site);
    client.say("c STORE 1:2 +FLAGS.SILENT (\\Seen $x)");
    client.say("c STORE 1:2 -FLAGS.SILENT (\\Seen)");
    client.say("c STORE 1:2 +FLAGS.SILENT ($y)");
    client.say("c COPY 1 INBOX");
    site.store.with(USER, |account| {
        let inbox = account.mailbox("INBOX").unwrap();
        let flags: Vec<_> = inbox.messages().iter().map(Message::flags).collect();
        assert_eq!(flags[0].shown(), "$x $y");
        assert!(flags.iter().all(|other| other.is_same(flags[0])) && flags.len() == 3);
    });
}

#[test]
fn an_answer_beyond_the_limit_is_refused_before_it_is_made() {
    let site = site();
    site.store.deliver(USER, vec![b'x'; 100_000]);
    let mut client = Client::selected(&site);
    let items = vec!["BODY[]"; 50].join(" ");
    let refused = "c NO [LIMIT] There is no memory for the answer\r\n";
    assert_eq!(client.say(&format!("c FETCH 4 ({items})")), refused);
    // Nothing was seen.
    let flags = "* 4 FETCH (FLAGS (\\Recent))\r\nc OK FETCH completed\r\n";
    assert_eq!(client.say("c FETCH 4 FLAGS"), flags);
    assert!(client.say("c FETCH 4 BODY[]").len() > 100_000);
}

#[test]
fn changes_for_which_there_is_no_room_are_told_later() {
    let site = site();
    let keywords: Vec<_> = (0..50).map(|number| format!("k{number}-{}", "x".repeat(90))).collect();
    for _ in 0..10 {
        site.store.deliver(USER, &b"x"[..]);
    }
    let (mut client, mut other) = (Client::selected(&site), Client::selected(&site));
    let mut greedy = Room::new(Arc::clone(&site.spool), Transfer::Outgoing);
    assert!(greedy.grow(OUTGOING));
    let store = format!("c STORE 1:* +FLAGS ({})", keywords.join(" "));
    assert!(client.say(&store).starts_with("c NO [LIMIT] "));
    assert!(client.say(&store.replace("FLAGS", "FLAGS.SILENT")).starts_with("c OK "));
    assert_eq!(other.say("c NOOP").matches(" FETCH ").count(), 3);
    client.say("c STORE 1 +FLAGS.SILENT (\\Deleted)");
    client.say("c EXPUNGE");
    drop(greedy);
    let told = other.say("c NOOP");
    assert!(told.starts_with("* 1 EXPUNGE\r\n* 3 FETCH "), "{told}");
    assert_eq!(told.matches(" FETCH ").count(), 10);
    assert_eq!(other.say("c NOOP"), "c OK NOOP completed\r\n");
}

/// A message of multiparts inside of each other, with this many octets in the innermost.
fn nested(depth: usize, octets: usize) -> Vec<u8> {
    let mut message = Vec::new();
    for level in 0..depth {
        let kind =
            format!("Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n");
        message.extend_from_slice(kind.as_bytes());
    }
    message.extend_from_slice(b"\r\n");
    message.resize(message.len() + octets, b'x');
    message
}

#[test]
fn what_is_read_for_a_structure_is_counted_at_each_level_and_for_each_part() {
    let site = site();
    site.store.deliver(USER, nested(3, 1 << 20));
    site.store.deliver(USER, nested(18, 1 << 20));
    let parts = b"\r\n--b0\r\n".repeat(900);
    let many = [nested(1, 0), parts].concat();
    site.store.deliver(USER, many);
    let mut client = Client::selected(&site);
    let refused = "c NO [LIMIT] The answer takes too much reading\r\n";
    for (command, is_given) in [
        ("FETCH 4 BODYSTRUCTURE", true),
        ("FETCH 5 BODYSTRUCTURE", false),
        ("FETCH 5 BODY", false),
        ("FETCH 6 BODYSTRUCTURE", true),
        ("FETCH 6 (BODY BODY BODY BODY BODY)", false),
        ("FETCH 4 BODY.PEEK[1.1.1]", true),
        ("FETCH 4 BODY.PEEK[1.1.1.1.1.1.1.1]", false),
        ("FETCH 4:6 (ENVELOPE RFC822.SIZE)", true),
    ] {
        let said = client.say(&format!("c {command}"));
        assert_eq!(said != refused, is_given, "{command}");
        assert_eq!(said.ends_with("c OK FETCH completed\r\n"), is_given, "{command}");
    }
}
