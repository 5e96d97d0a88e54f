//! Finds closures that are made in a loop, capture its variable, and are called after the loop.
//!
//! A closure shares the variables that it captures, and a `for` loop has one variable for all of
//! its rounds. So all closures that are kept in such a loop see the last value of the variable when
//! they are called.

use std::collections::{BTreeSet, HashMap, HashSet};

use rhai::{ASTNode, Expr, FnCallExpr, Position, Stmt};

use crate::error::Error;
use crate::stoppable;

/// The functions that keep a closure until the end of the script.
const KEPT: [&str; 1] = ["defer"];
/// The functions that put a value into the list or map that they are called on.
const PUT: [&str; 3] = ["append", "insert", "push"];
/// The functions whose result keeps the closures among their arguments. All other functions call
/// closures before they return.
const HELD: [&str; 2] = ["listen", "serve"];

/// What becomes of a value in a loop.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    /// The value is still there after the round.
    Kept,
    /// The value goes to this variable, which the loop has for itself.
    GoesTo(String),
}

/// The loops of a source. What the closures in a loop need to know of it is found by going through
/// its body once, and not once for each closure.
#[derive(Default)]
pub(super) struct Loops {
    /// What becomes of the value of each variable, by the address of the loop.
    fates: HashMap<usize, HashMap<String, BTreeSet<Fate>>>,
    /// The variables that loops and blocks declare, by their addresses.
    declared: HashMap<usize, HashSet<String>>,
}

impl Loops {
    /// Returns what is wrong with the closure at the end of this path, with its position.
    pub(super) fn problem(&mut self, path: &[ASTNode<'_>]) -> Option<(Position, Error)> {
        let [above @ .., ASTNode::Expr(Expr::Stmt(_)), ASTNode::Stmt(Stmt::Share(captured))] = path
        else {
            return None;
        };
        captured.iter().find_map(|(variable, _)| {
            let name = variable.name.as_str();
            let start = above.iter().rposition(|node| is_loop_over(node, name))?;
            let within = &above[start..];
            (!self.defines(within, name) && self.outlives(within))
                .then(|| (variable.pos, shared(name)))
        })
    }

    /// Whether the value at the end of this path, which begins with a loop, is still there after the
    /// round of the loop.
    fn outlives(&mut self, within: &[ASTNode<'_>]) -> bool {
        let mut left: Vec<_> = self.fate(within).into_iter().collect();
        let mut seen = HashSet::new();
        while let Some(fate) = left.pop() {
            match fate {
                Fate::Kept => return true,
                Fate::GoesTo(name) if seen.contains(&name) => {}
                Fate::GoesTo(name) => {
                    left.extend(self.fates(&within[0]).get(&name).into_iter().flatten().cloned());
                    seen.insert(name);
                }
            }
        }
        false
    }

    /// What becomes of the value at the end of this path; `None` if it ends with the round.
    fn fate(&mut self, within: &[ASTNode<'_>]) -> Option<Fate> {
        for place in (1..within.len()).rev() {
            let above = within[place - 1];
            let variable = match &within[place] {
                ASTNode::Expr(Expr::Array(..) | Expr::Map(..) | Expr::Stmt(_)) => continue,
                ASTNode::Expr(Expr::FnCall(call, _) | Expr::MethodCall(call, _))
                | ASTNode::Stmt(Stmt::FnCall(call, _)) => match call.name.as_str() {
                    "+" => continue,
                    word if HELD.contains(&word) => continue,
                    word if KEPT.contains(&word) => return Some(Fate::Kept),
                    word if PUT.contains(&word) => receiver(&above, call)?.to_owned(),
                    _ => return None,
                },
                ASTNode::Stmt(Stmt::Var(parts, ..)) => parts.0.name.to_string(),
                ASTNode::Stmt(Stmt::Assignment(parts)) => base(&parts.1.lhs)?.to_owned(),
                _ => return None,
            };
            let is_own = self.defines(within, &variable);
            return Some(if is_own { Fate::GoesTo(variable) } else { Fate::Kept });
        }
        None
    }

    /// What becomes of the values of the variables in a loop.
    fn fates(&mut self, whole: &ASTNode<'_>) -> &HashMap<String, BTreeSet<Fate>> {
        let place = address(whole);
        if !self.fates.contains_key(&place) {
            let fates = self.fates_in(whole);
            self.fates.insert(place, fates);
        }
        &self.fates[&place]
    }

    fn fates_in(&mut self, whole: &ASTNode<'_>) -> HashMap<String, BTreeSet<Fate>> {
        let mut fates: HashMap<String, BTreeSet<Fate>> = HashMap::new();
        let ASTNode::Stmt(Stmt::For(parts, _)) = whole else { return fates };
        for statement in parts.2.body.statements() {
            statement.walk(&mut Vec::new(), &mut |path| {
                let (names, above) = uses(path);
                if !names.is_empty()
                    && let Some(fate) = self.fate(&[&[*whole], above].concat())
                {
                    for name in names {
                        fates.entry(name.to_owned()).or_default().insert(fate.clone());
                    }
                }
                !stoppable::is_stopped()
            });
        }
        fates
    }

    /// Whether the loop, or a block within it, has a variable of that name for itself.
    fn defines(&mut self, within: &[ASTNode<'_>], name: &str) -> bool {
        within.iter().any(|node| {
            let declared = self.declared.entry(address(node)).or_insert_with(|| declared(node));
            declared.contains(name)
        })
    }
}

/// Returns the variables that the end of this path uses: one by its name, or those that a closure
/// captures; and the nodes above the end.
fn uses<'p, 'a>(path: &'p [ASTNode<'a>]) -> (Vec<&'a str>, &'p [ASTNode<'a>]) {
    match path {
        [above @ .., ASTNode::Expr(Expr::Variable(variable, ..))] => {
            let name = variable.1.as_str();
            let is_receiver = matches!(
                above.last(),
                Some(ASTNode::Expr(Expr::Dot(parts, ..) | Expr::Index(parts, ..)))
                    if base(&parts.lhs) == Some(name)
            );
            (if is_receiver { Vec::new() } else { vec![name] }, above)
        }
        [above @ .., ASTNode::Expr(Expr::Stmt(_)), ASTNode::Stmt(Stmt::Share(captured))] => {
            (captured.iter().map(|(variable, _)| variable.name.as_str()).collect(), above)
        }
        _ => (Vec::new(), path),
    }
}

/// The address of a node in the source.
fn address(node: &ASTNode<'_>) -> usize {
    match *node {
        ASTNode::Stmt(statement) => std::ptr::from_ref(statement).addr(),
        ASTNode::Expr(expression) => std::ptr::from_ref(expression).addr(),
        _ => 0,
    }
}

fn is_loop_over(node: &ASTNode<'_>, name: &str) -> bool {
    let ASTNode::Stmt(Stmt::For(parts, _)) = node else { return false };
    let counter = parts.1.as_ref().map(|counter| counter.name.as_str());
    parts.0.name == name || counter == Some(name)
}

/// The variables that a loop or a block declares in its body.
fn declared(node: &ASTNode<'_>) -> HashSet<String> {
    let ASTNode::Stmt(statement) = node else { return HashSet::new() };
    let blocks: &[&[Stmt]] = match statement {
        Stmt::For(parts, _) => &[parts.2.body.statements()],
        Stmt::Block(block) => &[block.statements()],
        Stmt::While(parts, _) | Stmt::Do(parts, ..) => &[parts.body.statements()],
        Stmt::If(parts, _) => &[parts.body.statements(), parts.branch.statements()],
        _ => &[],
    };
    let names = blocks.iter().copied().flatten().filter_map(|one| match one {
        Stmt::Var(parts, ..) => Some(parts.0.name.to_string()),
        _ => None,
    });
    names.collect()
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
        let (mut found, mut loops) = (None, Loops::default());
        ast.walk(&mut |path| {
            found = found.or_else(|| loops.problem(path).map(|(position, _)| position));
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

    #[test]
    fn the_body_of_a_loop_is_gone_through_once_for_all_its_closures() {
        let closures: Vec<_> = (0..50).map(|n| format!("let f{n} = || n; f{n}.call(); ")).collect();
        let closures = closures.concat();
        let ast = rhai::Engine::new().compile(format!("for n in [1] {{ {closures} }}")).unwrap();
        let mut loops = Loops::default();
        ast.walk(&mut |path| loops.problem(path).is_none());
        let [fates] = &*loops.fates.values().collect::<Vec<_>>() else { panic!("one loop") };
        // Each closure captures `n`, and goes to a variable that is only called.
        assert_eq!((fates.len(), fates["n"].len()), (1, 50));
    }
}
