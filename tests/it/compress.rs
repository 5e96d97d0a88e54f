//! COMPRESS=DEFLATE: both roles in one script, in clear and within TLS, and hostile peers.

use std::time::Duration;

use mailexpect::outcome::Outcome;
use mailexpect::script::Case;
use mailexpect::{Segment, Session};

use crate::program::folder;

fn outcome(script: &str, configure: impl FnOnce(Case) -> Case) -> Outcome {
    let folder = folder(&[("script.rhai", script)]);
    configure(Case::new(folder.path().join("script.rhai"))).run()
}

/// A client and a server that compress. `script` is the dialogue that follows.
fn compressed(listen: &str, connect: &str, script: &str) -> String {
    format!(
        r#"
        let l = listen("{listen}");
        let s = connect(l.url{connect});
        let c = l.accept();
        c.greet("OK ready");
        s.expect("* OK");
        s.send("x1 COMPRESS DEFLATE");
        c.expect_command("COMPRESS DEFLATE");
        c.reply("OK go on");
        s.expect("x1 OK");
        c.deflate();
        s.deflate();
        {script}
        s.send("x9 LOGOUT");
        c.expect_quit();
        s.expect("* BYE");
        s.expect("x9 OK");
        "#
    )
}

const DIALOGUE: &str = r#"
    for n in 1..20 {
        s.send(`n${n} NOOP`);
        c.expect_command("NOOP");
        c.send_raw("* 3 EXISTS\r\n");
        c.reply("OK done");
        s.expect("* 3 EXISTS");
        s.expect(`n${n} OK`);
    }
    // A long text that compresses well, and then digits that do not.
    let much = repeat("a", MUCH);
    c.send_raw(`* 1 FETCH (BODY[] {${much.len()}}`+ "\r\n" + much + ")\r\n");
    let got = s.expect("* 1 FETCH");
    assert(got.text.len() > MUCH);
    let numbers = "";
    for n in 0..500 { numbers += random(100000, 999999).to_string(); }
    s.send("x2 NOOP " + numbers);
    c.expect_command("NOOP");
    c.reply("OK done");
    s.expect("x2 OK");
"#;

#[test]
fn both_sides_are_compressed_in_clear_and_within_tls_however_the_stream_is_cut() {
    for (listen, connect) in [("imap", ""), ("imaps", ", #{tls: #{verify: false}}")] {
        for way in [Segment::Whole, Segment::Bytes, Segment::Lines] {
            // With cuts, each byte that is written alone becomes a block of its own.
            let much = if way == Segment::Whole { "300000" } else { "2000" };
            let script = compressed(listen, connect, &DIALOGUE.replace("MUCH", much));
            let outcome = outcome(&script, |case| case.options(Session::options().segment(way)));
            assert!(outcome.is_ok(), "{listen} {way:?}: {outcome}");
            let shown = format!("{outcome:#}");
            assert!(shown.contains("*** compression: DEFLATE, in both directions"), "{shown}");
            assert!(shown.contains("C: n19 NOOP") && shown.contains("S: n19 OK done"), "{shown}");
        }
    }
}

#[test]
fn data_that_inflates_is_bounded_as_in_clear() {
    // The wire carries only a thousandth of the decompressed text.
    let script = compressed(
        "imap",
        ", #{limit: 100000}",
        r#"
        let e = fails("too-long", || {
            together([
                || c.send_raw(repeat("a", 10000000), #{timeout: "20s"}),
                || s.expect("* 1 FETCH"),
            ])
        });
        assert(e.message.contains("more than 100000 bytes"));
        "#,
    );
    let script =
        script.split("s.send(\"x9 LOGOUT\")").next().unwrap().to_owned() + "s.reset(); c.reset();";
    let outcome = outcome(&script, |case| case.deadline(Duration::from_mins(1)));
    assert!(outcome.is_ok(), "{outcome:#}");
}

/// A client that compresses already, and a server that does not yet.
const DEFLATED: &str = r#"
    let l = listen("imap");
    let s = connect(l.url);
    let c = l.accept();
    c.greet("OK ready");
    s.expect("* OK");
    s.deflate();
"#;

#[test]
fn a_stream_that_is_no_deflate_is_the_fault_of_who_sent_it() {
    let script = DEFLATED.to_owned()
        + r#"
        s.send("x1 NOOP");
        c.deflate();
        c.expect_command("NOOP");
        c.reply("OK done");
        s.expect("x1 OK");
        s.close();
        c.expect_close();
        let s = connect(l.url);
        let c = l.accept();
        c.greet("OK ready");
        s.expect("* OK");
        s.deflate();
        c.send_raw(blob(4, 0xff));
        s.expect("x1 OK");
    "#;
    let outcome = outcome(&script, |case| case);
    let error = &outcome.failure().unwrap().error;
    assert_eq!((error.kind().name(), outcome.exit_code() as u8), ("malformed", 1), "{outcome:#}");
    assert_eq!(error.message(), "what came cannot be inflated: its blocks are malformed");
}

#[test]
fn the_end_of_a_deflate_stream_is_not_the_end_of_the_connection() {
    // A final block of stored bytes (RFC 1951, 3.2.4): `x1 OK` and its line end.
    let end = r#"c.send_raw(hex("01 07 00 f8 ff 78 31 20 4f 4b 0d 0a"));"#;
    let begin = format!("{DEFLATED} s.send(\"x1 NOOP\"); {end} s.expect(\"x1 OK\");");
    for (rest, kind) in [
        ("s.expect_close(#{timeout: \"100ms\"});", "timeout"),
        ("c.send_raw(\"more\"); s.expect_close();", "malformed"),
        ("c.send_raw(\"more\"); s.close();", "malformed"),
    ] {
        let outcome = outcome(&format!("{begin}{rest}"), |case| case);
        let kind_of = outcome.failure().map(|failure| failure.error.kind().name());
        assert_eq!(kind_of, Some(kind), "{rest}: {outcome:#}");
    }
    let outcome = outcome(&format!("{begin} c.reset(); s.close();"), |case| case);
    assert!(outcome.is_ok(), "{outcome:#}");
}
