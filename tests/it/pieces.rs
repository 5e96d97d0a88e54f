//! Words that go through long texts do it in pieces, or aside: the script can be stopped meanwhile.

use std::time::Duration;

use crate::sandbox::outcome;

#[test]
fn what_is_found_in_a_long_text_lies_anywhere_in_its_pieces() {
    let passed = outcome(
        r#"
        let piece = repeat("é", 32768);
        for n in 0..4 {
            let part = piece + repeat("x", n);
            let text = `${part}--${part}--${piece}`;
            let count = part.len();
            assert_eq(text.index_of("--"), count);
            assert_eq(text.index_of("--", count + 1), 2 * count + 2);
            assert_eq(text.index_of('x'), if n == 0 { -1 } else { 32768 });
            assert_eq(text.split("--"), [part, part, piece]);
            assert_eq(text.split_rev("--"), [piece, part, part]);
            assert_eq(text.split_rev("--", 2), [piece, `${part}--${part}`]);
            assert_eq(text.split("--", 2), [part, `${part}--${piece}`]);
            assert_eq(text.split(count), [part, text.sub_string(count)]);
            text.replace("--", "  ");
            assert_eq(text.split(), [part, part, piece]);
        }
        let long = piece + piece + "!";
        let text = piece + long + "x" + long;
        assert_eq([text.index_of(long), text.split(long)], [32768, [piece, "x", ""]]);
        assert_eq(text.split_rev(long), ["", "x", piece]);

        let text = ` ${long} `;
        text.trim();
        assert_eq(text, long);
        assert_eq(text.to_upper(), repeat("É", 65536) + "!");
        text.set(65536, 'x');
        text.make_lower();
        assert_eq(text, piece + piece + "x");
        text.remove('é');
        text.pad(200000, "ab");
        assert_eq(text, "x" + repeat("ab", 99999) + "a");
        text.truncate(3);
        assert_eq(text, "xab");
        "#,
        |case| case.deadline(Duration::from_mins(1)),
    );
    assert!(passed.is_ok(), "{passed:#?}");
}

#[test]
fn the_limit_for_a_text_holds_for_what_replace_makes_of_it() {
    let passed = outcome(
        "let a = repeat(\"a\" + repeat(\"b\", 999), 40000); a.replace(\"a\", \"c\"); assert_eq(a.len(), 40000000);",
        |case| case.memory(1 << 30),
    );
    assert!(passed.is_ok(), "{passed:#?}");
    let failed = outcome(
        "let a = repeat(\"a\" + repeat(\"b\", 999), 60000); a.replace('a', repeat(\"c\", 200));",
        |case| case.memory(1 << 30),
    );
    let text = failed.failure().unwrap().error.to_string();
    assert!(text.contains("64 MiB"), "{text}");
}

#[test]
fn a_long_text_is_not_changed_or_cut_at_an_index() {
    const TEXT: &str = "let t = repeat(\"x\", 9000000); let m = #{t: [t]}; let i = 0; ";
    for index in
        ["t[0] = 'y'", "t[1..2] = \"y\"", "t[1..2]", "m.t[i][5] = 'y'", "m[\"t\"][-1][i..].len()"]
    {
        let failed = outcome(&format!("{TEXT}{index};"), |case| case);
        let text = failed.failure().unwrap().error.to_string();
        assert!(text.contains("at most 8 MiB"), "{index}: {text}");
    }
    let rest = "t.set(0, 'y'); m.t[i] = \"\"; m.t[0] += \"x\"; assert_eq(t[0], 'y'); assert_eq(m.t[0][0..1], \"x\"); \
        assert_eq(t.sub_string(0, 2), \"yx\");";
    let passed = outcome(&format!("{TEXT}{rest}"), |case| case);
    assert!(passed.is_ok(), "{passed:#?}");
}

#[test]
fn a_script_ends_soon_after_its_deadline_whatever_text_it_goes_through() {
    for script in [
        "let a = repeat(\"ß\", 30000000); loop { a.to_upper(); }",
        "let a = repeat(\"É\", 30000000); loop { a.to_lower(); }",
        "let a = repeat(\" \", 60000000); loop { let b = a; b.trim(); }",
        "let a = repeat(\" \", 60000000); loop { a.split(); }",
        "let a = repeat(\"ab\", 30000000); loop { let b = a; b.remove(\"a\"); }",
        "let a = repeat(\"a\", 30000000); loop { let b = a; b.replace(\"\", \"c\"); }",
        "let a = repeat(\"a\", 30000000); loop { a.index_of(repeat(\"a\", 20000000) + \"b\"); }",
        "let a = repeat(\"a\", 60000000); loop { a.split(\"ab\"); a.split_rev('z'); }",
        "loop { let a = \"a\"; a.pad(60000000, \"b\"); }",
    ] {
        let outcome =
            outcome(script, |case| case.deadline(Duration::from_millis(500)).memory(1 << 30));
        let failure = outcome.failure().unwrap();
        assert!(failure.error.is_timeout(), "{script}: {failure:?}");
        // Half a second is the aim, but the machine may be busy.
        assert!(outcome.elapsed < Duration::from_secs(3), "{script}: {:?}", outcome.elapsed);
    }
}

#[test]
fn what_is_expected_of_a_long_reply_or_command_is_searched_in_time() {
    let slow = "re(`(?s)x.{0,4000}END`)";
    let begin = "let l = listen(\"tcp\"); let url = l.url; url.replace(\"tcp:\", \"smtp:\"); let c = connect(url); let s = l.accept();\n\
        s.send_raw(\"220 hi\\r\\n\"); c.expect(220);\n\
        let long = repeat(\"250-\" + repeat(\"x\", 1000) + \"\\r\\n\", 300) + \"250 x\\r\\n\";\n\
        let answer = || { s.expect(\"NOOP\\r\\n\"); s.send_raw(long); };\n";
    let serve = "let l = listen(\"smtp\"); let url = l.url; url.replace(\"smtp:\", \"tcp:\"); let c = connect(url); let s = l.accept();\n\
        s.greet(); c.send_raw(\"NOOP \" + repeat(repeat(\"x\", 1000) + \" \", 300) + \"\\r\\n\");\n";
    for script in [
        format!("{begin}together([answer, || c.noop(#{{expect: {slow}, timeout: \"2s\"}})]);"),
        format!("{begin}c.send(\"NOOP\"); answer.call(); c.expect({slow}, #{{timeout: \"2s\"}});"),
        format!("{serve}s.expect_command({slow}, #{{timeout: \"2s\"}});"),
    ] {
        let outcome = outcome(&script, |case| case.deadline(Duration::from_mins(1)));
        let text = outcome.failure().unwrap().error.to_string();
        assert!(text.contains("what came could not be searched in time"), "{script}: {text}");
        assert!(outcome.elapsed < Duration::from_secs(20), "{script}: {:?}", outcome.elapsed);
    }
}

#[test]
fn a_flood_of_lines_is_refused_before_it_takes_memory_and_many_secrets_take_linear_time() {
    let begin = "let l = listen(\"smtp\"); let url = l.url; url.replace(\"smtp:\", \"tcp:\"); let c = connect(url); let s = l.accept();\n\
        s.greet(220); c.expect(\"220\");\n";
    for script in [
        "let c = connect(); c.expect(220); c.send_raw(repeat(\"\\n\", 3000000));",
        &format!(
            "{begin}together([|| c.send_raw(repeat(\"\\n\", 3000000)), || s.expect_bytes(\"END\")]);"
        ),
    ] {
        let outcome = outcome(script, |case| case.deadline(Duration::from_mins(1)));
        let error = outcome.failure().unwrap().error.clone();
        assert!(error.is_too_long() && error.message().contains("too many lines"), "{error}");
    }
    // The lines of a literal are one command.
    let literal = "let l = listen(\"imap\"); let url = l.url; url.replace(\"imap:\", \"tcp:\");\n\
        let c = connect(url); let s = l.accept(); s.greet(\"OK\", \"hi\"); c.expect_line(\"* OK hi\");\n\
        let text = repeat(\"x\\n\", 1200000);\n\
        together([|| c.send_raw(\"a1 APPEND INBOX {\" + text.len + \"+}\\r\\n\" + text + \"\\r\\n\"), || s.expect_command(\"APPEND\")]);\n\
        s.reset(); c.reset();";
    let taken = outcome(literal, |case| case.deadline(Duration::from_mins(1)));
    assert!(taken.is_ok(), "{taken}");
    let many = format!(
        "{begin}let sent = repeat(\"AUTH PLAIN AGEAYg==\\r\\n\", 40000) + \"END\";\n\
         together([|| c.send_raw(sent), || s.expect_bytes(\"END\")]); s.reset(); c.reset();"
    );
    let outcome = outcome(&many, |case| case.deadline(Duration::from_mins(1)));
    assert!(outcome.is_ok(), "{outcome:#?}");
    assert!(outcome.elapsed < Duration::from_secs(20), "{:?}", outcome.elapsed);
}
