//! Wraps text to the width of a terminal.

/// The number of columns of a terminal, to which tables and lists are limited.
pub(super) const COLUMNS: usize = 80;

/// The number of columns that a text takes: Japanese characters take two each.
pub(super) fn columns(text: &str) -> usize {
    text.chars().map(|character| if u32::from(character) >= 0x2e80 { 2 } else { 1 }).sum()
}

/// The text in lines of at most `room` columns. Japanese text has no blanks, so lines are also
/// broken after its punctuation.
pub(super) fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_inclusive([' ', '\u{3002}', '\u{3001}']) {
        let last = lines.len() - 1;
        if !lines[last].is_empty() && columns(&lines[last]) + columns(word.trim_end()) > room {
            lines.push(String::new());
        }
        let is_too_long = columns(word.trim_end()) > room;
        for character in word.chars() {
            // Japanese text is broken anywhere, and so is a word that no line has room for.
            let breaks = u32::from(character) >= 0x2e80 || is_too_long;
            if lines.last().is_some_and(|line| columns(line) >= room) && breaks {
                lines.push(String::new());
            }
            let end = lines.len() - 1;
            lines[end].push(character);
        }
    }
    lines.iter().map(|line| line.trim_end().to_owned()).filter(|line| !line.is_empty()).collect()
}
