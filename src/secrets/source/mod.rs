//! Finds the secrets in the source of a script, which error messages show, also if the script does
//! not parse.

mod tokens;

use std::ops::Range;

use super::command::{is_mechanism, is_secret_name, password_of_url, secret_of_command};
use super::token::{SECRET, SHORTEST};
use tokens::{Literal, Token, tokens};

/// Named arguments that are not secret, in calls of functions that also take a secret.
const SHOWN: [&str; 17] = [
    "timeout",
    "expect",
    "initial",
    "cancel",
    "authzid",
    "mechanism",
    "user",
    "nonce",
    "host",
    "realm",
    "bare",
    "keep",
    "require",
    "limit",
    "grace",
    "order",
    "settle",
];

/// The spans of a script that are secret, in order: what a command such as PASS carries, the secret
/// arguments of functions that take a password, values assigned to a name that means a secret, the
/// password in a URL, private keys, and what is converted to base64.
pub(crate) fn secret_spans(script: &str) -> Vec<Range<usize>> {
    let tokens = tokens(script);
    let mut walk = Walk { script, frames: Vec::new(), assigned: None, spans: Vec::new() };
    for at in 0..tokens.len() {
        walk.step(&tokens, at);
    }
    let mut spans = walk.spans;
    spans.extend(open_lines(script, &tokens));
    spans.sort_unstable_by_key(|span| span.start);
    spans
}

/// The strings and numbers of a line, without their quotes, and its comment. Known secrets are
/// masked only there: the names in a script are not secret, even if one happens to spell a secret.
pub(crate) fn literal_spans(line: &str) -> Vec<Range<usize>> {
    let literals = tokens(line).into_iter().filter_map(|token| match token {
        Token::Literal(literal) => Some(literal.inside),
        _ => None,
    });
    literals.chain(line.find("//").map(|start| start..line.len())).collect()
}

/// The line with these spans masked, which are in order, and the new column of the character that
/// was at `column`. Columns count from 1.
pub(crate) fn masked_line(line: &str, spans: &[Range<usize>], column: usize) -> (String, usize) {
    let mask = String::from_utf8_lossy(SECRET);
    let place = line.char_indices().nth(column.saturating_sub(1)).map_or(line.len(), |(at, _)| at);
    let (mut masked, mut from, mut shown) = (String::new(), 0, None);
    for span in spans {
        let span = span.start.max(from)..span.end.min(line.len());
        if span.is_empty() {
            continue;
        }
        if shown.is_none() && place < span.end {
            let before = &line[from..place.clamp(from, span.start)];
            shown = Some(masked.chars().count() + before.chars().count() + 1);
        }
        masked.push_str(&line[from..span.start]);
        masked.push_str(&mask);
        from = span.end;
    }
    let before = place.max(from) - from;
    let column = shown
        .unwrap_or_else(|| masked.chars().count() + line[from..from + before].chars().count() + 1);
    masked.push_str(&line[from..]);
    (masked, column)
}

/// A function that takes a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taker {
    /// `auth` and `authenticate`: all arguments but the mechanism and the user are secret.
    Auth,
    /// `login` and `apop`: the first argument is the user, the second is the secret.
    Login,
    /// All arguments are secret.
    All,
    /// `param`: the default value is secret if the parameter has the name of a secret.
    Param,
    /// IMAP's `command`: the arguments of LOGIN and AUTHENTICATE are secret.
    Command,
}

/// The functions by name, without underscores and in lower case.
const TAKERS: [(&str, Taker); 8] = [
    ("auth", Taker::Auth),
    ("authenticate", Taker::Auth),
    ("login", Taker::Login),
    ("apop", Taker::Login),
    ("pass", Taker::All),
    ("base64", Taker::All),
    ("param", Taker::Param),
    ("command", Taker::Command),
];

impl Taker {
    /// The function that a name means, also if the name is misspelt: the error about the
    /// misspelling shows the line.
    fn of(name: &str) -> Option<Self> {
        let name = name.replace('_', "").to_ascii_lowercase();
        let find = |fits: &dyn Fn(&str) -> bool| {
            TAKERS.iter().find(|(word, _)| fits(word)).map(|(_, taker)| *taker)
        };
        find(&|word| word == name).or_else(|| {
            let is_near = |word: &str| {
                word.len() > 4 && name.len() > 3 && strsim::osa_distance(word, &name) <= 1
            };
            find(&is_near)
        })
    }
}

/// An open bracket.
#[derive(Debug)]
enum Frame {
    Call {
        taker: Option<Taker>,
        is_sent: bool,
        argument: usize,
        first: Option<Range<usize>>,
    },
    /// A map, and the key of the value that comes next.
    Map(Option<Range<usize>>),
    List,
    Other,
}

/// The innermost call around a place and, within that call, the innermost key of a map, and whether
/// the place is in a list. Each open bracket keeps what is around it: a search through all open
/// brackets for each string would take quadratic time.
#[derive(Clone, Debug, Default)]
struct Around {
    /// The index of the call among the open brackets.
    call: Option<usize>,
    key: Option<Range<usize>>,
    is_listed: bool,
}

/// Walks over the tokens of a script and collects the secret spans.
struct Walk<'a> {
    script: &'a str,
    /// The open brackets, each with what is around it.
    frames: Vec<(Frame, Around)>,
    /// The name to which a value is being assigned, and the number of brackets open at that point.
    assigned: Option<(Range<usize>, usize)>,
    spans: Vec<Range<usize>>,
}

impl Walk<'_> {
    fn step(&mut self, tokens: &[Token], at: usize) {
        let before = at.checked_sub(1).map(|before| &tokens[before]);
        let next = tokens.get(at + 1);
        match &tokens[at] {
            Token::Name(_) => {}
            Token::Literal(literal) => self.literal(literal, next),
            Token::Sign(sign) => self.sign(*sign, before, next),
        }
    }

    fn sign(&mut self, sign: u8, before: Option<&Token>, next: Option<&Token>) {
        let name = match before {
            Some(Token::Name(name)) => Some(name.clone()),
            Some(Token::Literal(literal)) if sign == b':' => Some(literal.inside.clone()),
            _ => None,
        };
        match sign {
            b'(' => self.open(match name.map(|name| &self.script[name]) {
                // A conversion passes its argument on, so it is treated like a parenthesis.
                Some("bytes" | "to_string") | None => Frame::Other,
                Some(name) => Frame::Call {
                    taker: Taker::of(name),
                    is_sent: name.starts_with("send") || name == "pipeline" || name == "command",
                    argument: 0,
                    first: None,
                },
            }),
            b'{' if before == Some(&Token::Sign(b'#')) => self.open(Frame::Map(None)),
            b'{' => self.open(Frame::Other),
            b'[' => self.open(Frame::List),
            b')' | b'}' | b']' => drop(self.frames.pop()),
            b':' => {
                if let (Some((Frame::Map(key), _)), Some(name)) = (self.frames.last_mut(), name) {
                    *key = Some(name);
                }
            }
            b',' => match self.frames.last_mut() {
                Some((Frame::Call { argument, .. }, _)) => *argument += 1,
                Some((Frame::Map(key), _)) => *key = None,
                _ => {}
            },
            b';' => self.assigned = None,
            // An `=` that begins neither a comparison nor the arrow of a `switch`.
            b'=' if !matches!(next, Some(Token::Sign(b'=' | b'>'))) => {
                self.assigned = name.map(|name| (name, self.frames.len()));
            }
            _ => {}
        }
    }

    fn literal(&mut self, literal: &Literal, next: Option<&Token>) {
        let inside = literal.inside.clone();
        if next == Some(&Token::Sign(b':'))
            && matches!(self.frames.last(), Some((Frame::Map(_), _)))
        {
            return;
        }
        let text = &self.script[inside.clone()];
        let secret = if self.is_secret(next) {
            Some(0..text.len())
        } else {
            secret_of_text(text, self.is_sent())
        };
        if let Some((Frame::Call { argument: 0, first, .. }, _)) = self.frames.last_mut() {
            first.get_or_insert(inside.clone());
        }
        let secret = secret.map(|span| inside.start + span.start..inside.start + span.end);
        self.spans.extend(secret.filter(|span| !span.is_empty()));
    }

    /// Whether the whole of the literal at this place is secret.
    fn is_secret(&self, next: Option<&Token>) -> bool {
        let is_named = self.assigned.as_ref().is_some_and(|(name, depth)| {
            *depth == self.frames.len() && is_secret_name(&self.script[name.clone()])
        });
        if is_named {
            return true;
        }
        let around = self.around();
        let key = around.key.map(|key| &self.script[key]);
        match around.call.map(|call| &self.frames[call].0) {
            Some(Frame::Call { taker: Some(taker), argument, first, .. }) => match key {
                // If a function takes credentials by name, an unknown name may be a misspelling of
                // the password's.
                Some(key) if matches!(taker, Taker::Auth | Taker::Login) => !SHOWN.contains(&key),
                Some(key) => is_secret_name(key),
                // No such function takes a list, so it is unclear what is in it.
                None if around.is_listed && matches!(taker, Taker::Auth | Taker::Login) => true,
                None => {
                    let first = first.clone().map(|first| &self.script[first]);
                    takes(*taker, *argument, first, next)
                }
            },
            _ => key.is_some_and(is_secret_name),
        }
    }

    /// Whether the innermost call sends a text as it is.
    fn is_sent(&self) -> bool {
        let call = self.around().call.map(|call| &self.frames[call].0);
        matches!(call, Some(Frame::Call { is_sent: true, .. }))
    }

    /// Opens a bracket.
    fn open(&mut self, frame: Frame) {
        let around = self.around();
        self.frames.push((frame, around));
    }

    /// What is around the place after the last open bracket.
    fn around(&self) -> Around {
        match self.frames.last() {
            None => Around::default(),
            Some((Frame::Call { .. }, _)) => {
                Around { call: Some(self.frames.len() - 1), ..Around::default() }
            }
            Some((Frame::Map(Some(key)), outer)) => Around { key: Some(key.clone()), ..*outer },
            Some((Frame::List, outer)) => Around { is_listed: true, ..outer.clone() },
            Some((Frame::Map(None) | Frame::Other, outer)) => outer.clone(),
        }
    }
}

/// Whether this argument of a function that takes a secret is the secret.
fn takes(taker: Taker, argument: usize, first: Option<&str>, next: Option<&Token>) -> bool {
    let is_last = next == Some(&Token::Sign(b')'));
    match taker {
        Taker::All => true,
        Taker::Auth if argument == 1 && !is_last => {
            first.is_none_or(|first| !is_mechanism(first.as_bytes()))
        }
        Taker::Auth => argument > 0,
        // A single argument stands where the secret belongs.
        Taker::Login => argument > 0 || is_last,
        Taker::Param => argument > 0 && first.is_some_and(is_secret_name),
        Taker::Command => {
            argument > 0
                && first.is_some_and(|first| {
                    let verb = first.split_ascii_whitespace().next().unwrap_or_default();
                    ["LOGIN", "AUTHENTICATE", "PASS"]
                        .iter()
                        .any(|word| verb.eq_ignore_ascii_case(word))
                })
        }
    }
}

/// The secret that a string shows by its content alone. Line ends appear as escapes here.
fn secret_of_text(text: &str, is_sent: bool) -> Option<Range<usize>> {
    if text.contains("-----BEGIN") && text.contains("PRIVATE KEY-----") {
        return Some(0..text.len());
    }
    let command =
        secret_of_command(text.as_bytes()).filter(|span| is_sent || span.len() >= SHORTEST);
    command.or_else(|| password_of_url(text))
}

/// If a string is not closed on its line and a name on that line takes a secret or means one,
/// everything after the first quote of the line is secret, because it is unclear where the strings
/// begin and end.
fn open_lines(script: &str, tokens: &[Token]) -> Vec<Range<usize>> {
    let open = tokens.iter().filter_map(|token| match token {
        Token::Literal(literal) if literal.is_open => Some(literal.inside.start),
        _ => None,
    });
    let names = tokens.iter().filter_map(|token| match token {
        Token::Name(name) => Some(name),
        _ => None,
    });
    // They are in order, so those of a line are found without a look at all others.
    let names: Vec<_> = names.collect();
    let lines = open.filter_map(|at| {
        let start = script[..at].rfind('\n').map_or(0, |end| end + 1);
        let end = script[at..].find('\n').map_or(script.len(), |length| at + length);
        let line = &script[start..end];
        let quote = line.find(['"', '`'])?;
        let names = &names[names.partition_point(|name| name.start < start)..];
        let takes = names.iter().take_while(|name| name.end <= end).any(|name| {
            let name = &script[(*name).clone()];
            Taker::of(name).is_some_and(|taker| taker != Taker::Param) || is_secret_name(name)
        });
        let says = line[quote + 1..]
            .split(['"', '`'])
            .any(|text| secret_of_text(text, true).is_some() || is_secret_name(text));
        (takes || says).then_some(start + quote + 1..end)
    });
    lines.collect()
}

#[cfg(test)]
mod tests;
