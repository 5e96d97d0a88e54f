//! Tests: where responses end, whose turn it is, and what a client sends.

mod secrets;

use proptest::prelude::*;

use super::*;

/// The responses that are found if the stream is cut into these pieces.
fn frames(pieces: &[&[u8]]) -> Result<Vec<String>, String> {
    let mut responses = Responses::default();
    let mut held = Vec::new();
    let mut found = Vec::new();
    for piece in pieces {
        held.extend_from_slice(piece);
        while let Some(length) = responses.frame(&held).map_err(|malformed| malformed.why)? {
            found.push(String::from_utf8(held.drain(..length).collect()).unwrap());
        }
    }
    Ok(found)
}

#[test]
fn a_response_is_its_lines_of_data_and_its_verdict() {
    let stream = [
        "\"A\" \"b \\\"OK\\\" \\\\\"\r\n{4}\r\nOK\r\n ACTIVE\r\n\"\"\r\nOK\r\n",
        "no {10+}\r\nOK \"x\r\nOK\n\r\n",
        "BYE (REFERRAL {9}\r\n\"\r\n) OK \") \"see there\"\r\n",
        "OK {0}\r\n\r\n",
        "OK(TAG \"a\") \"Done\"\n",
        "OK (X-LIST (\"a)\" 5 ())({1}\r\n()) \"Done\"\r\n",
    ];
    let whole = stream.concat();
    assert_eq!(frames(&[whole.as_bytes()]).unwrap(), stream);
    let bytewise: Vec<_> = whole.as_bytes().chunks(1).collect();
    assert_eq!(frames(&bytewise).unwrap(), stream);
}

#[test]
fn bytes_that_are_no_response_say_why() {
    for (stream, why) in [
        ("220 hi\r\n", "neither a string nor OK, NO or BYE"),
        ("OKAY\r\n", "neither a string nor OK"),
        ("\r\n", "neither a string nor OK"),
        ("(\"a\")\r\n", "neither a string nor OK"),
        ("\"a\"\r\nhello\r\n", "neither a string nor OK"),
        ("\"a\r\nOK\r\n", "not closed on its line"),
        ("OK \"a\\\n", "not closed on its line"),
        ("OK \"a\\b\"\r\n", "neither a quote nor a backslash"),
        ("{5}\r\nkeep;stop;\r\nOK\r\n", "without a blank"),
        ("{0}\r\n\"a\"\r\nOK\r\n", "without a blank"),
        ("\"a\"ACTIVE\r\nOK\r\n", "without a blank"),
        ("OK\"a\"\r\n", "without a blank"),
        ("OK (A)\"a\"\r\n", "without a blank"),
        ("OK (A (\"b\") \"a\"\r\n", "more than a code in parentheses"),
        ("OK (A)) \"a\"\r\n", "more than a code in parentheses"),
        ("OK () \"a\"\r\n", "more than a code in parentheses"),
        ("OK ((A)) \"a\"\r\n", "more than a code in parentheses"),
        ("\"a\" INACTIVE\r\nOK\r\n", "has more than a string"),
        ("\"a\" ACTIVEX\r\nOK\r\n", "has more than a string"),
        ("\"a\" \"b\" ACTIVE\r\nOK\r\n", "has more than a string"),
        ("\"a\" (\"b\")\r\nOK\r\n", "has more than a string"),
        ("{x}\r\n", "is no number"),
        ("{}\r\n", "is no number"),
        ("{5++}\r\n", "is no number"),
        ("{99999999999999999999999}\r\n", "is no number"),
        ("{5} hello\r\n", "has no line end after it"),
        ("{6}\r\nkeep;\r\nOK\r\n", "is longer than its content"),
    ] {
        let error = frames(&[stream.as_bytes()]).unwrap_err();
        assert!(error.contains(why), "{stream:?}: {error}");
    }
    assert_eq!(
        frames(&[b"{18446744073709551615}\r\nOK\r\n"]).unwrap(),
        [""; 0],
        "a size that lies is waited for"
    );
}

#[test]
fn a_response_says_how_long_its_literal_will_be() {
    let mut responses = Responses::default();
    assert_eq!(responses.frame(b"{100}\r\nabc").unwrap(), None);
    assert_eq!(responses.at_least(), 107);
    responses.restart();
    assert_eq!(responses.frame(b"{18446744073709551615}\r\n").unwrap(), None);
    assert_eq!(responses.at_least(), u64::MAX);
}

#[test]
fn an_incomplete_response_says_what_is_missing() {
    for (held, missing) in [
        (&b""[..], None),
        (b"OK \"done", Some("its line end, CR LF")),
        (
            b"\"SASL\" \"PLAIN\"\r\n",
            Some("its last line, which says OK, NO or BYE (RFC 5804, 1.2)"),
        ),
        (b"NO {10}\r\nabc", Some("7 octets of a literal, of 10 that it announces")),
    ] {
        let mut responses = Responses::default();
        assert_eq!(responses.frame(held), Ok(None));
        assert_eq!(responses.missing(held).as_deref(), missing);
    }
}

#[test]
fn the_line_that_is_wrong_is_named() {
    let malformed = Responses::default().frame(b"\"a\"\r\nhello there\r\nOK\r\n").unwrap_err();
    assert_eq!(malformed.line, 5..18);
}

/// Plays a dialogue of `C` and `S` lines.
fn after(steps: &[(&str, &str)]) -> Sieve {
    let mut sieve = Sieve::new("sieve");
    for (who, bytes) in steps {
        match *who {
            "C" => drop(sieve.sent(bytes.as_bytes(), &mut Secrets::default())),
            _ => sieve.received(bytes.as_bytes()),
        }
    }
    sieve
}

const GREETED: (&str, &str) = ("S", "\"SIEVE\" \"\"\r\nOK\r\n");

#[test]
fn a_response_is_owed_after_connecting_and_after_each_command() {
    let owed = |more: &[(&'static str, &'static str)]| after(&[&[GREETED], more].concat()).owed();
    assert_eq!(
        (after(&[]).owed(), after(&[("S", "\"SIEVE\" \"\"\r\n")]).owed(), owed(&[])),
        (1, 1, 0)
    );
    assert_eq!(
        owed(&[("C", "PUTSCRIPT \"a\" {6+}\r\nOK\r\n\r\n")]),
        0,
        "the literal is whole, the command is not"
    );
    assert_eq!(owed(&[("C", "PUTSCRIPT \"a\" {6+}\r\nOK\r\n\r\n\r\n")]), 1);
    assert_eq!(
        owed(&[("C", "PUTSCRIPT \"a\" {6}\r\n")]),
        1,
        "without a plus it is no literal of a client's"
    );
    assert_eq!(owed(&[("C", "NOOP\r\nNOOP \"unclosed\r\nLOGOUT\r\n"), ("S", "OK\r\n")]), 2);
    assert_eq!(
        owed(&[
            ("C", "LISTSCRIPTS\r\n"),
            ("S", "\"a\"\r\n"),
            ("S", "{2}\r\nOK"),
            ("S", "\r\nO"),
            ("S", "K\r\n")
        ]),
        0
    );
    assert_eq!(
        owed(&[("C", "NOOP\r\n"), ("S", "what {5}\r\n"), ("S", "OK\r\n")]),
        0,
        "a line that is none pays for nothing"
    );
}

#[test]
fn a_challenge_is_a_response_of_its_own_and_asks_for_one() {
    let mut sieve = after(&[GREETED, ("C", "AUTHENTICATE \"LOGIN\"\r\n")]);
    let challenge = b"{12}\r\nVXNlcm5hbWU6\r\n";
    assert_eq!(sieve.framing().unwrap().frame(challenge), Ok(Some(challenge.len())));
    sieve.received(challenge);
    assert_eq!((sieve.owed(), sieve.turn.is_some()), (0, true));
    sieve.sent(b"\"aG9nZQ==\"\r\n", &mut Secrets::default());
    assert_eq!((sieve.owed(), sieve.turn.is_some()), (1, false));
    sieve.received(b"OK (SASL \"cnNwYXV0aD0=\")\r\n");
    sieve.sent(b"CAPABILITY\r\n", &mut Secrets::default());
    assert_eq!(sieve.framing().unwrap().frame(b"\"A\"\r\n"), Ok(None), "data again");
}

#[test]
fn the_capabilities_are_owed_again_after_starttls() {
    let starttls = [GREETED, ("C", "STARTTLS\r\n"), ("S", "OK \"go\"\r\n")];
    assert_eq!(after(&starttls).owed(), 1);
    assert_eq!(after(&[&starttls[..], &[GREETED]].concat()).owed(), 0);
    assert_eq!(after(&[GREETED, ("C", "STARTTLS\r\n"), ("S", "NO\r\n")]).owed(), 0);
}

#[test]
fn the_close_is_expected_after_logout_and_after_bye() {
    for (command, reply, closing) in [
        ("LOGOUT", "OK", true),
        ("logout", "NO", false),
        ("NOOP", "BYE \"idle\"", true),
        ("NOOP", "OK", false),
    ] {
        let (command, reply) = (format!("{command}\r\n"), format!("{reply}\r\n"));
        assert_eq!(
            after(&[GREETED, ("C", &command), ("S", &reply)]).is_closing(),
            closing,
            "{command}"
        );
    }
}

#[test]
fn strings_are_quoted_or_literals_as_they_need_to_be() {
    for (text, said) in [
        ("lab", "\"lab\""),
        ("", "\"\""),
        ("a\"b\\", "\"a\\\"b\\\\\""),
        ("a\r\nb", "{4+}\r\na\r\nb"),
        ("\0", "{1+}\r\n\0"),
    ] {
        assert_eq!(String::from_utf8(string(text.as_bytes())).unwrap(), said);
    }
    assert!(
        string(&[b'x'; 1025]).starts_with(b"{1025+}\r\n")
            && string(&[b'x'; 1024]).starts_with(b"\"x")
    );
}

/// A dialogue recorded from Dovecot on Debian with Pigeonhole.
const RECORDED: &str = include_str!("testdata/dovecot.txt");

/// What each side of the recorded dialogue said, in turns.
fn recorded() -> Vec<(&'static str, String)> {
    let mut turns: Vec<(&str, String)> = Vec::new();
    for line in RECORDED.lines() {
        let (who, text) = (&line[..1], format!("{}\r\n", &line[3..]));
        match turns.last_mut() {
            Some((last, said)) if *last == who => said.push_str(&text),
            _ => turns.push((who, text)),
        }
    }
    turns
}

/// Plays the recorded dialogue. Each turn of the server comes in a first piece of `first` bytes and
/// further pieces of `size` bytes. Returns every response that was taken.
fn taken(first: usize, size: usize) -> Vec<String> {
    let mut sieve = Sieve::new("sieve");
    let mut taken = Vec::new();
    for (who, said) in recorded() {
        if who == "C" {
            assert_eq!(sieve.owed(), 0, "before {said}");
            sieve.sent(said.as_bytes(), &mut Secrets::default());
            assert_eq!(sieve.owed(), 1, "after {said}");
            continue;
        }
        let mut held = Vec::new();
        let (start, rest) = said.as_bytes().split_at(first.min(said.len()));
        for piece in [start].into_iter().chain(rest.chunks(size)) {
            held.extend_from_slice(piece);
            while let Some(length) = sieve.framing().unwrap().frame(&held).unwrap() {
                let bytes: Vec<_> = held.drain(..length).collect();
                sieve.received(&bytes);
                taken.push(String::from_utf8(bytes).unwrap());
            }
        }
        assert_eq!(held, b"", "after {said}");
    }
    assert!(sieve.is_closing());
    taken
}

#[test]
fn a_recorded_dialogue_is_taken_the_same_wherever_it_is_cut() {
    let whole = taken(0, usize::MAX);
    let said: Vec<_> =
        recorded().into_iter().filter(|(who, _)| *who == "S").map(|(_, text)| text).collect();
    assert_eq!(whole, said, "a response for each of the server's turns");
    let longest = said.iter().map(String::len).max().unwrap();
    for cut in 0..longest {
        assert_eq!(taken(cut, usize::MAX), whole, "cut at {cut}");
    }
    assert_eq!(taken(0, 1), whole, "bytewise");
}

/// The number of owed responses, and whether the server is closing, after the server has said this
/// in these pieces.
fn received(pieces: &[&[u8]]) -> (usize, bool) {
    let mut sieve = after(&[GREETED, ("C", "NOOP\r\nLOGOUT\r\nNOOP\r\n")]);
    for piece in pieces {
        sieve.received(piece);
    }
    (sieve.owed(), sieve.is_closing())
}

/// The number of owed responses after this was sent in these pieces, and which bytes of it were
/// secret.
fn sent(pieces: &[&[u8]]) -> (usize, Vec<usize>) {
    let mut sieve = after(&[GREETED]);
    let (mut start, mut secret) = (0, Vec::new());
    for piece in pieces {
        let spans = sieve.sent(piece, &mut Secrets::default());
        secret.extend(spans.into_iter().flatten().map(|at| start + at));
        start += piece.len();
    }
    (sieve.owed(), secret)
}

proptest! {
    #[test]
    fn responses_are_the_same_however_the_stream_is_cut(
        stream in "(OK|NO|AUTHENTICATE X |\"a\"|[\"{}()+15OK\\\\ \r\n]{1,4}|\r\n|\\{2\\}\r\n..){0,12}",
        cuts in proptest::collection::vec(0usize..60, 0..6),
    ) {
        let stream = stream.as_bytes();
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(stream.len())).chain([0, stream.len()]).collect();
        cuts.sort_unstable();
        let pieces: Vec<_> = cuts.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();
        prop_assert_eq!(received(&pieces), received(&[stream]));
        prop_assert_eq!(frames(&pieces), frames(&[stream]));
        prop_assert_eq!(sent(&pieces), sent(&[stream]));
    }

    #[test]
    fn a_string_comes_back_as_it_was(text in proptest::collection::vec(any::<u8>(), 0..40)) {
        let line = [&string(&text)[..], b" ACTIVE\r\n"].concat();
        let words = words::lines(&line).collect::<Vec<_>>();
        prop_assert_eq!(words, vec![vec![Word::Text(text), Word::Atom(b"ACTIVE".to_vec())]]);
    }
}
