//! Tests: whose turn it is, which blocks are owed, and what is secret.

use proptest::prelude::*;

use super::*;

/// Plays a dialogue of `C` and `S` lines.
fn after(steps: &[(&str, &str)]) -> Pop3 {
    let mut pop3 = Pop3::new("pop3");
    for (who, bytes) in steps {
        match *who {
            "C" => drop(pop3.sent(bytes.as_bytes(), &mut Secrets::default())),
            _ => pop3.received(bytes.as_bytes()),
        }
    }
    pop3
}

/// The number of owed answers, and whether a block comes next.
fn owed(steps: &[(&str, &str)]) -> (usize, bool) {
    let pop3 = after(steps);
    (pop3.owed(), pop3.owes_block())
}

const GREETED: (&str, &str) = ("S", "+OK ready\r\n");

#[test]
fn a_block_is_owed_after_the_ok_of_a_listing() {
    for command in ["CAPA", "LIST", "uidl", "RETR 1", "TOP 1 0", "AUTH", "LANG", "list "] {
        let command = format!("{command}\r\n");
        let sent = ("C", &*command);
        assert_eq!(owed(&[GREETED, sent]), (1, false), "{command}");
        assert_eq!(owed(&[GREETED, sent, ("S", "+OK\r\n")]), (1, true), "{command}");
        assert_eq!(
            owed(&[GREETED, sent, ("S", "+OK\r\n"), ("S", "+OK\r\n.\r"), ("S", "\n")]),
            (0, false),
            "{command}"
        );
        assert_eq!(owed(&[GREETED, sent, ("S", "-ERR no\r\n")]), (0, false), "{command}");
    }
    for command in ["LIST 1", "UIDL 1", "STAT", "DELE 1", "NOOP", "XTOP", "LANG *"] {
        let command = format!("{command}\r\n");
        assert_eq!(owed(&[GREETED, ("C", &command), ("S", "+OK\r\n")]), (0, false), "{command}");
    }
}

#[test]
fn replies_after_a_block_are_told_from_its_lines() {
    let pipelined = [GREETED, ("C", "LIST\r\nUIDL\r\nNOOP\r\n")];
    let with = |more: &[(&'static str, &'static str)]| owed(&[&pipelined, more].concat());
    assert_eq!(with(&[]), (3, false));
    assert_eq!(with(&[("S", "+OK\r\n1 2\r\n+OK\r\n-ERR\r\n")]), (3, true));
    assert_eq!(with(&[("S", "+OK\r\n1 2\r\n.\r\n+OK")]), (2, false));
    assert_eq!(with(&[("S", "+OK\r\n1 2\r\n.\r\n+OK\r\n.\r\n+OK\r\n")]), (0, false));
}

#[test]
fn a_line_that_is_no_status_line_pays_for_nothing() {
    assert_eq!(owed(&[("S", "hello\r\n")]), (1, false));
    assert_eq!(owed(&[("S", "+okay\r\n")]), (0, false), "one that is nearly right does");
}

#[test]
fn the_close_is_expected_after_the_ok_of_quit() {
    for (command, reply, closing) in
        [("QUIT", "+OK bye", true), ("quit", "-ERR no", false), ("NOOP", "-ERR [SYS/TEMP]", false)]
    {
        let (command, reply) = (format!("{command}\r\n"), format!("{reply}\r\n"));
        assert_eq!(
            after(&[GREETED, ("C", &command), ("S", &reply)]).is_closing(),
            closing,
            "{command}"
        );
    }
}

#[test]
fn the_greeting_is_kept() {
    let pop3 =
        after(&[("S", "+OK ready <1.2@host>\r\n"), ("C", "NOOP\r\n"), ("S", "+OK <3@4>\r\n")]);
    assert_eq!(pop3.greeting(), Some(&b"+OK ready <1.2@host>"[..]));
    assert_eq!(after(&[]).greeting(), None);
}

/// The sent bytes, after the secrets are masked.
fn masked(steps: &[(&str, &str)]) -> String {
    let mut pop3 = after(&[GREETED]);
    let mut secrets = Secrets::default();
    let mut shown = Vec::new();
    for (who, bytes) in steps {
        if *who == "C" {
            let spans = pop3.sent(bytes.as_bytes(), &mut secrets);
            shown.extend_from_slice(&secrets.mask(bytes.as_bytes(), &spans));
        } else {
            pop3.received(bytes.as_bytes());
        }
    }
    String::from_utf8(shown).unwrap()
}

#[test]
fn passwords_digests_and_sasl_lines_are_secret() {
    assert_eq!(
        masked(&[("C", "USER me\r\nPASS  two words \r\nNOOP two words\r\n")]),
        "USER me\r\nPASS [SECRET]\r\nNOOP [SECRET]\r\n"
    );
    assert_eq!(
        masked(&[("C", "PA"), ("C", "SS hun"), ("C", "ter22\r\n")]),
        "PASS [SECRET][SECRET]\r\n"
    );
    assert_eq!(
        masked(&[("C", "apop mrose c4c9334bac\r\nNOOP c4c9334bac\r\n")]),
        "apop mrose [SECRET]\r\nNOOP [SECRET]\r\n"
    );
    assert_eq!(masked(&[("C", "AUTH PLAIN AHNhbXBsZQBwYXNz\r\n")]), "AUTH PLAIN [SECRET]\r\n");
    assert_eq!(
        masked(&[("C", "AUTH PLAIN =\r\nPASS\r\nPASS \r\n")]),
        "AUTH PLAIN =\r\nPASS\r\nPASS \r\n"
    );
    let login = [
        ("C", "AUTH LOGIN\r\n"),
        ("S", "+ VXNlcm5hbWU6\r\n"),
        ("C", "aG9nZQ==\r\n"),
        ("S", "+ UGFzc3dvcmQ6\r\n"),
        ("C", "cHBwd3d3\r\n"),
        ("S", "+OK\r\n"),
        ("C", "NOOP pppwww\r\n"),
    ];
    assert_eq!(masked(&login), "AUTH LOGIN\r\n[SECRET]\r\n[SECRET]\r\nNOOP [SECRET]\r\n");
}

#[test]
fn responses_sent_ahead_in_pieces_or_in_vain_are_secret_too() {
    assert_eq!(
        masked(&[("C", "AUTH PLAIN\r\nAGFi\r\nQUIT\r\n")]),
        "AUTH PLAIN\r\n[SECRET]\r\nQUIT\r\n"
    );
    let pieces = [("C", "AUTH PLAIN\r\n"), ("S", "+ \r\n"), ("C", "QU"), ("C", "IT\r\n")];
    assert_eq!(
        masked(&pieces),
        "AUTH PLAIN\r\n[SECRET]IT\r\n",
        "what is asked for is a response, unless it turns out to be a command"
    );
    assert_eq!(
        masked(&[("C", "AUTH PLAIN\r\n"), ("S", "+ \r\n"), ("C", "*\r\n")]),
        "AUTH PLAIN\r\n*\r\n"
    );
    let refused = [("C", "AUTH LOGIN\r\n"), ("S", "-ERR no\r\n"), ("C", "cHBwd3d3\r\n")];
    assert_eq!(masked(&refused), "AUTH LOGIN\r\n[SECRET]\r\n");
    let bare = [("C", "AUTH\r\n"), ("S", "+OK\r\nPLAIN\r\n.\r\n")];
    for (response, shown) in [
        ("AG1lAHdvbmRlcjEy\r\n", "[SECRET]\r\n"),
        ("cHBwd3d3\r\n", "[SECRET]\r\n"),
        ("AUTH PLAIN\r\n", "AUTH PLAIN\r\n"),
    ] {
        assert_eq!(masked(&[bare[0], bare[1], ("C", response)]), format!("AUTH\r\n{shown}"));
    }
    let unasked = [("C", "AG1lAHdvbmRlcjEy\r\n"), ("S", "-ERR\r\n"), ("C", "USER wonder12\r\n")];
    assert_eq!(masked(&unasked), "[SECRET]\r\nUSER [SECRET]\r\n");
    assert_eq!(
        owed(&[
            GREETED,
            ("C", "AUTH PLAIN\r\nAGFi\r\n"),
            ("S", "+ \r\n+OK\r\n"),
            ("C", "NOOP\r\n")
        ]),
        (1, false)
    );
}

/// A dialogue recorded from Dovecot on Debian, with everything that a POP3 server says.
const RECORDED: &str = include_str!("testdata/dovecot.txt");

/// What each side of the recorded dialogue said, in order.
fn recorded() -> Vec<(&'static str, String)> {
    let line = |line: &'static str| {
        line.split_at_checked(3).map(|(who, text)| (&who[..1], format!("{text}\r\n")))
    };
    RECORDED.lines().filter_map(line).collect()
}

/// Plays the recorded dialogue. The server's bytes come in a first piece of `first` bytes and
/// further pieces of at most `size`. Returns every reply and block that was taken.
fn taken(first: usize, size: usize) -> Vec<String> {
    let mut pop3 = Pop3::new("pop3");
    let mut taken = Vec::new();
    let (mut held, mut server) = (Vec::new(), recorded().into_iter().peekable());
    while let Some((who, text)) = server.next() {
        if who == "C" {
            assert_eq!((pop3.owed(), held.len()), (0, 0), "before {text}");
            pop3.sent(text.as_bytes(), &mut Secrets::default());
            continue;
        }
        let mut said = text.into_bytes();
        while let Some((_, more)) = server.next_if(|(who, _)| *who == "S") {
            said.extend_from_slice(more.as_bytes());
        }
        let (start, rest) = said.split_at(first.min(said.len()));
        for piece in [start].into_iter().chain(rest.chunks(size)) {
            held.extend_from_slice(piece);
            take(&mut pop3, &mut held, &mut taken);
        }
    }
    assert_eq!((pop3.owed(), held.len(), pop3.is_closing()), (0, 0, true));
    taken
}

/// Takes everything that is complete, as a session does.
fn take(pop3: &mut Pop3, held: &mut Vec<u8>, taken: &mut Vec<String>) {
    loop {
        let length = if pop3.owes_block() {
            crate::proto::multiline::Multiline::default().advance(held)
        } else {
            pop3.lines.frame(held).unwrap()
        };
        let Some(length) = length else { return };
        let bytes: Vec<_> = held.drain(..length).collect();
        pop3.received(&bytes);
        pop3.lines.restart();
        taken.push(String::from_utf8(bytes).unwrap());
    }
}

#[test]
fn a_recorded_dialogue_is_taken_the_same_wherever_it_is_cut() {
    let whole = taken(0, usize::MAX);
    assert_eq!(whole.len(), 31, "{whole:#?}");
    assert_eq!(whole.iter().filter(|taken| taken.ends_with("\r\n.\r\n")).count(), 7, "blocks");
    let longest: usize = recorded().iter().map(|(_, text)| text.len()).sum();
    for cut in 0..longest {
        assert_eq!(taken(cut, usize::MAX), whole, "cut at {cut}");
    }
    assert_eq!(taken(0, 1), whole, "bytewise");
}

proptest! {
    #[test]
    fn blocks_are_told_from_replies_however_the_stream_is_cut(
        blocks in proptest::collection::vec("([.\r\n+OKa]{0,6}\r\n){0,3}", 1..4),
        cuts in proptest::collection::vec(0usize..80, 0..6),
    ) {
        let mut stream = Vec::new();
        for block in &blocks {
            stream.extend_from_slice(b"+OK\r\n");
            stream.extend_from_slice(&crate::dot_stuff(block.as_bytes()));
        }
        stream.extend_from_slice(b"+OK\r\n");
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(stream.len())).chain([0, stream.len()]).collect();
        cuts.sort_unstable();
        let mut pop3 = after(&[GREETED, ("C", &"LIST\r\n".repeat(blocks.len())), ("C", "NOOP\r\n")]);
        for pair in cuts.windows(2) {
            prop_assert!(pop3.owed() > 0 || pair[0] == pair[1]);
            pop3.received(&stream[pair[0]..pair[1]]);
        }
        prop_assert_eq!(pop3.owed(), 0);
    }
}
