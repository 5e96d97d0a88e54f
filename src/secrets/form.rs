//! The forms in which a secret may be written.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use data_encoding::HEXLOWER_PERMISSIVE;
use zeroize::Zeroizing;

use super::LENIENT;
use super::grams::{PART, SHARES_AFTER, SHARES_BEFORE};
use super::token::SHORTEST;
use crate::quoted;
use crate::visible;

/// One form of a secret to search for.
#[derive(Clone)]
pub(super) struct Form {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    /// Whether the base64 digits before and after the form also hold bits of the secret, together
    /// with bits of the text beside it.
    pub(super) shares: u64,
}

impl Form {
    /// The value as it is.
    pub(super) fn plain(value: &[u8]) -> Self {
        Self { bytes: Zeroizing::new(value.to_vec()), shares: 0 }
    }

    /// The value within a longer text in base64, beginning `offset` bytes after the start of a
    /// group of three.
    fn base64(value: &[u8], offset: usize) -> Self {
        let padded = Zeroizing::new([&[0; 2][..offset], value].concat());
        let digits = Zeroizing::new(BASE64_STANDARD_NO_PAD.encode(&padded));
        // A base64 digit holds six bits, so the first digit that holds bits of the value only is
        // the third one after one byte, and the fourth one after two.
        let (first, last) = ([0, 2, 3][offset], padded.len() * 8 / 6);
        let own = &digits.as_bytes()[first.min(last)..last];
        let before = if offset > 0 { SHARES_BEFORE } else { 0 };
        let after = if padded.len() * 8 % 6 > 0 { SHARES_AFTER } else { 0 };
        Self { shares: before | after, ..Self::plain(own) }
    }

    /// The value within a quoted string, if quoting changes it.
    fn quoted(value: &[u8]) -> Option<Self> {
        let escaped = Zeroizing::new(quoted::escaped(value));
        (escaped.as_slice() != value).then(|| Self::plain(&escaped))
    }

    /// The value with escapes, as transcripts and errors show it. The dash keeps a backslash at the
    /// end from being doubled there: whether it is doubled depends on what follows.
    fn visible(value: &[u8]) -> Option<Self> {
        let shown = Zeroizing::new(visible::escape(&[value, b"-"].concat()));
        let shown = &shown.as_bytes()[..shown.len() - 1];
        (shown != value).then(|| Self::plain(shown))
    }

    /// A text with letters beyond ASCII in small letters and in capitals. The search itself takes
    /// only letters of ASCII as equal in either case.
    fn in_other_case(value: &[u8]) -> impl Iterator<Item = Self> {
        let text = std::str::from_utf8(value).ok().filter(|text| !text.is_ascii());
        let text = text.filter(|text| text.chars().count() >= PART);
        let both = text.map(|text| [text.to_lowercase(), text.to_uppercase()].map(Zeroizing::new));
        let forms = both.into_iter().flatten().map(|text| Self::plain(text.as_bytes()));
        forms.filter(move |form| form.bytes.as_slice() != value)
    }

    /// All forms of a proof, also of the octets that are written in it: whoever shows a proof may
    /// write them in base64 in place of hexadecimal, or the other way round.
    pub(super) fn of_proof(proof: &[u8]) -> impl Iterator<Item = Self> {
        let written = [LENIENT.decode(proof).ok(), HEXLOWER_PERMISSIVE.decode(proof).ok()];
        let octets = written.into_iter().flatten().filter(|octets| octets.len() >= SHORTEST);
        let values = octets.chain([proof.to_vec()]);
        values.flat_map(|value| Self::all(&value).collect::<Vec<_>>())
    }

    /// All forms of a secret, the plain one first, except hexadecimal, which is read in the text.
    pub(super) fn all(value: &[u8]) -> impl Iterator<Item = Self> {
        let base64 = (0..3).map(|offset| Self::base64(value, offset));
        // The alphabet for URLs (RFC 4648 section 5).
        let for_urls = base64.clone().filter_map(|form| {
            let mut other = form.clone();
            for digit in other.bytes.iter_mut() {
                *digit = match *digit {
                    b'+' => b'-',
                    b'/' => b'_',
                    digit => digit,
                };
            }
            (other.bytes != form.bytes).then_some(other)
        });
        let escaped = Self::quoted(value).into_iter().chain(Self::visible(value));
        let other = Self::in_other_case(value);
        [Self::plain(value)].into_iter().chain(escaped).chain(other).chain(base64).chain(for_urls)
    }
}

/// The length of a piece of a secret.
const PIECE: usize = 16 << 10;
/// How much of a piece is in the next one, too, so that each part of the secret is in one of them.
const OVERLAP: usize = 64;

/// A secret in pieces, so that the forms of a long one take no room. Most secrets are one piece.
pub(super) fn pieces(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(value);
    std::iter::from_fn(move || {
        let value = rest?;
        let end = value.len().min(PIECE);
        rest = (end < value.len()).then(|| {
            // No piece begins or ends within a character.
            let next = &value[end - OVERLAP..];
            &next[next.iter().take_while(|byte| **byte & 0xc0 == 0x80).count().min(3)..]
        });
        let cut = &value[..end];
        let last = cut.utf8_chunks().last().map_or(0, |chunk| chunk.invalid().len());
        Some(if rest.is_some() { &cut[..end - last] } else { cut })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_of_a_long_secret_is_in_a_piece() {
        assert_eq!(pieces(b"secret").collect::<Vec<_>>(), [b"secret"]);
        let text = "aé€😀".repeat(6000);
        let all: Vec<_> = pieces(text.as_bytes()).collect();
        assert!(all.len() > 3 && all.iter().all(|piece| std::str::from_utf8(piece).is_ok()));
        let held: usize = all.iter().map(|piece| piece.len()).sum();
        // Each piece has the end of the one before it.
        assert!(held >= text.len() + (all.len() - 1) * (OVERLAP - 6), "{held}");
        let last = all.last().map_or(0, |piece| piece.len());
        assert!(text.as_bytes().ends_with(all[all.len() - 1]) && last > OVERLAP / 2);
    }
}
