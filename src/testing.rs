//! Scripts as tests: [`assert_script!`](crate::assert_script).

use std::path::Path;

use crate::golden::Goldens;
use crate::outcome::Verdict;
use crate::project::Project;
use crate::report::Human;
use crate::script::Case;

/// Runs a script and panics with its report unless it passes. The path is relative to the crate that the test is in; each
/// `name = value` is a parameter, as `--set` gives it.
///
/// ```
/// # let server = mailexpect::server::Embedded::start().unwrap();
/// mailexpect::assert_script!("scripts/relay.rhai", smtp = server.smtp());
/// ```
///
/// Call it from an ordinary `#[test]`: it runs on a runtime of its own, which cannot be nested in another.
#[macro_export]
macro_rules! assert_script {
    ($path:expr $(, $name:ident = $value:expr)* $(,)?) => {{
        let case = $crate::testing::case(env!("CARGO_MANIFEST_DIR"), $path);
        $(let case = case.set(stringify!($name), $value);)*
        $crate::testing::assert_passes(&case);
    }};
}

/// The script at a path relative to a folder, with what the project file there says of golden transcripts.
///
/// # Panics
/// Where the project file is wrong.
#[must_use]
#[track_caller]
pub fn case(folder: &str, path: impl AsRef<Path>) -> Case {
    let redaction = Project::of(Path::new(folder)).and_then(|project| project.redaction());
    match redaction {
        Ok(redaction) => Case::new(Path::new(folder).join(path)).redaction(redaction),
        Err(error) => panic!("{error}"),
    }
}

/// Runs a case, and holds its transcript against its golden, where there is one, as `mailexpect run` does.
///
/// # Panics
/// With the report, unless it passes or skips itself.
#[track_caller]
pub fn assert_passes(case: &Case) {
    let mut outcome = case.run();
    match Goldens::of_environment() {
        Ok(goldens) => goldens.hold(&mut outcome),
        Err(error) => outcome.verdict = Verdict::Failed(Box::new(error.into())),
    }
    assert!(outcome.is_ok(), "\n{}", anstream::adapter::strip_str(&Human::default().outcome(&outcome)));
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
}
