//! The servers and settings of runs, from the command line, the environment and the project file.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use zeroize::Zeroizing;

use super::goldens;
use super::options::{Connecting, Goldens, params, parse_duration, parse_set, parse_size};
use super::screen::Screen;
use super::sources::Sources;
use super::value;
use crate::error::{Error, Result};
use crate::project::{Profile, Project};
use crate::report::Human;
use crate::script::{Runner, Servers, Settings};
use crate::secrets::is_secret_name;
use crate::session::Options;
use crate::suggest;
use crate::target;
use crate::visible;
use crate::workers::Against;

/// The prefix of environment variables that set parameters. The name of the parameter follows.
const VARIABLE: &str = "MAILEXPECT_SET_";

/// How scripts connect to servers, and their parameters and limits.
#[derive(Args, Debug)]
pub(super) struct Reach {
    /// Set a parameter: `--set smtp=smtp://localhost:2525`, and a secret by `--set
    /// password=env:NAME`, `file:PATH` or `cmd:PROGRAM`; `--set message=@mail.eml` sets the content
    /// of a file. Repeat for more.
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_set)]
    set: Vec<(String, String)>,
    /// Set the deadline of each operation that sets none itself: `--timeout 30s`; 10 s by default.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    timeout: Option<Duration>,
    /// Wait this long at the end of a dialogue for the server to close; unexpected bytes in this
    /// time fail the script: `--grace 3s`; 1 s by default.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    grace: Option<Duration>,
    /// Set the deadline of each script as a whole: `--deadline 1m`; 5 minutes by default.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    deadline: Option<Duration>,
    /// Set the seed of random decisions (`random`, and `chance` and `jitter` of listeners), to
    /// repeat those of a run whose report shows it: `--seed 42`.
    #[arg(long, value_name = "SEED")]
    seed: Option<u64>,
    /// Set how much memory each script may hold: `--memory 1G`; 256 MiB by default.
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    memory: Option<usize>,
    #[command(flatten)]
    connecting: Connecting,
    #[command(flatten)]
    tls: super::tls::Tls,
    /// Allow scripts to start processes, as with `pipe("sendmail -bs")` and `run("ls")`.
    #[arg(long = "allow-run")]
    allow_processes: bool,
    /// Allow scripts to read files in this folder and below, besides their own folder and the
    /// current one: `--allow-read /var/mail`. Repeat for more.
    #[arg(long, value_name = "DIR")]
    allow_read: Vec<PathBuf>,
    /// Allow scripts to connect to unix sockets outside of their own folder and the current one:
    /// `smtp+unix:///run/mail.sock`.
    #[arg(long)]
    allow_sockets: bool,
    /// Allow scripts to listen on addresses other than loopback, and on unix sockets outside of
    /// their own folder and the current one: `listen("smtp://0.0.0.0:2525")`.
    #[arg(long)]
    allow_listen: bool,
}

impl Reach {
    /// The deadline of each operation, if one is given.
    pub(super) fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// The files that the options name.
    pub(super) fn inputs(&self) -> impl Iterator<Item = PathBuf> {
        let of_set = self.set.iter().filter_map(|(_, value)| value::path(value)).map(PathBuf::from);
        of_set.chain(self.tls.inputs().map(Path::to_owned))
    }

    /// The parameters of `--set`.
    ///
    /// # Errors
    /// Usage for a parameter that is set twice.
    pub(super) fn set(&self) -> Result<BTreeMap<String, String>> {
        params(self.set.clone())
    }
}

/// The settings that come from the command itself.
pub(super) struct Asked<'a> {
    pub(super) goldens: &'a Goldens,
    pub(super) cutting: Option<&'a super::segment::Cutting>,
    pub(super) at_once: usize,
    /// Whether sessions are recorded.
    pub(super) taped: bool,
    pub(super) scripts: &'a [PathBuf],
    /// The scripts that are not files; `None` if there cannot be any.
    pub(super) sources: Option<&'a Sources>,
    /// Whether a script is skipped if a parameter of it has no value.
    pub(super) skip_incomplete: bool,
}

impl Asked<'_> {
    /// Takes the parameters whose values cannot be there, if scripts that need them are skipped.
    fn take_unset(&self, settings: &mut Settings) -> BTreeSet<String> {
        let is_unset = |value: &String| self.skip_incomplete && value::is_unset(value);
        settings.params.extract_if(.., |_, value| is_unset(value)).map(|(name, _)| name).collect()
    }

    /// Gives a runner the scripts that are not files.
    fn give(&self, runner: &Runner) {
        if let Some(sources) = self.sources {
            sources.give(runner);
        }
    }

    /// Leaves out the values that would have to be fetched, and that no script takes: a program
    /// would run for nothing, or a variable that is not set would stop scripts that do not need it.
    fn leave_out_unused(&self, settings: &mut Settings) {
        let params = settings.params.iter();
        let fetched: BTreeSet<String> = params
            .filter(|(_, value)| !value::is_clear(value))
            .map(|(name, _)| name.clone())
            .collect();
        if fetched.is_empty() {
            return;
        }
        let runner = Runner::new(settings.clone());
        self.give(&runner);
        let taken = runner.params_of_all(self.scripts, &fetched);
        if !taken.others {
            let is_needed =
                |name: &String| !fetched.contains(name) || taken.known.contains_key(name);
            settings.params.retain(|name, _| is_needed(name));
        }
    }
}

/// The parameters that the command line or the environment sets, with their fetched values.
pub(super) struct Set {
    given: BTreeMap<String, String>,
    values: BTreeMap<String, String>,
    secrets: Vec<Zeroizing<String>>,
    files: BTreeMap<String, Vec<u8>>,
}

impl Set {
    /// Fetches the values of these parameters and of those in the environment. A given parameter
    /// overrides one of the environment. Warns about secrets that stand on the command line.
    ///
    /// # Errors
    /// Usage for a value that cannot be fetched.
    pub(super) fn of(given: BTreeMap<String, String>, screen: &Screen) -> Result<Self> {
        for (name, value) in &given {
            if is_secret_name(name) && value::is_clear(value) {
                screen.note(&Human::warning(&in_clear(name)));
            }
        }
        let mut values = variables();
        values.extend(given.clone());
        let here = Path::new(value::HERE);
        let files = value::attached(&values, here)?;
        let secrets = value::fetch(&mut values, here)?;
        Ok(Self { given, values, secrets, files })
    }

    /// The parameters of the command line. Each has to be a parameter of some script.
    pub(super) fn given(&self) -> &BTreeMap<String, String> {
        &self.given
    }
}

/// The parameters that the environment sets.
fn variables() -> BTreeMap<String, String> {
    let set = env::vars_os().filter_map(|(name, value)| {
        let name = name.to_str()?.strip_prefix(VARIABLE)?.to_owned();
        Some((name, value.to_string_lossy().into_owned()))
    });
    set.collect()
}

/// The warning for a secret on the command line, where anybody can read it in the list of
/// processes.
fn in_clear(name: &str) -> Error {
    let name = visible::escape(name.as_bytes());
    Error::usage(format!(
        "the value of `{name}` is on the command line, where others can see it; \
         --set {name}=env:NAME, file:PATH, cmd:PROGRAM or prompt fetches it"
    ))
}

/// The targets that each script is run against. If none is named, one that the parameters describe.
///
/// # Errors
/// Usage for mistakes in the arguments or the project file.
pub(super) fn against(
    reach: &Reach,
    asked: &Asked<'_>,
    project: &Project,
    set: &Set,
    screen: &Screen,
) -> Result<Vec<Arc<Against>>> {
    for name in project.secrets_in_clear(value::is_clear) {
        let name = visible::escape(name.as_bytes());
        screen.note(&Human::warning(&Error::usage(format!(
            "{name} is in mailexpect.toml in clear; \"env:NAME\", \"file:PATH\" or \"cmd:PROGRAM\" fetches it"
        ))));
    }
    let targets = project.expand(&asked.goldens.target)?;
    let one = |target: Option<&str>| {
        let mut settings = settings(reach, asked, project, target)?;
        let unset = asked.take_unset(&mut settings);
        asked.leave_out_unused(&mut settings);
        let runner = runner(settings, project.folder(), set)?;
        let unset = unset.into_iter().filter(|name| !set.values.contains_key(name)).collect();
        let runner = runner.at_once(asked.at_once).taped(asked.taped).without(unset);
        asked.give(&runner);
        let goldens = goldens::goldens(asked.goldens, target)?;
        let (runner, goldens) = (Arc::new(runner), Arc::new(goldens));
        Ok(Arc::new(Against { target: target.map(Arc::from), runner, goldens }))
    };
    if targets.is_empty() {
        return Ok(vec![one(None)?]);
    }
    targets.iter().map(|target| one(Some(target))).collect()
}

/// Makes sure that each parameter of the command line belongs to some script. Looks for mistyped
/// names in the project file: names that no script takes, near a parameter that has no value.
///
/// # Errors
/// Usage for an unknown name on the command line. Usage for a mistyped name in the project file if
/// a script needs the value; otherwise a warning, because the name may be meant for another script.
pub(super) fn check_names(
    against: &[Arc<Against>],
    project: &Project,
    scripts: &[PathBuf],
    set: &Set,
    screen: &Screen,
) -> Result<()> {
    if let Some(any) = against.first() {
        any.runner.check_params(scripts, &set.given)?;
    }
    for against in against {
        let target = against.target.as_deref();
        let set = project.set_for(target);
        let params = against.runner.params_of_all(scripts, &set);
        if params.others {
            continue;
        }
        for name in set.iter().filter(|name| !params.known.contains_key(*name) && !is_scheme(name))
        {
            let unset = params.known.keys().map(String::as_str);
            let unset = unset.filter(|known| !against.runner.has(known));
            let Some(near) = suggest::nearest(name, unset) else { continue };
            let slip = project.slip(target, name, near);
            if params.required.contains(near) {
                return Err(slip);
            }
            screen.note(&Human::warning(&slip));
        }
    }
    Ok(())
}

/// Whether a name is a scheme. A target may name servers that only other scripts use.
fn is_scheme(name: &str) -> bool {
    target::speech(&format!("{name}://")).is_some()
}

/// The settings of runs against a target, from the arguments and the project file. Their secrets
/// are not fetched yet.
fn settings(
    reach: &Reach,
    asked: &Asked<'_>,
    project: &Project,
    target: Option<&str>,
) -> Result<Settings> {
    let Profile { params, timeout, grace, deadline, tls } = project.profile(target)?;
    let defaults = Settings::default();
    let mut options = Options::new().unjudged();
    if let Some(timeout) = reach.timeout.or(timeout) {
        options = options.timeout(timeout);
    }
    if let Some(grace) = reach.grace.or(grace) {
        options = options.grace(grace);
    }
    let options = reach.connecting.options(options, &project.rules().allow_host);
    let mut options = options.tls(reach.tls.options(tls)?);
    if let Some(cutting) = asked.cutting {
        options = cutting.options(options);
    }
    Ok(Settings {
        params,
        options,
        seed: reach.seed,
        deadline: reach.deadline.or(deadline).unwrap_or(defaults.deadline),
        memory: reach.memory.unwrap_or(defaults.memory),
        allow_run: reach.allow_processes,
        allow_read: reach.allow_read.clone(),
        files: BTreeMap::new(),
        allow_sockets: reach.allow_sockets,
        allow_listen: reach.allow_listen,
        servers: target.map_or(Servers::Embedded, |target| Servers::Target(target.to_owned())),
        redaction: Arc::new(goldens::redaction(project, target, &asked.goldens.redacting)?),
    })
}

/// Makes a runner with these settings and parameters. The paths in the settings are relative to
/// `folder`.
pub(super) fn runner(mut settings: Settings, folder: &Path, set: &Set) -> Result<Runner> {
    // A parameter that is overridden is not fetched.
    settings.params.retain(|name, _| !set.values.contains_key(name));
    settings.files = value::attached(&settings.params, folder)?;
    settings.files.extend(set.files.clone());
    let fetched = value::fetch(&mut settings.params, folder)?;
    settings.params.extend(set.values.clone());
    let runner = Runner::new(settings);
    runner.keep_secrets(&fetched);
    runner.keep_secrets(&set.secrets);
    Ok(runner)
}
