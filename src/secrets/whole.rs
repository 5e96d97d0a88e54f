//! Forms of secrets that are searched for as a whole.

use std::collections::HashMap;
use std::ops::Range;

use super::form::Form;
use super::grams::{PART, SHARES_AFTER, SHARES_BEFORE};
use super::spans::widened;
use super::token::SHORTEST;

/// The number of forms with the same last bytes. With more, a hostile text could make the search
/// slow. Forms that are too short to be searched for in parts are not counted.
const MOST_ALIKE: usize = 64;
/// The longest form. Of a longer one, parts are searched for.
const LONGEST: usize = 1 << 10;
/// The bytes that all forms together may take.
const MOST: usize = 16 << 20;
/// What a form takes beside its bytes.
const BESIDE: usize = 64;
/// The bytes at the end of a form that are always compared.
const NEAR: usize = 32;
/// For each byte of a text, this many bytes of forms are compared in full. A text that needs more
/// is made to take long: after that, a form counts as found if its last bytes are.
const COMPARED: usize = 16;

/// The forms by their last four bytes.
#[derive(Clone, Default)]
pub(super) struct Whole {
    forms: HashMap<[u8; SHORTEST], Vec<Form>>,
    ends: Ends,
    /// The bytes that the forms take.
    taken: usize,
}

impl Whole {
    pub(super) fn is_empty(&self) -> bool {
        self.forms.is_empty()
    }

    /// Takes a form.
    ///
    /// # Errors
    /// The form, if there is no room for it.
    pub(super) fn add(&mut self, form: Form) -> Result<(), Form> {
        let length = form.bytes.len();
        let Some(end) = form.bytes.last_chunk::<SHORTEST>() else { return Ok(()) };
        let alike = self.forms.get(end).map_or(&[][..], Vec::as_slice);
        if alike.iter().any(|known| known.bytes == form.bytes) {
            return Ok(());
        }
        let is_crowded = length >= PART && alike.len() >= MOST_ALIKE;
        if is_crowded || length > LONGEST || self.taken > MOST {
            return Err(form);
        }
        self.taken += length + BESIDE;
        self.ends.add(*end);
        let alike = self.forms.entry(*end).or_default();
        // The longest first.
        alike.insert(alike.partition_point(|known| known.bytes.len() >= length), form);
        Ok(())
    }

    /// The span of the longest form that ends at `end`. `allowed` is what may still be compared.
    pub(super) fn ending(
        &self,
        bytes: &[u8],
        end: usize,
        allowed: &mut usize,
    ) -> Option<Range<usize>> {
        let last = bytes[..end].last_chunk::<SHORTEST>()?;
        if self.ends.may_hold(*last) { self.longest(bytes, end, *last, allowed) } else { None }
    }

    fn longest(
        &self,
        bytes: &[u8],
        end: usize,
        last: [u8; SHORTEST],
        allowed: &mut usize,
    ) -> Option<Range<usize>> {
        let text = &bytes[..end];
        let mut found: Option<(usize, u64)> = None;
        for form in self.forms.get(&last)? {
            // A shorter form only adds the base64 digit after it.
            let adds = found.is_none_or(|(_, shares)| form.shares & !shares & SHARES_AFTER != 0);
            if adds && is_end(text, &form.bytes, allowed) {
                let of_longest = (form.bytes.len(), form.shares & SHARES_BEFORE);
                let (length, shares) = found.unwrap_or(of_longest);
                found = Some((length, shares | form.shares & SHARES_AFTER));
            }
        }
        found.map(|(length, shares)| widened(bytes, (end - length..end, shares)))
    }
}

/// How many bytes of forms may be compared in full with a text of this length.
pub(super) fn allowed(length: usize) -> usize {
    length.saturating_mul(COMPARED) + 64 * LONGEST
}

/// Whether the text ends with the form.
fn is_end(text: &[u8], form: &[u8], allowed: &mut usize) -> bool {
    let near = &form[form.len().saturating_sub(NEAR)..];
    if text.len() < form.len() || !text.ends_with(near) {
        return false;
    }
    if near.len() == form.len() {
        return true;
    }
    let Some(left) = allowed.checked_sub(form.len()) else { return true };
    *allowed = left;
    text.ends_with(form)
}

/// A set of hashes that rules most bytes out without a look into a map, because each byte that a
/// server sends is looked up.
#[derive(Clone)]
struct Ends([u64; 64]);

impl Default for Ends {
    fn default() -> Self {
        Self([0; 64])
    }
}

impl Ends {
    fn add(&mut self, end: [u8; SHORTEST]) {
        let (word, bit) = Self::place(end);
        self.0[word] |= bit;
    }

    fn may_hold(&self, end: [u8; SHORTEST]) -> bool {
        let (word, bit) = Self::place(end);
        self.0[word] & bit != 0
    }

    fn place(end: [u8; SHORTEST]) -> (usize, u64) {
        // The top 12 bits of the product: 6 for the word, 6 for the bit.
        let hash = u32::from_le_bytes(end).wrapping_mul(0x9e37_79b1) >> 20;
        ((hash >> 6) as usize, 1 << (hash & 63))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(whole: &Whole, text: &[u8], allowed: &mut usize) -> Vec<Range<usize>> {
        (1..=text.len()).filter_map(|end| whole.ending(text, end, allowed)).collect()
    }

    #[test]
    fn the_longest_form_is_found_at_each_end() {
        let mut whole = Whole::default();
        for form in [&b"abcd"[..], b"xabcd", b"abcd", b"abc"] {
            assert!(whole.add(Form::plain(form)).is_ok());
        }
        let found = ends(&whole, b"abcd xabcd abc", &mut allowed(14));
        assert_eq!(found, [0..4, 5..10]);
    }

    #[test]
    fn what_is_compared_is_bounded_and_more_is_found_after_that() {
        let mut whole = Whole::default();
        for length in LONGEST - 2 * MOST_ALIKE..LONGEST - MOST_ALIKE {
            let form = [b"b", vec![b'a'; length].as_slice()].concat();
            assert!(whole.add(Form::plain(&form)).is_ok());
        }
        let text = vec![b'a'; 64 * LONGEST];
        let mut allowed = allowed(text.len());
        let found = ends(&whole, &text, &mut allowed);
        // No form is in the text. Without a bound, 64 forms are compared at each place.
        assert!(allowed < LONGEST && !found.is_empty());
        assert!(found.iter().all(|span| span.end - span.start <= LONGEST), "{found:?}");
    }

    #[test]
    fn a_form_for_which_there_is_no_room_is_returned() {
        let mut whole = Whole::default();
        assert!(whole.add(Form::plain(&[b'a'; LONGEST + 1])).is_err());
        let taken = |number: usize| Form::plain(format!("{number} {:06}", 0).as_bytes());
        assert_eq!((0..100).filter(|number| whole.add(taken(*number)).is_ok()).count(), MOST_ALIKE);
        // There is no other way to find a form of five bytes.
        assert!(whole.add(Form::plain(b"x0000")).is_ok());
        let mut full = Whole { taken: MOST + 1, ..Whole::default() };
        assert!(full.add(Form::plain(b"abcd")).is_err());
    }
}
