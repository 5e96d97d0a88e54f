//! Writes commands and responses as expressions of a script, and binds the variables in responses.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::parts::{Argument, Command, MESSAGE, Part, arguments, parts};
use crate::import::ANSWER;
use crate::import::literal::{escaped, text as quoted};

/// The expression for a variable to which `ImapTest` itself gives a value.
fn known(name: &str) -> Option<&'static str> {
    Some(match name {
        "mailbox" => "param(\"mailbox\", \"INBOX\")",
        "user" => "param(\"user\")",
        "password" => "param(\"password\")",
        _ => return None,
    })
}

/// A regex for the values of variables: a quoted string, a list, or a word.
const VALUE: &str = r#"(?:"(?:[^"\\]|\\.)*"|\([^()]*\)|[^\s()"\]]+)"#;

/// The variables that responses have bound, by their names in the script.
#[derive(Default)]
pub(super) struct Bound(BTreeSet<String>);

impl Bound {
    /// Returns a response as a regex for backticks, and the variables that the regex binds.
    fn pattern(&self, response: &str) -> (String, Vec<String>) {
        let mut binds = Vec::new();
        if let Some((before, rest)) = response.split_once("($!unordered ")
            && let Some((inside, behind)) = rest.split_once(')')
            && !inside.contains(['(', '$'])
        {
            let orders = orders(&inside.split_whitespace().map(escaped).collect::<Vec<_>>());
            let (before, mut binds) = self.pattern(before);
            let (behind, more) = self.pattern(behind);
            binds.extend(more);
            return (format!("{before}\\((?:{})\\){behind}", orders.join("|")), binds);
        }
        let mut regex = String::new();
        for part in parts(response) {
            match part {
                Part::Text(text) => regex.push_str(&escaped(text).replace('`', "\\x60")),
                Part::Number(_) => regex.push_str("\\d+"),
                Part::Directive => {}
                Part::Rest => regex.push_str("[^\\]]*\\]"),
                Part::Case(text) => {
                    let _ = write!(regex, "(?-i:{})", escaped(text).replace('`', "\\x60"));
                }
                // The tags of the script are not those of the file, so any value matches.
                Part::Any | Part::Variable("tag") => regex.push_str(VALUE),
                Part::Literal(content) => regex.push_str(&string(content)),
                Part::Variable(name) if self.0.contains(name) => {
                    let _ = write!(regex, "\"?${{re_escape(v_{name})}}\"?");
                }
                Part::Variable(name)
                    if known(name).is_some() || binds.iter().any(|b| b == name) =>
                {
                    regex.push_str(VALUE);
                }
                Part::Variable(name) => {
                    let _ = write!(regex, "(?P<{name}>{VALUE})");
                    binds.push(name.to_owned());
                }
            }
        }
        (regex, binds)
    }

    /// Responses as a list of regexes.
    fn list(&self, responses: &[String]) -> String {
        let regexes =
            responses.iter().map(|response| format!("re(`(?i)^\\* {}`)", self.pattern(response).0));
        regexes.collect::<Vec<_>>().join(", ")
    }

    /// A command as an expression of the script.
    fn expression(&self, command: &str) -> String {
        let mut expressions: Vec<String> = Vec::new();
        let mut text = String::new();
        for part in parts(command) {
            let expression = match part {
                Part::Text(plain) | Part::Number(plain) | Part::Case(plain) => {
                    text.push_str(plain);
                    continue;
                }
                Part::Any => {
                    text.push('$');
                    continue;
                }
                Part::Rest => {
                    text.push_str("$]");
                    continue;
                }
                Part::Directive | Part::Literal(_) => continue,
                Part::Variable(name) if self.0.contains(name) => format!("v_{name}"),
                Part::Variable(name) => {
                    known(name).map_or_else(|| format!("param({})", quoted(name)), str::to_owned)
                }
            };
            if !text.is_empty() {
                expressions.push(quoted(&std::mem::take(&mut text)));
            }
            expressions.push(expression);
        }
        if !text.is_empty() || expressions.is_empty() {
            expressions.push(quoted(&text));
        }
        expressions.join(" + ")
    }

    /// The call for a command. If the command has literals, its arguments are given as a list.
    fn call(&self, command: &str, options: &str) -> String {
        let has_literal = parts(command).iter().any(|part| matches!(part, Part::Literal(_)));
        let (verb, mut rest) = command.split_once(' ').unwrap_or((command, ""));
        if !has_literal {
            return format!("$.command({}, #{{{options}}});", self.expression(command));
        }
        let list = self.listed(&arguments(&mut rest));
        format!("$.command({}, {list}, #{{{options}}});", quoted(verb))
    }

    fn listed(&self, arguments: &[Argument<'_>]) -> String {
        let expressions = arguments.iter().map(|argument| match argument {
            Argument::Word(word) => format!("atom({})", self.expression(word)),
            Argument::Literal(MESSAGE) => {
                format!("bytes(param(\"message\", {}))", quoted(SOME_MESSAGE))
            }
            Argument::Literal(content) => format!("bytes({})", quoted(content)),
            Argument::Binary(content) => format!("literal8({})", quoted(content)),
            Argument::List(inside) => self.listed(inside),
        });
        format!("[{}]", expressions.collect::<Vec<_>>().join(", "))
    }

    /// The statements for a command and for the variables that its responses bind.
    pub(super) fn statements(&mut self, command: &Command) -> Vec<String> {
        if !command.pipelined.is_empty() {
            return self.pipelined(command);
        }
        let lists = [
            ("require", &command.required),
            ("forbid", &command.forbidden),
            ("allow", &command.allowed),
        ];
        let mut options = vec![format!("expect: {}", command.status)];
        for (name, responses) in lists.iter().filter(|(_, responses)| !responses.is_empty()) {
            options.push(format!("{name}: [{}]", self.list(responses)));
        }
        let call = self.call(&command.text, &options.join(", "));
        let mut statements = Vec::new();
        let mut new = BTreeSet::new();
        for (n, response) in command.required.iter().enumerate() {
            for name in self.pattern(response).1 {
                let value = format!("{ANSWER}.required[{n}][{}]", quoted(&name));
                // The value of a quoted string is the text between the quotes.
                let variable =
                    if new.contains(&name) { "same".to_owned() } else { format!("v_{name}") };
                statements.push(format!("let {variable} = {value};"));
                statements.push(format!("{variable}.replace(\"\\\"\", \"\");"));
                if !new.insert(name.clone()) {
                    statements.push(format!("assert_eq(same, v_{name});"));
                }
            }
        }
        self.0.extend(new);
        let call = if statements.is_empty() { call } else { format!("{ANSWER} = {call}") };
        statements.insert(0, call);
        statements
    }
}

impl Bound {
    /// Returns the statements for commands that are sent at once. Their statuses come in the order
    /// of the commands. If the file also requires untagged responses, these may come between the
    /// statuses, so all of them are accepted in any order.
    fn pipelined(&self, command: &Command) -> Vec<String> {
        let lines: Vec<_> =
            command.pipelined.iter().map(|(text, _)| self.expression(text)).collect();
        let mut statements = vec![format!("$.pipeline([{}]);", lines.join(", "))];
        let statuses = command.pipelined.iter().map(|(_, status)| format!("re(`(?i)^{status}`)"));
        if command.required.is_empty() {
            statements.extend(statuses.map(|status| format!("$.expect_until({status});")));
            return statements;
        }
        let required = command.required.iter();
        let required =
            required.map(|response| format!("re(`(?i)^\\* {}`)", self.pattern(response).0));
        let all: Vec<_> = required.chain(statuses).collect();
        statements.push(format!("$.expect_unordered([{}]);", all.join(", ")));
        statements
    }
}

/// The default message for an APPEND without a literal. `ImapTest` would append one of its own
/// messages, which the script does not have.
const SOME_MESSAGE: &str = "From: user@example.com\r\nSubject: a message\r\n\r\nHello.\r\n";

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

/// Returns all orders of up to four words. Five words would have 120 orders, so more words match in
/// any order and number.
fn orders(words: &[String]) -> Vec<String> {
    if words.len() <= 1 {
        return vec![words.concat()];
    }
    if words.len() > 4 {
        return vec![format!("(?:(?:{})(?: |\\b))*", words.join("|"))];
    }
    let mut all = Vec::new();
    for (n, first) in words.iter().enumerate() {
        let rest = [&words[..n], &words[n + 1..]].concat();
        all.extend(orders(&rest).into_iter().map(|rest| format!("{first} {rest}")));
    }
    all
}
