//! The base64 of a challenge of SASL, as a transcript shows it.

use crate::secrets::SECRET;

/// Where the base64 begins that a line ends with; its length if it ends with none. What is masked
/// belongs to it: a random challenge may hold a part of a secret by chance, and another one not.
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
    fn what_is_masked_in_a_challenge_belongs_to_its_base64() {
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
