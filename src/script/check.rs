//! Everything that can be known of a script without connecting: its syntax, its words, its
//! parameters.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::LazyLock;

use rhai::{AST, ASTNode, Engine, Expr, FnCallExpr, Position, Stmt};
use serde_json::Value;

use super::case::Runner;
use super::library::{self, Library};
use super::params::Params;
use super::raise;
use crate::error::Error;
use crate::outcome::Failure;
use crate::pattern::{Code, Pattern};
use crate::target::Target;
use crate::{duration, suggest};

/// Something wrong with a script, found without running it.
pub type Problem = Failure;

/// What a script says of itself.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Survey {
    /// Its first comment.
    pub title: Option<String>,
    /// Its parameters.
    pub params: Params,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
}

/// The words of mailexpect that are planned and not there yet; nobody should look for a slip in
/// them.
const TO_COME: [&str; 4] = ["accept", "listen", "retry", "wait_until"];

/// Words of Rhai itself that are no registered functions.
const BUILT_IN: [&str; 10] = [
    "print",
    "debug",
    "type_of",
    "Fn",
    "call",
    "curry",
    "is_def_fn",
    "is_def_var",
    "is_shared",
    "eval",
];

/// All functions with the numbers of their arguments, and all properties.
struct Vocabulary {
    functions: BTreeMap<String, BTreeSet<usize>>,
    properties: BTreeSet<String>,
}

/// What the maps that words give back hold, which is no property of any type: those of POP3 and
/// `ManageSieve`, IMAP's mailboxes, messages and envelopes, TLS and certificates, attachments.
const KEYS: &str = "messages octets message id name active delimiter flags seq date subject from sender reply_to to cc bcc \
    in_reply_to message_id mailbox host version cipher verified fault sans issuer not_before not_after days_left fingerprint \
    serial type content value";

static VOCABULARY: LazyLock<Vocabulary> = LazyLock::new(|| {
    let engine = super::engine::engine(std::sync::Arc::default());
    let mut vocabulary = Vocabulary {
        functions: BTreeMap::new(),
        properties: KEYS.split(' ').map(str::to_owned).collect(),
    };
    for (name, arguments) in registered(&engine) {
        match name.strip_prefix("get$").or(name.strip_prefix("set$")) {
            Some(property) => drop(vocabulary.properties.insert(property.to_owned())),
            None => drop(vocabulary.functions.entry(name).or_default().insert(arguments)),
        }
    }
    vocabulary
});

/// What is registered with an engine: names and numbers of arguments.
fn registered(engine: &Engine) -> Vec<(String, usize)> {
    let json = engine.gen_fn_metadata_to_json(true).unwrap_or_default();
    let metadata: Value = serde_json::from_str(&json).unwrap_or_default();
    let functions = metadata["functions"].as_array().cloned().unwrap_or_default();
    let entry = |function: &Value| {
        let arguments =
            function["numParams"].as_u64().and_then(|count| usize::try_from(count).ok())?;
        Some((function["name"].as_str()?.to_owned(), arguments))
    };
    functions.iter().filter_map(entry).collect()
}

/// What to try instead of a word that there is not.
pub(super) fn advice(name: &str) -> Option<String> {
    if TO_COME.contains(&name) {
        return Some(format!(
            "`{name}` is planned and not there yet: write it out with send and expect"
        ));
    }
    let signatures = super::reference::signatures(name);
    if !signatures.is_empty() {
        return Some(format!("it is called as {}", signatures.join(", ")));
    }
    if VOCABULARY.functions.contains_key(name) {
        return Some(format!("`{name}` is a word of Rhai that takes other arguments"));
    }
    suggest::nearest(name, VOCABULARY.functions.keys().map(String::as_str))
        .map(|near| format!("did you mean `{near}`?"))
}

/// The property that was probably meant.
pub(super) fn nearest_property(property: &str) -> Option<&'static str> {
    suggest::nearest(property, VOCABULARY.properties.iter().map(String::as_str))
}

impl Runner {
    /// Looks a script over, and what it imports, without running it.
    #[must_use]
    pub fn check(&self, path: &Path) -> Survey {
        let name = path.to_string_lossy().into_owned();
        let mut walk = Walk {
            engine: self.engine(),
            library: self.library(),
            problems: Vec::new(),
            unreadable: false,
            seen: BTreeSet::new(),
            proves: false,
        };
        walk.source(&name, None);
        if !walk.proves && !walk.unreadable {
            let error = Error::usage("the script expects nothing")
                .hint("a script that passes must have proved something: add an expect");
            walk.problems.push(error.into());
        }
        let mut problems = walk.problems;
        problems.sort_by_key(|problem| {
            problem.place.as_ref().map(|place| (place.file.clone(), place.line, place.column))
        });
        Survey { title: self.title(&name), params: self.params(path), problems }
    }
}

/// A walk over a script and its imports.
struct Walk<'a> {
    engine: &'a Engine,
    library: &'a Library,
    problems: Vec<Problem>,
    /// Something of it could not be read or parsed.
    unreadable: bool,
    seen: BTreeSet<String>,
    /// Something is expected or checked somewhere, in an import too.
    proves: bool,
}

/// The source that is being walked, and its names.
struct Here<'a> {
    source: &'a str,
    names: &'a Names,
}

/// What one source defines and uses.
#[derive(Default)]
struct Names {
    functions: BTreeMap<String, BTreeSet<usize>>,
    variables: BTreeSet<String>,
    used: BTreeSet<String>,
    map_keys: BTreeSet<String>,
    /// The functions of each imported module that is known.
    modules: BTreeMap<String, BTreeMap<String, BTreeSet<usize>>>,
}

impl Walk<'_> {
    /// Reads and walks a source; what it defines for those who import it.
    fn source(
        &mut self,
        name: &str,
        imported_at: Option<(&str, Position)>,
    ) -> BTreeMap<String, BTreeSet<usize>> {
        let unit = match self.library.load(self.engine, name) {
            Ok(unit) => unit,
            Err(error) => {
                self.unreadable = true;
                let error = Error::usage(format!("cannot read {name}: {error}"))
                    .hint("look for a slip in the path");
                self.report(imported_at, error);
                return BTreeMap::new();
            }
        };
        match unit.ast() {
            Ok(ast) => {
                if self.seen.insert(name.to_owned()) {
                    self.walk(name, ast);
                }
                functions_of(ast)
            }
            Err(wrong) => {
                self.unreadable = true;
                if self.seen.insert(name.to_owned()) {
                    self.problems.push(raise::unparsable(wrong, name, self.library));
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
            true
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
        ast.walk(&mut |path| {
            self.node(&here, path);
            true
        });
    }

    fn node(&mut self, here: &Here<'_>, path: &[ASTNode<'_>]) {
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
            Some(ASTNode::Stmt(Stmt::Var(variable, _, position))) if is_param(&variable.1) => {
                let variable = variable.0.name.as_str();
                if !here.names.used.contains(variable) {
                    self.report(
                        Some((here.source, *position)),
                        Error::usage(format!("the parameter `{variable}` is never used")),
                    );
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
        self.proves |=
            word.starts_with("expect") || ["refute", "assert", "assert_eq", "skip"].contains(&word);
        let given = call.args.len();
        let fits = |counts: &BTreeSet<usize>| {
            counts.contains(&given) || (is_method && counts.contains(&(given + 1)))
        };
        // A word's own session counts as its first argument.
        let fits_word =
            |counts: &BTreeSet<usize>| counts.contains(&(given + usize::from(is_method)));
        if !call.namespace.is_empty() {
            let alias = call.namespace.to_string();
            if let Some(functions) = here.names.modules.get(alias.trim_end_matches("::"))
                && !functions.get(word).is_some_and(fits)
            {
                let near = suggest::nearest(word, functions.keys().map(String::as_str));
                let error = Error::usage(format!(
                    "the module `{alias}` has no function `{word}` of {given} arguments"
                ));
                let error = near
                    .map_or(error.clone(), |near| error.hint(format!("did you mean `{near}`?")));
                self.report(Some((here.source, position)), error);
            }
            return;
        }
        let is_known = BUILT_IN.contains(&word)
            || here.names.variables.contains(word)
            || here.names.functions.get(word).is_some_and(fits)
            || VOCABULARY.functions.get(word).is_some_and(fits_word);
        if !is_known {
            self.unknown(here, word, given, position);
        }
        self.literals(here, call, position);
    }

    fn unknown(&mut self, here: &Here<'_>, word: &str, given: usize, position: Position) {
        let own = suggest::nearest(word, here.names.functions.keys().map(String::as_str))
            .map(|near| format!("did you mean `{near}`?"));
        let known =
            here.names.functions.contains_key(word) || VOCABULARY.functions.contains_key(word);
        let message = if known {
            format!("`{word}` does not take {given} arguments")
        } else {
            format!("there is no word `{word}`")
        };
        let error = Error::usage(message);
        let error = own
            .filter(|_| !known)
            .or_else(|| advice(word))
            .map_or(error.clone(), |advice| error.hint(advice));
        self.report(Some((here.source, position)), error);
    }

    /// A property that nothing has, and that looks like a slip in one that something has.
    fn property(&mut self, here: &Here<'_>, property: &str, position: Position) {
        if VOCABULARY.properties.contains(property)
            || here.names.map_keys.contains(property)
            || here.names.variables.contains(property)
        {
            return;
        }
        if let Some(near) =
            suggest::nearest(property, VOCABULARY.properties.iter().map(String::as_str))
        {
            let error = Error::usage(format!("nothing has a property `{property}`"))
                .hint(format!("did you mean `{near}`?"));
            self.report(Some((here.source, position)), error);
        }
    }

    /// Arguments that are there to be read: regexes, codes, URLs, durations.
    fn literals(&mut self, here: &Here<'_>, call: &FnCallExpr, position: Position) {
        let Some(first) = call.args.first() else { return };
        let takes_code = call.name == "refute"
            || (call.name.starts_with("expect") && call.name != "expect_silence");
        if let Expr::IntegerConstant(code, _) = first
            && takes_code
            && let Err(error) = Code::new(*code)
        {
            self.report(Some((here.source, position)), error);
        }
        let Expr::StringConstant(text, _) = first else { return };
        let problem =
            match call.name.as_str() {
                "re" => Pattern::regex(text).err(),
                "code" => Code::parse(text).err(),
                "connect" => Target::parse(text).err(),
                "expect_silence" => duration::parse(text).err(),
                "sleep" => Some(Error::usage("there is no sleep").hint(
                    "wait for what you expect, with a deadline; or say expect_silence(\"2s\")",
                )),
                _ => None,
            };
        if let Some(error) = problem {
            self.report(Some((here.source, position)), error);
        }
    }

    fn report(&mut self, at: Option<(&str, Position)>, error: Error) {
        let place = at.and_then(|(name, position)| self.library.place(name, position));
        self.problems.push(Problem { error, place, calls: Vec::new(), step: None });
    }
}

impl Names {
    fn collect(&mut self, path: &[ASTNode<'_>]) {
        match path.last() {
            Some(ASTNode::Stmt(Stmt::Var(variable, ..))) => {
                self.variables.insert(variable.0.name.to_string());
            }
            Some(ASTNode::Expr(Expr::Variable(variable, ..))) => {
                self.used.insert(variable.1.to_string());
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

fn functions_of(ast: &AST) -> BTreeMap<String, BTreeSet<usize>> {
    let mut functions: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    for function in ast.iter_functions() {
        functions.entry(function.name.to_owned()).or_default().insert(function.params.len());
    }
    functions
}

fn is_param(expression: &Expr) -> bool {
    matches!(expression, Expr::FnCall(call, _) if call.name == "param")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_that_is_there_is_said_to_be_planned() {
        for word in TO_COME {
            assert!(!VOCABULARY.functions.contains_key(word), "{word}");
        }
        assert!(
            advice("ehlo")
                .is_some_and(|advice| advice.starts_with("it is called as session.ehlo(name)"))
        );
    }
}
