//! Words that stand where an identifier may stand, and are none: ordinary words, and sizes.
//!
//! An identifier is recognised by its place and its length, not by the letters and digits that it
//! happens to consist of: `deadbeef` and `13572468` are as likely as `3c80013b`. So a word in such a
//! place counts as an identifier unless it is one of the words that servers use in their replies.
//! There are over a thousand of these, but a random identifier of eight characters is one of them
//! in less than one of a billion cases.

use std::collections::HashSet;
use std::sync::LazyLock;

/// The words of replies to messages, in lower case. A word that is missing here is redacted each
/// time, so that a golden still matches.
static PROSE: LazyLock<HashSet<&str>> =
    LazyLock::new(|| include_str!("prose.txt").split_ascii_whitespace().collect());

/// The length below which an identifier is not looked for where nothing tells that one stands there.
const SHORT: usize = 8;

/// The length from which a word of one kind of letters is unlikely in prose.
const LONG: usize = 16;

/// The most digits after letters in a word that names something: `AES256`, `mx12`.
const FEW: usize = 3;

/// The words that a rule leaves alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spared {
    /// Ordinary words, where an identifier is expected.
    Prose,
    /// Ordinary words and sizes, where an identifier is likely.
    ProseAndSizes,
    /// All words that may be names or numbers, where nothing tells that an identifier stands there.
    Names,
    /// Addresses of which what is before the `@` may be a name.
    Addresses,
}

impl Spared {
    pub(super) fn holds(self, word: &[u8]) -> bool {
        match self {
            Self::Prose => is_prose(word),
            Self::ProseAndSizes => is_prose(word) || is_size(word),
            Self::Names => word.len() < SHORT || is_prose(word) || is_name(word),
            Self::Addresses => {
                let local = word.split(|byte| *byte == b'@').next().unwrap_or_default();
                Self::Names.holds(local)
            }
        }
    }
}

/// Whether a word, wherever it stands, may be an identifier without a digit.
pub(super) fn may_be_id(word: &[u8]) -> bool {
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=_-".contains(byte);
    word.len() >= SHORT && word.iter().all(fits) && !is_prose(word)
}

/// The parts of a word between signs.
fn parts(word: &[u8]) -> impl Iterator<Item = &[u8]> {
    word.split(|byte| !byte.is_ascii_alphanumeric()).filter(|part| !part.is_empty())
}

/// Whether all parts of a word are ordinary words: `accepted`, `store-and-forward`.
fn is_prose(word: &[u8]) -> bool {
    let is_known = |part: &[u8]| {
        let part = part.to_ascii_lowercase();
        std::str::from_utf8(&part).is_ok_and(|part| PROSE.contains(part))
    };
    parts(word).next().is_some() && parts(word).all(is_known)
}

/// Whether a number is a limit of a size, which is round in bytes or kilobytes: `10485760`. Of
/// random numbers, 3 in a million are.
fn is_size(word: &[u8]) -> bool {
    let number = std::str::from_utf8(word).ok().and_then(|word| word.parse::<u64>().ok());
    number
        .is_some_and(|number| [1 << 20, 1_000_000, 1_024_000].iter().any(|unit| number % unit == 0))
}

/// Whether a word may be a number or a name, such as `mail-relay-01` and `AES256-SHA384`.
fn is_name(word: &[u8]) -> bool {
    let is_number = !word.iter().any(u8::is_ascii_alphabetic);
    is_number || (parts(word).all(is_plain) && (word.len() < LONG || parts(word).nth(1).is_some()))
}

/// Whether these are a number, or letters in the case of a word with a few digits after them.
fn is_plain(part: &[u8]) -> bool {
    let letters = part.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let (letters, digits) = part.split_at(letters);
    let Some((_, rest)) = letters.split_first() else {
        return digits.iter().all(u8::is_ascii_digit);
    };
    (rest.iter().all(u8::is_ascii_lowercase) || letters.iter().all(u8::is_ascii_uppercase))
        && digits.len() <= FEW
        && digits.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spared_depends_on_how_likely_an_identifier_is() {
        for (word, spared) in [
            ("Accepted", [true; 3]),
            ("store-and-forward", [true; 3]),
            ("8BITMIME", [true; 3]),
            ("10485760", [false, true, true]),
            ("10485761", [false, false, true]),
            ("mail-relay-01", [false, false, true]),
            ("AES256-SHA384", [false, false, true]),
            ("deadbeef", [false, false, true]),
            ("dead8eef", [false; 3]),
            ("xYzzYxZz", [false; 3]),
            ("ctfjgpljabcdefgh", [false; 3]),
        ] {
            let found = [Spared::Prose, Spared::ProseAndSizes, Spared::Names]
                .map(|kind| kind.holds(word.as_bytes()));
            assert_eq!(found, spared, "{word}");
        }
    }

    #[test]
    fn the_words_are_sorted_and_in_lower_case() {
        let words: Vec<_> = include_str!("prose.txt").split_ascii_whitespace().collect();
        assert!(words.is_sorted_by(|one, other| one < other));
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        assert!(words.iter().all(|word| word.bytes().all(fits)));
    }
}
