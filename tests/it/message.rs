//! Messages that are composed, sent and fetched again stay the same.

use mailexpect::message::{Attachment, Draft, delivered, parse};
use mailexpect::script::Case;
use mailexpect::server::{Embedded, Replay};
use mailexpect::{Error, Session, block_on};

use crate::program::folder;
use crate::smtp::outcome;

fn passes(script: &str) {
    let server = Embedded::start().unwrap();
    let outcome = outcome(script, &server.smtp());
    assert!(outcome.is_ok(), "{outcome:#?}");
}

fn failure(script: &str) -> Error {
    let folder = folder(&[("script.rhai", script)]);
    let outcome = Case::new(folder.path().join("script.rhai")).run();
    outcome.failure().unwrap().error.clone()
}

#[test]
fn a_message_arrives_as_it_was_sent() {
    let server = Embedded::start().unwrap();
    let all: Vec<u8> = (0..=255).collect();
    let sent = Draft {
        from: "Grüße <hoge@example.com>".into(),
        to: vec!["test-user@example.com".into()],
        subject: "今日は ".repeat(40),
        text: Some(format!(".\n..\n{}\nFrom here on\n", "long ".repeat(400))),
        attachments: vec![Attachment {
            name: "all.bin".into(),
            kind: "application/octet-stream".into(),
            content: all.clone(),
        }],
        ..Draft::default()
    };
    let bytes = sent.compose();
    block_on(async {
        let mut s = Session::connect(&server.smtp()).await.unwrap();
        s.expect(220).await.unwrap();
        s.ehlo("client.example").await.unwrap();
        s.mail("hoge@example.com").await.unwrap();
        s.rcpt("test-user@example.com").await.unwrap();
        s.data(bytes.as_slice()).await.unwrap();
        s.quit().await.unwrap();
    });
    let mail = server.mails().remove(0);
    let added = delivered(&mail.data, &bytes).unwrap();
    assert!(added.starts_with(b"Received: "), "{}", added.escape_ascii());
    let message = parse(&mail.data).unwrap();
    assert_eq!(message.from, ["Grüße <hoge@example.com>"]);
    assert_eq!(message.subject(), Some("今日は ".repeat(40).as_str()));
    assert_eq!(message.text.unwrap(), sent.text.unwrap().replace('\n', "\r\n"));
    assert_eq!(message.attachments[0].content, all);
}

#[test]
fn a_script_composes_reads_and_compares() {
    passes(
        r#"// Messages.
        let parts = #{from: "kim@example.com", to: "ted@example.com", cc: ["a@b", "B C <c@d>"], subject: "x", text: "Hi\n", html: "<p>Hi",
            headers: #{"X-Test": "one"}, attachments: [#{name: "a.bin", content: hex("00ff")}]};
        let sent = message(parts);
        assert_eq(sent, message(parts));
        parts.subject = "y";
        assert(sent != message(parts));
        let m = parse_message(bytes(sent));
        assert_eq([m.from, m.to, m.cc], [["kim@example.com"], ["ted@example.com"], ["a@b", "B C <c@d>"]]);
        assert_eq([m.subject, m["x-TEST"], m["Nobody"], m.text, m.html], ["x", "one", (), "Hi\r\n", "<p>Hi"]);
        assert("X-Test" in m && !("Bcc" in m));
        assert_eq(m.headers[0], #{name: "From", value: "<kim@example.com>"});
        assert_eq(m.attachments, [#{name: "a.bin", type: "application/octet-stream", content: hex("00ff")}]);
        assert_eq(assert_delivered("X-A: b\r\n" + sent, sent), "X-A: b\r\n");
        assert_eq(assert_delivered(bytes("X-A: b\r\n\r\nHi\r\n"), "\nHi"), "X-A: b\r\n");
        let a = message(#{date: "now", message_id: "unique"});
        assert(parse_message(a).message_id != parse_message(message(#{date: "now", message_id: "unique"})).message_id);
        assert(!a.contains("1 Jan 2026 00:00:00"));
        connect().expect(220);"#,
    );
}

#[test]
fn an_error_names_the_part_that_no_message_can_be_made_of() {
    for (script, says) in [
        ("message(#{form: \"a@b\"});", "there is no option `form` here"),
        ("message(#{encoding: \"base64\"});", "cannot be left as it is in the encoding `base64`"),
        ("message(#{from: 5});", "`from` of a message is text"),
        ("message(#{to: [5]});", "`to` of a message is text"),
        ("message(#{attachments: #{}});", "`attachments` of a message is a list"),
        ("message(#{attachments: [#{file: \"a\"}]});", "there is no option `file` here"),
        ("message(#{headers: [\"a\"]});", "`headers` of a message is a map"),
        ("parse_message(5);", "a message cannot be of type integer"),
    ] {
        let error = failure(script);
        assert!(error.is_usage() && error.message().contains(says), "{script}: {error}");
    }
    let error = failure("assert_delivered(\"A: b\\r\\n\\r\\nHi\\r\\n\", \"A: c\\n\\nHi\");");
    assert_eq!((error.kind().name(), error.expected()), ("assert", Some("A: c\\r\\n")), "{error}");
}

#[test]
fn eight_bits_and_long_lines_go_out_as_they_are_where_that_is_asked_for() {
    let line = "ü".repeat(1000);
    let dialogue = "S: 220 mx.example ESMTP
        C: DATA
        S: 354 go
        C: From: <a@b>
        C: Date: Thu, 1 Jan 2026 00:00:00 +0000
        C:
        C: MIME-Version: 1.0
        C:
        C: Content-Transfer-Encoding: 8bit
        C:
        C: LINE
        C: .
        S: 250 ok";
    let server = Replay::start(&dialogue.replace("LINE", &line)).unwrap();
    let script = "let s = connect(); s.expect(220); let line = \"\"; line.pad(1000, 'ü');
        s.data(message(#{from: \"a@b\", text: line + \"\\n\", encoding: \"8bit\"}));";
    let outcome = outcome(script, &server.url("smtp"));
    assert!(outcome.is_ok(), "{outcome:#?}");
    server.finish().unwrap();
}
