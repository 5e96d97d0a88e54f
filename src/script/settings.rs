//! The values and permissions that the caller of scripts gives them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::memory;
use crate::error::Error;
use crate::redaction::Redaction;
use crate::secrets::is_secret_name;
use crate::server::Embedded;
use crate::session::Options;
use crate::visible;

/// The values and permissions that the caller of scripts gives them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// The values of parameters.
    pub params: BTreeMap<String, String>,
    /// The options of sessions, unless a script sets others. Their transcript is replaced by that
    /// of the run.
    pub options: Options,
    /// The seed of the random decisions of listeners and servers. Without it, each run has a seed
    /// of its own.
    pub seed: Option<u64>,
    /// The deadline of a whole script.
    pub deadline: Duration,
    /// How many bytes a script may hold, with its sessions and its transcript.
    pub memory: usize,
    /// Whether scripts may start processes (`pipe`).
    pub allow_run: bool,
    /// Folders whose files scripts may read, in addition to their own and the current one.
    pub allow_read: Vec<PathBuf>,
    /// The parameters whose values are files (`--set message=@mail.eml`), with their bytes.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Whether scripts may connect to unix sockets outside of their folder and the current one.
    pub allow_sockets: bool,
    /// Whether scripts may listen on addresses other than loopback, and on unix sockets outside of
    /// their folder and the current one.
    pub allow_listen: bool,
    /// The servers that scripts use if no value is set for the parameters of servers.
    pub servers: Servers,
    /// What is redacted in golden transcripts, unless a script sets something else.
    pub redaction: Arc<Redaction>,
}

/// The values of the parameters that are named after a scheme, such as `smtp` and `imaps`, and of
/// `ca`, `user` and `password`, if they are not set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Servers {
    /// There are no values: a script that asks for one of these parameters fails.
    #[default]
    Given,
    /// The embedded server.
    Embedded,
    /// The servers of a target of the project file. The target has this name, and a script that
    /// asks for a parameter that the target lacks fails.
    Target(String),
}

impl Default for Settings {
    /// No parameters, 10 s for each operation, 5 minutes and 256 MiB for a script, no processes.
    fn default() -> Self {
        Self {
            params: BTreeMap::new(),
            options: Options::new().unjudged(),
            seed: None,
            deadline: Duration::from_mins(5),
            memory: memory::ALLOWANCE,
            allow_run: false,
            allow_read: Vec::new(),
            files: BTreeMap::new(),
            allow_sockets: false,
            allow_listen: false,
            servers: Servers::default(),
            redaction: Arc::default(),
        }
    }
}

/// Lists names in the form "`a`, `b` and `c`".
fn listed(names: &[&str]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

impl Settings {
    /// Whether the embedded server is used, because no other server is set.
    pub(super) fn is_embedded(&self) -> bool {
        self.servers == Servers::Embedded
            && Embedded::schemes().all(|name| !self.params.contains_key(name))
    }
}

impl Servers {
    /// Makes the error for parameters that have neither a value nor a default.
    pub(super) fn no_value(&self, names: &[&str]) -> Error {
        let first = names.first().copied().unwrap_or_default();
        let set = |name: &&str| match self {
            Self::Given => format!("{name} = ..."),
            Self::Embedded | Self::Target(_) if is_secret_name(name) => {
                format!("--set {name}=env:NAME")
            }
            Self::Embedded | Self::Target(_) => format!("--set {name}=..."),
        };
        let separator = if *self == Self::Given { ", " } else { " " };
        let sets: Vec<_> = names.iter().map(set).collect();
        let sets = sets.join(separator);
        let behind = if *self == Self::Given { " after the script's path" } else { "" };
        let said = match names {
            [one] => format!("the parameter `{one}` has no value"),
            _ => format!("the parameters {} have no value", listed(names)),
        };
        Error::usage(said)
            .hint(format!("give {sets}{behind}, or a default: param(\"{first}\", \"...\")"))
    }

    /// Whether a parameter has a value although it is not set. Also true for `ca`, which needs no
    /// value.
    pub(super) fn has(&self, name: &str) -> bool {
        name == "ca"
            || (*self == Self::Embedded
                && (["user", "password"].contains(&name)
                    || Embedded::schemes().any(|scheme| scheme == name)))
    }

    /// Makes sure that a parameter that is not set may still have a value.
    ///
    /// # Errors
    /// Usage for the URL of a server that is neither set nor the embedded one.
    pub(super) fn allow(&self, name: &str) -> Result<(), Error> {
        match self {
            Self::Embedded => Ok(()),
            _ if Embedded::schemes().all(|scheme| scheme != name) => Ok(()),
            Self::Target(target) => {
                let target = visible::quoted(target);
                let error = Error::usage(format!("the target `{target}` has no `{name}`"));
                Err(error.hint(format!(
                    "say it in mailexpect.toml under [target.{target}], or by --set {name}=..."
                )))
            }
            Self::Given => {
                let error = Error::usage(format!("the parameter `{name}` has no value"));
                Err(error.hint(format!(
                    "name the server: {name} = server.url(); the embedded one is mailexpect::server::Embedded"
                )))
            }
        }
    }
}
