//! Writes commands as statements of a script, and binds the variables in responses.

use std::collections::BTreeSet;

use super::parts::{Argument, Command, MESSAGE, Part, Response, arguments, parts};
use super::response::{self, Written, known};
use crate::import::ANSWER;
use crate::import::literal::text as quoted;

/// The variables that responses have bound, by their names in the script, and what the script does
/// otherwise than the file.
#[derive(Default)]
pub(super) struct Bound {
    names: BTreeSet<String>,
    /// The differences, each with its line in the file.
    pub(super) notes: Vec<(usize, String)>,
}

impl Bound {
    /// An untagged response as a regex, and the variables that it binds.
    fn untagged(&mut self, response: &Response) -> (String, Vec<String>) {
        let written = response::untagged(&response.text, &self.names);
        self.noted(response.line, written)
    }

    /// A tagged response as a regex.
    fn tagged(&mut self, status: &Response) -> String {
        let written = response::tagged(&status.text, &self.names);
        for name in &written.binds {
            let what = format!("the value of ${name} is not taken from the status");
            self.notes.push((status.line, what));
        }
        self.noted(status.line, written).0
    }

    fn noted(&mut self, line: usize, written: Written) -> (String, Vec<String>) {
        for note in written.notes {
            if !self.notes.contains(&(line, note.clone())) {
                self.notes.push((line, note));
            }
        }
        (format!("re(`{}`)", written.regex), written.binds)
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
                Part::Directive(_) | Part::Literal(_) => continue,
                Part::Variable(name) if self.names.contains(name) => format!("v_{name}"),
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
        let status = match &command.ending {
            Some(ending) => self.tagged(ending),
            None => command.status.clone(),
        };
        let mut options = vec![format!("expect: {status}")];
        let required: Vec<_> =
            command.required.iter().map(|response| self.untagged(response)).collect();
        let regexes = required.iter().map(|(regex, _)| regex.clone()).collect::<Vec<_>>();
        options.extend(list("require", &regexes));
        for (name, responses) in [("forbid", &command.forbidden), ("allow", &command.allowed)] {
            let regexes: Vec<_> =
                responses.iter().map(|response| self.untagged(response).0).collect();
            options.extend(list(name, &regexes));
        }
        options.extend(command.is_ordered.then(|| "ordered: true".to_owned()));
        options.extend(command.is_all.then(|| "only: true".to_owned()));
        let call = self.call(&command.text, &laid_out(&options));
        let binds: Vec<_> = required.into_iter().map(|(_, binds)| binds).collect();
        self.bind(call, &binds)
    }

    /// The statements for a call, and for the variables that each of its responses binds.
    fn bind(&mut self, call: String, binds: &[Vec<String>]) -> Vec<String> {
        let mut statements = Vec::new();
        let mut new = BTreeSet::new();
        for (n, name) in
            binds.iter().enumerate().flat_map(|(n, all)| all.iter().map(move |name| (n, name)))
        {
            let value = format!("{ANSWER}.required[{n}][{}]", quoted(name));
            // The value of a quoted string is the text between the quotes.
            let variable = if new.contains(name) { "same".to_owned() } else { format!("v_{name}") };
            statements.push(format!("let {variable} = {value};"));
            statements.push(format!("{variable}.replace(\"\\\"\", \"\");"));
            if !new.insert(name.clone()) {
                statements.push(format!("assert_eq(same, v_{name});"));
            }
        }
        self.names.extend(new);
        let call = if statements.is_empty() { call } else { format!("{ANSWER} = {call}") };
        statements.insert(0, call);
        statements
    }
}

/// The most bytes of options in one line.
const WIDTH: usize = 60;

/// Options, in one line if they fit.
fn laid_out(options: &[String]) -> String {
    let one = options.join(", ");
    if one.len() <= WIDTH { one } else { format!("\n    {},\n", options.join(",\n    ")) }
}

/// An option of a command that is a list; `None` if the list is empty.
fn list(name: &str, regexes: &[String]) -> Option<String> {
    match regexes {
        [] => None,
        [one] => Some(format!("{name}: [{one}]")),
        many => Some(format!("{name}: [\n        {},\n    ]", many.join(",\n        "))),
    }
}

impl Bound {
    /// Returns the statements for commands that are sent at once. Their statuses come in the order
    /// of the commands. If the file also requires untagged responses, these may come between the
    /// statuses, so all of them are accepted in any order.
    fn pipelined(&mut self, command: &Command) -> Vec<String> {
        let lines: Vec<_> =
            command.pipelined.iter().map(|(text, _)| self.expression(text)).collect();
        let mut statements = vec![format!("$.pipeline([{}]);", lines.join(", "))];
        let statuses = command.pipelined.iter().map(|(_, status)| format!("re(`(?i)\\A{status}`)"));
        if command.required.is_empty() {
            statements.extend(statuses.map(|status| format!("$.expect_until({status});")));
            return statements;
        }
        let mut all: Vec<_> =
            command.required.iter().map(|response| self.untagged(response).0).collect();
        all.extend(statuses);
        statements.push(format!("$.expect_unordered([{}]);", all.join(", ")));
        statements
    }
}

/// The default message for an APPEND without a literal. `ImapTest` would append one of its own
/// messages, which the script does not have.
const SOME_MESSAGE: &str = "From: user@example.com\r\nSubject: a message\r\n\r\nHello.\r\n";
