//! Suggestions for misspelt words ("did you mean").

/// The candidate that was most likely meant, if one is similar enough.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let length = word.chars().count();
    let allowed = (length / 3).max(1);
    // The distance is at least this, and takes long to find for a word of any length.
    let is_as_long = |candidate: &&str| length.abs_diff(candidate.chars().count()) <= allowed;
    candidates
        .into_iter()
        .filter(is_as_long)
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_near_and_another_word_is_not() {
        let words = ["expect", "expect_any", "send"];
        assert_eq!(nearest("expct", words), Some("expect"));
        assert_eq!(nearest("exepct_any", words), Some("expect_any"));
        assert_eq!(nearest("sned", words), Some("send"));
        assert_eq!(nearest("connect", words), None);
        assert_eq!(nearest(&"x".repeat(10_000_000), words), None);
    }
}
