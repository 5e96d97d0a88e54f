//! Finds closures that are made in a loop, capture its variable, and are called after the loop.
//!
//! A closure shares the variables that it captures, and a `for` loop has one variable for all of
//! its rounds. So all closures that are kept in such a loop see the last value of the variable when
//! they are called.

use std::collections::BTreeSet;

use rhai::{ASTNode, Expr, FnCallExpr, Position, Stmt};

use crate::error::Error;

/// The functions that keep a closure until the end of the script.
const KEPT: [&str; 1] = ["defer"];
/// The functions that put a value into the list or map that they are called on.
const PUT: [&str; 3] = ["append", "insert", "push"];
/// The functions whose result keeps the closures among their arguments. All other functions call
/// closures before they return.
const HELD: [&str; 2] = ["listen", "serve"];

/// Returns what is wrong with the closure at the end of this path, with its position.
pub(super) fn problem(path: &[ASTNode<'_>]) -> Option<(Position, Error)> {
    let [above @ .., ASTNode::Expr(Expr::Stmt(_)), ASTNode::Stmt(Stmt::Share(captured))] = path
    else {
        return None;
    };
    captured.iter().find_map(|(variable, _)| {
        let name = variable.name.as_str();
        let start = above.iter().rposition(|node| is_loop_over(node, name))?;
        let mut round = Round { within: above[start..].to_vec(), seen: BTreeSet::new() };
        (!round.defines(name) && round.outlives()).then(|| (variable.pos, shared(name)))
    })
}

/// A value in a loop.
struct Round<'a> {
    /// The loop, and the nodes within it down to the one that has the value.
    within: Vec<ASTNode<'a>>,
    /// The variables whose uses were looked at.
    seen: BTreeSet<String>,
}

impl Round<'_> {
    /// Whether the value is still there after the round of the loop.
    fn outlives(&mut self) -> bool {
        for place in (1..self.within.len()).rev() {
            let above = self.within[place - 1];
            match &self.within[place] {
                ASTNode::Expr(Expr::Array(..) | Expr::Map(..) | Expr::Stmt(_)) => {}
                ASTNode::Expr(Expr::FnCall(call, _) | Expr::MethodCall(call, _))
                | ASTNode::Stmt(Stmt::FnCall(call, _)) => match call.name.as_str() {
                    "+" => {}
                    word if HELD.contains(&word) => {}
                    word if KEPT.contains(&word) => return true,
                    word if PUT.contains(&word) => return self.goes_to(receiver(&above, call)),
                    _ => return false,
                },
                ASTNode::Stmt(Stmt::Var(parts, ..)) => return self.goes_to(Some(&parts.0.name)),
                ASTNode::Stmt(Stmt::Assignment(parts)) => return self.goes_to(base(&parts.1.lhs)),
                _ => return false,
            }
        }
        false
    }

    /// Whether the value is still there after the round if it goes to this variable.
    fn goes_to(&mut self, variable: Option<&str>) -> bool {
        let Some(name) = variable else { return false };
        if !self.defines(name) {
            return true;
        }
        if !self.seen.insert(name.to_owned()) {
            return false;
        }
        let Some(ASTNode::Stmt(Stmt::For(parts, _))) = self.within.first() else { return false };
        let statements = parts.2.body.statements();
        let mut outlives = false;
        for statement in statements {
            statement.walk(&mut Vec::new(), &mut |path| {
                if let Some(above) = use_of(path, name) {
                    let mut within = vec![self.within[0]];
                    within.extend_from_slice(above);
                    let mut used = Round { within, seen: std::mem::take(&mut self.seen) };
                    outlives |= used.outlives();
                    self.seen = used.seen;
                }
                !outlives
            });
        }
        outlives
    }

    /// Whether the loop, or a block within it, has a variable of that name for itself.
    fn defines(&self, name: &str) -> bool {
        self.within.iter().any(|node| defines(node, name))
    }
}

/// Returns the nodes above the end of this path, if the end uses the variable: by its name, or in a
/// closure that captures it.
fn use_of<'p, 'a>(path: &'p [ASTNode<'a>], name: &str) -> Option<&'p [ASTNode<'a>]> {
    match path {
        [above @ .., ASTNode::Expr(Expr::Variable(variable, ..))] => {
            let is_receiver = matches!(
                above.last(),
                Some(ASTNode::Expr(Expr::Dot(parts, ..) | Expr::Index(parts, ..)))
                    if base(&parts.lhs) == Some(name)
            );
            (variable.1 == name && !is_receiver).then_some(above)
        }
        [above @ .., ASTNode::Expr(Expr::Stmt(_)), ASTNode::Stmt(Stmt::Share(captured))] => {
            captured.iter().any(|(variable, _)| variable.name == name).then_some(above)
        }
        _ => None,
    }
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
        ASTNode::Stmt(Stmt::If(parts, _)) => {
            return [&parts.body, &parts.branch]
                .iter()
                .any(|block| has_variable(block.statements(), name));
        }
        _ => return false,
    };
    has_variable(statements, name)
}

fn has_variable(statements: &[Stmt], name: &str) -> bool {
    statements.iter().any(|one| matches!(one, Stmt::Var(parts, ..) if parts.0.name == name))
}

/// Returns the variable that a value is put into: the one whose method is called, or the first argument.
fn receiver<'a>(above: &'a ASTNode<'_>, call: &'a FnCallExpr) -> Option<&'a str> {
    match above {
        ASTNode::Expr(Expr::Dot(parts, ..)) => base(&parts.lhs),
        _ => base(call.args.first()?),
    }
}

/// Returns the variable that an expression consists of or begins with.
fn base(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::Variable(variable, ..) => Some(variable.1.as_str()),
        Expr::Dot(parts, ..) | Expr::Index(parts, ..) => base(&parts.lhs),
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
            ("let f = []; for n in [1] { f += || n; }", "n; }"),
            ("let f = []; for n in [1] { f = f + [|| n]; }", "n]; }"),
            ("let f = #{}; for n in [1] { f[`${n}`] = || n; }", "n; }"),
            ("let f = #{}; for n in [1] { f.x.y = #{z: || n}; }", "n}; }"),
            ("let f = []; for n in [1] { let one = || n; f.push(one); }", "n; f"),
            ("let f = []; for n in [1] { let g = []; g.push(|| n); f.push(g); }", "n); f"),
            ("for n in [1] { let f = || n; defer(|| f.call()); }", "n; defer"),
            ("let f = []; for n in [1] { f.push(serve(\"smtp\", #{RCPT: |c| n})); }", "n}))"),
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
            "let f = []; for n in [1] { f.push([2].map(|x| x + n)); }",
            "let f = []; for n in [1] { f += retry(2, \"1s\", || n); }",
            "let f = 0; for n in [1] { f = eventually(\"1s\", || n); }",
            "for n in [1] { together([|| n, || n]); cases([1], |row| n); fails(\"assert\", || n); }",
            "for n in [1] { let s = serve(\"smtp\", #{RCPT: |c| n}); connect(s.url); }",
            "for n in [1] { let f = || n; f.call(); let g = f; g.call(); }",
            "for n in [1] { let f = [|| n]; f += || n; together(f); }",
        ] {
            assert_eq!(found(script), None, "{script}");
        }
    }
}
