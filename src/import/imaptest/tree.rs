//! The arguments of a response, and the rules by which `ImapTest` compares the lists among them.

use super::parts::{CLOSE, OPEN};

/// The flag that may come in addition to those in FLAGS of a FETCH, if the list has no directives.
const IGNORED: &str = "\\recent";

/// An argument, and whether a blank stands before it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Node<'a> {
    pub(super) is_apart: bool,
    pub(super) value: Value<'a>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// An atom, a string or a literal. The section of a body part belongs to its atom, as in
    /// `body[header.fields (from)]`.
    Word(&'a str),
    List(Rules<'a>, Vec<Node<'a>>),
}

/// The rules for a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rules<'a> {
    /// How many arguments make up an item, if the items may come in any order.
    pub(super) unordered: Option<usize>,
    /// Whether other items may come in an unordered list.
    pub(super) extra: Option<bool>,
    /// The other items that may come, if no others may.
    pub(super) ignored: Vec<&'a str>,
    /// The other items that must not come, if others may.
    pub(super) banned: Vec<&'a str>,
    /// Whether the file has directives for the list, which replace all defaults.
    is_explicit: bool,
}

impl<'a> Rules<'a> {
    fn any_order(count: usize) -> Self {
        Self { unordered: Some(count), ..Self::default() }
    }

    /// Whether other items may come in the list.
    pub(super) fn has_extra(&self) -> bool {
        self.extra.unwrap_or(true)
    }

    /// Takes a directive. Returns whether there is such a directive.
    fn take(&mut self, directive: &'a str) -> bool {
        self.is_explicit = true;
        match directive.split_once('=').unwrap_or((directive, "")) {
            ("unordered", count) => self.unordered = Some(count.parse().unwrap_or(1).max(1)),
            ("ordered", "") => self.unordered = None,
            ("extra", "") => self.extra = Some(true),
            ("noextra", "") => self.extra = Some(false),
            ("ignore", item) => self.ignored.push(item),
            ("ban", item) => self.banned.push(item),
            _ => return false,
        }
        true
    }
}

/// The name of a response: `fetch` in `1 fetch (...)`.
pub(super) fn name(nodes: &[Node<'_>]) -> String {
    let mut words = nodes.iter().map(|node| match node.value {
        Value::Word(word) => word,
        Value::List(..) => "",
    });
    let first = words.next().unwrap_or_default();
    let is_number = first.starts_with(|c: char| c == '$' || c.is_ascii_digit());
    let name = if is_number { words.next().unwrap_or_default() } else { first };
    name.to_ascii_lowercase()
}

/// Splits a response into its arguments, with the rules for its lists.
pub(super) fn parse(response: &str) -> Vec<Node<'_>> {
    let mut rest = response;
    let mut nodes = arguments(&mut rest, false);
    let unordered = match name(&nodes).as_str() {
        "list" | "lsub" => Some((1, 1)),
        "status" | "fetch" => Some((2, 2)),
        _ => None,
    };
    let is_fetch = name(&nodes) == "fetch";
    if let Some((at, count)) = unordered
        && let Some(Node { value: Value::List(rules, items), .. }) = nodes.get_mut(at)
    {
        if !rules.is_explicit {
            *rules = Rules::any_order(count);
        }
        if is_fetch {
            default_flags(items);
        }
    }
    nodes
}

/// Gives the FLAGS in a FETCH their default rules.
fn default_flags(items: &mut [Node<'_>]) {
    let mut is_flags = false;
    for item in items {
        match &mut item.value {
            Value::Word(word) => is_flags = word.eq_ignore_ascii_case("flags"),
            Value::List(rules, _) if is_flags && !rules.is_explicit => {
                *rules =
                    Rules { extra: Some(false), ignored: vec![IGNORED], ..Rules::any_order(1) };
            }
            Value::List(..) => {}
        }
    }
}

/// Takes the arguments up to the end of their list off the text.
fn arguments<'a>(text: &mut &'a str, in_list: bool) -> Vec<Node<'a>> {
    let mut nodes = Vec::new();
    loop {
        let bare = text.trim_start_matches(' ');
        let is_apart = bare.len() < text.len() && !nodes.is_empty();
        *text = bare;
        let Some(first) = bare.chars().next() else { return nodes };
        if first == ')' && in_list {
            *text = &bare[1..];
            return nodes;
        }
        if first == '(' {
            *text = &bare[1..];
            let rules = directives(text);
            let items = arguments(text, true);
            nodes.push(Node { is_apart, value: Value::List(rules, items) });
            continue;
        }
        let end = word_end(bare);
        *text = &bare[end..];
        nodes.push(Node { is_apart, value: Value::Word(&bare[..end]) });
    }
}

/// Takes the directives at the beginning of a list off the text.
fn directives<'a>(text: &mut &'a str) -> Rules<'a> {
    let mut rules = Rules::default();
    while let Some(directive) = text.strip_prefix("$!") {
        let end = directive.find([' ', ')']).unwrap_or(directive.len());
        if !rules.take(&directive[..end]) {
            break;
        }
        *text = directive[end..].trim_start_matches(' ');
    }
    rules
}

/// The length of the word at the beginning of a text. Strings, literals, `${case:...}` and sections
/// may contain blanks and parentheses.
fn word_end(text: &str) -> usize {
    let (mut closes, mut is_escaped) = (None, false);
    let mut before = None;
    for (at, character) in text.char_indices() {
        match closes {
            Some(close) => {
                if character == close && !is_escaped {
                    closes = None;
                }
                is_escaped = close == '"' && character == '\\' && !is_escaped;
            }
            None if at > 0 && [' ', '(', ')'].contains(&character) => return at,
            None => {
                closes = match character {
                    '"' => Some('"'),
                    OPEN => Some(CLOSE),
                    '{' if before == Some('$') => Some('}'),
                    '[' if at > 0 => Some(']'),
                    _ => None,
                }
            }
        }
        before = Some(character);
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(response: &str) -> Vec<String> {
        let shown = |node: &Node<'_>| match &node.value {
            Value::Word(word) => (*word).to_owned(),
            Value::List(rules, items) => format!("{:?} of {}", rules.unordered, items.len()),
        };
        parse(response).iter().map(shown).collect()
    }

    #[test]
    fn a_response_is_split_into_its_arguments() {
        let all = words("1 fetch (body[header.fields (from to)] \"a (b\" uid 5)");
        assert_eq!(all, ["1", "fetch", "Some(2) of 4"]);
        assert_eq!(
            words("ok [permanentflags (\\seen)] go"),
            ["ok", "[permanentflags", "None of 1", "]", "go"]
        );
        assert_eq!(
            words("list () \"/\" ${case:a b}"),
            ["list", "Some(1) of 0", "\"/\"", "${case:a b}"]
        );
        assert_eq!(words("list ($!ordered \\a) nil x"), ["list", "None of 1", "nil", "x"]);
    }

    #[test]
    fn a_directive_replaces_all_defaults_of_its_list() {
        let nodes = parse("1 fetch (flags ($!unordered $!ban=\\deleted) uid 1)");
        let Value::List(rules, items) = &nodes[2].value else { panic!() };
        assert_eq!(rules.unordered, Some(2));
        let Value::List(rules, flags) = &items[1].value else { panic!() };
        assert!(flags.is_empty() && rules.ignored.is_empty() && rules.has_extra());
        assert_eq!(rules.banned, ["\\deleted"]);
    }
}
