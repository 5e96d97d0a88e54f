//! Advice for a reply that another expectation of the script would have accepted: the script and
//! the server are out of step.

use rhai::{AST, Expr, FnCallExpr, Stmt};

use crate::pattern::Pattern;

/// How many expectations after the failed one are considered.
const AFTER: usize = 3;
/// The least number of letters in a text that distinguishes one reply from others: `250 ok` has
/// only two.
const LETTERS: usize = 4;

/// An expectation of a session, as the script's text has it.
struct Expectation<'a> {
    session: &'a str,
    place: (usize, usize),
    wants: Wants<'a>,
}

enum Wants<'a> {
    Code(i64),
    Text(&'a str),
    Regex(&'a str),
}

/// Returns advice for a reply that failed an expectation at this place, if the reply fits another
/// expectation of the same session. This is one of the next expectations, if no other statement
/// lies between, or the last expectation before. Only top-level statements are considered, because
/// statements in a loop, a branch or a function may run in another order than they are written in.
pub(super) fn advice(ast: &AST, place: (usize, usize), got: &str) -> Option<String> {
    let statements = ast.statements();
    let is_here = |statement: &Stmt| of_statement(statement).is_some_and(|one| one.place == place);
    let at = statements.iter().position(is_here)?;
    let here = of_statement(&statements[at])?;
    let is_same = |one: &Expectation<'_>| one.session == here.session;
    let later = statements[at + 1..].iter().map_while(of_statement).filter(is_same).take(AFTER);
    if let Some(fitting) = later.into_iter().find(|later| later.fits_instead(&here, got)) {
        return Some(format!(
            "line {} expects this reply: the server left one out, or the script expects one too many",
            fitting.place.0
        ));
    }
    let before = statements[..at].iter().rev().filter_map(of_statement).find(is_same)?;
    (!matches!(before.wants, Wants::Code(_)) && before.fits_instead(&here, got)).then(|| {
        format!("line {} expected such a reply already: the server said it twice, or something is left over", before.place.0)
    })
}

/// Returns the expectation in a statement: `s.expect(...)`, or `let reply = s.expect(...)`.
fn of_statement(statement: &Stmt) -> Option<Expectation<'_>> {
    let expression = match statement {
        Stmt::Expr(expression) => &**expression,
        Stmt::Var(variable, ..) => &variable.1,
        _ => return None,
    };
    let Expr::Dot(parts, ..) = expression else { return None };
    let (Expr::Variable(variable, ..), Expr::MethodCall(call, at)) = (&parts.lhs, &parts.rhs)
    else {
        return None;
    };
    let place = (at.line()?, at.position()?);
    Some(Expectation { session: variable.1.as_str(), place, wants: wants(call)? })
}

/// Returns what `expect(...)` expects, if its argument is a literal.
fn wants(call: &FnCallExpr) -> Option<Wants<'_>> {
    if call.name != "expect" {
        return None;
    }
    Some(match call.args.first()? {
        Expr::IntegerConstant(code, _) => Wants::Code(*code),
        Expr::StringConstant(text, _) => Wants::Text(text),
        Expr::FnCall(inner, _) if inner.name == "re" => match inner.args.first()? {
            Expr::StringConstant(source, _) => Wants::Regex(source),
            _ => return None,
        },
        _ => return None,
    })
}

impl Expectation<'_> {
    /// Whether the reply fits this expectation and can be distinguished from what the other one
    /// wants.
    fn fits_instead(&self, other: &Self, got: &str) -> bool {
        let says_enough =
            |text: &str| text.bytes().filter(u8::is_ascii_alphabetic).count() >= LETTERS;
        match self.wants {
            // Other codes do not distinguish replies: most refusals and most successes share them.
            Wants::Code(code) => {
                let is_told_apart = matches!(other.wants, Wants::Code(other) if other != code);
                let says_enough = matches!(code, 221 | 235 | 334 | 354);
                is_told_apart && says_enough && got.starts_with(&code.to_string())
            }
            Wants::Text(text) => says_enough(text) && got.starts_with(text),
            Wants::Regex(source) => {
                says_enough(source)
                    && Pattern::regex(source)
                        .is_ok_and(|pattern| pattern.matches(got.as_bytes()).is_some())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(script: &str, line: usize, got: &str) -> Option<String> {
        let ast = rhai::Engine::new_raw().compile(script).unwrap();
        let column = script.lines().nth(line - 1).unwrap().find("expect").unwrap() + 1;
        advice(&ast, (line, column), got)
    }

    #[test]
    fn the_expectation_that_a_reply_fits_is_named() {
        let script = "s.expect(\"220 mail.example\");\ns.send(\"x\");\ns.expect(250);\nlet r = s.expect(354);\ns.expect(re(`queued as (\\w+)`));\n";
        assert!(near(script, 3, "354 go ahead").unwrap().starts_with("line 4 expects"));
        assert!(near(script, 3, "250 queued as 4711").unwrap().starts_with("line 5 expects"));
        let hint = near(script, 3, "220 mail.example ESMTP").unwrap();
        assert!(hint.starts_with("line 1 expected such a reply already"), "{hint}");
        assert_eq!(near(script, 3, "550 no"), None);
        assert_eq!(near(script, 4, "220 mail.example"), None, "another one stood between");
    }

    #[test]
    fn a_pattern_that_fits_by_chance_is_not_named() {
        for (script, got) in [
            // The reply to the next command cannot have come yet.
            ("s.expect(250);\ns.send(\"QUIT\");\ns.expect(221);", "221 shutting down"),
            // Patterns that match many replies do not count.
            ("s.expect(250);\ns.expect(550);", "550 no such user"),
            ("s.expect(\"250 HELP\");\ns.expect(250);", "250 SIZE"),
            ("s.expect(\"250 2.1.5\");\ns.expect(\"250 ok\");", "250 ok"),
            ("s.expect(354);\ns.expect(re(`^\\d`));", "250 ok"),
            // An expectation of another session does not count.
            ("s.expect(250);\nt.expect(\"220 mail.example\");", "220 mail.example"),
            // An expectation in a branch of the script does not count.
            ("s.expect(250);\nif x { s.expect(\"220 mail.example\"); }", "220 mail.example"),
        ] {
            assert_eq!(near(script, 1, got), None, "{script}");
        }
    }
}
