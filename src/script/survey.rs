//! A script looked over: what it takes, and what is wrong with it.

use std::path::Path;

use super::check::{self, Problem};
use super::params::Params;
use super::runner::Runner;

/// What a script says of itself.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Survey {
    /// Its first comment.
    pub title: Option<String>,
    /// Its parameters.
    pub params: Params,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
}

impl Runner {
    /// Looks a script over, and what it imports, without running it.
    #[must_use]
    pub fn check(&self, path: &Path) -> Survey {
        let name = path.to_string_lossy().into_owned();
        let problems = check::problems(self.engine(), self.library(), &name);
        Survey { title: self.title(&name), params: self.params(path), problems }
    }
}
