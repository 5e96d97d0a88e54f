//! What one client can make the server keep, and how long it can hold up others.

use super::*;
use crate::server::auth::USER;
use crate::server::mail::OUTGOING;
use crate::server::pop3::Pop3;
use crate::server::sieve::Sieve;

#[test]
fn other_connections_have_their_turn_within_one_read() {
    let mut conversation = conversation(Role::Smtp, None);
    conversation.turn = Duration::ZERO;
    let mut answers = vec![conversation.receive(b"NOOP\r\nEHLO x\r\nMAIL FROM:<>\r\nRS").replies];
    while conversation.holds_input() {
        answers.push(conversation.go_on().unwrap().replies);
    }
    answers.push(conversation.receive(b"ET\r\n").replies);
    let codes: Vec<_> = answers.iter().map(|answer| codes(answer).join(" ")).collect();
    assert_eq!(codes, ["250", "250", "250", "", "250"]);
}

#[test]
fn an_answer_for_which_no_memory_is_left_ends_the_connection() {
    let (mut patient, mut greedy) =
        (conversation(Role::Smtp, None), conversation(Role::Smtp, None));
    greedy.spool = Arc::clone(&patient.spool);
    greedy.answers = Room::new(Arc::clone(&patient.spool), Transfer::Outgoing);
    patient.taken();
    assert!(greedy.answers.grow(OUTGOING));
    let long = Said::new(vec![b'x'; SHORT + 1]);
    assert_eq!(patient.alone(long.clone()).last, Some(Next::Close));
    assert_eq!(codes(&patient.receive(b"NOOP\r\n").replies), ["250"]);
    greedy.taken();
    assert_eq!(patient.alone(long).last, None);
}

#[test]
fn short_answers_for_which_no_memory_is_left_are_given_one_by_one() {
    let mut conversation = conversation(Role::Smtp, None);
    let mut greedy = Room::new(Arc::clone(&conversation.spool), Transfer::Outgoing);
    conversation.taken();
    assert!(greedy.grow(OUTGOING));
    for _ in 0..2 {
        let answered = conversation.receive(b"NOOP\r\nNOOP\r\n");
        assert_eq!((codes(&answered.replies).len(), answered.last), (1, None));
        conversation.taken();
        assert_eq!(codes(&conversation.go_on().unwrap().replies), ["250"]);
        conversation.taken();
    }
    drop(greedy);
    assert_eq!(codes(&conversation.receive(b"NOOP\r\nNOOP\r\n").replies).len(), 2);
}

#[test]
fn answers_for_which_no_memory_is_left_are_refused_in_the_words_of_the_protocol() {
    let site = Arc::<Site>::default();
    let long = [b"Subject: x\r\n\r\n", &b"x".repeat(SHORT)[..], b"\r\n"].concat();
    site.store.deliver(USER, &long[..]);
    let mut greedy = Room::new(Arc::clone(&site.spool), Transfer::Outgoing);
    let dialogues: [(Box<dyn Dialogue>, _, _, _); 3] = [
        (
            Box::new(Imap::new(Arc::clone(&site))),
            "a LOGIN hoge@example.com pppwww\r\nb SELECT INBOX\r\n".to_owned(),
            "c FETCH 1 BODY[]\r\nd FETCH 1 FLAGS\r\n",
            "c NO [LIMIT] There is no memory for the answer\r\n* 1 FETCH (FLAGS (\\Recent))\r\nd OK FETCH completed\r\n",
        ),
        (
            Box::new(Pop3::new(Arc::clone(&site))),
            "USER hoge@example.com\r\nPASS pppwww\r\n".to_owned(),
            "RETR 1\r\nTOP 1 0\r\n",
            "-ERR [SYS/TEMP] Clients have not taken too many answers; try again later\r\n+OK\r\nSubject: x\r\n\r\n.\r\n",
        ),
        (
            Box::new(Sieve::new(Arc::clone(&site))),
            format!(
                "AUTHENTICATE \"PLAIN\" \"{TOKEN}\"\r\nPUTSCRIPT \"s\" {{{SHORT}+}}\r\n{}\r\n",
                "x".repeat(SHORT)
            ),
            "GETSCRIPT \"s\"\r\nSETACTIVE \"s\"\r\n",
            "NO (TRYLATER) \"Clients have not taken too many answers\"\r\nOK\r\n",
        ),
    ];
    for (dialogue, begin, commands, answers) in dialogues {
        let mut conversation = Conversation::new(dialogue, Arc::clone(&site.spool), None);
        conversation.turn = Duration::MAX;
        conversation.receive(begin.as_bytes());
        conversation.taken();
        assert!(greedy.grow(OUTGOING));
        let mut said = conversation.receive(commands.as_bytes());
        conversation.taken();
        said.replies.extend(conversation.go_on().unwrap().replies);
        assert_eq!(String::from_utf8_lossy(&said.replies), answers);
        assert_eq!(said.last, None);
        greedy.clear();
        let again = conversation.receive(commands.as_bytes());
        assert!(again.replies.len() > SHORT, "{commands}");
    }
}

#[test]
fn a_message_that_is_too_large_is_read_to_its_end() {
    let mut conversation = conversation(Role::Smtp, None);
    conversation.receive(format!("EHLO x\r\n{TRANSACTION}").as_bytes());
    for _ in 0..=LARGEST >> 20 {
        assert_eq!(conversation.receive(&vec![b'x'; 1 << 20]), Outgoing::default());
    }
    let replies = conversation.receive(b"\r\n.\r\nNOOP\r\n").replies;
    assert!(replies.starts_with(b"552 5.3.4 "), "{}", replies.escape_ascii());
    assert_eq!(codes(&replies), ["552", "250"]);
    assert_eq!(conversation.spool.list(), []);
}

#[test]
fn a_message_without_end_takes_no_room_from_others_and_is_too_large() {
    let mut endless = conversation(Role::Smtp, None);
    endless.receive(format!("EHLO x\r\n{TRANSACTION}").as_bytes());
    let mut other =
        Conversation { spool: Arc::clone(&endless.spool), ..conversation(Role::Smtp, None) };
    other.receive(format!("EHLO x\r\n{TRANSACTION}").as_bytes());
    // More than all messages together may hold.
    for _ in 0..140 {
        assert_eq!(endless.receive(&vec![b'x'; 1 << 20]), Outgoing::default());
    }
    assert_eq!(codes(&other.receive(b"Subject: hi\r\n\r\nHi.\r\n.\r\n").replies), ["250"]);
    assert_eq!(codes(&endless.receive(b"\r\n.\r\n").replies), ["552"]);
}

#[test]
fn a_silent_client_is_told_so_and_closed() {
    let outgoing = conversation(Role::Smtp, None).idle();
    assert_eq!(outgoing.replies, b"421 4.4.2 Idle for too long\r\n");
    assert_eq!(outgoing.last, Some(Next::Close));
}
