//! Tests of each command, used correctly and incorrectly.

use super::*;
use crate::server::dialogue::Dialogue as _;
use crate::server::mail::Stamp;

const AUTH: &str = "AUTH PLAIN AGhvZ2VAZXhhbXBsZS5jb20AcHBwd3d3";

fn smtp(role: Role) -> Smtp {
    Smtp::new(role, Arc::default(), ([127, 0, 0, 1], 40_000).into())
}

/// The last line of the reply to each of these lines, without its line end.
fn replies(role: Role, lines: &[&str]) -> Vec<String> {
    let mut dialogue = smtp(role);
    lines.iter().map(|line| last_line(&dialogue.answer(line.as_bytes()))).collect()
}

fn last_line(answer: &Answer) -> String {
    answer.wire().lines().last().unwrap_or_default().to_owned()
}

/// The reply to the last of these lines, on the SMTP port.
fn reply(lines: &[&str]) -> String {
    replies(Role::Smtp, lines).pop().unwrap_or_default()
}

/// The reply to the last of these lines, on the submission port.
fn submitted(lines: &[&str]) -> String {
    replies(Role::Submission, lines).pop().unwrap_or_default()
}

fn assert_starts(reply: &str, expected: &str) {
    assert!(reply.starts_with(expected), "{reply} where {expected} was expected");
}

#[test]
fn ehlo_offers_auth_on_submission_only() {
    let offered = |role| smtp(role).answer(b"EHLO client.example").wire();
    assert_eq!(
        offered(Role::Submission),
        "250-localhost\r\n250-PIPELINING\r\n250-SIZE 10485760\r\n250-8BITMIME\r\n250-STARTTLS\r\n250-AUTH PLAIN LOGIN CRAM-MD5 SCRAM-SHA-256\r\n250 ENHANCEDSTATUSCODES\r\n"
    );
    assert_eq!(
        offered(Role::Smtp),
        "250-localhost\r\n250-PIPELINING\r\n250-SIZE 10485760\r\n250-8BITMIME\r\n250-STARTTLS\r\n250 ENHANCEDSTATUSCODES\r\n"
    );
    assert_eq!(reply(&["HELO client.example"]), "250 localhost");
    assert_eq!(
        smtp(Role::Smtp).greet().wire(),
        "220 localhost ESMTP mailexpect embedded test server\r\n"
    );
}

#[test]
fn hello_needs_a_name() {
    for line in ["EHLO", "HELO", "EHLO ", "HELO a b", "EHLO \u{e9}"] {
        assert_starts(&reply(&[line]), "501 5.5.4 ");
    }
}

#[test]
fn commands_out_of_order_are_refused() {
    for lines in [
        &["MAIL FROM:<a@b>"][..],
        &["EHLO x", "MAIL FROM:<a@b>", "MAIL FROM:<a@b>"],
        &["EHLO x", "RCPT TO:<a@localhost>"],
        &["EHLO x", "DATA"],
        &["EHLO x", "MAIL FROM:<a@b>", "DATA"],
        &["EHLO x", "MAIL FROM:<a@b>", "RCPT TO:<a@elsewhere.example>", "DATA"],
        &["EHLO x", "MAIL FROM:<a@b>", "RSET", "RCPT TO:<a@localhost>"],
        &["EHLO x", "MAIL FROM:<a@b>", "EHLO x", "RCPT TO:<a@localhost>"],
    ] {
        assert_starts(&reply(lines), "503 5.5.1 ");
    }
}

#[test]
fn commands_that_are_unknown_or_not_implemented_say_so() {
    for line in ["", "XYZZY", " NOOP", "MAILFROM:<a@b>", "BDAT 5 LAST", "\u{fffd}"] {
        assert_starts(&reply(&[line]), "500 5.5.2 ");
    }
    assert_starts(&reply(&["EXPN list"]), "502 5.5.1 ");
    assert_starts(&reply(&["STARTTLS now"]), "501 5.5.4 ");
}

#[test]
fn the_small_commands_have_their_replies() {
    for (line, expected) in [
        ("NOOP", "250 2.0.0 "),
        ("noop whatever", "250 2.0.0 "),
        ("RSET", "250 2.0.0 "),
        ("RSET now", "501 5.5.4 "),
        ("VRFY hoge", "252 2.5.0 "),
        ("VRFY", "501 5.5.4 "),
        ("HELP", "214 2.0.0 "),
        ("help MAIL", "214 2.0.0 "),
        ("QUIT now", "501 5.5.4 "),
    ] {
        assert_starts(&reply(&[line]), expected);
    }
    assert_eq!(reply(&["quit"]), "221 2.0.0 localhost closing connection");
}

#[test]
fn paths_are_echoed_as_they_were_understood() {
    let mail = |argument: &str| reply(&["EHLO x", &format!("mail {argument}")]);
    assert_eq!(mail("FROM:<A@b.example>"), "250 2.1.0 <A@b.example>... Sender ok");
    assert_eq!(mail("from: a@b.example"), "250 2.1.0 <a@b.example>... Sender ok");
    assert_eq!(mail("FROM:<>"), "250 2.1.0 <>... Sender ok");
    let rcpt = |argument: &str| reply(&["EHLO x", "MAIL FROM:<>", &format!("rcpt {argument}")]);
    assert_eq!(rcpt("to: hoge@Example.COM"), "250 2.1.5 <hoge@Example.COM>... Recipient ok");
    assert_eq!(
        rcpt("TO:<@relay.example:hoge@localhost>"),
        "250 2.1.5 <hoge@localhost>... Recipient ok"
    );
    assert_eq!(rcpt("TO:<postmaster>"), "250 2.1.5 <postmaster>... Recipient ok");
}

#[test]
fn wrong_paths_are_syntax_errors() {
    for argument in [
        "",
        "FROM",
        "FROM:",
        "FROM:<a",
        "FROM:<a@b",
        "FROM:<a b@c>",
        "FROM:<postmaster>",
        "TO:<a@b>",
    ] {
        assert_starts(&reply(&["EHLO x", &format!("MAIL {argument}")]), "501 5.5.4 ");
    }
    for argument in
        ["", "TO:", "TO:<>", "TO:<hoge>", "FROM:<a@localhost>", "TO:<\u{fffd}@localhost>"]
    {
        assert_starts(
            &reply(&["EHLO x", "MAIL FROM:<>", &format!("RCPT {argument}")]),
            "501 5.5.4 ",
        );
    }
}

#[test]
fn parameters_are_those_of_the_extensions_offered() {
    for (parameters, expected) in [
        ("SIZE=10485760", "250 2.1.0 "),
        ("size=0 body=8bitmime AUTH=<>", "250 2.1.0 "),
        (" BODY=7BIT ", "250 2.1.0 "),
        ("AUTH=a+3Db@example.com", "250 2.1.0 "),
        ("SIZE=10485761", "552 5.3.4 "),
        ("SIZE=99999999999999999999", "552 5.3.4 "),
        ("SIZE=", "501 5.5.4 "),
        ("SIZE", "501 5.5.4 "),
        ("SIZE=-1", "501 5.5.4 "),
        ("SIZE=999999999999999999999", "501 5.5.4 "),
        ("BODY=BINARYMIME", "501 5.5.4 "),
        ("AUTH", "555 5.5.4 "),
        ("SMTPUTF8", "555 5.5.4 "),
        ("RET=FULL", "555 5.5.4 "),
    ] {
        assert_starts(&reply(&["EHLO x", &format!("MAIL FROM:<a@b> {parameters}")]), expected);
    }
    assert_starts(
        &reply(&["EHLO x", "MAIL FROM:<>", "RCPT TO:<a@localhost> NOTIFY=NEVER"]),
        "555 5.5.4 ",
    );
}

#[test]
fn only_local_domains_are_taken_from_strangers() {
    let refused =
        "550 5.7.1 <a@elsewhere.example>... Relaying denied. Proper authentication required.";
    assert_eq!(reply(&["EHLO x", "MAIL FROM:<>", "RCPT TO:<a@elsewhere.example>"]), refused);
    assert_starts(&reply(&["EHLO x", "MAIL FROM:<>", "RCPT TO:<a@sub.example.com>"]), "550 5.7.1 ");
    let accepted = submitted(&["EHLO x", AUTH, "MAIL FROM:<>", "RCPT TO:<a@elsewhere.example>"]);
    assert_eq!(accepted, "250 2.1.5 <a@elsewhere.example>... Recipient ok");
}

#[test]
fn the_hundred_and_first_recipient_is_refused() {
    let mut dialogue = smtp(Role::Smtp);
    dialogue.answer(b"EHLO x");
    dialogue.answer(b"MAIL FROM:<>");
    for n in 0..100 {
        assert_starts(
            &last_line(&dialogue.answer(format!("RCPT TO:<a{n}@localhost>").as_bytes())),
            "250 2.1.5 ",
        );
    }
    assert_starts(&last_line(&dialogue.answer(b"RCPT TO:<b@localhost>")), "452 4.5.3 ");
    assert_starts(&last_line(&dialogue.answer(b"DATA")), "354 ");
}

#[test]
fn submission_wants_authentication_first() {
    assert_eq!(submitted(&["EHLO x", "MAIL FROM:<a@b>"]), "530 5.7.0 Authentication required");
    assert_eq!(submitted(&["EHLO x", AUTH]), "235 2.7.0 Authentication successful");
    assert_starts(&submitted(&["EHLO x", AUTH, "MAIL FROM:<a@b>"]), "250 2.1.0 ");
    assert_starts(&submitted(&["EHLO x", AUTH, "EHLO x", "MAIL FROM:<a@b>"]), "250 2.1.0 ");
}

#[test]
fn auth_has_its_place() {
    assert_eq!(reply(&["EHLO x", AUTH]), "503 5.5.1 AUTH not available");
    assert_starts(&submitted(&[AUTH]), "503 5.5.1 ");
    assert_starts(&submitted(&["EHLO x", AUTH, AUTH]), "503 5.5.1 ");
    assert_starts(&submitted(&["EHLO x", AUTH, "MAIL FROM:<a@b>", AUTH]), "503 5.5.1 ");
    let mut open = smtp(Role::Submission);
    open.answer(b"EHLO x");
    open.transaction = Some(Transaction { from: String::new(), to: Vec::new() });
    assert_starts(&last_line(&open.answer(AUTH.as_bytes())), "503 5.5.1 ");
}

#[test]
fn a_line_after_a_334_is_a_response_and_no_command() {
    let lines = ["EHLO x", "AUTH LOGIN", "QUIT", "NOOP", "AUTH PLAIN", "*", "AUTH GSSAPI", "NOOP"];
    let expected = [
        "250 ",
        "334 VXNlcm5hbWU6",
        "334 UGFzc3dvcmQ6",
        // QUIT and NOOP are base64 of octets that are no user and no password.
        "501 5.5.2 ",
        "334 ",
        "501 5.7.0 ",
        "504 5.5.4 ",
        "250 ",
    ];
    for (reply, expected) in replies(Role::Submission, &lines).iter().zip(expected) {
        assert_starts(reply, expected);
    }
}

#[test]
fn a_line_that_is_none_ends_the_exchange() {
    let mut dialogue = smtp(Role::Submission);
    dialogue.answer(b"EHLO x");
    dialogue.answer(b"AUTH PLAIN");
    assert_eq!(dialogue.refuse("Line too long").wire(), "500 5.5.2 Line too long\r\n");
    assert_starts(&last_line(&dialogue.answer(b"NOOP")), "250 ");
}

#[test]
fn twenty_errors_are_answered_and_the_next_ends_it() {
    let mut dialogue = smtp(Role::Smtp);
    for _ in 0..20 {
        assert_eq!(dialogue.answer(b"XYZZY").next(), Next::Line);
        assert_starts(&last_line(&dialogue.answer(b"NOOP")), "250 ");
    }
    let last = dialogue.refuse("Line too long");
    assert_eq!(last.wire(), "421 4.7.0 Too many errors\r\n");
    assert_eq!(last.next(), Next::Close);
}

#[test]
fn data_takes_no_argument_and_asks_for_the_content() {
    let mut dialogue = smtp(Role::Smtp);
    for line in ["EHLO x", "MAIL FROM:<>", "RCPT TO:<a@localhost>"] {
        dialogue.answer(line.as_bytes());
    }
    assert_starts(&last_line(&dialogue.answer(b"DATA now")), "501 5.5.4 ");
    let answer = dialogue.answer(b"DATA");
    assert_eq!(answer.wire(), "354 End data with <CR><LF>.<CR><LF>\r\n");
    assert_eq!(answer.next(), Next::Content);
}

#[test]
fn a_message_ends_its_transaction_whether_it_was_taken_or_not() {
    for (content, expected) in [(Some(b"Hi.\r\n".to_vec()), "250 2.0.0 "), (None, "552 5.3.4 ")] {
        let taken = content.is_some();
        let mut dialogue = smtp(Role::Smtp);
        for line in [
            "HELO client.example",
            "MAIL FROM:<>",
            "RCPT TO:<a@localhost>",
            "RCPT TO:<postmaster>",
            "DATA",
        ] {
            dialogue.answer(line.as_bytes());
        }
        let stamp = Stamp::new(([127, 0, 0, 1], 25).into());
        let (answer, mail) = dialogue.message(content, &stamp);
        assert_starts(&last_line(&answer), expected);
        assert_eq!(mail.is_some(), taken);
        if let Some(mail) = mail {
            assert_eq!((mail.from.as_str(), mail.authenticated), ("", None));
            assert_eq!(mail.to, ["a@localhost", "postmaster"]);
            assert!(mail.data.starts_with(
                b"Received: from client.example ([127.0.0.1])\r\n\tby localhost with SMTP id "
            ));
            assert!(mail.data.ends_with(b" +0000\r\nHi.\r\n"));
            assert_eq!(
                last_line(&answer),
                format!("250 2.0.0 {} Message accepted for delivery", stamp.id)
            );
        }
        assert_starts(&last_line(&dialogue.answer(b"RCPT TO:<a@localhost>")), "503 5.5.1 ");
        assert_starts(&last_line(&dialogue.answer(b"MAIL FROM:<>")), "250 2.1.0 ");
    }
}

#[test]
fn the_received_field_says_how_mail_came_in() {
    for (role, lines, protocol) in [
        (Role::Smtp, &["HELO x"][..], "SMTP"),
        (Role::Smtp, &["EHLO x"], "ESMTP"),
        (Role::Submission, &["EHLO x", AUTH], "ESMTPA"),
    ] {
        let mut dialogue = smtp(role);
        for line in lines {
            dialogue.answer(line.as_bytes());
        }
        assert_eq!(dialogue.protocol(), protocol);
    }
}

#[test]
fn tls_forgets_all_that_was_said_before_and_is_offered_once() {
    let mut dialogue = smtp(Role::Submission);
    for line in ["EHLO client.example", AUTH] {
        assert_starts(&dialogue.answer(line.as_bytes()).wire(), "2");
    }
    let answer = dialogue.answer(b"STARTTLS");
    assert_eq!(
        (answer.wire().as_str(), answer.next()),
        ("220 2.0.0 Ready to start TLS\r\n", Next::Tls)
    );
    dialogue.forget();
    assert_starts(&dialogue.answer(b"MAIL FROM:<a@example.com>").wire(), "503 5.5.1 EHLO");
    assert!(!dialogue.answer(b"EHLO client.example").wire().contains("STARTTLS"));
    assert_starts(&dialogue.answer(b"MAIL FROM:<a@example.com>").wire(), "530 ");
    assert_starts(&dialogue.answer(b"STARTTLS").wire(), "503 5.5.1 ");
}

#[test]
fn mail_for_which_the_servers_of_a_script_have_no_room_is_refused() {
    let budget = crate::server::budget::Budget::of(10_000);
    let site = Arc::new(Site::new([], &budget));
    for role in [Role::Smtp, Role::Lmtp] {
        let mut dialogue = Smtp::new(role, Arc::clone(&site), ([127, 0, 0, 1], 40_000).into());
        let mut say = |size: usize| {
            let hello = if role == Role::Lmtp { "LHLO x" } else { "EHLO x" };
            for line in [hello, "MAIL FROM:<>", "RCPT TO:<hoge@example.com>", "DATA"] {
                dialogue.answer(line.as_bytes());
            }
            String::from_utf8(dialogue.octets(Some(vec![b'x'; size])).bytes).unwrap()
        };
        assert_starts(&say(3000), "452 4.3.1 Too much mail is stored");
        assert_starts(&say(2000), "250 ");
        budget.add(8000);
        assert_starts(&say(2000), "452 4.3.1 Too much mail is stored");
        budget.give(8000);
    }
}
