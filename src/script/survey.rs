//! The properties of a script that are known without running it: its parameters and its problems.

use std::path::Path;

use super::check::{self, Problem};
use super::params::Params;
use super::runner::Runner;

/// The properties of a script that are known without running it.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Survey {
    /// The title of the script, from its first comment.
    pub title: Option<String>,
    /// The parameters that the script takes.
    pub params: Params,
    /// The problems that the check has found in the script.
    pub problems: Vec<Problem>,
}

impl Runner {
    /// Checks a script and its imports, without running it.
    #[must_use]
    pub fn check(&self, path: &Path) -> Survey {
        let name = path.to_string_lossy().into_owned();
        let problems = check::problems(self.engine(), self.library(), &name);
        Survey { title: self.title(&name), params: self.params(path), problems }
    }
}
