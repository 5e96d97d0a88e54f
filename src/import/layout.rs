//! Removes from a pasted session what web pages, mails and terminals add to it: quote marks, line
//! numbers, times, HTML tags and emphasis. The result is the session as the terminal showed it.

use std::sync::LazyLock;

use regex::Regex;

use super::line::plain;
use super::words::{is_said, speech_of};

/// The number of a line, from 1, and its text.
pub(super) type Line = (usize, String);

/// Compiles a regex of this file. All of them are constants, so an invalid one is a bug.
fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).unwrap_or_else(|error| unreachable!("{pattern}: {error}"))
}

/// HTML tags in and around pasted text. An address such as `<a>` looks like a tag without
/// attributes, so a tag without attributes is removed only if its name is in the first list.
static TAG: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?i)</?(?:br|p|b|i|u|em|strong|code|pre|tt|kbd|samp|span|font|div|li|ol|ul|td|tr|blockquote)\s*/?>|</a>|<(?:a|p|span|font|div|code|pre|td)\s+[a-z-]+\s*=[^>]*>",
    )
});

/// Signs that a paste is HTML. Without any of them, `<` stands for itself, and no tag is removed.
static HTML: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"(?i)&(?:lt|gt|quot|amp|nbsp|#x?[0-9a-f]+);|<br\s*/?>|</(?:b|p|span|code|pre|strong)>")
});

static QUOTED: LazyLock<Regex> = LazyLock::new(|| regex(r"^\s?(?:>+|\|) ?"));

/// The lines before and after a block of code in Markdown.
static FENCE: LazyLock<Regex> = LazyLock::new(|| regex(r"^\s*(?:```|~~~)\s*[a-z]*\s*$"));

/// The name of the object that Perl's libraries print in front of their arrows.
static LIBRARY: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^Net::[A-Za-z:]+=\w+\(0x[0-9a-f]+\)(<<<|>>>)"));

static NUMBERED: LazyLock<Regex> = LazyLock::new(|| regex(r"^\s*(\d{1,5})(?:[:.|)]\s?|\s|$)"));

static TIMED: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^\s*[\[(]?(?:\d{4}[-/]\d\d[-/]\d\d[T ]+)?\d{1,2}:\d\d:\d\d(?:[.,]\d+)?(?:Z|\s?[+-]\d\d:?\d\d)?[\])]?[:|-]?\s+",
    )
});

/// Returns the lines of a paste, without what pages and mails add. Each line keeps its number.
pub(super) fn lines(text: &str) -> Vec<Line> {
    let is_html = HTML.is_match(text);
    let mut lines: Vec<Line> = text
        .lines()
        .enumerate()
        .map(|(n, line)| {
            let line = LIBRARY.replace(&plain(line), "$1").into_owned();
            (n + 1, if is_html { unmarked(&line) } else { line })
        })
        .collect();
    // A mail may quote a mail that quotes a page, so each round removes one level. Five rounds
    // bound the work.
    for _ in 0..5 {
        let before = lines.len();
        let changed = [unquoted, unnumbered, untimed].map(|step| step(&mut lines));
        debug_assert_eq!(before, lines.len(), "no line is dropped");
        if !changed.contains(&true) {
            break;
        }
    }
    for (_, line) in &mut lines {
        emphasised(line);
        if FENCE.is_match(line) {
            line.clear();
        }
    }
    lines
}

/// Removes the tags from a line of HTML and decodes its entities, as a browser does.
fn unmarked(line: &str) -> String {
    let line = TAG.replace_all(line, "");
    html_escape::decode_html_entities(&line).replace('\u{a0}', " ")
}

/// Removes a mark from the lines that begin with it.
fn strip(lines: &mut [Line], mark: &Regex) {
    for (_, line) in lines {
        if let Some(found) = mark.find(line) {
            line.drain(..found.end());
        }
    }
}

/// Removes quote marks, or the prompt that a page prints in front of commands. If `<` marks the
/// server's lines, `>` marks the client's lines and is not a quote mark, so nothing is removed.
fn unquoted(lines: &mut [Line]) -> bool {
    let says = |rest: &str| {
        let rest = rest.trim_start_matches(['>', '|', ' ']);
        is_said(rest) || is_command(rest)
    };
    let has_both = lines.iter().any(|(_, line)| {
        let rest = line.trim_start().trim_start_matches(['<', '-', '~', '*', ' ']);
        line.trim_start().starts_with('<') && is_said(rest)
    });
    let is_quoted = !has_both
        && lines.iter().any(|(_, line)| {
            QUOTED.find(line).is_some_and(|mark| says(line[mark.end()..].trim_start()))
        });
    if is_quoted {
        strip(lines, &QUOTED);
    }
    is_quoted
}

/// Whether a line is a command that only a mail client sends. Prose may begin with the same words,
/// so the line has to be in upper case or contain `@` or `:`.
fn is_command(line: &str) -> bool {
    let word = line.split([' ', ':']).next().unwrap_or_default();
    let is_word = word.len() >= 4 && word.bytes().all(|byte| byte.is_ascii_alphabetic());
    let is_upper = word.bytes().all(|byte| byte.is_ascii_uppercase());
    is_word && (is_upper || line.contains(['@', ':'])) && speech_of(line).is_some()
}

/// Removes line numbers, if they count up through nearly all lines.
fn unnumbered(lines: &mut [Line]) -> bool {
    let mut expected = None;
    let (mut numbered, mut other) = (0, 0);
    for (_, line) in lines.iter().filter(|(_, line)| !line.trim().is_empty()) {
        let number = NUMBERED.captures(line).and_then(|found| found[1].parse::<u64>().ok());
        match number {
            Some(number) if expected.is_none_or(|next| number == next) => {
                numbered += 1;
                expected = Some(number + 1);
            }
            _ => other += 1,
        }
    }
    let is_numbered = numbered >= 4 && other * 10 <= numbered;
    if is_numbered {
        strip(lines, &NUMBERED);
        let blanks = |line: &str| line.len() - line.trim_start_matches(' ').len();
        let full = lines.iter().filter(|(_, line)| !line.trim().is_empty());
        let margin = full.map(|(_, line)| blanks(line)).min().unwrap_or(0);
        for (_, line) in lines {
            line.drain(..margin.min(blanks(line)));
        }
    }
    is_numbered
}

/// Removes the time in front of each line, if at least half of the lines begin with a time.
fn untimed(lines: &mut [Line]) -> bool {
    let full = lines.iter().filter(|(_, line)| !line.trim().is_empty());
    let timed = full.clone().filter(|(_, line)| TIMED.is_match(line)).count();
    let is_timed = timed >= 2 && timed * 2 >= full.count();
    if is_timed {
        strip(lines, &TIMED);
    }
    is_timed
}

/// Removes the marks that Markdown puts around commands and replies.
fn emphasised(line: &mut String) {
    for mark in ["**", "__", "`"] {
        let Some((before, rest)) = line.split_once(mark) else { continue };
        let Some(inside) = rest.trim_end().strip_suffix(mark) else { continue };
        let is_typed = speech_of(inside).is_some()
            || is_said(inside)
            || ["telnet ", "nc ", "openssl "].iter().any(|name| inside.starts_with(name));
        if is_typed && !inside.contains(mark) && (before.trim().is_empty() || before.ends_with(' '))
        {
            *line = format!("{before}{inside}");
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::lines;

    fn shown(text: &str) -> Vec<String> {
        lines(text).into_iter().map(|(_, line)| line).collect()
    }

    #[test]
    fn quote_marks_are_taken_off_level_by_level() {
        assert_eq!(shown("> > 220 hi\n> > EHLO x\n>\nme"), ["220 hi", "EHLO x", "", "me"]);
        assert_eq!(shown("220 hi\n> EHLO x\n250 ok"), ["220 hi", "EHLO x", "250 ok"]);
        assert_eq!(shown("< 220 hi\n> EHLO x"), ["< 220 hi", "> EHLO x"]);
        assert_eq!(shown(" >> MAIL FROM:<a>\n<<  250 ok"), [" >> MAIL FROM:<a>", "<<  250 ok"]);
        assert_eq!(shown("220 hi\nDATA\n> so he said"), ["220 hi", "DATA", "> so he said"]);
    }

    #[test]
    fn numbers_that_count_the_lines_are_taken_off() {
        assert_eq!(
            shown(" 9  220 hi\n10  QUIT\n\n11  221 a\n12   b"),
            ["220 hi", "QUIT", "", "221 a", " b"]
        );
        assert_eq!(shown("1: a\n2: b\n3: c"), ["1: a", "2: b", "3: c"]);
        assert_eq!(shown("+OK\n1 20\n2 30\n3 40\n4 50"), ["+OK", "1 20", "2 30", "3 40", "4 50"]);
    }

    #[test]
    fn times_and_tags_and_emphasis_are_taken_off() {
        assert_eq!(shown("[10:00:01] 220 hi\n2020-01-02 10:00:01.5 QUIT"), ["220 hi", "QUIT"]);
        assert_eq!(shown("220 hi<br />\nRCPT TO:&lt;b@c&gt;<br>"), ["220 hi", "RCPT TO:<b@c>"]);
        assert_eq!(shown("RCPT TO:<b>\n$ **telnet h 25**"), ["RCPT TO:<b>", "$ telnet h 25"]);
    }
}
