//! `mailexpect talk`: a dialogue that the user types.

mod commands;
mod completion;
mod conversation;
mod editor;
mod hearing;
mod held_back;
mod output;
mod saving;

use std::time::Duration;

use clap::Args;

use super::options::{Connecting, parse_duration};
use super::screen::Screen;
use super::{descriptors, server, tls};
use crate::error::Result;
use crate::outcome::ExitCode;
use crate::session::{Options, block_on};

use conversation::Conversation;
use editor::Editor;

const EXAMPLES: &str = "Examples:
  mailexpect talk mail.example.com 25         # as telnet
  mailexpect talk smtps://mail.example.com    # as openssl s_client
  mailexpect talk localhost:2525 --save dialogue.rhai
  printf 'EHLO x\\nQUIT\\n' | mailexpect talk localhost:2525

At the prompt, `:help` shows the commands: `:starttls`, `:auth USER`,
`:data FILE`, `:raw TEXT`, `:save FILE`. Ctrl-D leaves. If stdin is not a
terminal, each line is sent after the reply to the line before.";

/// The arguments.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Talk {
    /// A URL, a host, `HOST:PORT`, or the path of a unix socket. The port decides what is spoken
    /// if there is no scheme.
    #[arg(value_name = "SERVER")]
    server: String,
    /// The port, as telnet takes it.
    #[arg(value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// At the end, write the dialogue to this file, as a script for `mailexpect run`.
    #[arg(long, value_name = "FILE")]
    save: Option<std::path::PathBuf>,
    /// Replace the file that --save names if it is there.
    #[arg(long, requires = "save")]
    force: bool,
    /// Set the deadline of connecting, and of each reply if stdin is no terminal: `--timeout 30s`.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = parse_duration)]
    timeout: Duration,
    #[command(flatten)]
    connecting: Connecting,
    #[command(flatten)]
    tls: tls::Tls,
}

pub(super) fn talk(args: Talk, screen: &mut Screen) -> Result<ExitCode> {
    let url = server::url(&args.server, args.port, "tcp")?;
    let saving = saving::Saving::new(args.save, args.force)?;
    let options = args.connecting.options(Options::new().timeout(args.timeout), &[]);
    let options = options.tls(args.tls.options(crate::tls::Options::new())?);
    descriptors::provide(descriptors::NEEDED)?;
    let editor = Editor::start(&url)?;
    let is_told = args.server.contains("://");
    let conversation = Conversation::new((url, is_told), editor, saving, (screen, args.timeout));
    block_on(conversation.hold(options))
}
