//! Removes what people and terminals add to a single line: remarks, names of keys, and colours.

/// The marks that begin a remark. A blank stands before each mark that is ASCII.
const REMARKS: [&str; 15] = [
    "#", "//", "<--", "<==", "<- ", "<= ", "=> ", "\u{2190}", "\u{2192}", "\u{21d0}", "\u{21d2}",
    "\u{21e6}", "\u{203b}", "\u{ff03}", ";;",
];

/// Texts that stand for the Enter key after a typed line.
const KEYS: [&str; 10] = [
    "[enter]",
    "<enter>",
    "(enter)",
    "[return]",
    "<return>",
    "[ret]",
    "<ret>",
    "\u{21b5}",
    "\u{23ce}",
    "[\u{30a8}\u{30f3}\u{30bf}\u{30fc}]",
];

/// Texts that stand for an empty line.
const EMPTY: [&str; 8] = [
    "(blank line)",
    "<blank line>",
    "[blank line]",
    "(empty line)",
    "<empty line>",
    "[empty line]",
    "(\u{7a7a}\u{884c})",
    "\u{ff08}\u{7a7a}\u{884c}\u{ff09}",
];

/// Splits a line into its text and the remark that somebody wrote after it.
pub(super) fn without_remark(line: &str) -> (&str, Option<&str>) {
    let mut found = in_parentheses(line);
    for mark in REMARKS {
        for (at, _) in line.match_indices(mark) {
            let is_apart = line[..at].ends_with([' ', '\t', '\u{3000}']);
            // Exim writes `#2` in its greeting, so `#` and a digit do not begin a remark.
            let is_number = mark == "#" && line[at + 1..].starts_with(|c: char| c.is_ascii_digit());
            if is_number {
                continue;
            }
            // A mark that is not ASCII, such as an arrow, begins a remark even without a blank
            // before it.
            let is_arrow = !mark.is_ascii() && at > 0;
            if is_apart || is_arrow {
                found = Some(found.map_or(at, |before| before.min(at)));
                break;
            }
        }
    }
    match found {
        Some(at) if !line[..at].trim().is_empty() => {
            (line[..at].trim_end(), Some(line[at..].trim()))
        }
        _ => (line, None),
    }
}

/// Returns the offset of the parentheses at the end of a line, if they hold a remark. They do if
/// they are fullwidth, if they follow two blanks or a tab, or if their content is not ASCII.
/// Parentheses that a server or a client sends rarely have these signs. IMAP lines have no such
/// remark, because parentheses are part of their syntax.
fn in_parentheses(line: &str) -> Option<usize> {
    let bare = line.trim_end();
    if line.starts_with("* ") || super::words::speech_of(line) == Some(crate::proto::Speech::Imap) {
        return None;
    }
    if bare.ends_with('\u{ff09}') {
        return bare.rfind('\u{ff08}');
    }
    let mut depth = 0_usize;
    let begin = bare.ends_with(')').then(|| {
        bare.char_indices().rev().find(|(_, character)| {
            match character {
                ')' => depth += 1,
                '(' => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0
        })
    });
    let at = begin??.0;
    let before = &bare[..at];
    let is_far = before.ends_with("  ") || before.ends_with('\t');
    (is_far || !bare[at..].is_ascii()).then_some(at)
}

/// Splits a line of a message into its text and a remark. A message may contain the marks of
/// remarks itself, so a remark has to follow three blanks, begin with an arrow, or follow the final
/// dot.
pub(super) fn without_far_remark(line: &str) -> (&str, Option<&str>) {
    let (text, remark) = without_remark(line);
    let gap = line.len() - text.len() - remark.map_or(0, str::len);
    let points_back = ["\u{2190}", "\u{21d0}", "\u{21e6}"];
    let is_arrow =
        remark.is_some_and(|remark| points_back.iter().any(|mark| remark.starts_with(mark)));
    let is_dot = text == ".";
    if gap >= 3 || is_arrow || is_dot { (text, remark) } else { (line, None) }
}

/// Returns a typed line without the name of the key that ended it. Returns an empty text for a text
/// that stands for an empty line.
pub(super) fn without_key(line: &str) -> &str {
    let lower = line.trim_end().to_lowercase();
    if EMPTY.contains(&lower.trim_start()) {
        return "";
    }
    // Some letters have another length in lower case, so that offsets differ. The key is not
    // removed from such a line.
    let key =
        KEYS.iter().find(|key| lower.ends_with(**key) && lower.len() == line.trim_end().len());
    match key {
        Some(key) => line[..line.trim_end().len() - key.len()].trim_end(),
        None => line,
    }
}

/// Returns a line without the escape sequences that colour it, and without CR at its end.
pub(super) fn plain(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut rest = line.trim_end_matches('\r');
    while let Some(at) = rest.find("\u{1b}[") {
        text.push_str(&rest[..at]);
        let tail = &rest[at + 2..];
        let end = tail.find(|c: char| c.is_ascii_alphabetic()).map_or(tail.len(), |end| end + 1);
        rest = &tail[end..];
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remarks_are_told_from_what_was_typed() {
        assert_eq!(without_remark("EHLO x   # hello"), ("EHLO x", Some("# hello")));
        assert_eq!(
            without_remark("NOOP       //\u{2190} nothing"),
            ("NOOP", Some("//\u{2190} nothing"))
        );
        assert_eq!(without_remark("QUIT\u{2190} the end"), ("QUIT", Some("\u{2190} the end")));
        assert_eq!(without_remark("MAIL FROM:<a#b@c>"), ("MAIL FROM:<a#b@c>", None));
        assert_eq!(without_remark("# all of it"), ("# all of it", None));
        assert_eq!(without_remark("220 Exim 4.95 #2 Tue"), ("220 Exim 4.95 #2 Tue", None));
        assert_eq!(without_far_remark("see # 5"), ("see # 5", None));
        assert_eq!(without_far_remark(". // the end"), (".", Some("// the end")));
    }

    #[test]
    fn remarks_in_parentheses_are_told_from_what_was_typed() {
        let is = |line| without_remark(line).0;
        assert_eq!(is("HELO x(\u{6328}\u{62f6})"), "HELO x");
        assert_eq!(is("QUIT\u{ff08}\u{7d42}\u{4e86}\u{ff09}"), "QUIT");
        assert_eq!(is("HELO x      (say hello)"), "HELO x");
        assert_eq!(is("a FETCH 1 (FLAGS)"), "a FETCH 1 (FLAGS)");
        assert_eq!(is("220 mail ESMTP Postfix (Ubuntu)"), "220 mail ESMTP Postfix (Ubuntu)");
        assert_eq!(without_far_remark("see (\u{6ce8})").0, "see (\u{6ce8})");
        assert_eq!(without_key("DATA [Enter]"), "DATA");
        assert_eq!(without_key("  (blank line)"), "");
    }
}
