//! Making the patterns of expectations.

use divan::black_box;
use mailexpect::{Code, IntoPattern as _, Pattern};

/// The cost of making a pattern for each `expect`, before anything is compared.
#[divan::bench]
fn pattern_from_an_integer() -> Pattern {
    black_box(250).into_pattern().unwrap()
}

#[divan::bench]
fn pattern_from_a_code_and_an_enhanced_code() -> Pattern {
    (black_box(250), "2.1.0").into_pattern().unwrap()
}

#[divan::bench]
fn pattern_from_a_regex() -> Pattern {
    Pattern::regex(black_box(r"^250 2\.1\.[05] (Ok)$")).unwrap()
}

#[divan::bench]
fn enhanced_code_of_text() -> Code {
    Code::parse(black_box("5xx")).unwrap().with_enhanced("5.7.1").unwrap()
}
