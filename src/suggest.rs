//! Suggestions for misspelt words ("did you mean").

/// The candidate that was most likely meant, if one is similar enough.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let allowed = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
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
    }
}
