//! The memory that the servers of a script take, which counts as the script's.
#![cfg(target_os = "linux")]

use crate::copying::{PEAK, peak};
use crate::program::folder;

/// What a script may hold here, and what the program itself holds of a script, in MiB.
const MOST: usize = 32 + 20;

#[test]
fn answers_that_a_script_does_not_take_from_its_own_server_are_bounded() {
    let idle = peak(folder(&[("z.rhai", PEAK)]).path()).1;
    let script = r#"// Takes no answers.
let srv = serve("imap");
let body = "Subject: x\r\n\r\n";
body.pad(1000000, "x");
let open = [];
for n in 0..8 {
    let s = connect(srv.url);
    s.expect("* OK");
    s.login("hoge@example.com", "pppwww");
    if n == 0 {
        for k in 0..3 { s.append("INBOX", body); }
    }
    s.select("INBOX");
    s.send("x FETCH 1:* (BODY.PEEK[] BODY.PEEK[] BODY.PEEK[] BODY.PEEK[] BODY.PEEK[] BODY.PEEK[] BODY.PEEK[] BODY.PEEK[])");
    open.push(s);
}
// The server has answered all when it answers the last one.
let last = connect(srv.url);
last.expect("* OK");
"#;
    let folder = folder(&[("a.rhai", script), ("z.rhai", PEAK)]);
    let (out, peak) = peak(folder.path());
    assert!(peak < idle + MOST, "{peak} MiB, and {idle} without the script\n{out}");
}

#[test]
fn mail_beyond_what_a_script_may_hold_is_refused_by_its_server() {
    let script = r#"// Sends too much.
let srv = serve("smtp");
let s = connect(srv.url);
s.expect(220);
s.ehlo("client.example");
let body = "Subject: x\r\n\r\n";
body.pad(5000000, "x");
s.mail("kim@example.com");
s.rcpt("hoge@example.com");
s.data(body, #{expect: 452});
s.mail("kim@example.com");
s.rcpt("hoge@example.com");
s.data("Subject: y\r\n\r\ny\r\n");
s.quit();
"#;
    let (out, _) = peak(folder(&[("a.rhai", script), ("z.rhai", PEAK)]).path());
    assert!(out.contains("2 passed"), "{out}");
}
