//! A real mail server for a test: starts the server, waits until it greets, and ends it when the
//! test is done.

mod group;
mod log;
mod ports;
mod template;

use std::borrow::Borrow;
use std::process::{Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use group::Group;
use log::Log;
pub(crate) use ports::Ports;
use template::Template;

use crate::error::{Error, Kind, Result, Waited};
use crate::runtime;
use crate::session::Options;
use crate::target::Target;
use crate::transcript::Transcript;
use crate::transport::{Route, connect};

/// How long a server may take to greet, unless set. Long, because on a busy machine most of this
/// time passes before the server executes its first instruction.
const PATIENCE: Duration = Duration::from_secs(30);
/// The most time for checking whether another server listens already.
const LOOK: Duration = Duration::from_millis(500);
/// The most time for reading the rest of the output of a server that has ended.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// The exit status of `env`, `setsid` and shells if a program is not found (POSIX).
const NOT_FOUND: i32 = 127;

/// A server that runs as a process of its own, on free loopback ports.
///
/// Dropping it ends the process and all processes that it started, except those that left its
/// process group: SIGTERM first, then SIGKILL for what is left after the command has ended, or
/// after two seconds. The server also ends if the test's own process is killed, and if the `Server`
/// is in a `static`, which is never dropped. A test that panics while it holds a `Server` prints
/// the end of the server's log.
///
/// ```
/// use std::process::Command;
/// use mailexpect::{Server, Session};
///
/// // In place of this, the command line of any server that stays in the foreground.
/// const SERVER: &str = r#"
///     my $listener = IO::Socket::INET->new(Listen => 5, ReuseAddr => 1, LocalAddr => "127.0.0.1:$ARGV[0]") or die "cannot listen: $!";
///     while (my $client = $listener->accept) {
///         print $client "220 localhost ESMTP\r\n";
///         while (<$client>) { print $client /^QUIT/i ? "221 bye\r\n" : "250 ok\r\n"; last if /^QUIT/i }
///     }
/// "#;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = Server::spawn(Command::new("perl").args(["-MIO::Socket", "-e", SERVER, "{port}"]))
///     .wait_ready("smtp://127.0.0.1:{port}")?;
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let mut session = Session::connect(server.url()).await?;
/// session.expect(220).await?;
/// session.quit().await?;
/// session.finish().await?;
/// # Ok::<_, mailexpect::Error>(())
/// # })?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Server {
    group: Group,
    log: Log,
    /// The command, as errors show it.
    name: String,
    url: String,
    ports: Ports,
    patience: Duration,
}

/// A server that is not started yet: see [`Server::spawn`].
#[derive(Debug)]
#[must_use = "it starts when it is waited for"]
pub struct Spawn {
    template: Template,
    ports: Ports,
    patience: Duration,
}

impl Server {
    /// Prepares a server that a command starts. The command has to stay in the foreground:
    /// `dovecot -F`, `exim -bdf`. For Postfix, use `master -s`, which is in its `daemon_directory`:
    /// `postfix start-fg` puts the master into a session of its own, in which the master would be
    /// left running.
    ///
    /// In the arguments and in the variables that the command sets, `{port}` stands for a free
    /// loopback port, `{port:imap}` for another port of that name, and so on for up to 31 names.
    /// The command's program, arguments, variables and folder are used; its input is empty, and its
    /// output goes into the [log](Self::log).
    pub fn spawn(command: impl Borrow<Command>) -> Spawn {
        Spawn {
            template: Template::of(command.borrow()),
            ports: Ports::default(),
            patience: PATIENCE,
        }
    }

    /// The URL at which the server was waited for, with the port filled in:
    /// `smtp://127.0.0.1:10241`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The URL of the port whose name is a scheme: for `imap`, `imap://127.0.0.1:` followed by the
    /// port of `{port:imap}`.
    ///
    /// # Panics
    /// If there is no such port, or no such scheme.
    #[must_use]
    #[track_caller]
    pub fn url_of(&self, name: &str) -> String {
        let url = format!("{name}://127.0.0.1:{}", self.port_of(name));
        assert!(
            Target::parse(&url).is_ok(),
            "`{name}` is not a scheme: say port_of(\"{name}\") for the port alone"
        );
        url
    }

    /// The port that `{port}` stands for.
    ///
    /// # Panics
    /// If the command has no `{port}`.
    #[must_use]
    #[track_caller]
    pub fn port(&self) -> u16 {
        self.ports.get("").unwrap_or_else(|| panic!("there is no {{port}} in `{}`", self.name))
    }

    /// The port that `{port:name}` stands for.
    ///
    /// # Panics
    /// If the command has no such port.
    #[must_use]
    #[track_caller]
    pub fn port_of(&self, name: &str) -> u16 {
        self.ports
            .get(name)
            .unwrap_or_else(|| panic!("there is no {{port:{name}}} in `{}`", self.name))
    }

    /// What the server has printed so far, to stdout and stderr: the last 256 KiB, with control
    /// characters escaped.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// The exit status or signal with which the server ended; `None` while it runs. A panicking
    /// test prints this too.
    #[must_use]
    pub fn status(&self) -> Option<ExitStatus> {
        self.group.status()
    }

    /// Waits until the server greets at another of its ports as well.
    ///
    /// # Errors
    /// Same as [`Spawn::wait_ready`].
    pub fn wait_ready(&self, url: &str) -> Result<()> {
        block(|| self.wait_ready_async(url))
    }

    /// [`Server::wait_ready`] for async code.
    ///
    /// # Errors
    /// Same as [`Spawn::wait_ready`].
    pub async fn wait_ready_async(&self, url: &str) -> Result<()> {
        self.greeted(&fill(url, &self.ports)?).await
    }

    /// Waits until the server greets, or has ended.
    async fn greeted(&self, url: &str) -> Result<()> {
        let started = Instant::now();
        let options =
            Options::new().unjudged().timeout(self.patience).transcript(Transcript::new());
        let greeted = tokio::select! {
            greeted = options.wait_ready(url) => greeted,
            _ = self.group.ended() => Ok(()),
        };
        let failed = match (self.group.status(), greeted) {
            // If another process greeted at this address, it was not this server.
            (Some(status), _) => self.gone(status, url),
            (None, Ok(())) => return Ok(()),
            (None, Err(error)) if error.is_usage() => return Err(error),
            (None, Err(error)) => self.not_ready(&error, url),
        };
        Err(failed.with_waited(Waited { elapsed: started.elapsed(), allowed: self.patience }))
    }

    fn gone(&self, status: ExitStatus, url: &str) -> Error {
        self.log.wait_over(LAST_WORDS);
        let error =
            Error::new(Kind::Unreachable, format!("`{}` ended before it was ready", self.name));
        let log = self.log.end();
        let hint = if log.to_ascii_lowercase().contains("already in use") {
            "another program has taken its port in the meantime, or a file that it locks: run the test again, and look for a server that was left over"
        } else if status.code() == Some(NOT_FOUND) {
            "look for a mistake in its name, or give its whole path"
        } else if status.success() {
            "it has to stay in the foreground: look for an option to that effect, such as -F or --foreground"
        } else {
            "run the command by hand; what it printed says why it ended"
        };
        error
            .with_expected(format!("a server at {url}"))
            .with_got(format!("{status}; {log}"))
            .hint(hint)
    }

    fn not_ready(&self, error: &Error, url: &str) -> Error {
        let (message, hint) = if error.is_unreachable() {
            (
                "was not ready in time",
                "look at what it printed; Spawn::timeout gives a slow one longer",
            )
        } else {
            let hint = error
                .next_step()
                .unwrap_or("look at the scheme of the URL, and at which port is which");
            ("is not what the URL says", hint)
        };
        let failed = Error::new(error.kind(), format!("`{}` {message}", self.name));
        let came = error.got().unwrap_or(error.message());
        let failed = failed.with_got(format!("{came}; {}", self.log.end())).hint(hint);
        failed.with_expected(format!("{} at {url}", error.expected().unwrap_or("a server")))
    }
}

impl Drop for Server {
    #[allow(
        clippy::print_stderr,
        reason = "a test that fails shows what is printed, and there is no other way to add to it"
    )]
    fn drop(&mut self) {
        if thread::panicking() {
            let ended = match self.group.status() {
                Some(status) => format!("it has ended ({status}); "),
                None => String::new(),
            };
            eprintln!("the server `{}`: {ended}{}", self.name, self.log.end());
        }
    }
}

impl Spawn {
    /// How long the server may take to be ready; 30 s unless set.
    pub fn timeout(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The port that `{port}` will stand for, for a configuration file that is written before the
    /// start.
    ///
    /// # Errors
    /// Usage if no port is free.
    pub fn port(&mut self) -> Result<u16> {
        self.ports.choose("")
    }

    /// The port that `{port:name}` will stand for.
    ///
    /// # Errors
    /// Usage if no port is free.
    pub fn port_of(&mut self, name: &str) -> Result<u16> {
        self.ports.choose(name)
    }

    /// Starts the server, and waits until it greets at the URL, such as `smtp://127.0.0.1:{port}`,
    /// as its protocol requires; for `tcp` and `tls`, a connection is enough. The certificate is
    /// not verified. This also works in async code, but blocks its thread;
    /// [`Spawn::wait_ready_async`] does not.
    ///
    /// # Errors
    /// Unreachable if the server cannot be started, ends, or does not greet in time, or if another
    /// process listens there already; mismatch or malformed at once if the greeting is a wrong one;
    /// usage for a URL that cannot be read. Each error except the last names the command, and shows
    /// the end of its log.
    pub fn wait_ready(self, url: &str) -> Result<Server> {
        block(|| self.wait_ready_async(url))
    }

    /// [`Spawn::wait_ready`] for async code.
    ///
    /// ```
    /// # use std::process::Command;
    /// # use mailexpect::Server;
    /// # const SERVER: &str = r#"$l = IO::Socket::INET->new(Listen => 5, ReuseAddr => 1, LocalAddr => "127.0.0.1:$ARGV[0]"); 1 while $l->accept;"#;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> mailexpect::Result<()> {
    /// let mut command = Command::new("perl");
    /// command.args(["-MIO::Socket", "-e", SERVER, "{port}"]);
    /// let server = Server::spawn(command).wait_ready_async("tcp://127.0.0.1:{port}").await?;
    /// assert_eq!(server.url(), format!("tcp://127.0.0.1:{}", server.port()));
    /// assert!(server.status().is_none(), "it has not ended");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Same as [`Spawn::wait_ready`].
    pub async fn wait_ready_async(mut self, url: &str) -> Result<Server> {
        let template = self.template.fill(|name| self.ports.choose(name))?;
        let url = fill(url, &self.ports)?;
        let name = template.shown();
        make_sure_nobody_listens(&url).await?;
        let (group, log) = Group::start(&template).map_err(|error| {
            let error = Error::new(Kind::Unreachable, format!("`{name}` cannot be started"))
                .with_got(error.to_string());
            error
                .with_expected("a running command")
                .hint("look for a mistake in its name, or give its whole path")
        })?;
        let server = Server { group, log, name, url, ports: self.ports, patience: self.patience };
        server.greeted(&server.url).await?;
        Ok(server)
    }
}

/// Fills in the ports of a URL, which the command must have too.
fn fill(url: &str, ports: &Ports) -> Result<String> {
    template::fill(url, |name| {
        ports.get(name).ok_or_else(|| {
            let place = if name.is_empty() { "{port}".to_owned() } else { format!("{{port:{name}}}") };
            let error = Error::usage(format!("the URL has {place}, which the command has not"));
            error.hint("write it in an argument or a variable of the command, or ask for the port before by Spawn::port_of")
        })
    })
}

/// Checks that no other server listens at the URL, because it would greet in place of the new
/// server.
async fn make_sure_nobody_listens(url: &str) -> Result<()> {
    let connected = connect(&Target::parse(url)?, &Route::default(), LOOK, |_, _| {}).await;
    if connected.is_err() {
        return Ok(());
    }
    let error = Error::new(
        Kind::Unreachable,
        format!("something already listens at {url} before the server was started"),
    );
    let error = error.with_expected("nobody there").with_got("a connection");
    Err(error.hint("end the server that was left over, or write {port} for a port that is free"))
}

/// Runs a future to its end on a thread of its own, because the caller's thread may be in a
/// runtime, which must not run another.
fn block<T: Send, F: Future<Output = Result<T>>>(future: impl FnOnce() -> F + Send) -> Result<T> {
    let run = || runtime::current_thread()?.block_on(future());
    thread::scope(|scope| match scope.spawn(run).join() {
        Ok(outcome) => outcome,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}
