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

use std::os::unix::fs::MetadataExt as _;
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
        let Some(path) = folder.ancestors().map(|folder| folder.join(NAME)).find(is_there) else {
            return Ok(Self::default());
        };
        check_owner(&path, &folder)?;
        Self::read(path)
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

/// Makes sure that nobody has put a project file above a folder who could not put one into it. The
/// file may start programs (`cmd:`), and send secrets to its servers.
///
/// # Errors
/// Usage if the file belongs to another user than this one, root and the owner of the folder.
fn check_owner(path: &Path, folder: &Path) -> Result<()> {
    let own = rustix::process::geteuid().as_raw();
    let of_folder = folder.metadata().map_or(own, |folder| folder.uid());
    for found in [path.symlink_metadata(), path.metadata()] {
        // What cannot be looked at cannot be read either.
        let Ok(owner) = found.map(|found| found.uid()) else { continue };
        if !is_trusted(owner, own, of_folder) {
            let shown = visible::escape(path.as_os_str().as_encoded_bytes());
            let why = format!("it belongs to another user (uid {owner}), and may start programs");
            let error = Error::usage(format!("{shown} is refused: {why}"));
            return Err(error.hint("if you trust what it says, make it your own by chown"));
        }
    }
    Ok(())
}

/// Whether a file of this owner is used in a folder of that one.
fn is_trusted(owner: u32, own: u32, of_folder: u32) -> bool {
    [own, 0, of_folder].contains(&owner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_file_of_another_user_is_not_trusted() {
        assert!(is_trusted(1000, 1000, 1000) && is_trusted(0, 1000, 1000));
        assert!(is_trusted(1001, 0, 1001));
        assert!(!is_trusted(1001, 1000, 1000) && !is_trusted(1001, 0, 0));
    }
}
