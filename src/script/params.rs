//! The parameters of a script and of its imports, as found in their text.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rhai::{ASTNode, Expr, FnCallExpr, Stmt};

use super::case::Case;
use super::fixtures;
use super::library;
use super::runner::Runner;
use crate::error::{Error, Result};
use crate::stoppable::stopped_after;
use crate::suggest;

/// The parameters that a script takes.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Params {
    /// The parameters by name, each with its default if the default is a literal.
    pub known: BTreeMap<String, Option<String>>,
    /// The parameters that have no default at all.
    pub required: BTreeSet<String>,
    /// Whether the script may take other parameters. Some names may be known only when the script
    /// runs, or the script or one of its imports cannot be read or parsed.
    pub others: bool,
}

impl Case {
    /// Returns the parameters that the script takes, as found in its text.
    #[must_use]
    pub fn params(&self) -> Params {
        self.runner().params(&self.path)
    }

    /// Makes sure that each value that was set is a parameter of the script, or of a script that
    /// gets the same parameters.
    pub(super) fn check_params(&self, runner: &Runner) -> Result<()> {
        let scripts = [&self.path].into_iter().chain(self.others.iter());
        runner.check_params(scripts, &self.settings.params)
    }
}

impl Runner {
    /// Returns the parameters of a script, without running it. A source that takes longer to compile
    /// than the script may run is not read: its run reports that.
    #[must_use]
    pub fn params(&self, path: &Path) -> Params {
        let mut params = Params::default();
        let mut seen = BTreeSet::new();
        let mut left = vec![path.to_string_lossy().into_owned()];
        while let Some(name) = left.pop() {
            if !seen.insert(name.clone()) {
                continue;
            }
            let load = || self.library().load(self.engine(), &name);
            let unit = stopped_after(self.deadline(), load);
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

    /// Makes sure that each value that was set is a parameter of one of the scripts. Reads the
    /// scripts one by one, until all values are known.
    ///
    /// # Errors
    /// A usage error that names the parameter, and the parameter that was probably meant.
    pub(crate) fn check_params<'a>(
        &self,
        scripts: impl IntoIterator<Item = &'a PathBuf>,
        set: &BTreeMap<String, String>,
    ) -> Result<()> {
        let (mut known, mut read) = (BTreeSet::new(), 0);
        for script in scripts {
            if set.keys().all(|name| known.contains(name)) {
                return Ok(());
            }
            let params = self.params(script);
            if params.others {
                // Any value may be one of the other parameters. If the script does not parse, its
                // run reports that.
                return Ok(());
            }
            known.extend(params.known.into_keys());
            for around in fixtures::around(script) {
                let params = self.params(&around);
                if params.others {
                    return Ok(());
                }
                known.extend(params.known.into_keys());
            }
            read += 1;
        }
        match set.keys().find(|name| !known.contains(*name)) {
            Some(name) => Err(no_parameter(name, &known, read)),
            None => Ok(()),
        }
    }
}

impl Runner {
    /// Returns the parameters of all these scripts and of their setups and teardowns. Reads them
    /// one by one, until all of `names` are known.
    #[cfg(feature = "cli")]
    pub(crate) fn params_of_all(&self, scripts: &[PathBuf], names: &BTreeSet<String>) -> Params {
        let mut all = Params::default();
        for script in scripts {
            if all.others || names.iter().all(|name| all.known.contains_key(name)) {
                break;
            }
            for path in fixtures::around(script).chain([script.clone()]) {
                let Params { known, required, others } = self.params(&path);
                all.known.extend(known);
                all.required.extend(required);
                all.others |= others;
            }
        }
        all
    }
}

fn no_parameter(name: &str, known: &BTreeSet<String>, scripts: usize) -> Error {
    let who = if scripts == 1 { "the script has no" } else { "no script has a" };
    let error = Error::usage(format!("{who} parameter `{name}`"));
    match suggest::nearest(name, known.iter().map(String::as_str)) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None if known.is_empty() => {
            error.hint("a script takes parameters by param(\"name\", default)")
        }
        None => {
            let known = known.iter().map(String::as_str).collect::<Vec<_>>();
            error.hint(format!("the parameters are: {}", known.join(", ")))
        }
    }
}

impl Params {
    fn note(&mut self, call: &FnCallExpr) {
        match (call.name.as_str(), call.args.first()) {
            ("connect", None) => {
                self.known.entry("smtp".to_owned()).or_default();
                self.required.insert("smtp".to_owned());
            }
            ("param", Some(Expr::StringConstant(name, _))) => {
                let default = call.args.get(1).and_then(|default| default.get_literal_value(None));
                let known = self.known.entry(name.to_string()).or_default();
                *known = known.take().or(default.map(|default| default.to_string()));
                if call.args.len() == 1 {
                    self.required.insert(name.to_string());
                }
            }
            ("param", Some(_)) => self.others = true,
            _ => {}
        }
    }
}
