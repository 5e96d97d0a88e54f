//! Secrets that are too short to be searched for.

use zeroize::Zeroizing;

use crate::secrets::token::SHORTEST;

/// The number of secrets that are kept.
const MOST: usize = 4096;

/// The secrets, each as a number: its length, and its bytes. They are in order.
#[derive(Clone, Default)]
pub(super) struct Short(Zeroizing<Vec<u32>>);

impl Short {
    /// Takes a secret if it is too short to be searched for. Returns whether there was room for it.
    pub(super) fn add(&mut self, value: &[u8]) -> bool {
        if value.is_empty() || value.len() >= SHORTEST {
            return true;
        }
        let number = number(value);
        let Err(place) = self.0.binary_search(&number) else { return true };
        let has_room = self.0.len() < MOST;
        if has_room {
            self.0.insert(place, number);
        }
        has_room
    }

    /// The length of the first secret that stands in the text as a word of its own.
    #[cfg(feature = "script")]
    pub(super) fn first_in(&self, text: &[u8]) -> Option<usize> {
        let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 0x80;
        let is_found = |start: usize, length: usize| {
            let Some(word) = text.get(start..start + length) else { return false };
            !text.get(start + length).is_some_and(is_word)
                && self.0.binary_search(&number(word)).is_ok()
        };
        if self.0.is_empty() {
            return None;
        }
        let starts = (0..text.len()).filter(|at| !text[..*at].last().is_some_and(is_word));
        starts
            .flat_map(|start| (1..SHORTEST).map(move |length| (start, length)))
            .find(|(start, length)| is_found(*start, *length))
            .map(|(_, length)| length)
    }
}

fn number(value: &[u8]) -> u32 {
    let length = u32::try_from(value.len()).unwrap_or_default();
    value.iter().fold(length, |number, byte| number << 8 | u32::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "script")]
    #[test]
    fn a_short_secret_is_found_among_many() {
        let mut short = Short::default();
        for number in 0..200 {
            assert!(
                short.add(format!("{number}").as_bytes()) && short.add(b"pwd1") && short.add(b"")
            );
        }
        assert_eq!(short.first_in(b"x1, pwd1, _7, 8\xc3\xa9, 200, 19 1"), Some(2));
        assert_eq!(short.first_in(b"x1, pwd1, _7, 8\xc3\xa9, 200"), None);
    }

    #[test]
    fn there_is_room_for_some() {
        let mut short = Short::default();
        let values = (0..=u16::MAX).map(u16::to_be_bytes);
        assert_eq!(values.filter(|value| short.add(value)).count(), MOST);
    }
}
