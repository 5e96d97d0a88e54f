//! What commands tell people beside outcomes.

use std::fmt::Write as _;
use std::path::Path;

use super::Human;
use super::explained::explain;
use super::style::{BAD, DIM, GOOD, ODD};
#[cfg(feature = "cli")]
use crate::error::Error;
use crate::script::Survey;
#[cfg(feature = "cli")]
use crate::script::{Heading, Params};
#[cfg(feature = "cli")]
use crate::secrets;
#[cfg(feature = "cli")]
use crate::server::Embedded;
#[cfg(feature = "cli")]
use crate::transport::Segment;
use crate::visible;

impl Human {
    /// The message that a watch waits for changes.
    #[cfg(feature = "cli")]
    pub(crate) fn watching() -> String {
        format!("{DIM}waiting for changes; Ctrl-C ends{DIM:#}\n")
    }

    /// The message that a file was written.
    #[cfg(feature = "cli")]
    pub(crate) fn written(path: &Path) -> String {
        format!("{GOOD}written{GOOD:#} {}\n", visible::escape(path.to_string_lossy().as_bytes()))
    }

    /// The message that a run was stopped before its end.
    #[cfg(feature = "cli")]
    pub(crate) fn not_run(count: usize, noun: &str) -> String {
        let noun = if count == 1 { noun.to_owned() } else { format!("{noun}s") };
        format!("{ODD}interrupted{ODD:#}: {count} {noun} did not run\n")
    }

    /// The message that lines of dialogues were not shown.
    #[cfg(feature = "cli")]
    pub(crate) fn left_out(count: usize) -> String {
        format!("{ODD}... {count} lines were left out: the screen took them too slowly{ODD:#}\n")
    }

    /// The message that a script gave the same result however its stream was split.
    #[cfg(feature = "cli")]
    pub(crate) fn same(ways: &[Segment]) -> String {
        let ways: Vec<_> = ways.iter().map(ToString::to_string).collect();
        format!("     {DIM}the same {}, {}{DIM:#}\n", Segment::Whole, ways.join(", "))
    }

    /// The result of checking a script without running it.
    #[must_use]
    pub(crate) fn survey(path: &Path, survey: &Survey) -> String {
        let name = visible::escape(path.to_string_lossy().as_bytes());
        if survey.problems.is_empty() {
            return format!("{GOOD}  OK{GOOD:#} {name}\n");
        }
        let mut text = format!("{BAD} BAD{BAD:#} {name}\n");
        for problem in &survey.problems {
            text.push_str(&explain(problem, &name));
        }
        text.push('\n');
        text
    }

    /// The last line of a check.
    #[must_use]
    pub(crate) fn checked(scripts: usize, wrong: usize) -> String {
        let noun = if scripts == 1 { "script" } else { "scripts" };
        match wrong {
            0 => format!("{GOOD}{scripts} {noun} checked, nothing found{GOOD:#}\n"),
            wrong => format!("{scripts} {noun} checked, {BAD}{wrong} wrong{BAD:#}\n"),
        }
    }

    /// A warning about something that went wrong but does not make the run fail.
    #[cfg(feature = "cli")]
    pub(crate) fn warning(error: &Error) -> String {
        let hint = error.next_step().map(|hint| format!(": {hint}")).unwrap_or_default();
        let text = format!("{}{hint}", error.message());
        format!("{ODD}warning{ODD:#}: {}\n", visible::escape(text.as_bytes()))
    }

    /// A script in a list: one line, and below it its tags and parameters if they are asked for.
    #[cfg(feature = "cli")]
    pub(crate) fn listed(path: &Path, heading: &Heading, params: Option<&Params>) -> String {
        let mut text = visible::escape(path.to_string_lossy().as_bytes());
        if let Some(title) = &heading.title {
            let _ = write!(text, "  {DIM}{}{DIM:#}", visible::escape(title.as_bytes()));
        }
        text.push('\n');
        let Some(params) = params else { return text };
        for line in &heading.about {
            let _ = writeln!(text, "    {}", visible::escape(line.as_bytes()));
        }
        if !heading.tags.is_empty() {
            let tags = heading.tags.join(", ");
            let _ = writeln!(text, "    tags: {}", visible::escape(tags.as_bytes()));
        }
        for (name, default) in &params.known {
            let name = visible::escape(name.as_bytes());
            let _ = match default {
                Some(_) if secrets::is_secret_name(&name) => {
                    writeln!(text, "    --set {name}=[SECRET]")
                }
                Some(default) => {
                    writeln!(text, "    --set {name}={}", visible::escape(default.as_bytes()))
                }
                None if Embedded::schemes().any(|scheme| scheme == name) => {
                    writeln!(
                        text,
                        "    --set {name}={name}://...  {DIM}(else the embedded server){DIM:#}"
                    )
                }
                None => writeln!(text, "    --set {name}=..."),
            };
        }
        text
    }

    /// The first lines of a server in the foreground.
    #[must_use]
    pub(crate) fn serving(urls: &[String], user: &str, password: &str) -> String {
        let urls: Vec<_> = urls.iter().map(|url| format!("{GOOD}{url}{GOOD:#}")).collect();
        let lines: Vec<_> = urls.chunks(3).map(|urls| urls.join(" ")).collect();
        format!(
            "serving {}\n\
             {DIM}local domains: example.com, localhost; log in as {user} with password {password}; Ctrl-C ends{DIM:#}\n",
            lines.join("\n        ")
        )
    }

    /// The first line of a recording that acts as a server.
    #[cfg(feature = "cli")]
    pub(crate) fn replaying(urls: &[String]) -> String {
        let urls: Vec<_> = urls.iter().map(|url| format!("{GOOD}{url}{GOOD:#}")).collect();
        format!("replaying at {}\n{DIM}Ctrl-C ends{DIM:#}\n", urls.join(" "))
    }

    /// The message that a client deviated from a recording.
    #[cfg(feature = "cli")]
    pub(crate) fn departed(departed: &str) -> String {
        format!("{BAD}departed{BAD:#}: {}\n", visible::printable(departed))
    }

    /// The message that names the file of a server's CA certificate.
    #[must_use]
    pub(crate) fn ca_written(path: &Path) -> String {
        format!(
            "{DIM}TLS with a certificate of the CA in {}{DIM:#}\n",
            visible::escape(path.to_string_lossy().as_bytes())
        )
    }
}
