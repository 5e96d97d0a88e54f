//! The folder, the ports and the log of a server.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use mailexpect::server::Spawn;
use tempfile::TempDir;

use super::{DOMAIN, OTHER_PASSWORD, OTHER_USER, PASSWORD, Result, USER, authority};

/// A port that a server listens on: its name in templates and scripts, and the scheme of its URL.
pub(crate) type Listener = (&'static str, &'static str);

/// The folder of a server, with the ports that its configuration names.
#[derive(Debug)]
pub(crate) struct Home {
    folder: TempDir,
    /// Each listener with its port.
    listeners: Vec<(Listener, u16)>,
}

impl Home {
    /// A new folder with certificates in `tls` and an empty log; and the server that `command`
    /// starts in it, for which a port is chosen for each listener.
    pub(crate) fn new(
        server: &str,
        listeners: &[Listener],
        command: impl FnOnce(&Path) -> Command,
    ) -> Result<(Self, Spawn)> {
        // Not in `$TMPDIR`, which may be too deep for the name of a Unix socket (107 bytes).
        let folder = TempDir::with_prefix_in(format!("{server}-"), "/tmp")?;
        let mut spawn = mailexpect::Server::spawn(command(folder.path()));
        let port = |listener: &Listener| Ok((*listener, spawn.port_of(listener.0)?));
        let listeners = listeners.iter().map(port).collect::<mailexpect::Result<_>>()?;
        let home = Self { folder, listeners };
        home.make_folder("", 0o755)?;
        home.make_folder("tls", 0o755)?;
        home.write("log", "")?;

        for (name, pem) in authority::certificates() {
            home.write(&format!("tls/{name}.pem"), &pem)?;
            // The servers refuse a private key that everybody can read. The other files are read by
            // the servers' own users.
            let mode = if pem.contains("PRIVATE KEY") { 0o600 } else { 0o644 };
            fs::set_permissions(
                home.path(&format!("tls/{name}.pem")),
                Permissions::from_mode(mode),
            )?;
        }
        Ok((home, spawn))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Sets the mode explicitly, because the servers' own users need access to some folders,
    /// whatever our umask is.
    pub(crate) fn make_folder(&self, name: &str, mode: u32) -> io::Result<()> {
        fs::create_dir_all(self.path(name))?;
        fs::set_permissions(self.path(name), Permissions::from_mode(mode))
    }

    /// Writes a file from a template, in which each `@name@` is replaced by its value.
    pub(crate) fn write(&self, name: &str, template: &str) -> io::Result<()> {
        let mut file = File::create(self.path(name))?;
        file.write_all(self.fill(template).as_bytes())?;
        file.set_permissions(Permissions::from_mode(0o644))?;
        // Postfix waits until a file is at least two seconds old, in case an editor is still
        // writing it. Without an older time, this wait would be most of the time of a start.
        file.set_modified(SystemTime::now() - Duration::from_mins(1))
    }

    fn fill(&self, template: &str) -> String {
        let home = self.folder.path().to_string_lossy();
        let texts = [("home", &*home), ("domain", DOMAIN), ("user", USER), ("password", PASSWORD)];
        let others = [("other-user", OTHER_USER), ("other-password", OTHER_PASSWORD)];
        let filled =
            texts.iter().chain(&others).fold(template.to_owned(), |filled, (name, text)| {
                filled.replace(&format!("@{name}@"), text)
            });
        self.listeners.iter().fold(filled, |filled, ((name, _), port)| {
            filled.replace(&format!("@{name}@"), &port.to_string())
        })
    }

    /// The URL of each listener, after its name.
    pub(crate) fn urls(&self) -> Vec<(String, String)> {
        let url = |((name, scheme), port): &(Listener, u16)| {
            ((*name).to_owned(), format!("{scheme}://127.0.0.1:{port}"))
        };
        self.listeners.iter().map(url).collect()
    }

    /// The URL of the listener of this name.
    pub(crate) fn url(&self, listener: &str) -> String {
        let url = self.urls().into_iter().find(|(name, _)| name == listener);
        url.unwrap_or_else(|| panic!("no listener is called {listener}")).1
    }

    /// The content of all files whose names begin with `log`: Exim writes several.
    pub(crate) fn log(&self) -> String {
        let files = fs::read_dir(self.folder.path()).into_iter().flatten().flatten();
        let logs = files.filter(|file| file.file_name().to_string_lossy().starts_with("log"));
        logs.map(|log| {
            String::from_utf8_lossy(&fs::read(log.path()).unwrap_or_default()).into_owned()
        })
        .collect()
    }

    fn log_file(&self) -> io::Result<File> {
        File::options().append(true).open(self.path("log"))
    }

    /// Runs a command to its end. Its output goes to the log, as that of the servers does.
    pub(crate) fn run(&self, command: &mut Command) -> io::Result<()> {
        let status = command.stdout(self.log_file()?).stderr(self.log_file()?).status()?;
        status
            .success()
            .then_some(())
            .ok_or_else(|| io::Error::other(format!("{command:?}: {status}")))
    }
}
