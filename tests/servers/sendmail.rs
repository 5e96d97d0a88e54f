//! Sendmail, with Cyrus SASL to check passwords.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::home::{Home, Listener};
use super::{DOMAIN, OTHER_PASSWORD, PASSWORD, Server, Unavailable, find, need_root};

const LISTENERS: &[Listener] = &[
    // Like port 25: STARTTLS; mail for the users is accepted, relaying is refused. Unlike the other
    // servers, it offers AUTH here.
    ("smtp", "smtp"),
    // The same without AUTH: `M=A`.
    ("noauth", "smtp"),
    // Like port 587, but a password may also be sent in clear; and like port 465.
    ("submission", "submission"),
    ("submissions", "submissions"),
];

/// The programs and files that are needed.
struct Parts {
    sendmail: PathBuf,
    macros: PathBuf,
    m4: PathBuf,
    saslpasswd2: PathBuf,
    unshare: PathBuf,
}

impl Parts {
    fn find() -> Result<Self, Unavailable> {
        need_mechanisms()?;
        Ok(Self {
            sendmail: find(
                &["usr/libexec/sendmail/sendmail", "usr/lib/sm.bin/sendmail"],
                "sendmail-bin",
            )?,
            macros: find(&["usr/share/sendmail/cf"], "sendmail-cf")?,
            m4: find(&["usr/bin/m4"], "m4")?,
            saslpasswd2: find(&["usr/sbin/saslpasswd2"], "sasl2-bin")?,
            unshare: find(&["usr/bin/unshare"], "util-linux")?,
        })
    }
}

/// Fails without the plugins of libsasl: the library would only offer fewer mechanisms, and report
/// nothing.
fn need_mechanisms() -> Result<(), Unavailable> {
    let mut folders = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let found = folders.any(|folder| folder.path().join("sasl2/liblogin.so").exists());
    found.then_some(()).ok_or_else(|| {
        Unavailable("no SASL mechanisms here: install the package libsasl2-modules".into())
    })
}

/// Fails without the permission that [`command_line`] needs, which root may lack in a container.
fn need_host_name(parts: &Parts) -> Result<(), Unavailable> {
    let output = Command::new(&parts.unshare).args(["--uts", "true"]).output();
    let allowed = output.is_ok_and(|output| output.status.success());
    let why =
        "a throw-away Sendmail needs a host name of its own, and `unshare --uts` is refused here";
    allowed.then_some(()).ok_or_else(|| Unavailable(why.into()))
}

/// Starts Sendmail, or returns why this machine cannot.
///
/// # Panics
/// If Sendmail is installed and does not start.
pub(crate) fn start() -> Result<Server, Unavailable> {
    need_root("Sendmail")?;
    let parts = Parts::find()?;
    need_host_name(&parts)?;
    let (home, spawn) = Home::new("sendmail", LISTENERS, |folder| command_line(folder, &parts))
        .expect("a folder in /tmp and free ports");
    configure(&home, &parts)
        .unwrap_or_else(|error| panic!("Sendmail cannot be configured: {error}\n{}", home.log()));
    let started = spawn.wait_ready(&home.url("smtp"));
    let sendmail =
        started.unwrap_or_else(|error| panic!("Sendmail does not start: {error}\n{}", home.log()));
    Ok(Server::new(home, vec![sendmail]))
}

/// Sendmail sleeps for a minute at each start if the name of the host has no dot or cannot be
/// looked up, even if the configuration sets the name. So the host gets an address as its name,
/// which is never looked up. A namespace limits this name to the one process.
fn command_line(folder: &Path, parts: &Parts) -> Command {
    let mut command = Command::new(&parts.unshare);
    command.args(["--uts", "sh", "-c", r#"hostname 127.0.0.1 && exec "$@""#, "sh"]);
    command
        .arg(&parts.sendmail)
        .arg("-bD")
        .arg("-C")
        .arg(folder.join("sendmail.cf"))
        .arg("-X")
        .arg(folder.join("log"));
    command
}

fn configure(home: &Home, parts: &Parts) -> io::Result<()> {
    home.make_folder("queue", 0o700)?;
    home.make_folder("sasl", 0o755)?;
    home.write("helpfile", "")?;
    home.write("service.switch", "hosts files\naliases files\n")?;
    home.write("sasl/Sendmail.conf", include_str!("sendmail/sasl.conf"))?;
    home.write("sendmail.mc", include_str!("sendmail/sendmail.mc"))?;
    home.write("sendmail.cf", &expand(home, parts)?)?;
    for (user, password) in [("hoge", PASSWORD), ("fuga", OTHER_PASSWORD)] {
        add_user(home, &parts.saslpasswd2, user, password)?;
    }
    Ok(())
}

fn expand(home: &Home, parts: &Parts) -> io::Result<String> {
    let folder = parts.macros.display();
    let mut m4 = Command::new(&parts.m4);
    m4.arg(format!("-D_CF_DIR_={folder}/"))
        .arg(parts.macros.join("m4/cf.m4"))
        .arg(home.path("sendmail.mc"));
    let output = m4.stderr(Stdio::inherit()).output()?;
    let text = String::from_utf8(output.stdout).map_err(io::Error::other)?;
    output
        .status
        .success()
        .then_some(text)
        .ok_or_else(|| io::Error::other(format!("m4: {}", output.status)))
}

fn add_user(home: &Home, saslpasswd2: &Path, user: &str, password: &str) -> io::Result<()> {
    let mut command = Command::new(saslpasswd2);
    command.args(["-p", "-c", "-f"]).arg(home.path("sasldb")).args(["-u", DOMAIN, user]);
    let mut child = command.stdin(Stdio::piped()).spawn()?;
    child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(password.as_bytes()))?;
    let status = child.wait()?;
    status
        .success()
        .then_some(())
        .ok_or_else(|| io::Error::other(format!("saslpasswd2: {status}")))?;
    fs::metadata(home.path("sasldb")).map(|_| ())
}
