//! The forms that a secret takes on the wire.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use zeroize::Zeroizing;

use super::grams::{SHARES_AFTER, SHARES_BEFORE};
use crate::quoted;
use crate::visible;

/// One form of a secret, to be looked for.
#[derive(Clone)]
pub(super) struct Form {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    /// Whether base64 digits beside it hold bits of the secret as well, and bits of its neighbour.
    pub(super) shares: u64,
}

impl Form {
    /// As it is.
    pub(super) fn plain(value: &[u8]) -> Self {
        Self { bytes: Zeroizing::new(value.to_vec()), shares: 0 }
    }

    /// In a longer text in base64, where it begins so many bytes after a group of three.
    fn base64(value: &[u8], offset: usize) -> Self {
        let padded = Zeroizing::new([&[0; 2][..offset], value].concat());
        let digits = Zeroizing::new(BASE64_STANDARD_NO_PAD.encode(&padded));
        // A digit holds six bits, so the first of our own is the second after one byte, and the
        // third after two.
        let (first, last) = ([0, 2, 3][offset], padded.len() * 8 / 6);
        let own = &digits.as_bytes()[first.min(last)..last];
        let before = if offset > 0 { SHARES_BEFORE } else { 0 };
        let after = if padded.len() * 8 % 6 > 0 { SHARES_AFTER } else { 0 };
        Self { shares: before | after, ..Self::plain(own) }
    }

    /// In quotes, if that makes a difference.
    fn quoted(value: &[u8]) -> Option<Self> {
        let escaped = Zeroizing::new(quoted::escaped(value));
        (escaped.as_slice() != value).then(|| Self::plain(&escaped))
    }

    /// With escapes, as transcripts and errors show it. Whether a backslash at the end is doubled
    /// depends on what follows it.
    fn visible(value: &[u8]) -> Option<Self> {
        let shown = Zeroizing::new(visible::escape(&[value, b"-"].concat()));
        let shown = &shown.as_bytes()[..shown.len() - 1];
        (shown != value).then(|| Self::plain(shown))
    }

    /// All forms of a secret, itself first.
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
        [Self::plain(value)].into_iter().chain(escaped).chain(base64).chain(for_urls)
    }
}
