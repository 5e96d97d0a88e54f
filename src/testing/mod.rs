//! Scripts as tests: [`assert_script!`](crate::assert_script) for one script,
//! [`scripts!`](crate::scripts) for all scripts in a folder, which needs the feature `harness`.

#[cfg(feature = "harness")]
mod fixture;
#[cfg(feature = "harness")]
mod scripts;

use std::env;
use std::path::{Path, PathBuf};

#[cfg(feature = "harness")]
pub use scripts::Scripts;

use crate::error::Result;
use crate::golden::Goldens;
use crate::outcome::{Outcome, Verdict};
use crate::project::Project;
use crate::report::Human;
use crate::runtime;
use crate::script::Case;

/// Runs a script and panics with its report unless the script passes. The path is relative to the
/// crate of the test. Each `name = value` sets a parameter, like `--set`.
///
/// ```
/// # let server = mailexpect::server::Embedded::start().unwrap();
/// mailexpect::assert_script!("scripts/relay.rhai", smtp = server.smtp());
/// ```
///
/// A parameter that the script does not have is an error. So is a parameter for a server that is
/// not set: unlike `mailexpect run`, a test never falls back to the embedded server.
///
/// The macro blocks the thread, so call it in an ordinary `#[test]`. For async tests there is
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

/// Makes each script in a folder a test of its own, for `cargo test` and for nextest. The test
/// target has to be without libtest, and needs nothing but this macro:
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
/// The folder is relative to the crate. `scripts/imap/idle.rhai` becomes the test `imap/idle`;
/// scripts in folders named `lib` are left out. The arguments are those of libtest: a filter,
/// `--list`, `--exact`, `--skip`, `--ignored`, `--include-ignored`, `--test-threads`. The
/// transcript of a script that passes is compared with its golden, if there is one. A script that
/// fails shows its report. With `--nocapture`, passing scripts show their transcripts as well. A
/// script whose first comment has a line `ignored: why` only runs with `--ignored` or
/// `--include-ignored`.
///
/// Parameters follow the folder as `name = value`. A `let` before them starts a fixture that they
/// need, such as a server. The fixture is started once for all scripts that a process runs, when
/// the first script runs, so that listing the tests starts nothing; it is dropped at the end.
/// (nextest runs each test in a process of its own.)
///
/// ```no_run
/// use mailexpect::server::Embedded;
///
/// mailexpect::scripts!("scripts", let server = Embedded::start().unwrap(), smtp = server.smtp(), client = "client.example");
/// ```
///
/// Several fixtures are started together in one `let`. For more control over how scripts run, use
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
#[cfg(feature = "harness")]
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

/// The script at a path relative to a folder, with the settings for golden transcripts from the
/// folder's project file.
///
/// # Panics
/// If the project file is invalid.
#[must_use]
#[track_caller]
pub fn case(folder: &str, path: impl AsRef<Path>) -> Case {
    let case = case_of(Path::new(folder), &from_here(&Path::new(folder).join(path)));
    case.unwrap_or_else(|error| panic!("{error}"))
}

/// The script at a path, with the settings of the project in a folder.
///
/// # Errors
/// Usage if the project file is invalid.
fn case_of(folder: &Path, script: &Path) -> Result<Case> {
    let redaction = Project::of(folder)?.redaction(None)?;
    Ok(Case::new(script).redaction(redaction))
}

/// Runs a case and compares its transcript with its golden, if there is one, as `mailexpect run`
/// does.
///
/// # Panics
/// With the report, unless the script passes or skips itself.
#[track_caller]
pub fn assert_passes(case: &Case) {
    assert_ok(&run_and_hold(case));
}

/// [`assert_passes`] for async tests.
///
/// # Panics
/// With the report, unless the script passes or skips itself.
pub async fn assert_passes_async(case: &Case) {
    assert_ok(&held(case.run_async().await).await);
}

#[track_caller]
fn assert_ok(outcome: &Outcome) {
    assert!(outcome.is_ok(), "\n{}\n", anstream::adapter::strip_str(&report(outcome)));
}

/// Runs a case to its outcome after comparison with its golden.
#[track_caller]
fn run_and_hold(case: &Case) -> Outcome {
    let outcome = case.run();
    match runtime::current_thread() {
        Ok(runtime) => runtime.block_on(held(outcome)),
        Err(error) => Outcome { verdict: Verdict::Failed(Box::new(error.into())), ..outcome },
    }
}

/// The outcome after comparison with its golden, by the policy in the environment.
async fn held(outcome: Outcome) -> Outcome {
    match Goldens::of_environment() {
        Ok(goldens) => goldens.hold(outcome, std::future::pending()).await,
        Err(error) => Outcome { verdict: Verdict::Failed(Box::new(error.into())), ..outcome },
    }
}

/// The report of a failed test. It is verbose, because a test has no `-v`; for a difference from
/// the golden, the diff is enough.
fn report(outcome: &Outcome) -> String {
    let verbose = !matches!(outcome.verdict, Verdict::Differs(_));
    let human = Human { verbose, ..Human::default() };
    human.outcome(outcome).trim_end().to_owned()
}

/// The path relative to the current folder, which in `cargo test` is the crate's own.
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

    /// The report of a one-line script that fails; with `name`, a parameter of this name is set.
    fn failing(script: &str, name: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.rhai"), script).unwrap();
        let case = case(&folder.path().to_string_lossy(), "a.rhai");
        let case = if name.is_empty() { case } else { case.set(name, "smtp://127.0.0.1:1") };
        report(&run_and_hold(&case))
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
