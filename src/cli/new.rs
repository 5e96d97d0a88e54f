//! `mailexpect new`: creates a project to begin with.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;

use super::screen::Screen;
use crate::error::{Error, Result};
use crate::outcome::ExitCode;
use crate::report::Human;

const PROJECT: &str = r#"# The settings of all scripts of this project. mailexpect schema prints the schema of this file.

[run]
timeout = "30s"

# A server, for --target test.
[target.test]
smtp = "smtp://localhost:25"
# password = "env:TEST_PASSWORD"
"#;

const SCRIPT: &str = r#"// The server greets, and supports PIPELINING.
// tags: smoke
let s = connect(param("smtp"));      // --set smtp=..., --target, or else the embedded server
s.expect(220);
s.ehlo("client.example");
s.require_capability("PIPELINING");
s.quit();
"#;

const TEST: &str = r#"//! Makes each script in the folder a test. This needs `harness = false` in Cargo.toml:
//!
//! [[test]]
//! name = "scripts"
//! harness = false

mailexpect::scripts!("scripts", let server = mailexpect::server::Embedded::start().unwrap(), smtp = server.smtp());
"#;

/// The arguments.
#[derive(Args, Debug)]
#[command(after_help = "Example: mailexpect new mail-tests && cd mail-tests && mailexpect run")]
pub(super) struct New {
    /// The folder of the project, which is created if it does not exist.
    #[arg(value_name = "FOLDER", default_value = ".")]
    folder: PathBuf,
}

pub(super) fn new(args: &New, screen: &mut Screen) -> Result<ExitCode> {
    let mut files = vec![("mailexpect.toml", PROJECT), ("scripts/hello.rhai", SCRIPT)];
    // Only a Rust crate has a use for a test target.
    if args.folder.join("Cargo.toml").is_file() {
        files.push(("tests/scripts.rs", TEST));
    }
    let there = files.iter().map(|(name, _)| args.folder.join(name)).find(|path| path.exists());
    if let Some(path) = there {
        let error = Error::usage(format!("{} is there already", path.display()));
        return Err(error.hint("nothing was written; name a new folder: mailexpect new FOLDER"));
    }
    for (name, text) in files {
        let path = args.folder.join(name);
        write(&path, text).map_err(|error| Error::unwritable(path.display(), error))?;
        screen.show(&Human::written(&path));
    }
    Ok(ExitCode::Passed)
}

/// Writes a file. Fails if the file exists.
fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
}
