//! Text in lines that fit a terminal.

/// The columns of a terminal, which tables and lists keep to.
pub(super) const COLUMNS: usize = 80;

/// How many columns a text takes: letters of Japanese take two.
pub(super) fn columns(text: &str) -> usize {
    text.chars().map(|character| if u32::from(character) >= 0x2e80 { 2 } else { 1 }).sum()
}

/// Text in lines of at most so many columns. Japanese has no blanks to break at.
pub(super) fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_inclusive([' ', '\u{3002}', '\u{3001}']) {
        let last = lines.len() - 1;
        if !lines[last].is_empty() && columns(&lines[last]) + columns(word.trim_end()) > room {
            lines.push(String::new());
        }
        let last = lines.len() - 1;
        for character in word.chars() {
            // A word of Japanese may be longer than the line.
            if columns(&lines[last]) >= room
                && u32::from(character) >= 0x2e80
                && lines.len() - 1 == last
            {
                lines.push(String::new());
            }
            let end = lines.len() - 1;
            lines[end].push(character);
        }
    }
    lines.iter().map(|line| line.trim_end().to_owned()).filter(|line| !line.is_empty()).collect()
}
