//! What is secret in the source of scripts, which errors show, also of one that is written wrong.

mod tokens;

use std::ops::Range;

use super::command::{is_mechanism, is_secret_name, password_of_url, secret_of_command};
use super::token::{SECRET, SHORTEST};
use tokens::{Literal, Token, tokens};

/// What the words that take a secret also take, by name, and that is none.
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

/// The spans of a script that are secret, in order: what a command such as PASS carries, the
/// arguments of the words that take a password, the value of a name that says so, the password in
/// a URL, private keys, and what becomes base64.
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

/// The texts and numbers of a line, without their quotes: where known secrets are masked. A name in
/// a script is no secret, whatever its letters.
pub(crate) fn literal_spans(line: &str) -> Vec<Range<usize>> {
    let literals = tokens(line).into_iter().filter_map(|token| match token {
        Token::Literal(literal) => Some(literal.inside),
        _ => None,
    });
    literals.chain(line.find("//").map(|start| start..line.len())).collect()
}

/// A line without these spans of it, which are in order, and where the character of that column
/// stands in it now; columns count from 1.
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

/// A word that takes a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taker {
    /// `auth` and `authenticate`: all but the mechanism and the user.
    Auth,
    /// `login` and `apop`: a user, and then the secret.
    Login,
    /// Whatever it is given.
    All,
    /// `param`: the default of a parameter with a secret's name.
    Param,
    /// `command` of IMAP: the arguments of LOGIN and AUTHENTICATE.
    Command,
}

/// The words, as they are found in a name without its underscores and in lower case.
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
    /// What a name takes, also one with a slip in it: it is shown with the error that says so.
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

/// A bracket that is open.
#[derive(Debug)]
enum Frame {
    Call {
        taker: Option<Taker>,
        is_sent: bool,
        argument: usize,
        first: Option<Range<usize>>,
    },
    /// A map, and the key whose value comes.
    Map(Option<Range<usize>>),
    Other,
}

/// A walk over the tokens of a script.
struct Walk<'a> {
    script: &'a str,
    frames: Vec<Frame>,
    /// The name that a value is assigned to, and how many brackets are open there.
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
            b'(' => self.frames.push(match name.map(|name| &self.script[name]) {
                // What a conversion gives back is what it was given.
                Some("bytes" | "to_string") | None => Frame::Other,
                Some(name) => Frame::Call {
                    taker: Taker::of(name),
                    is_sent: name.starts_with("send") || name == "pipeline" || name == "command",
                    argument: 0,
                    first: None,
                },
            }),
            b'{' if before == Some(&Token::Sign(b'#')) => self.frames.push(Frame::Map(None)),
            b'{' | b'[' => self.frames.push(Frame::Other),
            b')' | b'}' | b']' => drop(self.frames.pop()),
            b':' => {
                if let (Some(Frame::Map(key)), Some(name)) = (self.frames.last_mut(), name) {
                    *key = Some(name);
                }
            }
            b',' => match self.frames.last_mut() {
                Some(Frame::Call { argument, .. }) => *argument += 1,
                Some(Frame::Map(key)) => *key = None,
                _ => {}
            },
            b';' => self.assigned = None,
            // Neither a comparison nor the arrow of a `switch`.
            b'=' if !matches!(next, Some(Token::Sign(b'=' | b'>'))) => {
                self.assigned = name.map(|name| (name, self.frames.len()));
            }
            _ => {}
        }
    }

    fn literal(&mut self, literal: &Literal, next: Option<&Token>) {
        let inside = literal.inside.clone();
        if next == Some(&Token::Sign(b':')) && matches!(self.frames.last(), Some(Frame::Map(_))) {
            return;
        }
        let text = &self.script[inside.clone()];
        let secret = if self.is_secret(next) {
            Some(0..text.len())
        } else {
            secret_of_text(text, self.is_sent())
        };
        if let Some(Frame::Call { argument: 0, first, .. }) = self.frames.last_mut() {
            first.get_or_insert(inside.clone());
        }
        let secret = secret.map(|span| inside.start + span.start..inside.start + span.end);
        self.spans.extend(secret.filter(|span| !span.is_empty()));
    }

    /// Whether all of the literal that comes is secret.
    fn is_secret(&self, next: Option<&Token>) -> bool {
        let is_named = self.assigned.as_ref().is_some_and(|(name, depth)| {
            *depth == self.frames.len() && is_secret_name(&self.script[name.clone()])
        });
        if is_named {
            return true;
        }
        let mut key = None;
        for frame in self.frames.iter().rev() {
            match frame {
                Frame::Map(Some(name)) => key = key.or(Some(&self.script[name.clone()])),
                Frame::Map(None) | Frame::Other => {}
                Frame::Call { taker: None, .. } => break,
                Frame::Call { taker: Some(taker), argument, first, .. } => {
                    let first = first.clone().map(|first| &self.script[first]);
                    return match key {
                        // Of the words that are given credentials by name, an unknown one may be
                        // a slip in that of the password.
                        Some(key) if matches!(taker, Taker::Auth | Taker::Login) => {
                            !SHOWN.contains(&key)
                        }
                        Some(key) => is_secret_name(key),
                        None => takes(*taker, *argument, first, next),
                    };
                }
            }
        }
        key.is_some_and(is_secret_name)
    }

    /// Whether a text is sent as it is, by the innermost call.
    fn is_sent(&self) -> bool {
        let call = self.frames.iter().rev().find_map(|frame| match frame {
            Frame::Call { is_sent, .. } => Some(*is_sent),
            _ => None,
        });
        call == Some(true)
    }
}

/// Whether an argument of a word that takes a secret is that.
fn takes(taker: Taker, argument: usize, first: Option<&str>, next: Option<&Token>) -> bool {
    let is_last = next == Some(&Token::Sign(b')'));
    match taker {
        Taker::All => true,
        Taker::Auth if argument == 1 && !is_last => {
            first.is_none_or(|first| !is_mechanism(first.as_bytes()))
        }
        Taker::Auth => argument > 0,
        // Alone, it stands where the secret belongs.
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

/// What is secret in a text by itself. Line ends are written as escapes here.
fn secret_of_text(text: &str, is_sent: bool) -> Option<Range<usize>> {
    if text.contains("-----BEGIN") && text.contains("PRIVATE KEY-----") {
        return Some(0..text.len());
    }
    let command =
        secret_of_command(text.as_bytes()).filter(|span| is_sent || span.len() >= SHORTEST);
    command.or_else(|| password_of_url(text))
}

/// What follows the first quote of a line on which a text is not closed, if something on that line
/// takes a secret: where its texts begin and end is anybody's guess.
fn open_lines(script: &str, tokens: &[Token]) -> Vec<Range<usize>> {
    let open = tokens.iter().filter_map(|token| match token {
        Token::Literal(literal) if literal.is_open => Some(literal.inside.start),
        _ => None,
    });
    let lines = open.filter_map(|at| {
        let start = script[..at].rfind('\n').map_or(0, |end| end + 1);
        let end = script[at..].find('\n').map_or(script.len(), |length| at + length);
        let line = &script[start..end];
        let quote = line.find(['"', '`'])?;
        let takes = tokens.iter().any(|token| match token {
            Token::Name(name) if start <= name.start && name.end <= end => {
                let name = &script[name.clone()];
                Taker::of(name).is_some_and(|taker| taker != Taker::Param) || is_secret_name(name)
            }
            _ => false,
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
