//! Checks everything about a script that can be known without running it: its syntax, its words,
//! its parameters.

use std::collections::{BTreeMap, BTreeSet};

use rhai::{AST, ASTNode, Engine, Expr, FnCallExpr, Position, Stmt};

use super::captured::Loops;
use super::library::{self, Library};
use super::{failure, literals, vocabulary};
use crate::error::Error;
use crate::outcome::{Failure, Place};
use crate::stoppable;
use crate::suggest;

/// A problem in a script that was found without running it.
pub type Problem = Failure;

/// The most problems of a script that are described. Nobody reads more, and the suggestions for
/// each take time.
const MOST: usize = 1000;

/// Returns the problems of a script and of its imports.
pub(super) fn problems(engine: &Engine, library: &Library, name: &str) -> Vec<Problem> {
    let mut walk = Walk::new(engine, library, Sought::All);
    walk.source(name, None);
    if !walk.proves && !walk.unreadable {
        let error = Error::usage("the script expects nothing")
            .hint("a script that passes must have proved something: add an expect");
        walk.problems.push(error.into());
    }
    let (mut problems, left_out) = (walk.problems, walk.left_out);
    problems.sort_by_cached_key(|problem| {
        problem.place.as_ref().map(|place| (place.file.clone(), place.line, place.column))
    });
    if left_out > 0 {
        problems.push(Error::usage(format!("{left_out} more problems are not shown")).into());
    }
    problems
}

/// Returns the first problem for which a script must not start. One such problem is an unknown
/// word: its error at run time could be caught by a `try`. Another is a closure that would not do
/// what is written.
pub(super) fn forbids_start(engine: &Engine, library: &Library, name: &str) -> Option<Problem> {
    let mut walk = Walk::new(engine, library, Sought::Fatal);
    walk.source(name, None);
    walk.problems.pop()
}

/// The problems that a walk looks for.
#[derive(Clone, Copy, PartialEq)]
enum Sought {
    All,
    /// The first problem for which the script does not start.
    Fatal,
}

/// A walk over a script and its imports.
struct Walk<'a> {
    engine: &'a Engine,
    library: &'a Library,
    sought: Sought,
    problems: Vec<Problem>,
    /// How many problems were found beyond the most that are described.
    left_out: usize,
    /// How many bytes the script and its imports have.
    bytes: u64,
    /// Whether a source could not be read or parsed.
    unreadable: bool,
    seen: BTreeSet<String>,
    /// The depth of the current module in the chain of imports.
    depth: usize,
    /// Whether something is expected or checked anywhere, imports included.
    proves: bool,
}

/// The source that is being walked, and its names.
struct Here<'a> {
    source: &'a str,
    names: &'a Names,
}

/// The names that one source defines and uses.
#[derive(Default)]
struct Names {
    functions: BTreeMap<String, BTreeSet<usize>>,
    variables: BTreeSet<String>,
    used: BTreeSet<String>,
    map_keys: BTreeSet<String>,
    /// The entries of maps that are assigned on their own; they may hold functions.
    fields: BTreeSet<String>,
    /// The functions of each imported module that could be read.
    modules: BTreeMap<String, BTreeMap<String, BTreeSet<usize>>>,
}

impl<'a> Walk<'a> {
    fn new(engine: &'a Engine, library: &'a Library, sought: Sought) -> Self {
        Self {
            engine,
            library,
            sought,
            problems: Vec::new(),
            left_out: 0,
            bytes: 0,
            unreadable: false,
            seen: BTreeSet::new(),
            depth: 0,
            proves: false,
        }
    }

    /// Reads and walks a source. Returns the functions that it defines for its importers.
    fn source(
        &mut self,
        name: &str,
        imported_at: Option<(&str, Position)>,
    ) -> BTreeMap<String, BTreeSet<usize>> {
        let unit = match self.library.load(self.engine, name) {
            Ok(unit) => unit,
            Err(error) => {
                self.unreadable = true;
                self.report(imported_at, || library::unreadable(name, &error));
                return BTreeMap::new();
            }
        };
        match unit.ast() {
            Ok(ast) => {
                if self.seen.insert(name.to_owned()) {
                    if self.depth > library::DEEPEST {
                        self.unreadable = true;
                        self.report(imported_at, || {
                            Error::usage("modules import each other too deep")
                                .hint("a script imports 256 modules at most")
                        });
                        return BTreeMap::new();
                    }
                    self.bytes = self.bytes.saturating_add(unit.text.len() as u64);
                    if self.bytes > library::LARGEST {
                        self.unreadable = true;
                        self.report_fatal(imported_at, too_large);
                        return BTreeMap::new();
                    }
                    self.depth += 1;
                    self.walk(name, ast);
                    self.depth -= 1;
                }
                functions_of(ast)
            }
            Err(wrong) => {
                self.unreadable = true;
                if self.seen.insert(name.to_owned()) && self.sought == Sought::All {
                    self.problems.push(failure::unparsable(wrong, name, self.library));
                }
                BTreeMap::new()
            }
        }
    }

    fn walk(&mut self, name: &str, ast: &AST) {
        let mut names = Names { functions: functions_of(ast), ..Names::default() };
        let mut imports = Vec::new();
        ast.walk(&mut |path| {
            names.collect(path);
            if let Some(ASTNode::Stmt(Stmt::Import(import, position))) = path.last()
                && let Expr::StringConstant(path, _) = &import.0
            {
                imports.push((path.to_string(), import.1.name.to_string(), *position));
            }
            !stoppable::is_stopped()
        });
        for (path, alias, position) in imports {
            let module = library::resolve(Some(name), &path);
            let readable = !std::mem::take(&mut self.unreadable);
            let functions = self.source(&module, Some((name, position)));
            if !self.unreadable {
                names.modules.insert(alias, functions);
            }
            self.unreadable |= !readable;
        }
        let here = Here { source: name, names: &names };
        let mut loops = Loops::default();
        ast.walk(&mut |path| {
            self.node(&here, &mut loops, path);
            !stoppable::is_stopped()
        });
    }

    fn node(&mut self, here: &Here<'_>, loops: &mut Loops, path: &[ASTNode<'_>]) {
        match path.last() {
            Some(
                ASTNode::Expr(Expr::FnCall(call, position))
                | ASTNode::Stmt(Stmt::FnCall(call, position)),
            ) => {
                self.call(here, call, *position, false);
            }
            Some(ASTNode::Expr(Expr::MethodCall(call, position))) => {
                self.call(here, call, *position, true);
            }
            Some(ASTNode::Expr(Expr::Property(property, position))) => {
                self.property(here, &property.2, *position);
            }
            Some(ASTNode::Stmt(Stmt::Share(_))) => {
                if let Some((position, error)) = loops.problem(path) {
                    self.report_fatal(Some((here.source, position)), || error);
                }
            }
            Some(ASTNode::Stmt(Stmt::Var(variable, _, position))) if is_param(&variable.1) => {
                let variable = variable.0.name.as_str();
                if !here.names.used.contains(variable) {
                    self.report(Some((here.source, *position)), || {
                        Error::usage(format!("the parameter `{variable}` is never used"))
                    });
                }
            }
            _ => {}
        }
    }

    fn call(&mut self, here: &Here<'_>, call: &FnCallExpr, position: Position, is_method: bool) {
        let word = call.name.as_str();
        if call.op_token.is_some()
            || !word.starts_with(|first: char| first.is_alphabetic() || first == '_')
            || word.starts_with("anon$")
        {
            return;
        }
        self.proves = self.proves || vocabulary::is_proof(word);
        if is_method && word == "any" {
            self.report(Some((here.source, position)), || {
                Error::usage("any(...) takes patterns, and is no method of a list")
                    .hint("`some(|x| ...)` asks whether a function holds for one element")
            });
            return;
        }
        let given = call.args.len();
        let fits = |counts: &BTreeSet<usize>| {
            counts.contains(&given) || (is_method && counts.contains(&(given + 1)))
        };
        if !call.namespace.is_empty() {
            let alias = call.namespace.to_string();
            if let Some(functions) = here.names.modules.get(alias.trim_end_matches("::"))
                && !functions.get(word).is_some_and(fits)
            {
                let error = || {
                    let error = Error::usage(format!(
                        "the module `{alias}` has no function `{word}` of {given} arguments"
                    ));
                    match suggest::nearest(word, functions.keys().map(String::as_str)) {
                        Some(near) => error.hint(format!("did you mean `{near}`?")),
                        None => error,
                    }
                };
                self.report(Some((here.source, position)), error);
            }
            return;
        }
        // The session on which a word is called counts as its first argument.
        let is_known = vocabulary::takes(word, given + usize::from(is_method))
            || here.names.holds(word)
            || here.names.fields.contains(word)
            || here.names.functions.get(word).is_some_and(fits);
        if !is_known {
            self.unknown(here, word, given, position);
        }
        if self.sought == Sought::Fatal {
            return;
        }
        let within = |at: Position| self.library.within_backticks(here.source, at);
        for (at, error) in literals::problems(call, position, within) {
            self.report(Some((here.source, at)), || error);
        }
    }

    fn unknown(&mut self, here: &Here<'_>, word: &str, given: usize, position: Position) {
        let at = Some((here.source, position));
        if here.names.functions.contains_key(word) || vocabulary::is_word(word) {
            self.report(at, || {
                let error = Error::usage(format!("`{word}` does not take {given} arguments"));
                match vocabulary::advice(word) {
                    Some(advice) => error.hint(advice),
                    None => error,
                }
            });
            return;
        }
        self.report_fatal(at, || {
            let own = suggest::nearest(word, here.names.functions.keys().map(String::as_str))
                .map(|near| format!("did you mean `{near}`?"));
            let error = Error::usage(format!("there is no word `{word}`"));
            match own.or_else(|| vocabulary::advice(word)) {
                Some(advice) => error.hint(advice),
                None => error,
            }
        });
    }

    /// Reports a property that nothing has and that looks like a misspelled property.
    fn property(&mut self, here: &Here<'_>, property: &str, position: Position) {
        if vocabulary::is_property(property) || here.names.holds(property) {
            return;
        }
        if let Some(near) = vocabulary::nearest_property(property) {
            self.report(Some((here.source, position)), || {
                Error::usage(format!("nothing has a property `{property}`"))
                    .hint(format!("did you mean `{near}`?"))
            });
        }
    }

    /// Reports a problem for which the script still starts.
    fn report(&mut self, at: Option<(&str, Position)>, error: impl FnOnce() -> Error) {
        match self.sought {
            Sought::Fatal => {}
            Sought::All if self.problems.len() >= MOST => self.left_out += 1,
            Sought::All => self.add(at, error()),
        }
    }

    /// Reports a problem for which the script does not start.
    fn report_fatal(&mut self, at: Option<(&str, Position)>, error: impl FnOnce() -> Error) {
        if self.sought == Sought::All {
            return self.report(at, error);
        }
        let place = |place: &Place| (place.line, place.column);
        let found = self.problems.first().and_then(|problem| problem.place.as_ref().map(place));
        let this = at.and_then(|(_, at)| Some((at.line()?, at.position().unwrap_or(1))));
        if self.problems.is_empty() || this < found {
            self.problems.clear();
            self.add(at, error());
        }
    }

    fn add(&mut self, at: Option<(&str, Position)>, error: Error) {
        let place = at.and_then(|(name, position)| self.library.place(name, position));
        self.problems.push(Problem { error, place, calls: Vec::new(), step: None });
    }
}

impl Names {
    /// Whether a variable or an entry of a map has this name: it may hold a function.
    fn holds(&self, name: &str) -> bool {
        self.variables.contains(name) || self.map_keys.contains(name)
    }

    fn collect(&mut self, path: &[ASTNode<'_>]) {
        match path.last() {
            Some(ASTNode::Stmt(Stmt::Var(variable, ..))) => {
                self.variables.insert(variable.0.name.to_string());
            }
            Some(ASTNode::Expr(Expr::Variable(variable, ..))) => {
                self.used.insert(variable.1.to_string());
            }
            Some(ASTNode::Stmt(Stmt::Assignment(assignment))) => {
                self.fields.extend(assigned(&assignment.1.lhs));
            }
            Some(ASTNode::Expr(Expr::Map(map, _))) => {
                self.map_keys.extend(map.0.iter().map(|(key, _)| key.name.to_string()));
            }
            Some(ASTNode::Expr(Expr::DynamicConstant(constant, _))) if constant.is_map() => {
                self.map_keys.extend(
                    constant.clone().cast::<rhai::Map>().into_keys().map(|key| key.to_string()),
                );
            }
            _ => {}
        }
    }
}

fn too_large() -> Error {
    let most = library::LARGEST >> 20;
    Error::usage(format!("the script has more than {most} MiB with its imports"))
        .hint(library::LONG_DATA)
}

fn functions_of(ast: &AST) -> BTreeMap<String, BTreeSet<usize>> {
    let mut functions: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    for function in ast.iter_functions() {
        functions.entry(function.name.to_owned()).or_default().insert(function.params.len());
    }
    functions
}

/// Returns the entry of a map that an assignment sets: `f` in `m.f = ...`.
fn assigned(target: &Expr) -> Option<String> {
    match target {
        Expr::Dot(chain, ..) => assigned(&chain.rhs),
        Expr::Property(property, _) => Some(property.2.to_string()),
        _ => None,
    }
}

fn is_param(expression: &Expr) -> bool {
    matches!(expression, Expr::FnCall(call, _) if call.name == "param")
}
