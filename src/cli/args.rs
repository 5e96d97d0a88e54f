//! The command line: all commands, and the arguments of some of them.

use std::path::PathBuf;

use clap::{Args as Arguments, Parser, Subcommand};

use super::options::{Paths, Redacting, parse_set};
use super::screen::Color;

/// Run scripted mail dialogues against real servers, in lock-step.
#[derive(Debug, Parser)]
#[command(
    version,
    max_term_width = 80,
    after_help = "Exit codes: 0 all passed, 1 an expectation or a golden failed, 2 a script or the\ncommand line is wrong, 3 a server could not be reached or TLS failed, 130\ninterrupted; the worst one wins.\n\nExample: mailexpect run relay.rhai --set smtp=smtp://mail.example.com"
)]
pub(super) struct Args {
    /// Colour the output: auto (on a terminal, unless `NO_COLOR` is set), always or never.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub(super) color: Color,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run scripts.
    #[command(
        after_help = "Examples:\n  mailexpect run scripts\n  mailexpect run relay.rhai --set smtp=smtp://mail.example.com -v\n  mailexpect run @relay smtp://mail.example.com\n  mailexpect run -e 's.expect(220); s.quit()' smtp://localhost:2525\n  mailexpect run - smtp://localhost:2525 < relay.rhai"
    )]
    Run(Box<super::run::Run>),
    /// Check syntax, words and parameters of scripts without connecting.
    #[command(
        after_help = "Examples:\n  mailexpect check scripts\n  mailexpect check relay.rhai --set smtp=smtp://localhost"
    )]
    Check(Check),
    /// List the scripts that `run` would run, one line each.
    #[command(
        after_help = "Examples:\n  mailexpect list scripts --verbose\n  mailexpect list --shipped"
    )]
    List(List),
    /// Write built-in scripts to files, so that you can change them.
    Eject(super::eject::Eject),
    /// Show side by side what two servers answer to a script, after redaction.
    Diff(Box<super::diff::Diff>),
    /// Make reports of finished runs.
    #[command(after_help = "Example:\n  mailexpect report merge part-*.json --junit report.xml")]
    Report(super::merge::Report),
    /// Show a recording of a run: what its sessions sent and received, and when.
    Show(super::show::Show),
    /// Review transcripts that differ from their goldens, one by one.
    #[command(
        after_help = "Examples:\n  mailexpect review\n  mailexpect review scripts/relay.rhai"
    )]
    Review(Review),
    /// Accept transcripts that wait for review as the goldens.
    #[command(after_help = "Examples:\n  mailexpect accept relay.rhai\n  mailexpect accept --all")]
    Accept(Decide),
    /// Delete transcripts that wait for review.
    #[command(after_help = "Examples:\n  mailexpect reject relay.rhai\n  mailexpect reject --all")]
    Reject(Decide),
    /// Redact a transcript as goldens are, and explain which rule changed what.
    #[command(
        after_help = "Passwords and tokens that clients sent are masked everywhere in the transcript,
in all their forms. For this, the whole transcript is read first, from the file
or from stdin: at most 64 MiB.\n\nExamples:\n  mailexpect redact --explain < transcript.txt\n  mailexpect redact --list"
    )]
    Redact(Redact),
    /// Run the embedded mail server, or a script as the server, and show each dialogue.
    #[command(
        after_help = "Examples:\n  mailexpect serve\n  mailexpect serve --smtp 127.0.0.1:2525 --ca ca.pem\n  mailexpect serve --script fake.rhai --port 2525\n  mailexpect serve --on-demand --ready-fd 3 3>ready.json"
    )]
    Serve(Box<super::serve::Serve>),
    /// Pass sessions on to a server, and write a script, a golden and a trace of each.
    Record(Box<super::record::Record>),
    /// Create a project: a project file and a first script.
    New(super::new::New),
    /// Print code for a shell that completes arguments: scripts, targets, parameters, presets.
    Completions(super::completions::Completions),
    /// Write manual pages.
    Man(super::man::Man),
    /// Talk with a server line by line, as with telnet or `openssl s_client`.
    Talk(super::talk::Talk),
    /// Send a message and show the dialogue, as swaks does.
    Send(Box<super::send::Send>),
    /// Run a mail client against servers that misbehave, and judge what it does.
    #[command(
        after_help = "Examples:\n  mailexpect clients --scheme submission -- ./client {url} --ca {ca}\n  mailexpect clients --scheme imap --only starttls -- ./client {host} {port}"
    )]
    Clients(super::clients::Clients),
    /// Print the JSON schema of the project file, `mailexpect.toml`.
    #[command(after_help = "Example:\n  mailexpect schema > mailexpect.schema.json")]
    Schema,
    /// Show which mail ports of a host are open, what speaks there, and how far a dialogue gets.
    Probe(Box<super::probe::Probe>),
    /// Check all mail hosts of a domain: relaying, TLS, AUTH and more, with proof of each answer.
    Doctor(Box<super::doctor::Doctor>),
    /// Make a script from a pasted session, or from a test file of another tool.
    Import(super::import::Import),
    /// Run scripts again and again, and show when their results change.
    Watch(Box<super::watch::Watch>),
    /// Explain a reply of a server: its codes, and what to do.
    Explain(super::explain::Explain),
    /// Encode text to base64, or decode it.
    Base64(super::encode::Base64),
    /// Print the SASL responses to send after AUTH: `mailexpect sasl plain hoge`.
    Sasl(super::encode::Sasl),
    /// Print the reference manual of the script language, or its entry for one word.
    Reference(super::reference::Reference),
}

#[derive(Arguments, Debug)]
pub(super) struct Check {
    #[command(flatten)]
    pub(super) paths: Paths,
    /// Check that these are parameters of the scripts: `--set smtp=smtp://localhost`.
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_set)]
    pub(super) set: Vec<(String, String)>,
}

#[derive(Arguments, Debug)]
pub(super) struct List {
    #[command(flatten)]
    pub(super) paths: Paths,
    /// Also show tags and parameters.
    #[arg(short, long)]
    pub(super) verbose: bool,
    /// List the built-in scripts, such as `@relay`.
    #[arg(long, conflicts_with = "paths")]
    pub(super) shipped: bool,
    #[command(flatten)]
    pub(super) selection: super::selection::Selection,
}

#[derive(Arguments, Debug)]
pub(super) struct Redact {
    /// A golden, or a transcript as `mailexpect run -v` shows it; by default stdin.
    #[arg(value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
    /// Show below each line which rule changed what.
    #[arg(long)]
    pub(super) explain: bool,
    /// List all presets with their groups and places instead.
    #[arg(long, conflicts_with_all = ["file", "explain"])]
    pub(super) list: bool,
    #[command(flatten)]
    pub(super) redacting: Redacting,
}

#[derive(Arguments, Debug)]
pub(super) struct Review {
    /// Scripts, goldens, `.snap.new` files, or folders with all that is below them; by default the
    /// whole workspace of the current folder.
    #[arg(value_name = "PATHS")]
    pub(super) paths: Vec<PathBuf>,
    /// Show what waits for review and ask nothing, for use without a terminal. The exit code is 1
    /// if something waits.
    #[arg(long)]
    pub(super) show: bool,
    /// Show each change with another program, which gets the files of the golden and of the new
    /// transcript: `--diff-tool 'delta --side-by-side'`.
    #[arg(long, value_name = "COMMAND", env = "MAILEXPECT_DIFF_TOOL", hide_env_values = true)]
    pub(super) diff_tool: Option<String>,
}

#[derive(Arguments, Debug)]
pub(super) struct Decide {
    /// Scripts, goldens, `.snap.new` files, or folders with all that is below them.
    #[arg(value_name = "PATHS")]
    pub(super) paths: Vec<PathBuf>,
    /// Take all transcripts that wait for review in the workspace of the current folder.
    #[arg(long, conflicts_with = "paths")]
    pub(super) all: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }
}
