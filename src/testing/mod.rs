//! Scripts as tests: [`assert_script!`](crate::assert_script) for one of them,
//! [`scripts!`](crate::scripts) for all of a folder.

mod fixture;
mod scripts;

use std::env;
use std::path::{Path, PathBuf};

pub use scripts::Scripts;

use crate::error::Result;
use crate::golden::Goldens;
use crate::outcome::{Outcome, Verdict};
use crate::project::Project;
use crate::report::Human;
use crate::script::Case;

/// Runs a script and panics with its report unless it passes. The path is relative to the crate
/// that the test is in; each `name = value` is a parameter, as `--set` gives it.
///
/// ```
/// # let server = mailexpect::server::Embedded::start().unwrap();
/// mailexpect::assert_script!("scripts/relay.rhai", smtp = server.smtp());
/// ```
///
/// Call it from an ordinary `#[test]`: it runs on a runtime of its own, which cannot be nested in
/// another.
#[macro_export]
macro_rules! assert_script {
    ($path:expr $(, $name:ident = $value:expr)* $(,)?) => {{
        let case = $crate::testing::case(env!("CARGO_MANIFEST_DIR"), $path);
        $(let case = case.set(stringify!($name), $value);)*
        $crate::testing::assert_passes(&case);
    }};
}

/// Makes each script of a folder a test of its own, for `cargo test` and for nextest. It is all
/// that a test target without libtest needs to have:
///
/// ```toml
/// [[test]]
/// name = "scripts"
/// harness = false
/// ```
///
/// ```no_run
/// mailexpect::scripts!("scripts");
/// ```
///
/// The folder is relative to the crate; `scripts/imap/idle.rhai` is the test `imap/idle`, and what
/// lies in folders named `lib` is left out. The arguments are those of libtest: a filter, `--list`,
/// `--exact`, `--skip`, `--ignored`, `--include-ignored`, `--test-threads`. A script that passes is
/// held against its golden transcript, where it has one; one that fails shows its report;
/// `--nocapture` shows the transcripts of those that pass as well. A script whose first comment has
/// a line `ignored: why` is only run when that is asked for.
///
/// Parameters stand behind the folder as `name = value`. What they need, such as a server, is
/// started by a `let` in front of them: once for all the scripts that a process runs, when the
/// first one does, so that listing starts nothing. It is dropped at the end. (nextest has a process
/// for each test.)
///
/// ```no_run
/// use mailexpect::server::Embedded;
///
/// mailexpect::scripts!("scripts", let server = Embedded::start().unwrap(), smtp = server.smtp(), client = "client.example");
/// ```
///
/// Several are started together. For more say in how scripts are run there is
/// [`testing::Scripts`](crate::testing::Scripts).
///
/// ```no_run
/// # use mailexpect::server::Embedded;
/// mailexpect::scripts! {
///     "scripts",
///     let (first, second) = (Embedded::start().unwrap(), Embedded::start().unwrap()),
///     smtp = first.smtp(),
///     backup = second.smtp(),
/// }
/// ```
#[macro_export]
macro_rules! scripts {
    ($folder:expr $(, $name:ident = $value:expr)* $(,)?) => {
        $crate::scripts!($folder, let () = () $(, $name = $value)*);
    };
    ($folder:expr, let $fixture:pat_param = $start:expr $(, $name:ident = $value:expr)* $(,)?) => {
        fn main() -> ::std::process::ExitCode {
            $crate::testing::Scripts::new(env!("CARGO_MANIFEST_DIR"), $folder)
                .with(|| $start, |$fixture, case| case$(.set(stringify!($name), $value))*)
                .run()
        }
    };
}

/// The script at a path relative to a folder, with what the project file there says of golden
/// transcripts.
///
/// # Panics
/// Where the project file is wrong.
#[must_use]
#[track_caller]
pub fn case(folder: &str, path: impl AsRef<Path>) -> Case {
    let case = case_of(Path::new(folder), &from_here(&Path::new(folder).join(path)));
    case.unwrap_or_else(|error| panic!("{error}"))
}

/// A script of the project in a folder.
///
/// # Errors
/// Usage, where the project file is wrong.
fn case_of(folder: &Path, script: &Path) -> Result<Case> {
    let redaction = Project::of(folder)?.redaction()?;
    Ok(Case::new(script).redaction(redaction))
}

/// Runs a case, and holds its transcript against its golden, where there is one, as `mailexpect
/// run` does.
///
/// # Panics
/// With the report, unless it passes or skips itself.
#[track_caller]
pub fn assert_passes(case: &Case) {
    let outcome = run(case);
    assert!(outcome.is_ok(), "\n{}\n", anstream::adapter::strip_str(&report(&outcome)));
}

/// Runs a case, and holds it against its golden as the environment says.
fn run(case: &Case) -> Outcome {
    let mut outcome = case.run();
    match Goldens::of_environment() {
        Ok(goldens) => goldens.hold(&mut outcome),
        Err(error) => outcome.verdict = Verdict::Failed(Box::new(error.into())),
    }
    outcome
}

/// The report of a test, which nobody can ask for more with `-v`: where the golden is another, the
/// difference is enough.
fn report(outcome: &Outcome) -> String {
    let human = Human { verbose: !matches!(outcome.verdict, Verdict::Differs(_)) };
    human.outcome(outcome).trim_end().to_owned()
}

/// A path as one would write it in the current folder, which is the crate's own in `cargo test`.
fn from_here(path: &Path) -> PathBuf {
    let here = env::current_dir().ok();
    here.and_then(|here| path.strip_prefix(here).ok()).unwrap_or(path).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "there is no `conect()`")]
    fn a_failing_script_panics_with_its_report() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.rhai"), "conect();").unwrap();
        assert_passes(&case(&folder.path().to_string_lossy(), "a.rhai"));
    }

    #[test]
    fn a_script_of_the_crate_is_named_as_one_would() {
        let here = env::current_dir().unwrap();
        assert_eq!(from_here(&here.join("scripts/a.rhai")), Path::new("scripts/a.rhai"));
        assert_eq!(from_here(Path::new("/elsewhere/a.rhai")), Path::new("/elsewhere/a.rhai"));
    }
}
