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
/// A parameter that the script does not have is an error, and so is a server that is not named:
/// unlike `mailexpect run`, a test never falls back to the embedded server.
///
/// Call it from an ordinary `#[test]`, since it blocks the thread; in an async test there is
/// [`assert_script_async!`](crate::assert_script_async).
#[macro_export]
macro_rules! assert_script {
    ($path:expr $(, $name:ident = $value:expr)* $(,)?) => {{
        let case = $crate::testing::case(env!("CARGO_MANIFEST_DIR"), $path);
        $(let case = case.set(stringify!($name), $value);)*
        $crate::testing::assert_passes(&case);
    }};
}

/// [`assert_script!`](crate::assert_script) for async tests.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// # let server = mailexpect::server::Embedded::start().unwrap();
/// mailexpect::assert_script_async!("scripts/relay.rhai", smtp = server.smtp()).await;
/// # }
/// ```
#[macro_export]
macro_rules! assert_script_async {
    ($path:expr $(, $name:ident = $value:expr)* $(,)?) => {{
        let case = $crate::testing::case(env!("CARGO_MANIFEST_DIR"), $path);
        $(let case = case.set(stringify!($name), $value);)*
        async move { $crate::testing::assert_passes_async(&case).await }
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
/// held against its golden transcript, if it has one; one that fails shows its report;
/// `--nocapture` shows the transcripts of those that pass as well. A script whose first comment has
/// a line `ignored: why` is only run when that is asked for.
///
/// Parameters stand after the folder as `name = value`. What they need, such as a server, is
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
/// Usage if the project file is wrong.
fn case_of(folder: &Path, script: &Path) -> Result<Case> {
    let redaction = Project::of(folder)?.redaction(None)?;
    Ok(Case::new(script).redaction(redaction))
}

/// Runs a case, and holds its transcript against its golden, if there is one, as `mailexpect
/// run` does.
///
/// # Panics
/// With the report, unless it passes or skips itself.
#[track_caller]
pub fn assert_passes(case: &Case) {
    assert_ok(&held(case.run()));
}

/// [`assert_passes`] for async tests.
///
/// # Panics
/// With the report, unless the script passes or skips itself.
pub async fn assert_passes_async(case: &Case) {
    assert_ok(&held(case.run_async().await));
}

#[track_caller]
fn assert_ok(outcome: &Outcome) {
    assert!(outcome.is_ok(), "\n{}\n", anstream::adapter::strip_str(&report(outcome)));
}

/// The outcome, held against its golden as the environment says.
fn held(mut outcome: Outcome) -> Outcome {
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
    #[should_panic(expected = "there is no word `conect`")]
    fn a_failing_script_panics_with_its_report() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.rhai"), "conect();").unwrap();
        assert_passes(&case(&folder.path().to_string_lossy(), "a.rhai"));
    }

    /// What a script of one line fails with, its parameters given by hand.
    fn failing(script: &str, name: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.rhai"), script).unwrap();
        let case = case(&folder.path().to_string_lossy(), "a.rhai");
        let case = if name.is_empty() { case } else { case.set(name, "smtp://127.0.0.1:1") };
        report(&held(case.run()))
    }

    #[test]
    fn a_misspelt_parameter_is_an_error_and_not_the_embedded_server() {
        let report = failing("connect(param(\"smtp\")).expect(220);", "smpt");
        assert!(report.contains("the script has no parameter `smpt`"), "{report}");
        assert!(report.contains("did you mean `smtp`?"), "{report}");
    }

    #[test]
    fn a_server_that_nobody_named_is_an_error_and_not_the_embedded_one() {
        let report = failing("connect().expect(220);", "");
        assert!(report.contains("the parameter `smtp` has no value"), "{report}");
        assert!(report.contains("smtp = server.url()"), "{report}");
    }

    #[tokio::test]
    #[should_panic(expected = "assert_script_async!")]
    async fn in_an_async_test_it_says_what_to_write() {
        assert_passes(&case(env!("CARGO_MANIFEST_DIR"), "scripts/relay.rhai"));
    }

    #[test]
    fn a_script_of_the_crate_is_named_as_one_would() {
        let here = env::current_dir().unwrap();
        assert_eq!(from_here(&here.join("scripts/a.rhai")), Path::new("scripts/a.rhai"));
        assert_eq!(from_here(Path::new("/elsewhere/a.rhai")), Path::new("/elsewhere/a.rhai"));
    }
}
