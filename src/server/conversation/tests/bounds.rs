//! What one client can make the server keep, and how long it can hold up others.

use super::*;
use crate::server::mail::OUTGOING;

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
    assert_eq!(patient.alone(&long).last, Some(Next::Close));
    assert_eq!(codes(&patient.receive(b"NOOP\r\n").replies), ["250"]);
    // Many short answers are a long one.
    let many = patient.receive(&b"NOOP\r\n".repeat(SHORT));
    assert!(many.last == Some(Next::Close) && many.replies.len() <= SHORT);
    greedy.taken();
    assert_eq!(patient.alone(&long).last, None);
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
