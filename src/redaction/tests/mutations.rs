//! Measures which changes a golden notices. One line of a recorded dialogue at a time is changed as
//! an upgrade, a wrong setting or a fault of a server would change it; the redacted transcript has
//! to differ.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::*;
use crate::transcript::read;

/// The category of a change.
type Kind = &'static str;

/// A recorded dialogue: the scheme, and the lines with their marks.
struct Recorded {
    scheme: String,
    lines: Vec<String>,
}

/// The recorded dialogues, in the order of their names.
fn recorded() -> Vec<Recorded> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let mut found = Vec::new();
    for scheme in ["smtp", "lmtp", "pop3", "imap", "sieve"] {
        let entries = std::fs::read_dir(root.join(scheme)).unwrap();
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            let is_said = |line: &&str| line.starts_with("S: ") || line.starts_with("C: ");
            found.push(Recorded {
                scheme: scheme.to_owned(),
                lines: text.lines().filter(is_said).map(str::to_owned).collect(),
            });
        }
    }
    found
}

/// The golden text of a dialogue.
pub(super) fn golden(redaction: &Redaction, scheme: &str, lines: &[String]) -> String {
    let text = format!("*** connecting to {scheme}://mail.example.test\n{}\n", lines.join("\n"));
    shown(&redaction.apply(&read(&text).0).unwrap().events)
}

/// Whether a piece of a line varies by its nature: an identifier, a date, an address, a duration, a
/// challenge.
fn is_volatile(line: &str, piece: &str) -> bool {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let is_date = MONTHS.iter().any(|month| line.contains(&format!(" {month} ")))
        && line.contains(" 20")
        || line.contains("-Nov-2026");
    let is_timing = line.contains(" secs") || line.contains(" sec)") || line.contains("KB/sec");
    let digits = piece.bytes().filter(u8::is_ascii_digit).count();
    let is_opaque = piece.len() > 7 && digits > 1 && piece.bytes().any(|b| b.is_ascii_alphabetic());
    ((is_date || is_timing) && digits > 0)
        || (is_opaque
            && !piece.contains("SHA")
            && !piece.contains("TLS")
            && !piece.contains("8BIT"))
        || line.contains(&format!("[{piece}]"))
        || line.contains("InternalId")
        || line.contains("SESSIONID")
        || line.starts_with("S: 334 ")
        || line.starts_with("S: + ")
}

/// The ranges of the words that consist of characters for which `is_part` is true.
fn words(line: &str, is_part: impl Fn(char) -> bool) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = None;
    for (at, c) in line.char_indices().chain([(line.len(), ' ')]) {
        match (is_part(c), start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                found.push(from..at);
                start = None;
            }
            _ => {}
        }
    }
    found
}

fn with(line: &str, span: &Range<usize>, new: &str) -> String {
    format!("{}{new}{}", &line[..span.start], &line[span.end..])
}

/// The number with its first digit changed.
fn other_digits(number: &str) -> String {
    let first = number.as_bytes()[0];
    let other = if first == b'9' { '4' } else { char::from(first + 1) };
    format!("{other}{}", &number[1..])
}

/// The changes to try on a server line: each with its category and the lines that replace it.
fn changed(line: &str, is_smtp: bool) -> Vec<(Kind, Vec<String>)> {
    let mut changes: Vec<(Kind, Vec<String>)> = vec![("missing", Vec::new())];
    changes.push(("doubled", vec![line.to_owned(); 2]));
    for (status, other) in
        [("OK", "NO"), ("NO", "OK"), ("BAD", "NO"), ("+OK", "-ERR"), ("-ERR", "+OK")]
    {
        if let Some(at) = line.find(&format!(" {status}")).filter(|at| *at < 8 && !is_smtp) {
            changes.push(("status", vec![with(line, &(at + 1..at + 1 + status.len()), other)]));
            break;
        }
    }
    if is_smtp && line[3..].bytes().take(3).all(|byte| byte.is_ascii_digit()) {
        let class = if line.as_bytes()[3] == b'5' { "4" } else { "5" };
        changes.push(("status", vec![with(line, &(3..4), class)]));
        let (tens, units) = (&line[4..5], &line[5..6]);
        changes.push((
            "code",
            vec![with(line, &(4..6), &format!("{}{}", other_digits(tens), other_digits(units)))],
        ));
    }
    changes.extend(changed_numbers(line, is_smtp));
    changes.extend(changed_words(line));
    changes.extend(changed_keywords(line));
    changes
}

fn changed_numbers(line: &str, is_smtp: bool) -> Vec<(Kind, Vec<String>)> {
    let mut changes = Vec::new();
    let is_number = |c: char| c.is_ascii_digit() || c == '.';
    for span in words(line, is_number).into_iter().filter(|span| span.start > 6 || !is_smtp) {
        let piece = line[span.clone()].trim_matches('.');
        let around = [line[..span.start].chars().last(), line[span.end..].chars().next()];
        let is_alone =
            !around.iter().flatten().any(|c| c.is_ascii_alphanumeric() || "_-+".contains(*c));
        if piece.is_empty() || !is_alone || is_volatile(line, piece) {
            continue;
        }
        let start = span.start + line[span.clone()].find(piece).unwrap();
        let place = start..start + piece.len();
        let kind = if !piece.contains('.') {
            "number"
        } else if piece.split('.').count() == 3 && piece.len() < 8 && is_smtp {
            "enhanced code"
        } else {
            "version"
        };
        let at = if kind == "enhanced code" {
            place.end - 1..place.end
        } else {
            place.start..place.start + 1
        };
        changes.push((kind, vec![with(line, &at, &other_digits(&line[at.clone()]))]));
    }
    changes
}

fn changed_words(line: &str) -> Vec<(Kind, Vec<String>)> {
    let mut changes = Vec::new();
    let texts: Vec<_> = words(line, |c| c.is_ascii_alphabetic())
        .into_iter()
        .filter(|span| span.start > 3 && span.len() > 3 && !is_volatile(line, &line[span.clone()]))
        .collect();
    for span in texts.first().into_iter().chain(texts.last().filter(|_| texts.len() > 1)) {
        let word = &line[span.clone()];
        let other = if word.ends_with(['t', 'T']) { "x" } else { "t" };
        let other = if word.ends_with(|c: char| c.is_ascii_uppercase()) {
            other.to_uppercase()
        } else {
            other.to_owned()
        };
        changes.push(("word", vec![with(line, &(span.end - 1..span.end), &other)]));
    }
    changes
}

fn changed_keywords(line: &str) -> Vec<(Kind, Vec<String>)> {
    let mut changes = Vec::new();
    let listed = ["CAPABILITY ", "250-AUTH ", "250 AUTH ", "SASL ", "\"SASL\" ", "\"SIEVE\" "];
    if let Some(list) = listed.iter().find_map(|list| line.find(list).map(|at| at + list.len())) {
        let end = line[list..].find(']').map_or(line.len(), |at| list + at);
        let keywords: Vec<_> = words(&line[..end], |c| !" \"".contains(c))
            .into_iter()
            .filter(|span| span.start >= list)
            .collect();
        for span in keywords.iter().skip(1).step_by(3) {
            changes.push(("keyword gone", vec![with(line, &(span.start - 1..span.end), "")]));
        }
        changes
            .push(("keyword new", vec![with(line, &(keywords[0].end..keywords[0].end), " XNEW")]));
    }
    changes
}

/// Only each 61st change is tried, so that the test takes seconds.
const EVERY: usize = 61;

/// The percentage of changes that has to be noticed.
const WANTED: [(Strictness, usize); 3] =
    [(Strictness::Text, 97), (Strictness::Enhanced, 60), (Strictness::Codes, 50)];

#[test]
fn a_changed_line_is_noticed() {
    let mut tried = Vec::new();
    for recorded in recorded() {
        let is_smtp = ["smtp", "lmtp"].contains(&&*recorded.scheme);
        for (at, line) in recorded.lines.iter().enumerate() {
            if line.starts_with("S: ") {
                // Lines after the next turns do not matter.
                let lines = recorded.lines[..recorded.lines.len().min(at + 6)].to_vec();
                let changes = changed(line, is_smtp).into_iter();
                tried
                    .extend(changes.map(|(kind, new)| {
                        (recorded.scheme.clone(), lines.clone(), at, kind, new)
                    }));
            }
        }
    }
    // Over 2000 changes: a sample is enough to estimate the shares.
    assert!(tried.len() > 2000, "{} changes", tried.len());
    for (strictness, wanted) in WANTED {
        let redaction = Redaction::new().strictness(strictness);
        let mut missed: BTreeMap<Kind, Vec<String>> = BTreeMap::new();
        let (mut caught, mut all) = (0, 0);
        for (scheme, old, at, kind, new) in tried.iter().step_by(every()) {
            let mut lines = old.clone();
            lines.splice(at..=at, new.clone());
            all += 1;
            if golden(&redaction, scheme, &lines) == golden(&redaction, scheme, old) {
                missed.entry(kind).or_default().push(format!(
                    "{} => {}",
                    old[*at],
                    new.join(" | ")
                ));
            } else {
                caught += 1;
            }
        }
        let share = 100 * caught / all;
        assert!(share >= wanted, "{strictness}: {share} % of {all}, missed: {missed:#?}");
    }
}

/// `MAILEXPECT_EVERY=1` tries all changes.
fn every() -> usize {
    std::env::var("MAILEXPECT_EVERY").ok().and_then(|every| every.parse().ok()).unwrap_or(EVERY)
}
