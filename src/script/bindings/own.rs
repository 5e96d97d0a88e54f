//! What branches capture, and which of it each gets as its own.
//!
//! Rhai locks a captured variable while a method of its value runs: a branch in `l.accept()` would
//! lock `l` for a branch that reads `l.url`, and one in `t[0].expect(220)` would lock `t`. So whether
//! a script passes would depend on which branch has to wait. Sessions, listeners, servers, logs and
//! commands are handles, so that a copy is the same session.

use std::collections::BTreeSet;

use rhai::plugin::NativeCallContext;
use rhai::{AST, ASTNode, Array, Dynamic, Expr, FnPtr, Map, Stmt};

use super::Handle;
use super::background::Background;
use crate::script::following::Following;
use crate::script::library::{Library, Unit};
use crate::script::listening::Listening;
use crate::script::programs::Running;

/// The longest list or map that is copied for each branch.
const LONGEST: usize = 1000;
/// How deep lists, maps and closures may be nested in what is copied.
const DEEPEST: usize = 8;

/// The beginnings of the names of methods that change a list, a map, a blob or text.
const CHANGING: [&str; 27] = [
    "append",
    "chop",
    "clear",
    "crop",
    "dedup",
    "drain",
    "fill_with",
    "for_each",
    "insert",
    "mixin",
    "order",
    "pad",
    "pop",
    "push",
    "remove",
    "replace",
    "retain",
    "reverse",
    "set",
    "shift",
    "sort",
    "splice",
    "split",
    "trim",
    "truncate",
    "swap",
    "write",
];

/// The closures of a script, and what they do to the variables that they capture.
pub(super) struct Captured {
    closures: Option<AST>,
    /// The variables that a closure assigns.
    assigned: BTreeSet<String>,
    /// The variables of which a closure changes a part.
    changed: BTreeSet<String>,
}

impl Captured {
    /// Looks into the closures of the script that calls.
    pub(super) fn of_call(ctx: &NativeCallContext<'_>) -> Self {
        let library = Library::of_call(ctx);
        let unit = ctx.call_source().and_then(|source| library.get(source));
        let ast = unit.as_deref().and_then(|unit| Unit::ast(unit).ok());
        let is_closure = |name: &str| name.starts_with("anon$");
        let closures =
            ast.map(|ast| ast.clone_functions_only_filtered(|_, _, _, name, _| is_closure(name)));
        // A function of the script that is called as a method may change its `this`.
        let functions: BTreeSet<&str> =
            ast.iter().flat_map(|ast| ast.iter_functions()).map(|function| function.name).collect();
        let is_change = |name: &str| {
            functions.contains(name) || CHANGING.iter().any(|start| name.starts_with(start))
        };
        let (mut assigned, mut changed) = (BTreeSet::new(), BTreeSet::new());
        if let Some(closures) = &closures {
            closures.walk(&mut |path| {
                assigned.extend(assigned_variable(path).map(str::to_owned));
                changed.extend(changed_variables(path, is_change).into_iter().map(str::to_owned));
                true
            });
        }
        Self { closures, assigned, changed }
    }

    /// Gives each function its own value for what it captures, if that is a handle, or a list, map or
    /// closure that holds some. A variable that a closure assigns stays shared, and so does a list or
    /// map that one changes: the other branches see the new value.
    pub(super) fn give_copies(&self, functions: &mut [FnPtr]) {
        for function in functions {
            self.give(function, 0);
        }
    }

    fn give(&self, function: &mut FnPtr, depth: usize) {
        let definitions = self.closures.iter().flat_map(AST::iter_fn_def);
        let Some(definition) = definitions.into_iter().find(|one| one.name == function.fn_name())
        else {
            return;
        };
        for (parameter, value) in definition.params.iter().zip(function.iter_curry_mut()) {
            if !value.is_shared() || self.assigned.contains(parameter.as_str()) {
                continue;
            }
            let closure = value.read_lock::<FnPtr>().map(|closure| closure.clone());
            if let Some(mut closure) = closure.filter(|_| depth < DEEPEST) {
                self.give(&mut closure, depth + 1);
                *value = closure.into();
            } else if is_handle(value)
                || (!self.changed.contains(parameter.as_str()) && holds_handles(value, 0))
            {
                *value = value.flatten_clone();
            }
        }
    }
}

fn is_handle(value: &Dynamic) -> bool {
    value.is::<Handle>()
        || value.is::<Listening>()
        || value.is::<Background>()
        || value.is::<Following>()
        || value.is::<Running>()
}

/// Whether a value is a list or a map with a handle or a closure in it.
fn holds_handles(value: &Dynamic, depth: usize) -> bool {
    if depth > DEEPEST {
        return false;
    }
    let is_one = |value: &Dynamic| {
        is_handle(value) || value.is::<FnPtr>() || holds_handles(value, depth + 1)
    };
    if let Some(list) = value.read_lock::<Array>() {
        return list.len() <= LONGEST && list.iter().any(is_one);
    }
    let map = value.read_lock::<Map>();
    map.is_some_and(|map| map.len() <= LONGEST && map.values().any(is_one))
}

/// The variable that the statement at the end of this path assigns.
fn assigned_variable<'a>(path: &[ASTNode<'a>]) -> Option<&'a str> {
    let Some(ASTNode::Stmt(Stmt::Assignment(assignment))) = path.last() else { return None };
    match &assignment.1.lhs {
        Expr::Variable(variable, ..) => Some(variable.1.as_str()),
        _ => None,
    }
}

/// The variables of which the end of this path changes a part: by an assignment, or by a method of
/// one of its parts.
fn changed_variables<'a>(path: &[ASTNode<'a>], changes: impl Fn(&str) -> bool) -> Vec<&'a str> {
    match path.last() {
        Some(ASTNode::Stmt(Stmt::Assignment(assignment))) => {
            root(&assignment.1.lhs).into_iter().collect()
        }
        Some(ASTNode::Stmt(Stmt::FnCall(call, _)) | ASTNode::Expr(Expr::FnCall(call, _)))
            if changes(&call.name) =>
        {
            call.args.first().and_then(root).into_iter().collect()
        }
        Some(ASTNode::Expr(Expr::MethodCall(call, _))) if changes(&call.name) => {
            let around = path.iter().filter_map(|node| match node {
                ASTNode::Expr(expr @ (Expr::Dot(..) | Expr::Index(..))) => root(expr),
                _ => None,
            });
            around.collect()
        }
        _ => Vec::new(),
    }
}

/// The variable at the beginning of a chain such as `t[0].a`.
fn root(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Variable(variable, ..) => Some(variable.1.as_str()),
        Expr::Dot(chain, ..) | Expr::Index(chain, ..) => root(&chain.lhs),
        _ => None,
    }
}
