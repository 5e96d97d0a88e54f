//! Finds the base64 of a SASL challenge in a line of a transcript.

use crate::secrets::SECRET;

/// The offset at which the base64 at the end of a line begins; the line's length if the line does
/// not end with base64. A masked secret counts as a part of the base64: a random challenge may
/// contain a part of a secret by chance, and the next challenge may not.
pub(super) fn start_of_base64(line: &[u8]) -> usize {
    let mut start = line.len();
    let mut shown = 0;
    while let Some(last) = line[..start].last() {
        if line[..start].ends_with(SECRET) {
            start -= SECRET.len();
        } else if last.is_ascii_alphanumeric() || b"+/=".contains(last) {
            start -= 1;
            shown += 1;
        } else {
            break;
        }
    }
    if shown == 0 { line.len() } else { start }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masked_part_of_a_challenge_belongs_to_its_base64() {
        for (line, base64) in [
            ("+ PDQ5MA==", "PDQ5MA=="),
            ("+ PDQ5[SECRET]MA==", "PDQ5[SECRET]MA=="),
            ("+ PDQ5[SECRET]", "PDQ5[SECRET]"),
            ("+ [SECRET]", ""),
            ("+ [SASL_CHALLENGE#1]", ""),
            ("", ""),
        ] {
            let start = start_of_base64(line.as_bytes());
            assert_eq!(&line[start..], base64, "{line}");
        }
    }
}
