//! The project file, `mailexpect.toml`: the settings for all scripts of a project.
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
//! [run]
//! timeout = "30s"
//!
//! [target.postfix]
//! smtp = "smtp://localhost:2525"
//! password = "env:POSTFIX_PASSWORD"
//! strictness = "codes"
//! redact = ["-ids"]
//! tls = { cacert = "ca.pem" }
//! ```

mod keys;
#[cfg(feature = "cli")]
mod profile;
mod says;

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::file;
use crate::redaction::Redaction;
use crate::visible;
use keys::{Keys, Wrong};
#[cfg(feature = "cli")]
pub(crate) use profile::{Profile, Rules};
#[cfg(feature = "cli")]
pub(crate) use says::FlakyResult;
use says::{Golden, Rule, Says, Target};

/// The name of the project file.
const NAME: &str = "mailexpect.toml";

/// The largest project file, in bytes; a larger one is an error. A large project has some thousand.
/// Some settings are compared with each other, which takes 20 s for 100,000 of them.
const LARGEST: u64 = 256 << 10;

/// The content of the project file; empty if there is none.
#[derive(Debug, Default)]
pub(crate) struct Project {
    path: PathBuf,
    keys: Keys,
    says: Says,
}

impl Project {
    /// Reads the project file of a folder: the one in it, or in the nearest folder above that has
    /// one.
    ///
    /// # Errors
    /// Usage if the file cannot be read or contains unknown settings.
    pub(crate) fn of(folder: &Path) -> Result<Self> {
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        // A link to nowhere counts: without its settings, something else would be tested.
        let is_there = |path: &PathBuf| path.symlink_metadata().is_ok();
        match folder.ancestors().map(|folder| folder.join(NAME)).find(is_there) {
            Some(path) => Self::read(path),
            None => Ok(Self::default()),
        }
    }

    /// The path of the project file, if there is one.
    #[cfg(feature = "cli")]
    pub(crate) fn file(&self) -> Option<&Path> {
        Some(self.path.as_path()).filter(|path| !path.as_os_str().is_empty())
    }

    /// The folder of the project file; the current folder if there is no file yet.
    #[cfg(feature = "cli")]
    pub(crate) fn folder(&self) -> &Path {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        folder.unwrap_or(Path::new("."))
    }

    fn read(path: PathBuf) -> Result<Self> {
        let wrong = |why: String| Error::unreadable(path.display(), why);
        let text =
            file::read_text_up_to(&path, LARGEST).map_err(|error| wrong(error.to_string()))?;
        Self::parse(path, &text)
    }

    /// Parses the text of a project file.
    ///
    /// # Errors
    /// Usage, if the text is not TOML or contains unknown settings.
    pub(crate) fn parse(path: PathBuf, text: &str) -> Result<Self> {
        let keys = Keys::of(text);
        let says = match keys.check_tables().and_then(|()| keys.check_targets()) {
            Ok(()) => toml::from_str(text).map_err(|error| keys.wrong(text, &error)),
            Err(wrong) => Err(wrong),
        };
        match says {
            Ok(says) => Ok(Self { path, keys, says }),
            Err(Wrong { line, key, why, hint }) => {
                let place = place(&path, line, key.as_deref());
                Err(Error::usage(format!("{place}: {why}")).hint(hint))
            }
        }
    }

    /// The redaction of this project, or of a target in it, unless a script or the command line
    /// sets another.
    ///
    /// # Errors
    /// Usage for unknown names and for invalid regexes.
    pub(crate) fn redaction(&self, target: Option<&str>) -> Result<Redaction> {
        let Says { golden: Golden { strictness, redact }, .. } = &self.says;
        let mut redaction =
            self.changed(Redaction::new(), "golden", strictness.as_ref(), redact)?;
        for (name, Rule { regex, token }) in &self.says.redact {
            redaction = redaction
                .regex(regex, token)
                .map_err(|error| self.wrong(&format!("redact.{name}.regex"), &error))?;
        }
        match target.and_then(|name| Some((name, self.says.target.get(name)?))) {
            Some((name, Target { strictness, redact, .. })) => {
                self.changed(redaction, &format!("target.{name}"), strictness.as_ref(), redact)
            }
            None => Ok(redaction),
        }
    }

    /// The redaction, changed as a table of the file says.
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

    /// The error with the file and the key that it is about.
    fn wrong(&self, key: &str, error: &Error) -> Error {
        let place = place(&self.path, self.keys.line(key), Some(key));
        let wrong = Error::usage(format!("{place}: {}", error.message()));
        match error.next_step() {
            Some(hint) => wrong.hint(hint),
            None => wrong,
        }
    }
}

/// A place in a project file, as errors name it.
fn place(path: &Path, line: Option<usize>, key: Option<&str>) -> String {
    let line = line.map(|line| format!(", line {line}"));
    let key = key.map(|key| format!(", {}", visible::escape(key.as_bytes())));
    format!("{}{}{}", path.display(), line.unwrap_or_default(), key.unwrap_or_default())
}

#[cfg(feature = "cli")]
impl Project {
    /// The JSON schema of the file.
    pub(crate) fn schema() -> serde_json::Value {
        schemars::schema_for!(Says).to_value()
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
    fn a_project_file_that_nobody_writes_is_an_error() {
        let error = wrong(&"[run.params]\n".repeat(30_000));
        assert!(
            error.contains("cannot read /mailexpect.toml: it has more than 262144 bytes"),
            "{error}"
        );
        let rules =
            |n: usize| format!("[redact.t{n}]\nregex = '(a{{100}}){{90}}'\ntoken = \"T\"\n");
        let error = wrong(&(0..1000).map(rules).collect::<String>());
        assert!(error.contains("regexes for redaction take more than 16 MiB"), "{error}");
        let deep = wrong(&format!("a = {}", "[".repeat(200_000)));
        assert!(deep.contains("mailexpect.toml, line 1"), "{deep}");
    }

    #[test]
    fn a_mistake_in_the_project_file_is_named_with_its_place() {
        insta::assert_snapshot!(
            [
                "[golden]\nstrictness = 3\n",
                "[golden]\nstrict = \"codes\"\n",
                "[golden]\nstrictness = \"code\"\n",
                "[golden]\nredact = [\"imaps\"]\n",
                "[redact.x]\nregex = '('\ntoken = \"X\"\n",
                "golden = \n",
                "[target.x]\nsmtp = [\"smtp://localhost\"]\n",
                "[target.x]\ntimeout = \"soon\"\n",
                "[run]\ntimout = \"5s\"\n",
                "[run]\nflaky-result = \"maybe\"\n",
                "[run]\njobs = 0\n",
                "[targets.x]\nsmtp = \"x\"\n",
                "[colours]\n",
                "[golden]\n\n[target.x]\nsmtp = \"x\"\ntimout = \"5s\"\n",
                "[target.\"a.b\"]\nredakt = [\"imap\"]\n",
                "[target.x]\ntls = { insecur = true }\n",
                "[run.tls]\ncertificate = \"x\"\n",
                "[redact.x]\nregexp = 'a'\ntoken = \"X\"\n",
                "[golden]\nredact = []\n[redact.x]\ntoken = \"X\"\n",
                "[[run]]\n",
                "target.x = \"smtp://localhost\"\n",
                "[golden]\nredact = \"imap\"\n",
                "[run]\njobs = 99999999999999999999\n",
                "[run]\nretries = true\n",
                "[run.tls]\ncacert = 1.5\n",
            ]
            .map(wrong)
            .join("\n")
        );
    }

    #[cfg(feature = "cli")]
    #[test]
    fn the_options_of_a_target_are_those_of_the_schema() {
        let schema = Project::schema();
        let options = schema["$defs"]["Target"]["properties"].as_object().unwrap();
        let known: std::collections::BTreeSet<_> = says::TARGET.into_iter().collect();
        assert!(options.keys().map(String::as_str).eq(known), "{options:?}");
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
    fn a_target_is_its_parameters_and_says_more_than_run_does() {
        let (_folder, project) = project(
            "[run]\ntimeout = \"30s\"\ngrace = 2\n[run.params]\nuser = \"a\"\nfrom = \"b\"\n[target.postfix]\n\
             smtp = \"smtp://localhost:2525\"\ncount = 3\nfull = true\nfrom = \"c\"\ntimeout = \"5s\"\n\
             password = \"file:pw\"\nparams = { timeout = \"x\" }\n",
        );
        let project = project.unwrap();
        let profile = project.profile(Some("postfix")).unwrap();
        let params: Vec<_> =
            profile.params.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        let expected = "count=3 from=c full=true password=file:pw smtp=smtp://localhost:2525 timeout=x \
                        user=a";
        assert_eq!(params.join(" "), expected);
        let seconds = |span: Option<std::time::Duration>| span.map(|span| span.as_secs());
        assert_eq!((seconds(profile.timeout), seconds(profile.grace)), (Some(5), Some(2)));
        assert_eq!(seconds(project.profile(None).unwrap().timeout), Some(30));
        assert_eq!(
            project.profile(Some("postfx")).unwrap_err().next_step(),
            Some("did you mean `postfix`?")
        );
        assert!(Project::default().profile(Some("any")).unwrap().params.is_empty());
    }

    #[cfg(feature = "cli")]
    #[test]
    fn all_is_every_target_and_a_name_counts_once() {
        let (_folder, project) = project("[target.b]\nsmtp = \"x\"\n[target.a]\nsmtp = \"x\"\n");
        let project = project.unwrap();
        let expand = |names: &[&str]| {
            project.expand(&names.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap()
        };
        assert_eq!(expand(&["b", "all"]), ["b", "a"]);
        assert_eq!(expand(&[]), [""; 0]);
        assert!(Project::default().expand(&["all".to_owned()]).unwrap_err().is_usage());
    }

    #[cfg(feature = "cli")]
    #[test]
    fn a_secret_in_clear_is_named() {
        let (_folder, project) = project(
            "[run.params]\npassword = \"hunter2\"\n[target.a]\npassword = \"env:X\"\ntoken = \"abc\"\n",
        );
        let clear = project.unwrap().secrets_in_clear(|value| !value.starts_with("env:"));
        assert_eq!(clear, ["run.params.password", "target.a.token"]);
    }
}
