//! The permissions of a script: which files, sockets, processes and addresses it may use.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::Run;
use crate::error::{Error, Result};
use crate::file;
use crate::runtime;
use crate::target::{Endpoint, Target};

/// The most bytes of a file that a script names. A larger file is an error.
const LARGEST_FILE: u64 = 16 << 20;

impl Run {
    /// Whether a script may import a file. The file has to be in the script's folder, in the
    /// current folder, or below one of them, after symbolic links were followed. True for a file
    /// that does not exist, because the import reports that better.
    pub(in crate::script) fn may_import(&self, file: &Path) -> bool {
        let Ok(file) = file.canonicalize() else { return true };
        let current = Path::new(".");
        let folder = if self.folder.as_os_str().is_empty() { current } else { &self.folder };
        [folder, current]
            .iter()
            .any(|folder| folder.canonicalize().is_ok_and(|folder| file.starts_with(folder)))
    }

    /// Makes sure that a script may connect to a URL. A unix socket outside of the folders of
    /// [`Run::may_import`] may belong to any program, and connecting to it could use the rights of
    /// the user.
    pub(in crate::script) fn may_connect(&self, url: &str) -> Result<()> {
        let target = Target::parse(url)?;
        let Endpoint::Unix(path) = &target.endpoint else { return Ok(()) };
        let is_given = self.settings().params.values().any(|value| value == url);
        // A socket that does not exist is judged by its folder.
        let file = if path.exists() { Some(path.as_path()) } else { path.parent() };
        let is_near = file.is_none_or(|file| self.may_import(file));
        let is_ours = || self.peers.has_listener_at(path);
        if is_given || self.settings().allow_sockets || is_near || is_ours() {
            return Ok(());
        }
        let error = Error::usage(format!("the script may not connect to {target}"))
            .with_expected("a unix socket in the script's folder or the current one");
        Err(error.hint("give the URL by --set, or --allow-sockets if you trust the script"))
    }

    /// Makes sure that a script may start processes.
    pub(in crate::script) fn may_start(&self) -> Result<()> {
        if self.settings().allow_run {
            return Ok(());
        }
        let error = Error::usage("this script may not start a process");
        Err(error.hint("scripts are sandboxed; give --allow-run if you trust it"))
    }

    /// Reads a file that a script names. The caller has to have given the path as a parameter, or
    /// the file has to be where the script may import or read files. The path is relative to the
    /// script, unless the caller gave it.
    pub(in crate::script) fn read(&self, path: &str) -> Result<Vec<u8>> {
        let file = self.readable(path)?;
        file::read_up_to(&file, LARGEST_FILE).map_err(|error| {
            let unread = Error::unreadable(path, &error);
            runtime::explained(unread, &error)
        })
    }

    /// Returns the path of a file that a script names, if the script may read the file.
    pub(in crate::script) fn readable(&self, path: &str) -> Result<PathBuf> {
        let is_given = self.settings().params.values().any(|value| value == path);
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

    /// Returns the path of a file that a script follows, if the script may read the file. If the
    /// file does not exist yet, its folder is checked now, and the file itself is checked when it
    /// exists.
    pub(in crate::script) fn may_follow(&self, path: &str) -> Result<PathBuf> {
        let file = self.readable(path)?;
        let folder = Path::new(path).parent().filter(|folder| !folder.as_os_str().is_empty());
        let is_given = self.settings().params.values().any(|value| value == path);
        if !is_given
            && !file.exists()
            && let Some(folder) = folder.and_then(Path::to_str)
        {
            self.readable(folder)?;
        }
        Ok(file)
    }

    /// Whether the file is in a folder that the caller granted. If the file does not exist yet, its
    /// folder decides.
    fn is_allowed(&self, file: &Path) -> bool {
        let there = file.canonicalize().or_else(|_| {
            let name = file.file_name().unwrap_or_default();
            Ok::<_, std::io::Error>(file.parent().unwrap_or(file).canonicalize()?.join(name))
        });
        let Ok(there) = there else { return false };
        let folders = self.settings().allow_read.iter();
        let mut folders = folders.filter_map(|folder| folder.canonicalize().ok());
        folders.any(|folder| there.starts_with(folder))
    }

    /// Makes sure that the script may listen on an address.
    pub(in crate::script) fn may_listen(&self, to: &str) -> Result<()> {
        if self.settings().allow_listen || !to.contains("://") {
            return Ok(());
        }
        let target = Target::parse(to)?;
        let is_near = match &target.endpoint {
            Endpoint::Host { host, .. } => {
                host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
            }
            Endpoint::Unix(path) => path.parent().is_some_and(|folder| self.may_import(folder)),
            Endpoint::Exchangers { .. } => true,
        };
        if is_near {
            return Ok(());
        }
        let error = Error::usage(format!("the script may not listen on {target}"))
            .with_expected("a loopback address, or a unix socket in the script's folder");
        Err(error.hint("give --allow-listen if you trust the script"))
    }
}
