//! Environment variables that set options of `mailexpect run`, for CI.

use clap::builder::FalseyValueParser;
use clap::{ArgAction, Command};

/// The ids of the options in clap, and their variables.
const VARIABLES: [(&str, &str); 33] = [
    ("allow_host", "MAILEXPECT_ALLOW_HOST"),
    ("cacert", "MAILEXPECT_CACERT"),
    ("cert", "MAILEXPECT_CERT"),
    ("check", "MAILEXPECT_CHECK"),
    ("deadline", "MAILEXPECT_DEADLINE"),
    ("fail_fast", "MAILEXPECT_FAIL_FAST"),
    ("filter", "MAILEXPECT_FILTER"),
    ("flaky_result", "MAILEXPECT_FLAKY_RESULT"),
    ("format", "MAILEXPECT_FORMAT"),
    ("global_timeout", "MAILEXPECT_GLOBAL_TIMEOUT"),
    ("grace", "MAILEXPECT_GRACE"),
    ("html", "MAILEXPECT_HTML"),
    ("insecure", "MAILEXPECT_INSECURE"),
    ("jobs", "MAILEXPECT_JOBS"),
    ("junit", "MAILEXPECT_JUNIT"),
    ("key", "MAILEXPECT_KEY"),
    ("nameserver", "MAILEXPECT_NAMESERVER"),
    ("no_progress", "MAILEXPECT_NO_PROGRESS"),
    ("partition", "MAILEXPECT_PARTITION"),
    ("quiet", "MAILEXPECT_QUIET"),
    ("redact", "MAILEXPECT_REDACT"),
    ("resolve", "MAILEXPECT_RESOLVE"),
    ("retries", "MAILEXPECT_RETRIES"),
    ("shuffle", "MAILEXPECT_SHUFFLE"),
    ("skip_incomplete", "MAILEXPECT_SKIP_INCOMPLETE"),
    ("strictness", "MAILEXPECT_STRICTNESS"),
    ("tag", "MAILEXPECT_TAG"),
    ("target", "MAILEXPECT_TARGET"),
    ("timeout", "MAILEXPECT_TIMEOUT"),
    ("trace", "MAILEXPECT_TRACE"),
    ("trace_file", "MAILEXPECT_TRACE_FILE"),
    ("unreferenced", "MAILEXPECT_UNREFERENCED"),
    ("verbose", "MAILEXPECT_VERBOSE"),
];

/// Adds these variables to the command line. Any value sets a flag, except an empty one, `0`, `no`,
/// `off` and `false`.
pub(super) fn with_variables(command: Command) -> Command {
    command.mut_subcommand("run", |run| {
        run.mut_args(|argument| {
            let variable = VARIABLES.iter().find(|(id, _)| argument.get_id() == id);
            let Some((_, variable)) = variable else { return argument };
            let takes_values = argument.get_action().takes_values();
            // clap would count a flag that is off as given when it checks for options that
            // conflict.
            if !takes_values && std::env::var(variable).is_ok_and(|value| is_off(&value)) {
                return argument;
            }
            // Help does not show the current value of the variable, because the value may be a
            // secret.
            let argument = argument.env(variable).hide_env_values(true);
            match argument.get_action() {
                _ if takes_values => argument,
                ArgAction::Count => argument.value_parser(times),
                _ => argument.value_parser(FalseyValueParser::new()),
            }
        })
    })
}

/// How often a variable gives a flag that counts, such as `-v`. A value that is no number counts
/// once.
#[allow(clippy::unnecessary_wraps, reason = "clap's parsers may fail")]
fn times(value: &str) -> Result<u8, String> {
    Ok(value.parse().unwrap_or(1))
}

/// Whether this value of a variable leaves its flag unset.
fn is_off(value: &str) -> bool {
    let off = ["", "0", "f", "false", "n", "no", "off"];
    off.contains(&value.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::args::Args;

    #[test]
    fn each_variable_sets_an_option_that_there_is_and_is_documented() {
        let command = with_variables(Args::command());
        let run = command.find_subcommand("run").unwrap();
        let readme = include_str!("../../README.md");
        for (id, variable) in VARIABLES {
            let argument = run.get_arguments().find(|argument| argument.get_id() == id);
            let argument = argument.unwrap_or_else(|| panic!("there is no --{id}"));
            assert_eq!(argument.get_env().and_then(|name| name.to_str()), Some(variable));
            let name = format!("MAILEXPECT_{}", argument.get_long().unwrap().to_uppercase());
            assert_eq!(name.replace('-', "_"), variable, "a variable is named as its option");
        }
        assert!(readme.contains("MAILEXPECT_TIMEOUT"), "the README says how they are named");
    }
}
