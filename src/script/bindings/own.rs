//! What branches capture, and which of it each gets as its own.
//!
//! Rhai locks a captured variable while a method of its value runs: a branch in `l.accept()` would
//! lock `l` for a branch that reads `l.url`, and one in `t[0].expect(220)` would lock `t`. So whether
//! a script passes would depend on which branch has to wait. Sessions, listeners, servers, logs and
//! commands are handles, so that a copy is the same session.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rhai::plugin::NativeCallContext;
use rhai::{ASTNode, Array, Dynamic, Expr, FnPtr, Map, ScriptFuncDef, Shared, Stmt};

use super::Handle;
use super::background::Background;
use crate::script::bounds::{look, room};
use crate::script::copies::{Copies, ELEMENT};
use crate::script::following::Following;
use crate::script::library::{Library, Unit};
use crate::script::listening::Listening;
use crate::script::programs::Running;
use crate::script::raise::Raised;
use crate::script::reading;

/// The longest list or map that is copied for each branch.
const LONGEST: usize = 1000;
/// How deep lists, maps and closures may be nested in what is copied.
const DEEPEST: usize = 8;
/// The bytes that a copy of a closure takes, without what it captures, and that are needed to
/// remember the copy.
const CLOSURE: usize = 256;

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
    closures: BTreeMap<String, Shared<ScriptFuncDef>>,
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
        let only =
            ast.map(|ast| ast.clone_functions_only_filtered(|_, _, _, name, _| is_closure(name)));
        // A function of the script that is called as a method may change its `this`.
        let functions: BTreeSet<&str> =
            ast.iter().flat_map(|ast| ast.iter_functions()).map(|function| function.name).collect();
        let is_change = |name: &str| {
            functions.contains(name) || CHANGING.iter().any(|start| name.starts_with(start))
        };
        let (mut assigned, mut changed) = (BTreeSet::new(), BTreeSet::new());
        if let Some(only) = &only {
            only.walk(&mut |path| {
                assigned.extend(assigned_variable(path).map(str::to_owned));
                changed.extend(changed_variables(path, is_change).into_iter().map(str::to_owned));
                true
            });
        }
        let definitions = only.iter().flat_map(rhai::AST::iter_fn_def);
        let closures = definitions.map(|one| (one.name.to_string(), Shared::clone(one))).collect();
        Self { closures, assigned, changed }
    }

    /// Gives each function its own value for what it captures, if that is a handle, or a list, map or
    /// closure that holds some. A variable that a closure assigns stays shared, and so does a list or
    /// map that one changes: the other branches see the new value.
    ///
    /// # Errors
    /// The end of the script, if its time is up or if the copies take more memory than it may hold.
    pub(super) fn give_copies(
        &self,
        ctx: &NativeCallContext<'_>,
        functions: &mut [FnPtr],
    ) -> Result<(), Raised> {
        let mut holding = HashMap::new();
        for function in functions {
            let copied = HashMap::new();
            Giving { captured: self, ctx, copied, holding: &mut holding }.give(function, 0)?;
        }
        Ok(())
    }
}

/// A value, with what was found out about it. The value is kept, so that no other value gets its
/// address.
type Found<T> = (Dynamic, T);

/// Gives a branch its own values.
///
/// Closures that capture closures are a graph: twelve closures on each of seven levels, of which
/// each captures the twelve below, are 84 closures, but 12^7 ways lead to the lowest ones. So each
/// closure is copied once for each depth at which the branch reaches it, and the closures of the
/// branch share the copy.
struct Giving<'a, 'c> {
    captured: &'a Captured,
    ctx: &'a NativeCallContext<'c>,
    /// The branch's own closures, by the depth and the address of the closure that each is a copy of.
    copied: HashMap<(usize, usize), Found<Dynamic>>,
    /// Whether a list or a map holds handles, by its address.
    holding: &'a mut HashMap<usize, Found<bool>>,
}

impl Giving<'_, '_> {
    fn give(&mut self, function: &mut FnPtr, depth: usize) -> Result<(), Raised> {
        let captured = self.captured;
        let Some(definition) = captured.closures.get(function.fn_name()) else { return Ok(()) };
        for (parameter, value) in definition.params.iter().zip(function.iter_curry_mut()) {
            look(self.ctx)?;
            if value.is_shared()
                && !captured.assigned.contains(parameter.as_str())
                && let Some(own) = self.own(parameter, value, depth)?
            {
                *value = own;
            }
        }
        Ok(())
    }

    /// Returns the branch's own value for a captured one; `None` if the value stays shared.
    fn own(
        &mut self,
        parameter: &str,
        value: &Dynamic,
        depth: usize,
    ) -> Result<Option<Dynamic>, Raised> {
        if depth < DEEPEST && value.is_fnptr() {
            return self.own_closure(value, depth);
        }
        let is_own = is_handle(value)
            || !self.captured.changed.contains(parameter) && self.holds_handles(value);
        if is_own {
            reading::fits_once(value, Some(Copies::Whole))?;
        }
        Ok(is_own.then(|| value.flatten_clone()))
    }

    fn own_closure(&mut self, value: &Dynamic, depth: usize) -> Result<Option<Dynamic>, Raised> {
        let place = (depth, address(value));
        if let Some((_, own)) = self.copied.get(&place) {
            return Ok(Some(own.clone()));
        }
        let copy = |closure: &FnPtr| {
            room(self.ctx, CLOSURE + closure.curry().len() * ELEMENT).map(|()| closure.clone())
        };
        let Some(mut closure) = value.read_lock::<FnPtr>().map(|lock| copy(&lock)).transpose()?
        else {
            return Ok(None);
        };
        self.give(&mut closure, depth + 1)?;
        let own = Dynamic::from(closure).into_shared();
        self.copied.insert(place, (value.clone(), own.clone()));
        Ok(Some(own))
    }

    fn holds_handles(&mut self, value: &Dynamic) -> bool {
        let (_, holds) = self
            .holding
            .entry(address(value))
            .or_insert_with(|| (value.clone(), holds_handles(value, 0)));
        *holds
    }
}

/// The address of a value that closures share; 0 if a method of the value is running, so that it
/// cannot be read.
fn address(value: &Dynamic) -> usize {
    value.read_lock::<Dynamic>().map_or(0, |value| std::ptr::from_ref(&*value).addr())
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
