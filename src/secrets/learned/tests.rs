//! Tests of which forms of a secret are found, and which text is left alone.

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use proptest::prelude::*;

use super::*;

fn masked(secrets: &[&[u8]], text: &[u8]) -> String {
    let learned = Learned::default();
    for secret in secrets {
        learned.learn(secret);
    }
    String::from_utf8_lossy(&learned.mask(text, &[])).into_owned()
}

#[test]
fn parts_of_six_characters_are_masked_and_shorter_ones_are_not() {
    for (text, shown) in [
        ("bad password s3cret-pw-77", "bad password [SECRET]"),
        ("cut s3cret and s3cre and pw-77", "cut [SECRET] and s3cre and pw-77"),
        ("et-pw-7 of it", "[SECRET] of it"),
        ("alice/S3CRET-PW", "alice/[SECRET]"),
        ("x=s3cret%2Dpw%2d77&y", "x=[SECRET]&y"),
        ("quoted =73=33cret=2Dpw, s3c=\r\nret", "quoted [SECRET], [SECRET]"),
        ("a [SECRET] stays", "a [SECRET] stays"),
    ] {
        assert_eq!(masked(&[b"s3cret-pw-77"], text.as_bytes()), shown);
    }
}

#[test]
fn hexadecimal_is_masked_as_a_whole() {
    for (text, shown) in [
        ("<7333637265742d7077>", "<[SECRET]>"),
        ("0X7333637265742D7077", "0X[SECRET]"),
        ("733363726574 is a part", "733363726574 is a part"),
        ("73:33:63:72:65:74:2D:70:77", "[SECRET]"),
        ("is 73 33 63 72 65 74 2d 70 77 it", "is [SECRET] it"),
    ] {
        assert_eq!(masked(&[b"s3cret-pw"], text.as_bytes()), shown);
    }
    assert_eq!(masked(&[b"s3cret"], b"<733363726574>"), "<[SECRET]>");
    assert_eq!(masked(&[b"pwd1"], b"70776431. 70:77:64:31. 707764"), "[SECRET]. [SECRET]. 707764");
}

#[test]
fn hexadecimal_is_masked_whatever_is_between_its_digits_and_where_it_is_cut() {
    for (text, shown) in [
        // A blob as a script shows it.
        ("[0068756e74657232 2d73656372657421 21]", "[00[SECRET]]"),
        ("= got: [68756e74657232 2d", "= got: [[SECRET]"),
        ("2d 7365 6372 6574 2121 ff", "[SECRET] ff"),
        ("68756E74-65:72:32 2D73,65637265742121", "[SECRET]"),
        ("a68756e746572322d0", "a[SECRET]0"),
        ("68756e74\r\n 6572322d", "[SECRET]"),
        // The base64 of it.
        ("6148 5675 6447 5679 4d 00", "[SECRET] 00"),
    ] {
        assert_eq!(masked(&[b"hunter2-secret!!"], text.as_bytes()), shown);
    }
}

#[test]
fn base64_is_masked_over_lines() {
    assert_eq!(masked(&[b"hunter"], b"x aHVu\r\ndGVy y"), "x [SECRET] y");
    assert_eq!(masked(&[b"hunter"], br#"got "aHVu\r\ndGVy""#), r#"got "[SECRET]""#);
    assert_eq!(masked(&[b"hunter"], b"aHVu dGVy"), "aHVu dGVy");
}

#[test]
fn a_secret_is_masked_in_the_strings_of_other_languages() {
    let secret = "pas\u{1b}wort\"12é34";
    for text in [
        r#"pas\u001bwort\"12\u00e934"#,
        r#"pas\u{1b}wort\"12\xc3\xa934"#,
        r#"pas\ewort\"12é34"#,
        &format!("{secret:?}")[1..],
    ] {
        let text = format!("is {text}");
        let shown = masked(&[secret.as_bytes()], text.as_bytes());
        assert!(shown == "is [SECRET]" || shown == "is [SECRET]\"", "{text}: {shown}");
    }
}

#[test]
fn xtext_is_masked_whatever_is_written_in_it() {
    for (text, shown) in [
        ("XCLIENT LOGIN=ab+2Bcd+3Def+2Bgh+3Dij", "XCLIENT LOGIN=[SECRET]"),
        ("+61+62+2B+63+64+3D+65+66+2B+67+68+3d+69+6a", "[SECRET]"),
        ("ab%2Bcd%3Def%2bgh%3Dij", "[SECRET]"),
    ] {
        assert_eq!(masked(&[b"ab+cd=ef+gh=ij"], text.as_bytes()), shown);
    }
    assert_eq!(masked(&[b"x+41y%zz"], b"x+41y%25zz"), "[SECRET]");
}

#[test]
fn parts_in_base64_are_masked_whatever_their_case() {
    let line = BASE64_STANDARD.encode("\0alice\0s3cret-pw");
    assert_eq!(masked(&[b"s3cret-pw"], &line.as_bytes()[..17]), "AGFsaWNlA[SECRET]");
    let upper = line.to_ascii_uppercase();
    assert_eq!(masked(&[b"s3cret-pw"], upper.as_bytes()), "AGFSAWNLA[SECRET]");
}

#[test]
fn letters_beyond_ascii_are_masked_in_either_case() {
    for shown in ["pässwört9", "PÄSSWÖRT9", "PäSSWöRT9"] {
        assert_eq!(masked(&["pässwört9".as_bytes()], shown.as_bytes()), "[SECRET]", "{shown}");
    }
}

#[test]
fn a_long_token_that_is_cut_in_the_middle_is_masked_at_both_ends() {
    let token: String = (0..300_u32).filter_map(|n| char::from_u32(0x61 + n * 7 % 26)).collect();
    let wire = BASE64_STANDARD.encode(format!("user=a\x01auth=Bearer {token}\x01\x01"));
    let shown = format!("500 \"{} ... {}\"", &wire[..100], &wire[wire.len() - 100..]);
    let masked = masked(&[token.as_bytes()], shown.as_bytes());
    // The user, and the text after the token, are not masked.
    assert_eq!(masked, "500 \"dXNlcj1hAWF1dGg9QmVhcmVyI[SECRET] ... [SECRET]EB\"");
}

#[test]
fn a_mask_that_holds_a_secret_ends() {
    assert_eq!(masked(&[b"SECRET"], b"my SECRET"), "my [SECRET]");
    assert_eq!(masked(&[b"SECRET"], b"my [SECRET]"), "my [SECRET]");
}

#[test]
fn a_secret_that_overlaps_itself_is_one_span() {
    assert_eq!(masked(&[b"abab"], b"xabababx abab"), "x[SECRET]x [SECRET]");
}

#[test]
fn a_secret_of_four_characters_is_masked_whole_and_in_its_case() {
    assert_eq!(masked(&[b"abcd"], b"abcd ABCD abc"), "[SECRET] ABCD abc");
    assert_eq!(masked(&[b"ab"], b"ab"), "ab");
}

#[test]
fn a_secret_after_an_equals_sign_leaves_the_sign_alone() {
    assert_eq!(masked(&[b"34abcdefgh"], b"password=34abcdefgh"), "password=[SECRET]");
}

#[test]
fn a_proof_is_masked_as_a_whole() {
    let learned = Learned::default();
    learned.learn_proof(b"c4c9334bac560ecc");
    let text = "c4c9334bac560ecc and c4c9334bac, YzRjOTMzNGJhYzU2MGVjYw==";
    assert_eq!(&*learned.mask(text.as_bytes(), &[]), b"[SECRET] and c4c9334bac, [SECRET]");
    // The same octets in capitals and in base64.
    let text = "C4C9334BAC560ECC and xMkzS6xWDsw=";
    assert_eq!(&*learned.mask(text.as_bytes(), &[]), b"[SECRET] and [SECRET]");
    learned.learn_proof(b"fzQh3Xw0mPq1Yk8=");
    let text = "7f3421dd7c3498fab5624f";
    assert_eq!(&*learned.mask(text.as_bytes(), &[]), b"[SECRET]");
}

#[test]
fn secrets_that_overlap_leave_nothing_standing() {
    let learned = Learned::default();
    learned.learn(b"abcdef");
    learned.learn(b"defghi");
    assert_eq!(&*learned.mask(b"xabcdefghixabc", &[2..4, 12..14]), b"x[SECRET]xa[SECRET]");
}

#[test]
fn a_short_password_is_masked_after_the_word_that_it_was_sent_after() {
    let learned = Learned::default();
    learned.learn_in_place(b"a1 LOGIN alice abc\r\n", &(15..18));
    assert_eq!(
        &*learned.mask(b"a1 BAD a1 LOGIN alice abc, abc?", &[]),
        b"a1 BAD a1 LOGIN [SECRET], abc?"
    );
    learned.learn_in_place(b"x\r\nPASS abc", &(8..11));
    assert_eq!(&*learned.mask(b"-ERR PASS abc", &[]), b"-ERR [SECRET]");
}

#[test]
fn a_password_is_masked_where_it_is_shown_with_escapes() {
    let shown = masked(&[b"pass\r\nword\\"], b"it is pass\\r\\nword\\, yes");
    assert_eq!(shown, "it is [SECRET], yes");
}

#[test]
fn a_quoted_secret_is_masked_without_its_quotes_too() {
    assert_eq!(masked(&[br#""pa\"ss\\""#], br#"what is pa"ss\?"#), "what is [SECRET]?");
}

#[test]
fn words_of_the_tool_are_left_alone_and_data_in_quotes_are_not() {
    let learned = Learned::default();
    for secret in [&b"reply"[..], b"expected", b"hunter2-pw", b"nothing", b"swordfish"] {
        learned.learn(secret);
    }
    for (text, shown) in [
        ("the reply is not the one that was expected", None),
        (
            "`NOOP reply` was about to be sent, nothing came",
            Some("`NOOP [SECRET]` was about to be sent, nothing came"),
        ),
        ("cannot read hunter2-pw: not found", Some("cannot read [SECRET]: not found")),
        ("/^250 reply/", Some("/^250 [SECRET]/")),
        ("cannot read swordfish: not found", Some("cannot read [SECRET]: not found")),
        ("1 of 2 cases failed: Swordfish", Some("1 of 2 cases failed: [SECRET]")),
        (
            r#""the \"reply\" was expected" was got"#,
            Some(r#""the \"[SECRET]\" was [SECRET]" was got"#),
        ),
    ] {
        let mut masked = text.to_owned();
        learned.mask_data(&mut masked);
        assert_eq!(masked, shown.unwrap_or(text));
    }
}

#[test]
#[cfg(feature = "script")]
fn a_short_secret_is_found_as_a_word_of_its_own() {
    let learned = Learned::default();
    learned.keep(b"pw");
    learned.keep(b"");
    assert_eq!(learned.short_in("C: PASS pw"), Some(2));
    assert_eq!(learned.short_in("C: PASS pws, spw, p"), None);
}

#[test]
fn learned_secrets_are_not_printed() {
    let learned = Learned::default();
    learned.learn(b"password");
    let printed = format!("{learned:?}");
    assert!(!printed.contains("112") && !printed.contains("password"), "{printed}");
}

proptest! {
    #[test]
    fn a_secret_is_found_at_any_place_in_base64(before in "[ -~]{0,9}", secret in "[!-~][ -~]{4,18}[!-~]", behind in "[ -~]{0,9}") {
        let learned = Learned::default();
        learned.learn(secret.as_bytes());
        // The expected span: all digits that hold bits of the secret. Padding may be masked in
        // addition.
        let digits = before.len() * 8 / 6..((before.len() + secret.len()) * 8).div_ceil(6);
        let text = format!("{before}{secret}{behind}");
        for wire in [BASE64_STANDARD.encode(&text), BASE64_URL_SAFE_NO_PAD.encode(&text)] {
            let spans = learned.spans(wire.as_bytes());
            let found = spans.iter().any(|span| span.start <= digits.start && span.end >= digits.end);
            prop_assert!(found, "{} {:?}", wire, spans);
        }
    }

    #[test]
    fn any_part_of_six_characters_is_found(secret in "[a-zA-Z0-9+/_-]{6,40}", start in 0..35_usize, length in 6..40_usize) {
        let end = (start + length).min(secret.len());
        prop_assume!(start + PART <= end);
        let text = format!("? {} ?", &secret[start..end]);
        prop_assert_eq!(masked(&[secret.as_bytes()], text.as_bytes()), "? [SECRET] ?");
    }
}
