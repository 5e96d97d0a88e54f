//! Finds closures that are made in a loop, capture its variable, and are called after the loop.
//!
//! A closure shares the variables that it captures, and a `for` loop has one variable for all of
//! its rounds. So all closures that are kept in such a loop see the last value of the variable when
//! they are called.

use rhai::{ASTNode, Expr, Position, Stmt};

use crate::error::Error;

/// The functions that keep a closure for later.
const KEPT: [&str; 3] = ["defer", "insert", "push"];

/// Returns what is wrong with the closure at the end of this path, with its position.
pub(super) fn problem(path: &[ASTNode<'_>]) -> Option<(Position, Error)> {
    let Some(ASTNode::Stmt(Stmt::Share(captured))) = path.last() else { return None };
    let kept = path.iter().rposition(|node| keeps(node))?;
    captured.iter().find_map(|(variable, _)| {
        let name = variable.name.as_str();
        let of_loop = path[..kept].iter().rposition(|node| is_loop_over(node, name))?;
        let within = &path[of_loop..];
        let is_own = within.iter().any(|node| defines(node, name));
        let is_list_of_round = receiver(&path[..kept])
            .is_some_and(|list| within.iter().any(|node| defines(node, list)));
        (!is_own && !is_list_of_round).then(|| (variable.pos, shared(name)))
    })
}

fn keeps(node: &ASTNode<'_>) -> bool {
    let (ASTNode::Expr(Expr::FnCall(call, _) | Expr::MethodCall(call, _))
    | ASTNode::Stmt(Stmt::FnCall(call, _))) = node
    else {
        return false;
    };
    KEPT.contains(&call.name.as_str())
}

fn is_loop_over(node: &ASTNode<'_>, name: &str) -> bool {
    let ASTNode::Stmt(Stmt::For(parts, _)) = node else { return false };
    let counter = parts.1.as_ref().map(|counter| counter.name.as_str());
    parts.0.name == name || counter == Some(name)
}

/// Whether a loop or a block declares a variable of this name in its body.
fn defines(node: &ASTNode<'_>, name: &str) -> bool {
    let statements = match node {
        ASTNode::Stmt(Stmt::For(parts, _)) => parts.2.body.statements(),
        ASTNode::Stmt(Stmt::Block(block)) => block.statements(),
        ASTNode::Stmt(Stmt::While(parts, _) | Stmt::Do(parts, ..)) => parts.body.statements(),
        _ => return false,
    };
    statements.iter().any(|one| matches!(one, Stmt::Var(variable, ..) if variable.0.name == name))
}

/// Returns the variable whose method is called at the end of this path.
fn receiver<'a>(path: &[ASTNode<'a>]) -> Option<&'a str> {
    match path.last()? {
        ASTNode::Expr(Expr::Dot(parts, ..)) => match &parts.lhs {
            Expr::Variable(variable, ..) => Some(variable.1.as_str()),
            _ => None,
        },
        _ => None,
    }
}

fn shared(name: &str) -> Error {
    let error = format!("the closures of this loop share `{name}`: each will have its last value");
    Error::usage(error)
        .hint(format!("let one = {name}; in the loop, and `one` in the closure, is its own"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(script: &str) -> Option<(usize, usize)> {
        let ast = rhai::Engine::new().compile(script).unwrap();
        let mut found = None;
        ast.walk(&mut |path| {
            found = found.or_else(|| problem(path).map(|(position, _)| position));
            true
        });
        found.map(|position| (position.line().unwrap(), position.position().unwrap()))
    }

    #[test]
    fn closures_that_are_kept_with_the_variable_of_a_loop_are_found() {
        for (script, name) in [
            ("for n in [1] { defer(|| print(n)); }", "n)"),
            ("for n in [1] { if n > 0 { defer(|| { print(1); print(n) }); } }", "n) }"),
            ("let f = []; for (x, i) in [1] { f.push(|| print(i)); }", "i)"),
            ("fn all(f) { for i in 0..3 { f.push(#{a: || i}); } }", "i})"),
            ("let f = []; [1].map(|a| { for i in 0..3 { f.push(|| i); } });", "i);"),
        ] {
            let (line, column) = found(script).unwrap_or_default();
            assert_eq!(line, 1, "{script}");
            assert!(script[column - 1..].starts_with(name), "{script}: {column}");
        }
    }

    #[test]
    fn closures_that_are_called_at_once_or_have_their_own_are_none() {
        for script in [
            "for n in [1] { let own = n; defer(|| print(own)); }",
            "for n in [1] { let n = n; defer(|| print(n)); }",
            "for n in [1] { [2].map(|x| x + n); }",
            "for n in [1] { let f = []; f.push(|| n); f[0].call(); }",
            "let n = 1; for x in [1] { defer(|| print(n)); }",
            "for n in [1] { defer(|| print(2)); }",
            "let f = []; for n in [1] { f.push(n); }",
        ] {
            assert_eq!(found(script), None, "{script}");
        }
    }
}
