//! Goldens do not depend on chance: on random values, on the number of attempts, on the order in
//! which a server lists what it offers, and on which rows of a table were skipped.

use std::fs;

use mailexpect::server::Replay;

use crate::program::{folder, run};

#[test]
fn values_of_attempts_that_failed_have_no_numbers_and_ports_are_tokens_where_they_stand_alone() {
    let script = "let n = 0; let fails = param(\"fails\", 0);
        let s = eventually(\"30s\", || {
            n += 1;
            let box = unique(\"box\");
            let port = free_port();
            let other = listen(\"smtp\");
            let s = connect();
            s.expect(220);
            s.send(`NOOP ${box} ${port} ${other.port}`);
            s.expect(250);
            snapshot(\"port\", port);
            snapshot(\"ports\", #{one: port, other: other.port});
            assert(n > fails, \"later\");
            s
        });
        let box = unique(\"box\");
        s.send(`NOOP ${box}`);
        s.expect(250);
        s.quit();";
    let folder = folder(&[("a.rhai", script)]);
    let ran = run(folder.path(), &["run", "--record"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let golden = fs::read_to_string(folder.path().join("snapshots/a.snap")).unwrap();
    for line in
        ["C: NOOP [BOX_1] [PORT_1] [PORT_2]", "*** snapshot port: [PORT_1]", "C: NOOP [BOX_2]"]
    {
        assert!(golden.contains(&format!("{line}\n")), "{golden}");
    }
    for fails in ["fails=0", "fails=1", "fails=3"] {
        let ran = run(folder.path(), &["run", "--check", "--set", fails]);
        assert_eq!(ran.code, Some(0), "{fails}: {ran:?}");
    }
}

#[test]
fn a_skipped_row_is_neither_compared_nor_written() {
    let script = "let left = param(\"left\", \"none\"); let also = param(\"also\", \"x\");
        cases([\"a\", \"b\", \"c\"], |row| {
            let s = connect();
            s.expect(220);
            if row == left { skip(\"not here\"); }
            let box = unique(\"box\");
            s.send(if row == \"c\" && also == \"y\" { `NOOP ${box} y` } else { `NOOP ${box}` });
            s.expect(250);
            s.quit();
        });";
    let folder = folder(&[("a.rhai", script)]);
    let ran = run(folder.path(), &["run", "--record"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let path = folder.path().join("snapshots/a.snap");
    let golden = fs::read_to_string(&path).unwrap();
    assert!(
        golden.contains("C: NOOP [BOX_2]\n") && golden.contains("C: NOOP [BOX_3]\n"),
        "{golden}"
    );
    for left in ["left=a", "left=b", "left=c"] {
        for more in [&["--check"][..], &["--update"], &["--record"]] {
            let ran = run(folder.path(), &[&["run", "--set", left], more].concat());
            assert_eq!(ran.code, Some(0), "{left} {more:?}: {ran:?}");
            assert!(ran.out.contains("2 passed, 1 skipped"), "{ran:?}");
            assert_eq!(fs::read_to_string(&path).unwrap(), golden, "{left} {more:?}");
        }
    }
    let changed = ["run", "--set", "left=b", "--set", "also=y"];
    let ran = run(folder.path(), &[&changed[..], &["--check"]].concat());
    assert!(ran.code == Some(1) && ran.out.contains("1 passed, 1 failed, 1 skipped"), "{ran:?}");
    assert_eq!(run(folder.path(), &[&changed[..], &["--update"]].concat()).code, Some(0));
    let updated = fs::read_to_string(&path).unwrap();
    assert_eq!(updated, golden.replace("C: NOOP [BOX_3]\n", "C: NOOP [BOX_3] y\n"));
    let ran = run(folder.path(), &["run", "--check", "--set", "also=y"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

#[test]
fn the_order_of_what_a_server_offers_does_not_matter() {
    for (scheme, script, one, other) in [
        (
            "pop3",
            "s.expect(\"+OK\"); s.capa(); s.quit();",
            "S: +OK hi\nC: CAPA\nS: +OK\nS: UIDL\nS: TOP\nS: SASL PLAIN LOGIN\nS: .\nC: QUIT\nS: +OK\nclose",
            "S: +OK hi\nC: CAPA\nS: +OK\nS: TOP\nS: UIDL\nS: SASL LOGIN PLAIN\nS: .\nC: QUIT\nS: +OK\nclose",
        ),
        (
            "sieve",
            "s.expect(\"OK\"); s.capability(); s.logout();",
            "S: \"IMPLEMENTATION\" \"x\"\nS: \"SIEVE\" \"a b\"\nS: \"SASL\" \"PLAIN LOGIN\"\nS: OK\n\
             C: CAPABILITY\nS: \"IMPLEMENTATION\" \"x\"\nS: \"SIEVE\" \"a b\"\nS: OK\nC: LOGOUT\nS: OK\nclose",
            "S: \"SASL\" \"LOGIN PLAIN\"\nS: \"IMPLEMENTATION\" \"x\"\nS: \"SIEVE\" \"b a\"\nS: OK\n\
             C: CAPABILITY\nS: \"SIEVE\" \"b a\"\nS: \"IMPLEMENTATION\" \"x\"\nS: OK\nC: LOGOUT\nS: OK\nclose",
        ),
        (
            "imap",
            "s.expect(\"* OK\"); s.capability(); s.logout();",
            "S: * OK [CAPABILITY IMAP4rev1 IDLE] hi\nC: a1 CAPABILITY\nS: * CAPABILITY IMAP4rev1 IDLE\nS: a1 OK\n\
             C: a2 LOGOUT\nS: * BYE\nS: a2 OK\nclose",
            "S: * OK [CAPABILITY IDLE IMAP4rev1] hi\nC: a1 CAPABILITY\nS: * CAPABILITY IDLE IMAP4rev1\nS: a1 OK\n\
             C: a2 LOGOUT\nS: * BYE\nS: a2 OK\nclose",
        ),
        (
            "lmtp",
            "s.expect(220); s.lhlo(\"x\"); s.quit();",
            "S: 220 h\nC: LHLO x\nS: 250-h\nS: 250-SIZE\nS: 250 DSN\nC: QUIT\nS: 221 bye\nclose",
            "S: 220 h\nC: LHLO x\nS: 250-h\nS: 250-DSN\nS: 250 SIZE\nC: QUIT\nS: 221 bye\nclose",
        ),
    ] {
        let folder =
            folder(&[("a.rhai", &format!("let s = connect(param(\"server\")); {script}"))]);
        for (dialogue, flag) in [(one, "--record"), (other, "--check")] {
            let peer = Replay::start(dialogue).unwrap();
            let set = format!("server={}", peer.url(scheme));
            let ran = run(folder.path(), &["run", "--set", &set, flag]);
            peer.leave();
            assert_eq!(ran.code, Some(0), "{scheme} {flag}: {ran:?}");
        }
    }
}
