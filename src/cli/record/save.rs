//! Saves a session: a trace, a script, and a golden if the script passes on the trace.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::Instant;

use super::exchange::exchange;
use super::follow::{Followed, Turn};
use crate::cli::dialogue::{Beside, Script};
use crate::cli::written;
use crate::error::{Error, Kind, Result};
use crate::file;
use crate::golden::{Goldens, Policy};
use crate::interrupt::Interrupt;
use crate::outcome::{Golden, Outcome, Verdict};
use crate::redaction::Redaction;
use crate::report::{Report as _, Trace};
use crate::script::{LARGEST_SCRIPT, Runner, Servers, Settings};
use crate::secrets::MASK;
use crate::session::block_on;
use crate::trace;
use crate::transcript::Close;

/// The value of a secret while the script runs on the trace, where any value fits. It is repeated
/// or cut to the length of the real secret, because a literal announces its length.
const FITTING: &str = "Q0-hIdDeN-";
/// An explanation for a trace in which the server says a secret.
const SHORTER: &str = "what is masked is not as long as what the server said, which matters in a literal; mailexpect run \
                       --record makes the golden with the server";
/// The parameter for the password of a SASL exchange.
const PASSWORD: &str = "password";
/// The deadline of an operation on the trace, which answers at once or never. It never does if a
/// literal is shorter since its secret was masked.
const TIMEOUT: Duration = Duration::from_secs(2);
/// How long all goldens may take after Ctrl-C.
const AFTER_INTERRUPT: Duration = Duration::from_secs(2);

/// The folder in which sessions are saved.
pub(super) struct Folder {
    path: PathBuf,
    /// The redaction of the goldens.
    redaction: Arc<Redaction>,
    interrupt: Interrupt,
    /// When the interrupt was noticed.
    since: OnceLock<Instant>,
    /// The number of the next session.
    next: usize,
}

/// The files of a saved session.
pub(super) struct Saved {
    pub(super) script: PathBuf,
    /// Why there is no golden; `None` if there is one.
    pub(super) without_golden: Option<String>,
}

impl Folder {
    /// # Errors
    /// Usage if the folder cannot be created.
    pub(super) fn new(path: &Path, redaction: Redaction, interrupt: Interrupt) -> Result<Self> {
        std::fs::create_dir_all(path)
            .map_err(|error| Error::usage(format!("cannot make {}: {error}", path.display())))?;
        let (redaction, since) = (redaction.into(), OnceLock::new());
        Ok(Self { path: path.to_owned(), redaction, interrupt, since, next: 1 })
    }

    /// The path of the next script. Numbers of which any file exists are skipped.
    fn script(&mut self) -> PathBuf {
        loop {
            let script = self.path.join(format!("session-{}.rhai", self.next));
            let golden = format!("snapshots/session-{}.snap", self.next);
            self.next += 1;
            let others = [script.with_extension("trace"), self.path.join(golden)];
            if !script.exists() && !others.iter().any(|file| file.exists()) {
                return script;
            }
        }
    }

    /// Writes the trace of the next session. Returns the path of its script. Another process may
    /// save sessions in the same folder; the number is of the one that has written the trace.
    fn trace(&mut self, followed: &Followed, url: &str) -> Result<PathBuf> {
        loop {
            let script = self.script();
            let trace = trace_of(&script, url, followed);
            if written::create_new(&script.with_extension("trace"), trace.as_bytes())? {
                return Ok(script);
            }
        }
    }

    /// Saves a session. Returns `None` if nothing was said in the session.
    ///
    /// # Errors
    /// If the session is too long, or if a file cannot be written.
    pub(super) fn save(&mut self, followed: &Followed, url: &str) -> Result<Option<Saved>> {
        if followed.is_cut {
            let error = Error::new(Kind::TooLong, "the session was too long to be saved");
            return Err(error.hint("at most 16 MiB are kept of one"));
        }
        if !followed.turns.iter().any(|turn| !matches!(turn, Turn::Closed(_))) {
            return Ok(None);
        }
        let script = self.trace(followed, url)?;
        let file = script.with_extension("trace");
        let with_verbs = Written::of(followed, url, (&script, true));
        with_verbs.write(&script, false)?;
        let mut why = self.golden(&script, &file, &with_verbs)?;
        if why.is_some() && with_verbs.has_exchange {
            // The client may have authenticated in a way that no verb reproduces. Try the exchange
            // line by line.
            let in_lines = Written::of(followed, url, (&script, false));
            in_lines.write(&script, true)?;
            let still = self.golden(&script, &file, &in_lines)?;
            if still.is_some() {
                with_verbs.write(&script, true)?;
            } else {
                why = None;
            }
        }
        if why.is_some() && followed.turns.iter().any(Turn::has_masked_reply) {
            why = why.map(|why| format!("{why}\n{SHORTER}"));
        }
        Ok(Some(Saved { script, without_golden: why }))
    }

    /// Makes the golden by running the script on the trace. Returns why there is no golden, if so.
    fn golden(&self, script: &Path, file: &Path, written: &Written) -> Result<Option<String>> {
        let entries = trace::read(file)?;
        let recording = entries.first().map(trace::Entry::recording).unwrap_or_default();
        let settings = Settings {
            servers: Servers::Given,
            redaction: Arc::clone(&self.redaction),
            ..Settings::default()
        };
        let runner = Runner::new(settings);
        let runner = runner.play(Arc::new(recording), &written.params, TIMEOUT);
        let cancelled = || async {
            self.interrupt.pressed().await;
            let until = *self.since.get_or_init(Instant::now) + AFTER_INTERRUPT;
            tokio::time::sleep_until(until).await;
        };
        let goldens = Goldens { policy: Policy::Record, ..Goldens::default() };
        let outcome = block_on(async {
            let outcome = runner.run(script, cancelled()).await;
            goldens.hold(outcome, cancelled()).await
        });
        Ok(match (&outcome.golden, &outcome.verdict) {
            (_, Verdict::Interrupted(_)) => Some("there was no time for it".to_owned()),
            (Golden::None, _) | (_, Verdict::Failed(_)) => Some(why(&outcome)),
            _ => None,
        })
    }
}

fn trace_of(script: &Path, url: &str, followed: &Followed) -> String {
    let mut outcome = Outcome::new(script, Verdict::Passed);
    outcome.params = vec![(scheme(url).to_owned(), url.to_owned())];
    outcome.recorded = Some(Box::new(followed.recorded.clone()));
    Trace { failures_only: false }.script_ended(0, &outcome)
}

fn scheme(url: &str) -> &str {
    url.split([':', '+']).next().unwrap_or(url)
}

fn why(outcome: &Outcome) -> String {
    let Some(failure) = outcome.failure() else { return "the script was not run".to_owned() };
    let message = failure.error.message();
    match &failure.place {
        Some(place) => format!("on its trace, line {} of the script fails: {message}", place.line),
        None => message.to_owned(),
    }
}

/// The text of a script, and facts about it.
struct Written {
    text: String,
    /// The files that the script reads.
    files: Vec<Beside>,
    /// The values of the parameters when the script runs on the trace.
    params: BTreeMap<String, String>,
    /// Whether the session contains a SASL exchange.
    has_exchange: bool,
}

impl Written {
    fn of(followed: &Followed, url: &str, (path, with_verbs): (&Path, bool)) -> Self {
        let title = format!("A session with {url}, as it was passed on.");
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let mut script = Script::new(followed.speech, url, &title).beside(&stem);
        let (mut at, mut has_exchange) = (0, false);
        // The exchange that is written line by line, and the number of its last turn.
        let (mut open, mut end) = (None, 0);
        let turns = &followed.turns;
        let (mut params, mut is_left) = (BTreeMap::new(), false);
        while let Some(turn) = turns.get(at) {
            at += 1;
            if at > end {
                open = None;
            }
            match turn {
                Turn::Server(bytes) => script.heard(bytes),
                Turn::Client { bytes, length, .. } => {
                    if let Some(exchange) = exchange(followed.speech, &turns[at - 1..]) {
                        has_exchange = true;
                        if with_verbs {
                            script.call(&exchange.call);
                            at += exchange.turns - 1;
                            continue;
                        }
                        end = at - 1 + exchange.turns;
                        open = Some(exchange);
                    }
                    let before = script.secrets().count();
                    match open.as_ref().and_then(|exchange| exchange.secret(turn)) {
                        Some(secret) => script.sent_with(bytes, secret),
                        None => script.sent(bytes, false),
                    }
                    let new = script.secrets().skip(before);
                    params.extend(new.map(|name| (name, fitting(bytes, *length))));
                }
                // The handshake of `imaps` and similar schemes comes before anything is said, and
                // connecting does it.
                Turn::Tls if at == 1 => {}
                Turn::Tls => script.handshake(),
                Turn::Closed(Close::ByServer | Close::ResetByServer) if !is_left => {
                    script.closed();
                }
                Turn::Closed(_) => is_left = true,
            }
        }
        params.insert(scheme(url).to_owned(), url.to_owned());
        if has_exchange {
            params.insert(PASSWORD.to_owned(), FITTING.to_owned());
        }
        let files = script.files();
        Self { text: script.finish(), files, params, has_exchange }
    }

    /// Writes the script and the files that it reads, for the first time or once more.
    ///
    /// # Errors
    /// Too long if the script could not be run; else if a file cannot be written.
    fn write(&self, script: &Path, is_again: bool) -> Result<()> {
        if self.text.len() as u64 > LARGEST_SCRIPT {
            let trace = script.with_extension("trace");
            let said = format!("the session is too long for a script: {} has it", trace.display());
            let error = Error::new(Kind::TooLong, said);
            return Err(error.hint("a script may have 2 MiB: record shorter sessions"));
        }
        for Beside { name, content } in &self.files {
            put(&script.with_file_name(name), content, is_again)?;
        }
        put(script, self.text.as_bytes(), is_again)
    }
}

fn put(path: &Path, content: &[u8], is_again: bool) -> Result<()> {
    if is_again {
        return file::replace(path, content)
            .map_err(|error| Error::unwritable(path.display(), error));
    }
    if written::create_new(path, content)? {
        return Ok(());
    }
    let error = Error::unwritable(path.display(), "the file exists");
    Err(error.hint("record to another folder: --folder DIR"))
}

/// A value for the secrets of a turn. It makes the turn as long as `length`, its length before
/// masking.
fn fitting(masked: &[u8], length: usize) -> String {
    let count = memchr::memmem::find_iter(masked, MASK).count();
    let others = masked.len() - count * MASK.len();
    let each = length.saturating_sub(others) / count.max(1);
    FITTING.chars().cycle().take(each).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_that_could_not_be_run_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("session-1.rhai");
        let text = "s.send(\"NOOP\");\n".repeat(200_000);
        let written =
            Written { text, files: Vec::new(), params: BTreeMap::new(), has_exchange: false };
        let error = written.write(&script, false).unwrap_err();
        assert!(error.message().contains("session-1.trace has it"), "{error}");
        assert!(!script.exists());
    }
}
