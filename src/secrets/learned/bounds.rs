//! Tests of what the secrets of a run may take, and of what is masked if they are more.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use data_encoding::HEXLOWER;

use super::*;

/// Letters and digits that do not repeat.
fn letters(count: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let letters = std::iter::from_fn(|| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let alphabet = b"abcdefghijklmnopqrstuvwxyz0123456789";
        Some(alphabet[usize::try_from(state >> 40).unwrap() % alphabet.len()])
    });
    letters.take(count).collect()
}

fn masked(learned: &Learned, text: &[u8]) -> String {
    String::from_utf8_lossy(&learned.mask(text, &[])).into_owned()
}

#[test]
fn each_part_of_a_long_secret_is_masked_in_each_form() {
    let learned = Learned::default();
    let secret = letters(80_000, 1);
    learned.learn(&secret);
    for start in (0..secret.len() - 40).step_by(1999) {
        let part = &secret[start..start + 40];
        let forms = [
            String::from_utf8_lossy(part).into_owned(),
            String::from_utf8_lossy(part).to_uppercase(),
            HEXLOWER.encode(part),
        ];
        for form in forms {
            assert_eq!(masked(&learned, format!("<{form}>").as_bytes()), "<[SECRET]>");
        }
        let digits = masked(&learned, BASE64_STANDARD.encode(part).as_bytes());
        assert!(digits.starts_with("[SECRET]") && digits.len() < 12, "{digits}");
    }
    let reply = "250-mail.example.org at your service\r\n250 SIZE 35882577\r\n";
    assert_eq!(masked(&learned, reply.as_bytes()), reply);
}

#[test]
fn a_long_secret_of_one_letter_takes_no_room() {
    let learned = Learned::default();
    learned.learn(&vec![b'a'; LONGEST / 8]);
    assert_eq!(masked(&learned, b"500 aaaaaaaa is long"), "500 [SECRET] is long");
    assert!(!learned.is_overfull());
}

#[test]
fn a_text_full_of_secrets_has_one_span() {
    let learned = Learned::default();
    learned.learn_whole(&[b'A'; 900]);
    learned.learn(b"aAaA");
    let text = vec![b'A'; 100_000];
    let all = |spans: &[Range<usize>]| spans.len() == 1 && spans[0] == (0..text.len());
    assert!(all(&learned.index().scan(&text, PART)));
    // The work for one place is bounded: see `whole::tests`.
    assert!(all(&learned.spans(&text)));
}

#[test]
fn many_secrets_are_masked() {
    let learned = Learned::default();
    let secret = |number| letters(16, number);
    (0..3000).for_each(|number| learned.keep(&secret(number)));
    (0..3000).for_each(|number| assert_eq!(masked(&learned, &secret(number)), "[SECRET]"));
    assert!(!learned.is_overfull());
}

#[test]
fn if_secrets_are_too_long_or_too_many_everything_is_masked() {
    let long = letters(LONGEST + 1, 7);
    let quoted = [b"\"", &long[..], b"\""].concat();
    let ways: [&dyn Fn(&Learned); 5] = [
        &|learned| learned.learn(&long),
        &|learned| learned.keep(&quoted),
        &|learned| learned.learn_whole(&long),
        &|learned| learned.learn_proof(&long),
        // As many letters in shorter secrets.
        &|learned| long.chunks(1000).for_each(|secret| learned.learn(secret)),
    ];
    for learn in ways {
        let learned = Learned::default();
        learn(&learned);
        assert!(learned.is_overfull() && !learned.is_empty());
        assert_eq!(masked(&learned, b"250-one\r\n250 two\r\n"), "[SECRET]\r\n[SECRET]\r\n");
        let index = learned.index();
        assert!(index.grams.is_empty() && index.whole.is_empty() && index.known.is_empty());
    }
}

#[test]
fn the_tool_says_what_happened_if_everything_is_masked() {
    let learned = Learned::default();
    learned.learn(&vec![b'a'; LONGEST + 1]);
    let mut text = "the reply `250 expected` is not the one that was expected: xyz9".to_owned();
    learned.mask_data(&mut text);
    assert_eq!(text, "the reply `[SECRET] [SECRET]` is not the one that was expected: [SECRET]");
    assert_eq!(masked(&learned, OVERFULL.as_bytes()), OVERFULL);
}

#[test]
fn a_flood_of_short_secrets_is_not_kept() {
    let learned = Learned::default();
    (0..=u16::MAX).for_each(|number| learned.keep(&number.to_be_bytes()));
    assert!(learned.is_overfull());
}

#[test]
fn quotes_within_quotes_end() {
    let learned = Learned::default();
    learned.learn(&vec![b'"'; 40_000]);
    learned.learn(br#""\"hunter\"""#);
    assert_eq!(masked(&learned, b"hunter"), "[SECRET]");
}

#[test]
fn of_a_long_word_before_a_short_secret_the_end_is_searched_for() {
    let learned = Learned::default();
    let line = [b"LOGIN ", &letters(5000, 3)[..], b" abc"].concat();
    learned.learn_in_place(&line, &(line.len() - 3..line.len()));
    assert!(masked(&learned, &line).ends_with("[SECRET]"));
}
