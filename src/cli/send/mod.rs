//! `mailexpect send`: sends a message and shows the dialogue.

mod args;
mod mail;
mod script;

use std::collections::BTreeMap;
use std::path::Path;

pub(super) use args::Send;

use super::screen::Screen;
use super::{descriptors, server, value, written};
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::outcome::ExitCode;
use crate::report::Human;
use crate::script::{LARGEST_SCRIPT, Runner, Settings};
use crate::session::{Options, block_on};
use crate::tls;
use crate::transcript::{About, What};

/// The name of the script in output.
const NAME: &str = "send";

pub(super) fn send(args: &Send, screen: &mut Screen) -> Result<ExitCode> {
    let url = url(args)?;
    args.check_stage(&url)?;
    let params = params(args, screen)?;
    let mut long = mail::Long { is_saved: args.save.is_some(), ..mail::Long::default() };
    let text = script::text(args, &url, params.get("password").map(String::as_str), &mut long)?;
    let options = args.connecting.options(Options::new().timeout(args.timeout), &[]);
    let options = options.tls(args.options.options(tls::Options::new())?);
    if let Some(path) = &args.save {
        check_length(&text)?;
        written::create(path, &text, args.force)?;
        screen.note(&Human::wrote(path));
    }
    let settings = Settings { params, options, files: long.params, ..Settings::default() };
    let shown = screen.clone();
    let runner = Runner::new(settings).watched(move |event| {
        // The user sees the dialogue, and not the script with its deferred assertions.
        if !matches!(event.what, What::Note { about: About::Deferred, .. }) {
            shown.clone().show(&Human::alone(event));
        }
    });
    let name = args.save.as_deref().unwrap_or(Path::new(NAME));
    runner.give(name, text);
    descriptors::provide(descriptors::NEEDED)?;
    let interrupt = Interrupt::listen()?;
    let outcome = block_on(runner.run(name, interrupt.pressed()));
    screen.show(&Human::sent(&outcome, args.quit_after.is_none()));
    Ok(outcome.exit_code())
}

/// Checks that a script can be read again.
///
/// # Errors
/// Usage for a script that is too long.
fn check_length(script: &str) -> Result<()> {
    if script.len() as u64 <= LARGEST_SCRIPT {
        return Ok(());
    }
    let most = LARGEST_SCRIPT >> 20;
    let error = Error::usage(format!(
        "the message is too long to be saved: a script has at most {most} MiB"
    ));
    Err(error.hint("send it without --save"))
}

/// The URL of the server: the named one, or else the mail exchangers of the first recipient.
fn url(args: &Send) -> Result<String> {
    let scheme = if args.lmtp { "lmtp" } else { "smtp" };
    if let Some(named) = &args.server {
        let url = server::url(named, None, scheme)?;
        let spoken = url.split([':', '+']).next().unwrap_or_default();
        return match (args.lmtp, spoken) {
            (false, "smtp" | "smtps" | "submission" | "submissions" | "mx" | "lmtp")
            | (true, "lmtp") => Ok(url),
            (true, "smtp") if !named.contains("://") => Ok(url.replacen("smtp", "lmtp", 1)),
            _ => {
                let error = Error::usage(format!(
                    "`{url}` is not where {} is spoken",
                    scheme.to_uppercase()
                ));
                Err(error.hint("mail is sent to smtp, smtps, submission, submissions, lmtp and mx"))
            }
        };
    }
    let to = args.to.first().map_or("", String::as_str);
    match to.rsplit_once('@') {
        Some((_, domain)) if !args.lmtp && !domain.is_empty() => Ok(format!("mx://{domain}")),
        _ => {
            let error = Error::usage("no server to send to");
            Err(error.hint("name it: --server mail.example.com"))
        }
    }
}

/// The parameters of the script: the password, if there is one.
fn params(args: &Send, screen: &Screen) -> Result<BTreeMap<String, String>> {
    let mut params = BTreeMap::new();
    if args.secured.user.is_some() && args.secured.needs_password() {
        let source = args.secured.password.clone().unwrap_or_else(|| "prompt".to_owned());
        if value::is_clear(&source) {
            let error =
                Error::usage("the password is on the command line, where others can see it");
            let error = error.hint("--password env:NAME, file:PATH or cmd:PROGRAM fetches it, and without --password the terminal is asked");
            screen.note(&Human::warning(&error));
        }
        params.insert("password".to_owned(), source);
        value::fetch(&mut params, Path::new(value::HERE))?;
    }
    Ok(params)
}
