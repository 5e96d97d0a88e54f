//! Removes what differs from run to run in a text before it is compared with a snapshot.

use regex::bytes::RegexBuilder;

/// Replaces the matches of each pattern in a text, one pattern after the other.
///
/// insta could do this, but its feature for it compiles Unicode tables into regex-automata, and
/// then `cargo test` builds again what `cargo run` has built.
pub(crate) fn filtered(text: &impl ToString, filters: &[(&str, &str)]) -> String {
    let text = text.to_string().into_bytes();
    let text = filters.iter().fold(text, |text, (pattern, replacement)| {
        let regex = RegexBuilder::new(pattern).unicode(false).build().unwrap();
        regex.replace_all(&text, replacement.as_bytes()).into_owned()
    });
    String::from_utf8(text).unwrap()
}
