//! What a script may touch: files, sockets, processes and addresses.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::Run;
use crate::error::{Error, Result};
use crate::file;
use crate::target::{Place, Target};

/// No more is read of a file that a script names.
const LARGEST_FILE: u64 = 16 << 20;

impl Run {
    /// Whether a script may import that file: it lies in the folder of the script or in the current
    /// one, or below, symbolic links followed. What is not there is for the import to say.
    pub(in crate::script) fn may_import(&self, file: &Path) -> bool {
        let Ok(file) = file.canonicalize() else { return true };
        let current = Path::new(".");
        let folder = if self.folder.as_os_str().is_empty() { current } else { &self.folder };
        [folder, current]
            .iter()
            .any(|folder| folder.canonicalize().is_ok_and(|folder| file.starts_with(folder)))
    }

    /// Makes sure that a script may connect there: a unix socket outside of where it may import from
    /// may be anybody's, and give its user's rights away.
    pub(in crate::script) fn may_connect(&self, url: &str) -> Result<()> {
        let target = Target::parse(url)?;
        let Place::Unix(path) = &target.place else { return Ok(()) };
        let is_given = self.settings.params.values().any(|value| value == url);
        // A socket that is not there is as far away as its folder.
        let file = if path.exists() { Some(path.as_path()) } else { path.parent() };
        let is_near = file.is_none_or(|file| self.may_import(file));
        let is_ours = || self.listeners.borrow().iter().any(|own| own.listener().path() == *path);
        if is_given || self.settings.allow_sockets || is_near || is_ours() {
            return Ok(());
        }
        let error = Error::usage(format!("the script may not connect to {target}"))
            .with_expected("a unix socket in the script's folder or the current one");
        Err(error.hint("give the URL by --set, or --allow-sockets if you trust the script"))
    }

    /// Makes sure that a script may start processes.
    pub(in crate::script) fn may_start(&self) -> Result<()> {
        if self.settings.allow_run {
            return Ok(());
        }
        let error = Error::usage("this script may not start a process");
        Err(error.hint("scripts are sandboxed; give --allow-run if you trust it"))
    }

    /// Reads a file that a script names: one that the caller has given as a parameter, or one where
    /// scripts may import from, its path relative to the script.
    pub(in crate::script) fn read(&self, path: &str) -> Result<Vec<u8>> {
        let file = self.readable(path)?;
        file::read_up_to(&file, LARGEST_FILE)
            .map_err(|error| Error::usage(format!("cannot read {path}: {error}")))
    }

    /// The file that a script names, if it may read it.
    pub(in crate::script) fn readable(&self, path: &str) -> Result<PathBuf> {
        let is_given = self.settings.params.values().any(|value| value == path);
        let file = if is_given { PathBuf::from(path) } else { self.folder.join(path) };
        if !is_given && !self.may_import(&file) && !self.is_allowed(&file) {
            let why = "it lies outside of the script's folder and of the current one";
            let error = Error::usage(format!("the script may not read {path}: {why}"));
            return Err(error.hint(
                "give its folder by --allow-read, or the path by --set and say param(...) in its place",
            ));
        }
        Ok(file)
    }

    /// The file that a script follows, if it may read it. One that is not there yet has its folder
    /// looked at; once it is there, it is looked at itself.
    pub(in crate::script) fn may_follow(&self, path: &str) -> Result<PathBuf> {
        let file = self.readable(path)?;
        let folder = Path::new(path).parent().filter(|folder| !folder.as_os_str().is_empty());
        let is_given = self.settings.params.values().any(|value| value == path);
        if !is_given
            && !file.exists()
            && let Some(folder) = folder.and_then(Path::to_str)
        {
            self.readable(folder)?;
        }
        Ok(file)
    }

    /// Whether the file lies in a folder that the caller granted. One that is not there yet has
    /// its folder looked at.
    fn is_allowed(&self, file: &Path) -> bool {
        let there = file.canonicalize().or_else(|_| {
            let name = file.file_name().unwrap_or_default();
            Ok::<_, std::io::Error>(file.parent().unwrap_or(file).canonicalize()?.join(name))
        });
        let Ok(there) = there else { return false };
        let folders = self.settings.allow_read.iter();
        let mut folders = folders.filter_map(|folder| folder.canonicalize().ok());
        folders.any(|folder| there.starts_with(folder))
    }

    /// Makes sure that the script may listen there.
    pub(in crate::script) fn may_listen(&self, to: &str) -> Result<()> {
        if self.settings.allow_listen || !to.contains("://") {
            return Ok(());
        }
        let target = Target::parse(to)?;
        let is_near = match &target.place {
            Place::Host { host, .. } => {
                host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
            }
            Place::Unix(path) => path.parent().is_some_and(|folder| self.may_import(folder)),
            Place::Exchangers { .. } => true,
        };
        if is_near {
            return Ok(());
        }
        let error = Error::usage(format!("the script may not listen on {target}"))
            .with_expected("a loopback address, or a unix socket in the script's folder");
        Err(error.hint("give --allow-listen if you trust the script"))
    }
}
