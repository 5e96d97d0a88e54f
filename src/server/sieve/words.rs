//! The words of commands (RFC 5804 section 4).

use crate::quoted;

/// A word of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Atom(String),
    Text(Vec<u8>),
}

/// The end of a line.
pub(super) enum End {
    Line,
    Literal(u64),
}

/// The words of a line, and how the line ends. One space is between two words, and none elsewhere
/// (RFC 5804 section 4). If the line `follows` a literal, its first word does, too.
pub(super) fn words(line: &[u8], mut follows: bool) -> Result<(Vec<Word>, End), ()> {
    let mut words = Vec::new();
    let mut rest = line;
    while !rest.is_empty() {
        if follows {
            rest = rest.strip_prefix(b" ").ok_or(())?;
        }
        follows = true;
        match rest {
            [] | [b' ', ..] => return Err(()),
            [b'{', inside @ ..] => {
                let octets = inside.strip_suffix(b"}").ok_or(())?;
                let octets = octets.strip_suffix(b"+").unwrap_or(octets);
                let octets = std::str::from_utf8(octets).map_err(drop)?;
                return Ok((words, End::Literal(octets.parse().map_err(drop)?)));
            }
            [b'"', inside @ ..] => {
                let (text, behind) = quoted::read(inside).ok_or(())?;
                words.push(Word::Text(text));
                rest = behind;
            }
            _ => {
                let end = rest.iter().position(|byte| b" \"{".contains(byte));
                let (atom, behind) = rest.split_at(end.unwrap_or(rest.len()));
                words.push(Word::Atom(String::from_utf8_lossy(atom).into_owned()));
                rest = behind;
            }
        }
    }
    Ok((words, End::Line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_apart_by_one_space() {
        for line in ["NOOP ", " NOOP", "NOOP  \"a\"", "NOOP\"a\"", "PUTSCRIPT \"a\"\"b\""] {
            assert!(words(line.as_bytes(), false).is_err(), "{line}");
        }
        assert!(words(b"x", true).is_err() && words(b" x", true).is_ok());
        assert!(words(b"", true).is_ok());
    }
}
