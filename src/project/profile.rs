//! The settings for a run against one target: those of the target, and those of `[run]` for all
//! targets.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Project;
use super::says::{FlakyResult, Run, Target, Tls};
use crate::error::{Error, Result};
use crate::file;
use crate::secrets::is_secret_name;
use crate::suggest;
use crate::tls::{self, Version};
use crate::visible;

/// The name that means all targets of the project.
const ALL: &str = "all";

/// The settings for a run, unless the command line sets others.
#[derive(Clone, Debug, Default)]
pub(crate) struct Profile {
    /// The values of parameters. Secrets have not been fetched yet; their paths are relative to the
    /// folder of the project file.
    pub(crate) params: BTreeMap<String, String>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) grace: Option<Duration>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) tls: tls::Options,
}

/// The settings for a run over all its targets, unless the command line sets others.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    pub(crate) global_timeout: Option<Duration>,
    pub(crate) jobs: Option<u32>,
    pub(crate) retries: Option<u32>,
    pub(crate) flaky_result: Option<FlakyResult>,
    pub(crate) fail_fast: Option<bool>,
    pub(crate) allow_host: Vec<String>,
}

impl Project {
    /// The names of the targets; `None` if the project has none.
    pub(crate) fn targets(&self) -> Option<Vec<&str>> {
        let names: Vec<_> = self.says.target.keys().map(String::as_str).collect();
        (!names.is_empty()).then_some(names)
    }

    /// The targets that these names mean, each once; `all` means every target of the project.
    ///
    /// # Errors
    /// Usage for `all` if the project has none.
    pub(crate) fn expand(&self, names: &[String]) -> Result<Vec<String>> {
        let mut expanded: Vec<String> = Vec::new();
        for name in names {
            let meant = match self.targets() {
                Some(all) if name == ALL && !all.contains(&ALL) => all,
                None if name == ALL => {
                    let error = Error::usage("--target all, and mailexpect.toml names no target");
                    return Err(error.hint("name one: [target.postfix] with smtp = \"smtp://...\""));
                }
                _ => vec![name.as_str()],
            };
            for name in meant {
                if !expanded.iter().any(|known| known == name) {
                    expanded.push(name.to_owned());
                }
            }
        }
        Ok(expanded)
    }

    /// The settings for a run over all targets.
    pub(crate) fn rules(&self) -> Rules {
        let run = &self.says.run;
        Rules {
            global_timeout: run.global_timeout.map(|span| span.0),
            jobs: run.jobs.map(u32::from),
            retries: run.retries,
            flaky_result: run.flaky_result,
            fail_fast: run.fail_fast,
            allow_host: run.allow_host.clone(),
        }
    }

    /// The settings for a run against a target, or without one. If the project names targets, no
    /// others are allowed; if it names none, the caller may use any name.
    ///
    /// # Errors
    /// Usage for an unknown target, with the name that was probably meant, and for TLS files that
    /// cannot be used.
    pub(crate) fn profile(&self, target: Option<&str>) -> Result<Profile> {
        let nothing = Target::default();
        let run = &self.says.run;
        let name = target;
        let target = name.map(|name| self.target(name)).transpose()?.flatten();
        let target = target.unwrap_or(&nothing);
        let params = [&run.params, &target.others, &target.params].into_iter().flatten();
        let params = params.map(|(name, value)| (name.clone(), value.to_string()));
        let tls = self.tls(name, &run.tls, &target.tls)?;
        let span = |of_target: Option<super::says::Span>, of_run: Option<super::says::Span>| {
            of_target.or(of_run).map(|span| span.0)
        };
        Ok(Profile {
            params: params.collect(),
            timeout: span(target.timeout, run.timeout),
            grace: span(target.grace, run.grace),
            deadline: span(target.deadline, run.deadline),
            tls,
        })
    }

    /// The parameters of the file, as `table.name`, whose secret value is in the file in clear.
    pub(crate) fn secrets_in_clear(&self, is_clear: impl Fn(&str) -> bool) -> Vec<String> {
        let Run { params, .. } = &self.says.run;
        let of_run = params.iter().map(|(name, value)| ("run.params".to_owned(), name, value));
        let of_targets =
            self.says.target.iter().flat_map(|(target, Target { params, others, .. })| {
                let all = others.iter().chain(params);
                all.map(move |(name, value)| (format!("target.{target}"), name, value))
            });
        let clear = of_run
            .chain(of_targets)
            .filter(|(_, name, value)| is_secret_name(name) && is_clear(&value.to_string()));
        clear.map(|(table, name, _)| format!("{table}.{name}")).collect()
    }

    /// The names of the parameters that a target, or `[run]`, sets in the file.
    pub(crate) fn set_for(&self, target: Option<&str>) -> BTreeSet<String> {
        let target = target.and_then(|name| self.says.target.get(name));
        let of_target =
            target.into_iter().flat_map(|target| target.others.keys().chain(target.params.keys()));
        self.says.run.params.keys().chain(of_target).cloned().collect()
    }

    /// Makes the error for a parameter that no script has, if its name resembles one that a script
    /// has.
    pub(crate) fn slip(&self, target: Option<&str>, name: &str, near: &str) -> Error {
        let tables =
            target.map(|target| [format!("target.{target}"), format!("target.{target}.params")]);
        let tables = tables.into_iter().flatten().chain(["run.params".to_owned()]);
        let mut keys = tables.map(|table| format!("{table}.{name}"));
        let key = keys.find(|key| self.keys.line(key).is_some()).unwrap_or_default();
        let none = Error::usage("no script that is run has this parameter");
        self.wrong(&key, &none.hint(format!("did you mean `{near}`?")))
    }

    /// The target with this name; `None` if the project names no targets.
    fn target(&self, name: &str) -> Result<Option<&Target>> {
        let targets = &self.says.target;
        if targets.is_empty() || targets.contains_key(name) {
            return Ok(targets.get(name));
        }
        let shown = visible::quoted(name);
        let error = Error::usage(format!("{} has no [target.{shown}]", self.path.display()));
        Err(match suggest::nearest(name, targets.keys().map(String::as_str)) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error.hint(format!(
                "the targets are: {}",
                targets.keys().cloned().collect::<Vec<_>>().join(", ")
            )),
        })
    }

    fn beside(&self, path: &Path) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(path)
    }

    fn tls(&self, name: Option<&str>, run: &Tls, target: &Tls) -> Result<tls::Options> {
        // An option of the target goes before that of all runs.
        let wrong = |key: &str, error: &Error| {
            let of_target = name.map(|name| format!("target.{name}.{key}"));
            let of_target = of_target.filter(|key| self.keys.line(key).is_some());
            self.wrong(&of_target.unwrap_or_else(|| format!("run.{key}")), error)
        };
        let read = |key: &str, of_target: &Option<PathBuf>, of_run: &Option<PathBuf>| {
            let Some(path) = of_target.as_ref().or(of_run.as_ref()) else { return Ok(None) };
            let path = self.beside(path);
            file::read(&path).map(Some).map_err(|error| {
                let why = Error::unreadable(path.display(), error);
                wrong(&format!("tls.{key}"), &why)
            })
        };
        let version = |key: &str, of_target: &Option<String>, of_run: &Option<String>| {
            let text = of_target.as_deref().or(of_run.as_deref());
            let parsed = text.map(Version::parse).transpose();
            parsed.map_err(|error| wrong(&format!("tls.{key}"), &error))
        };
        let insecure = target.insecure.or(run.insecure).unwrap_or(false);
        let mut options = tls::Options::new().verify(!insecure);
        let ca = read("cacert", &target.cacert, &run.cacert)?;
        let mut has_files = ca.is_some();
        if let Some(ca) = ca {
            options = options.ca(ca);
        }
        let cert = read("cert", &target.cert, &run.cert)?;
        let key = read("key", &target.key, &run.key)?;
        match (cert, key) {
            (Some(cert), Some(key)) => {
                options = options.cert(cert).key(key);
                has_files = true;
            }
            (None, None) => {}
            _ => {
                let error = Error::usage("cert and key go together, and one of them is missing");
                return Err(wrong("tls", &error));
            }
        }
        if let Some(name) = target.sni.as_ref().or(run.sni.as_ref()) {
            options = options.sni(name);
        }
        if let Some(min) = version("min", &target.min, &run.min)? {
            options = options.min(min);
        }
        if let Some(max) = version("max", &target.max, &run.max)? {
            options = options.max(max);
        }
        // This check is skipped without files, because it would read all of the system's root
        // certificates.
        if has_files {
            options.check().map_err(|error| wrong("tls", &error))?;
        }
        Ok(options)
    }
}
