//! Corrects the announced size of literals. People change names and leave out lines when they paste
//! a session, so the literal no longer has as many octets as its `{number}` announces.

use super::words::announced;

/// A line of the file. `is_server` is `None` if the file does not say which side sent the line.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) at: usize,
    pub(super) text: String,
    pub(super) is_server: Option<bool>,
}

/// The most lines in which the end of a literal is searched for. A literal with more lines keeps
/// its number. Without the limit, a file with many unfinished literals takes quadratic time.
const MOST_LINES: usize = 5000;

/// Replaces the size that a response or a command announces by the size that its literal has in the
/// file. Returns, for each changed line, its number, its former text and the reason.
pub(super) fn recount(items: &mut [Item]) -> Vec<(usize, String, String)> {
    let mut changed = Vec::new();
    let mut at = 0;
    while at < items.len() {
        let Some((octets, digits)) =
            announced(&items[at].text).filter(|_| is_imap(&items[at].text))
        else {
            at += 1;
            continue;
        };
        let begin = if is_go_ahead(&items[at..]) { at + 2 } else { at + 1 };
        let is_response = items[at].text.starts_with("* ");
        let end = end(&items[begin..], is_response).map(|end| begin + end);
        let Some(end) = end.filter(|_| octets > 0) else {
            at += 1;
            continue;
        };
        let there = octets_of(&items[begin..end], is_response);
        if !fits(&items[begin..end], octets, is_response) && there > 0 {
            let why = format!(
                "its literal has {there} octets here, which is what the script has, and not {octets}"
            );
            changed.push((items[at].at, items[at].text.clone(), why));
            items[at].text.replace_range(digits, &there.to_string());
        }
        at = end.max(at + 1);
    }
    changed
}

/// Whether a line is a response of IMAP, or a command.
fn is_imap(line: &str) -> bool {
    line.starts_with("* ") || tag_of_command(line).is_some()
}

fn tag_of_command(line: &str) -> Option<&str> {
    let (tag, rest) = line.split_once(' ')?;
    let is_verb = rest.starts_with(|first: char| first.is_ascii_alphabetic());
    (is_verb
        && tag.len() <= 12
        && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.'))
    .then_some(tag)
}

/// Whether the server's continuation request (`+`) stands between the command and its literal.
fn is_go_ahead(items: &[Item]) -> bool {
    items.get(1).is_some_and(|next| next.text.starts_with('+') && next.is_server != Some(false))
}

/// Whether a line is the status that ends a command: a tag, then `OK`, `NO` or `BAD`.
fn is_status(item: &Item) -> bool {
    let mut words = item.text.split(' ');
    let tag = words.next().unwrap_or_default();
    let status = words.next().unwrap_or_default().to_ascii_uppercase();
    item.is_server != Some(false)
        && ["OK", "NO", "BAD"].contains(&status.as_str())
        && !tag.is_empty()
        && tag.len() <= 12
        && !tag.contains(':')
}

/// The index after the literal and after the rest of the response or command that contains the
/// literal.
fn end(items: &[Item], is_response: bool) -> Option<usize> {
    let side = Some(is_response);
    let is_over =
        |item: &Item| is_status(item) || (item.is_server.is_some() && item.is_server != side);
    let end = items.iter().take(MOST_LINES).position(is_over)?;
    if !is_response {
        return Some(end);
    }
    // Several responses may come before the status, so the first closing parenthesis ends this one.
    let closes = |item: &Item| {
        item.text.starts_with(')') || (item.text.ends_with(')') && item.text.starts_with(' '))
    };
    let first = items[..end].iter().position(closes);
    first.map(|closed| closed + 1).or(Some(end))
}

/// Whether the announced number ends the literal at a point where the response or the command can
/// continue.
fn fits(items: &[Item], octets: usize, is_response: bool) -> bool {
    let mut left = octets;
    for (n, item) in items.iter().enumerate() {
        let length = item.text.len() + 2;
        if left >= length {
            left -= length;
            if left == 0 && !is_response {
                // The empty line that ends the command is easily lost in a paste.
                return items[n + 1..]
                    .iter()
                    .all(|item| item.text.trim().is_empty() || n + 2 == items.len());
            }
            continue;
        }
        let rest = item.text.get(left..).unwrap_or_default();
        return if is_response {
            rest.starts_with([')', ' '])
        } else {
            rest.is_empty() || rest.starts_with([')', ' '])
        };
    }
    false
}

/// The number of octets that the literal has in the file.
fn octets_of(items: &[Item], is_response: bool) -> usize {
    let all: usize = items.iter().map(|item| item.text.len() + 2).sum();
    let Some(last) = items.last() else { return 0 };
    match () {
        () if is_response => {
            // Either the whole last line belongs to the response, or only the closing parenthesis
            // and the line end. These octets are not part of the literal.
            let tail = if last.text.starts_with([')', ' ']) { last.text.len() + 2 } else { 3 };
            all.saturating_sub(tail)
        }
        () if last.text.is_empty() => all - 2,
        () => all.saturating_sub(2),
    }
}

#[cfg(test)]
mod tests {
    use super::{Item, recount};

    fn first(lines: &[&str]) -> (String, usize) {
        let item = |(n, text): (usize, &&str)| Item {
            at: n + 1,
            text: (*text).to_owned(),
            is_server: None,
        };
        let mut items: Vec<_> = lines.iter().enumerate().map(item).collect();
        let changed = recount(&mut items);
        (items[0].text.clone(), changed.len())
    }

    #[test]
    fn a_number_that_fits_stays() {
        let fetched = ["* 1 FETCH (BODY[] {11}", "A: b", "", "x", ")", "a OK done"];
        assert_eq!(first(&fetched), ("* 1 FETCH (BODY[] {11}".to_owned(), 0));
        let inside = ["* 1 FETCH (BODY[TEXT] {2}", "hi FLAGS ())", "a OK done"];
        assert_eq!(first(&inside).1, 0);
        let sent = ["a APPEND x {4}", "+ go", "a: b", "", "a OK done"];
        assert_eq!(first(&sent).1, 0);
    }

    #[test]
    fn a_number_that_does_not_fit_is_that_of_the_octets_there() {
        let fetched = ["* 1 FETCH (BODY[] {342}", "A: b", "", "x", ")", "a OK done"];
        assert_eq!(first(&fetched), ("* 1 FETCH (BODY[] {11}".to_owned(), 1));
        let few = ["* 1 FETCH (BODY[] {3}", "A: b", "", "x", ")", "a OK done"];
        assert_eq!(first(&few).0, "* 1 FETCH (BODY[] {11}");
        let sent = ["a APPEND x {310}", "+ go", "a: b", "", "a OK done"];
        assert_eq!(first(&sent).0, "a APPEND x {6}");
    }
}
