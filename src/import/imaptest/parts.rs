//! Splits commands and responses into parts: text, variables, and literals. A literal of several
//! lines is first put into one line, between marks.

/// The marks before and after a literal that was put into one line. They are private-use
/// characters, which no script contains.
pub(super) const OPEN: char = '\u{e001}';
pub(super) const CLOSE: char = '\u{e002}';

/// The mark for one of `ImapTest`'s own messages.
pub(super) const MESSAGE: &str = "\u{e003}";

/// A command, and the responses that belong to it.
pub(super) struct Command {
    pub(super) line: usize,
    pub(super) session: usize,
    /// The expression for the expected status.
    pub(super) status: String,
    /// The beginning of the status line, if it stands apart from the command.
    pub(super) ending: Option<Response>,
    pub(super) text: String,
    /// The commands that are sent at once, with their tags, and the status that ends each.
    pub(super) pipelined: Vec<(String, String)>,
    pub(super) required: Vec<Response>,
    pub(super) forbidden: Vec<Response>,
    pub(super) allowed: Vec<Response>,
    /// Whether the required responses have to come in their order.
    pub(super) is_ordered: bool,
    /// Whether no other responses may come.
    pub(super) is_all: bool,
}

/// A response, and its line in the file.
#[derive(Clone)]
pub(super) struct Response {
    pub(super) line: usize,
    pub(super) text: String,
}

/// Puts the lines of each literal into one line. A literal begins with `{{{` at the end of a line,
/// and ends before `}}}` at the start of another line. Returns each line with its number. A literal
/// without an end keeps its `{{{`, so it is reported later.
pub(super) fn joined(text: &str) -> Vec<(usize, String)> {
    let mut all = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((n, line)) = lines.next() {
        let mut whole = line.to_owned();
        while let Some(begun) =
            whole.trim_end().strip_suffix("{{{").filter(|_| !line.starts_with('#'))
        {
            let mut content = Vec::new();
            let end = lines.by_ref().map(|(_, line)| line).find(|line| {
                let ends = line.starts_with("}}}");
                if !ends {
                    content.push(*line);
                }
                ends
            });
            let Some(end) = end else {
                whole = format!("{whole} {}", content.join(" "));
                break;
            };
            let rest = end.trim_start_matches("}}}");
            whole = format!("{begun}{OPEN}{}{CLOSE}{rest}", content.join("\r\n"));
        }
        all.push((n + 1, whole));
    }
    all
}

/// A literal between its marks.
pub(super) fn literal(content: &str) -> String {
    format!("{OPEN}{content}{CLOSE}")
}

/// Returns a line for a report, with `{{{` and `}}}` in place of the marks.
pub(super) fn shown(line: &str) -> String {
    line.replace(OPEN, "{{{ ").replace(CLOSE, " }}}")
}

/// A part of a command or a response.
pub(super) enum Part<'a> {
    Text(&'a str),
    /// A sequence number, such as `$1`, for a message that `ImapTest` has counted at the start.
    Number(&'a str),
    /// `$name` or `${name}`.
    Variable(&'a str),
    /// A directive such as `$!extra`, at a place where it is none.
    Directive(&'a str),
    /// `$`: any single word, string or list.
    Any,
    /// `$]`: any text up to the bracket.
    Rest,
    /// `${case:text}`: a text whose case has to match.
    Case(&'a str),
    /// The content of a literal.
    Literal(&'a str),
}

/// Splits a line into parts. `$$` is a dollar sign.
pub(super) fn parts(line: &str) -> Vec<Part<'_>> {
    let mut found = Vec::new();
    let mut rest = line;
    while let Some(at) = rest.find(['$', OPEN]) {
        found.push(Part::Text(&rest[..at]));
        if let Some(inside) = rest[at..].strip_prefix(OPEN) {
            let (content, behind) = inside.split_once(CLOSE).unwrap_or((inside, ""));
            found.push(Part::Literal(content));
            rest = behind;
            continue;
        }
        let tail = &rest[at + 1..];
        let span = |is: fn(char) -> bool| tail.find(|c| !is(c)).unwrap_or(tail.len());
        let (part, end) = match tail.bytes().next() {
            Some(b'{') if in_braces(tail).is_some() => {
                let name = in_braces(tail).unwrap_or_default();
                (Part::Variable(name), name.len() + 2)
            }
            Some(b'{') if tail.starts_with("{case:") && tail.contains('}') => {
                let text = tail["{case:".len()..].split('}').next().unwrap_or_default();
                (Part::Case(text), text.len() + "{case:}".len())
            }
            Some(b'!') => {
                let end = span(|c| c != ' ' && c != ')');
                (Part::Directive(&rest[at..=at + end]), end)
            }
            Some(b']') => (Part::Rest, 1),
            None | Some(b' ' | b')') => (Part::Any, 0),
            Some(first) if first.is_ascii_digit() => {
                let end = span(|c| c.is_ascii_digit());
                (Part::Number(&tail[..end]), end)
            }
            Some(first) if first.is_ascii_alphabetic() || first == b'_' => {
                let end = span(|c| c.is_ascii_alphanumeric() || c == '_');
                (Part::Variable(&tail[..end]), end)
            }
            _ => (Part::Text("$"), usize::from(tail.starts_with('$'))),
        };
        found.push(part);
        rest = &tail[end..];
    }
    found.push(Part::Text(rest));
    found
}

/// The name in `{name}`.
fn in_braces(text: &str) -> Option<&str> {
    let (name, _) = text.strip_prefix('{')?.split_once('}')?;
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_name.then_some(name)
}

/// An argument of a command that has a literal.
pub(super) enum Argument<'a> {
    /// A word, which is sent unchanged except for its variables.
    Word(&'a str),
    Literal(&'a str),
    /// A literal of binary data: `~{{{`.
    Binary(&'a str),
    List(Vec<Argument<'a>>),
}

/// Returns the arguments in a text, up to the parenthesis that closes their list, and removes them
/// from the text.
pub(super) fn arguments<'a>(text: &mut &'a str) -> Vec<Argument<'a>> {
    let mut found = Vec::new();
    loop {
        *text = text.trim_start_matches(' ');
        let Some(first) = text.chars().next() else { return found };
        let rest = &text[first.len_utf8()..];
        match first {
            ')' => {
                *text = rest;
                return found;
            }
            '(' => {
                *text = rest;
                found.push(Argument::List(arguments(text)));
            }
            OPEN => {
                let (content, behind) = rest.split_once(CLOSE).unwrap_or((rest, ""));
                let is_binary = matches!(found.last(), Some(Argument::Word("~")));
                if is_binary {
                    found.pop();
                    found.push(Argument::Binary(content));
                } else {
                    found.push(Argument::Literal(content));
                }
                *text = behind;
            }
            _ => {
                let end = word_end(text);
                found.push(Argument::Word(&text[..end]));
                *text = &text[end..];
            }
        }
    }
}

/// Returns the offset of the end of a word, which may be a quoted string.
fn word_end(text: &str) -> usize {
    let mut is_quoted = false;
    let mut is_escaped = false;
    let end = text.char_indices().find(|(_, character)| {
        let ends = !is_quoted && [' ', '(', ')', OPEN].contains(character);
        is_quoted ^= *character == '"' && !is_escaped;
        is_escaped = *character == '\\' && !is_escaped;
        ends
    });
    end.map_or(text.len(), |(at, _)| at)
}
