//! Writes responses as regexes that follow the rules by which `ImapTest` compares them.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::slice;

use super::parts::{Part, parts};
use super::tree::{self, Node, Rules, Value};
use crate::import::literal::escaped;

/// A regex for the values of variables: a quoted string or a word.
const VALUE: &str = r#"(?:"(?:[^"\\]|\\.)*"|[^\s()"\]]+)"#;

/// A regex for any argument: also a list or a literal.
const ANY: &str = r#"(?:"(?:[^"\\]|\\.)*"|(?s:(?:\(|~?\{\d+\}\r\n).*?)|[^\s()"\]]+)"#;

/// The largest number of items of which all orders are written, and the most bytes of them. There
/// are 24 orders of four items, which nobody could read.
const MOST: usize = 3;
const MOST_BYTES: usize = 1000;

/// A response as a regex.
#[derive(Default)]
pub(super) struct Written {
    /// The regex, for backticks.
    pub(super) regex: String,
    /// The variables that it binds.
    pub(super) binds: Vec<String>,
    /// The differences between the regex and the rules of `ImapTest`.
    pub(super) notes: Vec<String>,
}

/// The expression for a variable to which `ImapTest` itself gives a value.
pub(super) fn known(name: &str) -> Option<&'static str> {
    Some(match name {
        "mailbox" => "param(\"mailbox\", \"INBOX\")",
        "user" => "param(\"user\")",
        "password" => "param(\"password\")",
        _ => return None,
    })
}

/// An untagged response. `bound` are the variables that have a value.
pub(super) fn untagged(response: &str, bound: &BTreeSet<String>) -> Written {
    Writer::new(bound, "(?i)\\A\\* ").response(response)
}

/// The beginning of a tagged response.
pub(super) fn tagged(status: &str, bound: &BTreeSet<String>) -> Written {
    Writer::new(bound, "(?i)\\A(?:\\S+ )?").response(status)
}

struct Writer<'a> {
    bound: &'a BTreeSet<String>,
    written: Written,
    /// Matches items of a list that the file does not name.
    filler: &'static str,
}

/// What may stand before, between and after the items of a list, or alone if it names no items.
struct Gaps {
    alone: String,
    before: String,
    between: String,
    after: String,
}

impl<'a> Writer<'a> {
    fn new(bound: &'a BTreeSet<String>, begins: &str) -> Self {
        let written = Written { regex: begins.to_owned(), ..Written::default() };
        Self { bound, written, filler: ".*?" }
    }

    fn response(mut self, response: &str) -> Written {
        let nodes = tree::parse(response);
        let name = tree::name(&nodes);
        if name == "fetch" {
            // A literal may contain line ends.
            self.filler = "(?s:.*?)";
        }
        let mailbox = match name.as_str() {
            "list" | "lsub" => Some(3),
            "status" => Some(1),
            _ => None,
        };
        let arguments = self.arguments(&nodes, mailbox);
        self.written.regex.push_str(&arguments);
        // The text of a status may go on.
        if !["ok", "no", "bad", "bye"].contains(&name.as_str()) {
            self.written.regex.push_str("\\z");
        }
        self.written
    }

    /// Arguments in their order. `mailbox` is the index of the name of a mailbox.
    fn arguments(&mut self, nodes: &[Node<'_>], mailbox: Option<usize>) -> String {
        let mut regex = String::new();
        for (n, node) in nodes.iter().enumerate() {
            if node.is_apart && n > 0 {
                regex.push(' ');
            }
            match &node.value {
                Value::Word(word) => regex.push_str(&self.word(word, mailbox == Some(n))),
                Value::List(rules, items) => regex.push_str(&self.list(rules, items)),
            }
        }
        regex
    }

    /// A word. A server may send the name of a mailbox, or the value of a variable, in quotes or
    /// without.
    fn word(&mut self, word: &str, is_mailbox: bool) -> String {
        if word == "$" {
            return ANY.to_owned();
        }
        let has_value = |part: &Part<'_>| match part {
            Part::Variable(name) => self.bound.contains(*name) || known(name).is_some(),
            _ => false,
        };
        let has_value = parts(word).iter().any(has_value);
        let is_plain = !parts(word).iter().any(|part| matches!(part, Part::Literal(_)));
        let bare = word.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(word);
        let is_name = is_mailbox && !bare.is_empty() && !bare.eq_ignore_ascii_case("nil");
        if is_plain && (is_name || has_value) {
            return format!("\"?{}\"?", self.parts(bare));
        }
        self.parts(word)
    }

    fn parts(&mut self, word: &str) -> String {
        let mut regex = String::new();
        for part in parts(word) {
            match part {
                Part::Text(text) => regex.push_str(&plain(text)),
                Part::Number(number) => {
                    self.note(&format!("${number} is any number in the script"));
                    regex.push_str("\\d+");
                }
                Part::Directive(directive) => self.note(&format!("{directive} is left out")),
                Part::Rest => regex.push_str("[^\\]]*\\]"),
                Part::Case(text) => {
                    let _ = write!(regex, "(?-i:{})", plain(text));
                }
                Part::Any => regex.push_str(VALUE),
                // The tags of the script are not those of the file.
                Part::Variable("tag") => {
                    self.note("$tag is any tag in the script");
                    regex.push_str(VALUE);
                }
                Part::Literal(content) => regex.push_str(&string(content)),
                Part::Variable(name) => regex.push_str(&self.variable(name)),
            }
        }
        regex
    }

    fn variable(&mut self, name: &str) -> String {
        if self.bound.contains(name) {
            return format!("(?-i:${{re_escape(v_{name})}})");
        }
        if let Some(expression) = known(name) {
            return format!("${{re_escape({expression})}}");
        }
        if self.written.binds.iter().any(|bound| bound == name) {
            self.note(&format!("the second ${name} is any value in the script"));
            return VALUE.to_owned();
        }
        self.written.binds.push(name.to_owned());
        format!("(?P<{name}>{VALUE})")
    }

    fn list(&mut self, rules: &Rules<'_>, items: &[Node<'_>]) -> String {
        let Some(count) = rules.unordered else {
            return format!("\\({}\\)", self.arguments(items, None));
        };
        if !items.len().is_multiple_of(count) {
            self.note(&format!(
                "the list has no whole number of items of {count} arguments, so its order counts"
            ));
            return format!("\\({}\\)", self.arguments(items, None));
        }
        let is_flat = count == 1 && items.iter().all(|item| matches!(item.value, Value::Word(_)));
        let gaps = self.gaps(rules, count, is_flat);
        let items: Vec<_> = items.chunks(count).map(|item| self.arguments(item, None)).collect();
        self.unordered(&items, &gaps)
    }

    /// What may stand around the items of a list.
    fn gaps(&mut self, rules: &Rules<'_>, count: usize, is_flat: bool) -> Gaps {
        if rules.has_extra() {
            for item in &rules.banned {
                self.note(&format!("$!ban={item} is left out: the script takes {item}, too"));
            }
            let filler = if is_flat { "[^()]*" } else { self.filler };
            return Gaps {
                alone: filler.to_owned(),
                before: format!("(?:{filler} )?"),
                between: format!(" (?:{filler} )?"),
                after: format!("(?: {filler})?"),
            };
        }
        if rules.ignored.is_empty() {
            let [alone, before, after] = [const { String::new() }; 3];
            return Gaps { alone, before, between: " ".to_owned(), after };
        }
        let ignored: Vec<_> = rules.ignored.iter().map(|item| self.parts(item)).collect();
        let item = match ignored.as_slice() {
            [one] => one.clone(),
            many => format!("(?:{})", many.join("|")),
        };
        let item = item + format!(" {ANY}").repeat(count - 1).as_str();
        Gaps {
            alone: format!("(?:{item}(?: {item})*)?"),
            before: format!("(?:{item} )*"),
            between: format!(" (?:{item} )*"),
            after: format!("(?: {item})*"),
        }
    }

    /// The items of a list in any order, with its parentheses.
    fn unordered(&mut self, items: &[String], gaps: &Gaps) -> String {
        let Gaps { before, between, after, .. } = gaps;
        let length: usize = items.iter().map(|item| item.len() + between.len()).sum();
        let orders = (1..=items.len()).product::<usize>();
        // A regex must not have two groups of the same name.
        let binds = items.iter().any(|item| item.contains("(?P<"));
        match items {
            [] => format!("\\({}\\)", gaps.alone),
            [item] => format!("\\({before}{item}{after}\\)"),
            _ if items.len() <= MOST && !binds && length * orders <= MOST_BYTES => {
                let all =
                    permutations(items).iter().map(|order| order.join(between)).collect::<Vec<_>>();
                format!("\\({before}(?:{}){after}\\)", all.join("|"))
            }
            _ => {
                let count = items.len();
                self.note(&format!(
                    "the script counts the {count} items of the list, which come in any order: one may come twice \
                     instead of another"
                ));
                let items = items.join("|");
                format!("\\({before}(?:(?:{items})(?:{between}|{after}\\))){{{count}}}")
            }
        }
    }

    fn note(&mut self, what: &str) {
        self.written.notes.push(what.to_owned());
    }
}

/// A regex, for backticks, that matches a text.
fn plain(text: &str) -> String {
    escaped(text).replace('`', "\\x60")
}

/// Returns a regex, for backticks, that matches a string of a response: as a literal, or in quotes
/// if the string is a single line.
fn string(content: &str) -> String {
    let literal = format!("~?\\{{\\d+\\+?\\}}\\r\\n{}", escaped(content));
    let string = if content.contains(['\r', '\n']) {
        format!("(?-i:{literal})")
    } else {
        let in_quotes = content.replace('\\', "\\\\").replace('"', "\\\"");
        format!("(?-i:{literal}|\"{}\")", escaped(&in_quotes))
    };
    // In a text in backticks, a backtick would end the text, and `${` would begin an expression.
    string.replace('`', "\\x60").replace("${", "\\x24{")
}

/// All orders of the items.
fn permutations(items: &[String]) -> Vec<Vec<String>> {
    if items.len() <= 1 {
        return vec![items.to_vec()];
    }
    let mut all = Vec::new();
    for (n, first) in items.iter().enumerate() {
        let rest = [&items[..n], &items[n + 1..]].concat();
        all.extend(
            permutations(&rest).into_iter().map(|rest| [slice::from_ref(first), &rest].concat()),
        );
    }
    all
}

#[cfg(test)]
mod tests;
