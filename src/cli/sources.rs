//! Sorts the arguments of `run` and `check` into scripts and the servers that they speak with.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::selection::Selection;
use super::server;
use crate::error::{Error, Result};
use crate::file;
use crate::plan;
use crate::proto::Speech;
use crate::script::{Runner, Settings, shipped, written};
use crate::target::{self, speech};
use crate::visible;

/// The name of the script that `-e` gives.
const EVAL: &str = "-e";
/// How many bytes of a script are read from stdin at most. A script is written by hand.
const LARGEST: u64 = 1 << 20;

/// The scripts and servers of a command.
#[derive(Debug)]
pub(super) struct Sources {
    /// Arguments for [`plan::scripts`]: files, folders, globs, `@name`, and the names `-e` and `-`.
    pub(super) paths: Vec<PathBuf>,
    /// The scripts that are not files, with their text.
    given: Vec<(PathBuf, String)>,
    /// The servers, as URLs or hosts.
    servers: Vec<String>,
}

impl Sources {
    /// Sorts the arguments of a command.
    ///
    /// # Errors
    /// Usage for `-e` together with other scripts, and if stdin cannot be read.
    pub(super) fn of(arguments: Vec<PathBuf>, eval: Option<String>) -> Result<Self> {
        let is_no_file =
            |path: &PathBuf| path.to_str().is_some_and(shipped::is_named) || Self::is_given(path);
        let hosts = eval.is_some() || arguments.iter().any(is_no_file);
        let is_server = |path: &PathBuf| {
            path.to_str().is_some_and(|text| text.contains("://") || (hosts && is_host(text)))
        };
        let (servers, mut paths): (Vec<_>, Vec<_>) = arguments.into_iter().partition(is_server);
        let servers: Vec<_> =
            servers.into_iter().map(|server| server.to_string_lossy().into_owned()).collect();
        let mut given = Vec::new();
        if let Some(code) = eval {
            if let Some(path) = paths.first() {
                let error = Error::usage(format!("{} beside -e", path.display()));
                return Err(error.hint("-e is the script; the argument after it is the server that `s` connects to: smtp://localhost"));
            }
            paths.push(PathBuf::from(EVAL));
            given.push((PathBuf::from(EVAL), with_session(code, &servers)?));
        }
        if paths.iter().any(|path| path == Path::new(plan::STDIN)) {
            given.push((PathBuf::from(plan::STDIN), read_stdin()?));
        }
        Ok(Self { paths, given, servers })
    }

    /// The scripts to run.
    ///
    /// # Errors
    /// As [`Selection::scripts`].
    pub(super) fn select(&self, selection: &Selection) -> Result<Vec<PathBuf>> {
        if self.is_eval() { Ok(self.paths.clone()) } else { selection.scripts(&self.paths) }
    }

    /// Refuses to write goldens if a script is not a file, because a golden lies beside its script.
    ///
    /// # Errors
    /// Usage if there is such a script.
    pub(super) fn check_goldens(&self, writes: bool) -> Result<()> {
        match self.given.first() {
            Some((name, _)) if writes => {
                let error = Error::usage(format!("the script {} has no golden", name.display()));
                Err(error.hint("a golden lies beside a script: save the script to a file"))
            }
            _ => Ok(()),
        }
    }

    fn is_eval(&self) -> bool {
        self.paths == [Path::new(EVAL)]
    }

    /// Whether a script is not a file. No results are kept of such a script.
    pub(super) fn is_given(path: &Path) -> bool {
        path == Path::new(EVAL) || path == Path::new(plan::STDIN)
    }

    /// Gives the runner the scripts that are not files.
    pub(super) fn give(&self, runner: &Runner) {
        for (name, text) in &self.given {
            runner.give(name, text.clone());
        }
    }

    /// Sets the parameters that take the named servers. If not all parameters of a script are known,
    /// because a name is computed or the script does not compile, a server may be meant for the
    /// parameter that is named as its scheme. The run of a script that does not compile reports why.
    ///
    /// # Errors
    /// Usage for a server that no parameter of a script takes, and if a parameter still lacks its
    /// server.
    pub(super) fn set(
        &self,
        scripts: &[PathBuf],
        params: &mut BTreeMap<String, String>,
    ) -> Result<()> {
        if self.servers.is_empty() || self.is_eval() {
            return Ok(());
        }
        let set: Vec<_> = params.keys().cloned().collect();
        let runner = Runner::new(Settings::default());
        self.give(&runner);
        for script in scripts {
            let known = runner.params(script);
            let wanted = known
                .known
                .into_iter()
                .filter(|(name, _)| speech_of(name).is_some() && !set.contains(name));
            let mut wanted: Vec<_> =
                wanted.map(|(name, default)| (name, default.is_some())).collect();
            if known.others {
                let named = self.servers.iter().filter_map(|server| scheme_of(server));
                let is_new = |name: &&str| {
                    !set.iter().any(|set| set == name) && !wanted.iter().any(|(w, _)| w == name)
                };
                let others: BTreeSet<_> = named.filter(is_new).collect();
                wanted.extend(others.into_iter().map(|name| (name.to_owned(), true)));
            }
            // Parameters without a default come first, because they need a server.
            wanted.sort_by_key(|(_, has_default)| *has_default);
            for (name, server) in assigned(script, &wanted, known.others, &self.servers)? {
                params.insert(name, server);
            }
        }
        Ok(())
    }
}

/// Whether an argument is a host or `HOST:PORT`, and not a path, a glob or a script.
fn is_host(text: &str) -> bool {
    let is_script = Path::new(text).extension().is_some_and(|extension| extension == "rhai");
    let is_path = text.contains(['/', '*', '?']) || is_script || Path::new(text).exists();
    !is_path && text != plan::STDIN && !shipped::is_named(text) && !text.starts_with('-')
}

fn read_stdin() -> Result<String> {
    let cannot = |why: String| Error::unreadable("the script from stdin", why);
    let bytes = file::stdin_up_to(LARGEST).map_err(|error| cannot(error.to_string()))?;
    String::from_utf8(bytes).map_err(|_| cannot("it is not UTF-8".to_owned()))
}

/// Puts a session before the code, on the same line. So the line numbers in errors stay those of
/// the code, and the columns are those of the line that runs.
fn with_session(code: String, servers: &[String]) -> Result<String> {
    match servers {
        [] => Ok(code),
        [server] => {
            let url = written::string(&server::url(server, None, "smtp")?);
            Ok(format!("let s = connect({url}); {code}"))
        }
        _ => {
            let error = Error::usage("more than one server beside -e");
            Err(error.hint("`s` is one session; connect(\"smtp://...\") in the code opens others"))
        }
    }
}

/// The name of the scheme of a server.
fn scheme_of(server: &str) -> Option<&'static str> {
    let url = server::url(server, None, "smtp").ok()?;
    target::Target::parse(&url).ok().map(|target| target.scheme.name)
}

/// The protocol of a parameter, if its name is a scheme.
fn speech_of(name: &str) -> Option<Speech> {
    speech(&format!("{name}://"))
}

/// Assigns the servers to parameters. A URL goes to the parameter that is named as its scheme, or
/// else to one of the same protocol. A host without a scheme goes to all parameters that still lack
/// a server, or else to the next one with a default. A server that no parameter takes is an error,
/// unless the script may have `others`.
fn assigned(
    script: &Path,
    wanted: &[(String, bool)],
    others: bool,
    servers: &[String],
) -> Result<Vec<(String, String)>> {
    let mut found: Vec<(String, String)> = Vec::new();
    let (urls, hosts): (Vec<_>, Vec<_>) = servers.iter().partition(|server| server.contains("://"));
    for url in urls {
        target::Target::parse(url)?;
        let scheme = url.split("://").next().unwrap_or_default();
        let is_free = |name: &str| !found.iter().any(|(taken, _)| taken == name);
        let mut free = wanted.iter().map(|(name, _)| name).filter(|name| is_free(name));
        let same = free.clone().find(|name| *name == scheme);
        let name = same.or_else(|| free.find(|name| speech_of(name) == speech(url)));
        match name {
            Some(name) => found.push((name.clone(), url.clone())),
            None if others => {}
            None => return Err(not_taken(script, wanted, url)),
        }
    }
    for host in hosts {
        let left: Vec<_> = wanted
            .iter()
            .filter(|(name, _)| !found.iter().any(|(taken, _)| taken == name))
            .collect();
        let lacking = left.iter().filter(|(_, has_default)| !has_default).count();
        let count = lacking.max(1).min(left.len());
        if count == 0 && others {
            continue;
        }
        if count == 0 || (count > 1 && has_port(host)) {
            return Err(not_taken(script, wanted, host));
        }
        for (name, _) in &left[..count] {
            let url = format!("{name}://{}", server::bracketed(host));
            target::Target::parse(&url)?;
            found.push((name.clone(), url));
        }
    }
    let missing = wanted.iter().filter(|(name, has_default)| {
        !has_default && !found.iter().any(|(taken, _)| taken == name)
    });
    let missing: Vec<_> = missing.map(|(name, _)| format!("{name}://HOST")).collect();
    if missing.is_empty() {
        return Ok(found);
    }
    let error = Error::usage(format!(
        "{} speaks with more servers than were named",
        visible::escape(script.to_string_lossy().as_bytes())
    ));
    Err(error.hint(format!("name {} too", missing.join(" and "))))
}

fn has_port(host: &str) -> bool {
    server::port_of(&server::bracketed(host)).is_some()
}

fn not_taken(script: &Path, wanted: &[(String, bool)], server: &str) -> Error {
    let script = visible::escape(script.to_string_lossy().as_bytes());
    let server = visible::escape(server.as_bytes());
    let error = Error::usage(format!("{script} has no use for the server {server}"));
    if wanted.is_empty() {
        return error.hint("none of its parameters is named as a scheme: param(\"smtp\")");
    }
    let names: Vec<_> = wanted.iter().map(|(name, _)| format!("{name}://HOST")).collect();
    error.hint(format!("the servers that it speaks with are: {}", names.join(", ")))
}
