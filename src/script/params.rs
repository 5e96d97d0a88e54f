//! The parameters of a script and of what it imports, as its text tells them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rhai::{ASTNode, Expr, FnCallExpr, Stmt};

use super::case::Runner;
use super::library;

/// What parameters a script takes.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Params {
    /// By name, each with its default where that is a literal.
    pub known: BTreeMap<String, Option<String>>,
    /// Whether there may be others: the names of some are only known once the script runs, or it,
    /// or something that it imports, cannot be read or parsed.
    pub others: bool,
}

impl Runner {
    /// The parameters of a script, without running it.
    #[must_use]
    pub fn params(&self, path: &Path) -> Params {
        let mut params = Params::default();
        let mut seen = BTreeSet::new();
        let mut left = vec![path.to_string_lossy().into_owned()];
        while let Some(name) = left.pop() {
            if !seen.insert(name.clone()) {
                continue;
            }
            let unit = self.library().load(self.engine(), &name);
            let Some(ast) = unit.as_ref().ok().and_then(|unit| unit.ast().ok()) else {
                params.others = true;
                continue;
            };
            ast.walk(&mut |path| {
                match path.last() {
                    Some(
                        ASTNode::Expr(Expr::FnCall(call, _) | Expr::MethodCall(call, _))
                        | ASTNode::Stmt(Stmt::FnCall(call, _)),
                    ) => params.note(call),
                    Some(ASTNode::Stmt(Stmt::Import(import, _))) => match &import.0 {
                        Expr::StringConstant(path, _) => {
                            left.push(library::resolve(Some(&name), path));
                        }
                        _ => params.others = true,
                    },
                    _ => {}
                }
                true
            });
        }
        params
    }
}

impl Params {
    fn note(&mut self, call: &FnCallExpr) {
        match (call.name.as_str(), call.args.first()) {
            ("connect", None) => drop(self.known.entry("smtp".to_owned()).or_default()),
            ("param", Some(Expr::StringConstant(name, _))) => {
                let default = call.args.get(1).and_then(|default| default.get_literal_value(None));
                let known = self.known.entry(name.to_string()).or_default();
                *known = known.take().or(default.map(|default| default.to_string()));
            }
            ("param", Some(_)) => self.others = true,
            _ => {}
        }
    }
}
