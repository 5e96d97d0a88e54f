//! The project file, `mailexpect.toml`: what holds for all scripts of a project.
//!
//! ```toml
//! [golden]
//! strictness = "enhanced"
//! redact = ["imap", "-timing.seconds"]
//!
//! [redact.ticket]
//! regex = 'ticket (?P<v>\d+)'
//! token = "TICKET"
//!
//! [target.postfix]
//! smtp = "smtp://localhost:2525"
//! strictness = "codes"
//! redact = ["-ids"]
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::file;
use crate::redaction::Redaction;
#[cfg(feature = "cli")]
use crate::suggest;
use crate::visible;

/// What the file is called.
const NAME: &str = "mailexpect.toml";

/// What the project file says; nothing where there is none.
#[derive(Debug, Default)]
pub(crate) struct Project {
    path: PathBuf,
    says: Says,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Says {
    #[serde(default)]
    golden: Golden,
    /// Regexes of the project's own, by names that are for its readers.
    #[serde(default)]
    redact: BTreeMap<String, Rule>,
    /// What is known of each server that scripts are run against.
    #[serde(default)]
    target: BTreeMap<String, Target>,
}

/// A server that scripts are run against.
#[derive(Debug, Default, Deserialize)]
struct Target {
    strictness: Option<String>,
    /// Presets and groups to add, and with a minus to take out.
    #[serde(default)]
    redact: Vec<String>,
    /// Everything else is a parameter.
    #[serde(flatten)]
    #[cfg_attr(
        not(feature = "cli"),
        expect(dead_code, reason = "targets are named on the command line")
    )]
    params: BTreeMap<String, Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Golden {
    strictness: Option<String>,
    /// Presets and groups to add, and with a minus to take out.
    #[serde(default)]
    redact: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    regex: String,
    token: String,
}

/// The value of a parameter.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "the value of a parameter is text, a number, true or false")]
enum Value {
    Text(String),
    Number(i64),
    Fraction(f64),
    Truth(bool),
}

impl Project {
    /// The project file of a folder: the one in it, or in the nearest folder above that has one.
    ///
    /// # Errors
    /// Usage, where it cannot be read or says what there is not.
    pub(crate) fn of(folder: &Path) -> Result<Self> {
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        match folder.ancestors().map(|folder| folder.join(NAME)).find(|path| path.exists()) {
            Some(path) => Self::read(path),
            None => Ok(Self::default()),
        }
    }

    fn read(path: PathBuf) -> Result<Self> {
        let wrong = |why: String| Error::usage(format!("cannot read {}: {why}", path.display()));
        let text = file::read_text(&path).map_err(|error| wrong(error.to_string()))?;
        match toml::from_str(&text) {
            Ok(says) => Ok(Self { path, says }),
            Err(error) => {
                let line = error.span().map(|span| text[..span.start].matches('\n').count() + 1);
                let line = line.map(|line| format!("line {line}: ")).unwrap_or_default();
                let why = visible::printable(&error.message().replace('\n', ", "));
                Err(wrong(format!("{line}{why}"))
                    .hint("the README shows what it may say, under \"The project file\""))
            }
        }
    }

    /// What is redacted in this project, or for a target of it, unless a script or the command line
    /// says otherwise.
    ///
    /// # Errors
    /// Usage for names that there are not, and for regexes that are wrong.
    pub(crate) fn redaction(&self, target: Option<&str>) -> Result<Redaction> {
        let Says { golden: Golden { strictness, redact }, .. } = &self.says;
        let mut redaction =
            self.changed(Redaction::new(), "golden", strictness.as_ref(), redact)?;
        for (name, Rule { regex, token }) in &self.says.redact {
            redaction = redaction
                .regex(regex, token)
                .map_err(|error| self.wrong(&format!("redact.{name}"), &error))?;
        }
        match target.and_then(|name| Some((name, self.says.target.get(name)?))) {
            Some((name, Target { strictness, redact, .. })) => {
                self.changed(redaction, &format!("target.{name}"), strictness.as_ref(), redact)
            }
            None => Ok(redaction),
        }
    }

    /// A redaction with what a table of the file says of it.
    fn changed(
        &self,
        mut redaction: Redaction,
        table: &str,
        strictness: Option<&String>,
        redact: &[String],
    ) -> Result<Redaction> {
        if let Some(strictness) = strictness {
            let strictness = strictness
                .parse()
                .map_err(|error| self.wrong(&format!("{table}.strictness"), &error))?;
            redaction = redaction.strictness(strictness);
        }
        redact.iter().try_fold(redaction, |redaction, names| {
            redaction.select(names).map_err(|error| self.wrong(&format!("{table}.redact"), &error))
        })
    }

    /// An error with the place in the file that it is about.
    fn wrong(&self, key: &str, error: &Error) -> Error {
        let message = format!(
            "{}, {}: {}",
            self.path.display(),
            visible::escape(key.as_bytes()),
            error.message()
        );
        let wrong = Error::usage(message);
        match error.next_step() {
            Some(hint) => wrong.hint(hint),
            None => wrong,
        }
    }
}

#[cfg(feature = "cli")]
impl Project {
    /// The parameters of a target. A project that names targets has no others; one that names none
    /// leaves it to the caller what they are.
    ///
    /// # Errors
    /// Usage for a target that there is not, with the one that was probably meant.
    pub(crate) fn target(&self, name: &str) -> Result<BTreeMap<String, String>> {
        let targets = &self.says.target;
        if let Some(target) = targets.get(name) {
            return Ok(target
                .params
                .iter()
                .map(|(name, value)| (name.clone(), value.to_string()))
                .collect());
        }
        if targets.is_empty() {
            return Ok(BTreeMap::new());
        }
        let error = Error::usage(format!(
            "{} has no [target.{}]",
            self.path.display(),
            visible::escape(name.as_bytes())
        ));
        Err(match suggest::nearest(name, targets.keys().map(String::as_str)) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error.hint(format!(
                "the targets are: {}",
                targets.keys().cloned().collect::<Vec<_>>().join(", ")
            )),
        })
    }
}

#[cfg(feature = "cli")]
impl Project {
    /// The names of the targets; nothing if the project names none.
    pub(crate) fn targets(&self) -> Option<Vec<&str>> {
        let names: Vec<_> = self.says.target.keys().map(String::as_str).collect();
        (!names.is_empty()).then_some(names)
    }
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => number.fmt(f),
            Self::Fraction(number) => number.fmt(f),
            Self::Truth(truth) => truth.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::redaction::Strictness;

    fn project(text: &str) -> (tempfile::TempDir, Result<Project>) {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("sub")).unwrap();
        fs::write(folder.path().join(NAME), text).unwrap();
        let project = Project::of(&folder.path().join("sub"));
        (folder, project)
    }

    fn wrong(text: &str) -> String {
        let (folder, project) = project(text);
        let error = project.and_then(|project| project.redaction(None)).unwrap_err();
        error.to_string().replace(&folder.path().display().to_string(), "")
    }

    #[test]
    fn the_nearest_file_above_says_what_is_redacted() {
        let (_folder, project) = project(
            "[golden]\nredact = [\"imap, -timing\"]\n[redact.x]\nregex = 'x (\\d)'\ntoken = \"X\"\n",
        );
        let redaction = project.unwrap().redaction(None).unwrap();
        assert!(
            redaction.is_on("imap.uidvalidity")
                && !redaction.is_on("timing.seconds")
                && redaction.is_on("date.ctime")
        );
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        insta::assert_snapshot!(
            [
                "[golden]\nstrictness = 3\n",
                "[golden]\nstrict = \"codes\"\n",
                "[golden]\nstrictness = \"code\"\n",
                "[golden]\nredact = [\"imaps\"]\n",
                "[redact.x]\nregex = '('\ntoken = \"X\"\n",
                "golden = \n",
                "[target.x]\nsmtp = [\"smtp://localhost\"]\n",
            ]
            .map(wrong)
            .join("\n")
        );
    }

    #[test]
    fn a_target_may_be_redacted_in_its_own_way() {
        let (_folder, project) = project(
            "[golden]\nredact = [\"imap\"]\n[target.exim]\nsmtp = \"smtp://h\"\nstrictness = \"codes\"\nredact = [\"-net\"]\n",
        );
        let project = project.unwrap();
        let exim = project.redaction(Some("exim")).unwrap();
        assert_eq!((exim.level(), exim.selection()), (Strictness::Codes, "imap, -net".to_owned()));
        let other = project.redaction(Some("postfix")).unwrap();
        assert_eq!((other.level(), other.selection()), (Strictness::Text, "imap".to_owned()));
    }

    #[cfg(feature = "cli")]
    #[test]
    fn a_target_is_its_parameters() {
        let (_folder, project) =
            project("[target.postfix]\nsmtp = \"smtp://localhost:2525\"\ncount = 3\nfull = true\n");
        let project = project.unwrap();
        let params = project.target("postfix").unwrap();
        assert_eq!(
            params
                .into_iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect::<Vec<_>>()
                .join(" "),
            "count=3 full=true smtp=smtp://localhost:2525"
        );
        assert_eq!(
            project.target("postfx").unwrap_err().next_step(),
            Some("did you mean `postfix`?")
        );
        assert!(Project::default().target("any").unwrap().is_empty());
    }
}
