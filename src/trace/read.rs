//! Reads a recording.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;

use super::{Head, Passage, VERSION};
use crate::error::{Error, Result};
use crate::file;
use crate::transport::{RecordedSession, Recording, Step};
use crate::visible;

/// A script in a recording.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) head: Head,
    pub(crate) passages: Vec<Passage>,
}

/// The scripts in a recording, in the order in which they ended.
///
/// # Errors
/// Usage for a file that cannot be read or is not a recording.
pub(crate) fn read(path: &Path) -> Result<Vec<Entry>> {
    let wrong = |why: String| {
        let error = Error::unreadable(format_args!("the recording {}", path.display()), why);
        error.hint(
            "mailexpect run --trace on writes one: mailexpect.trace, or what --trace-file names",
        )
    };
    let lines = file::Lines::open(path).map_err(|error| wrong(error.to_string()))?;
    let mut entries: Vec<Entry> = Vec::new();
    for (number, line) in lines.enumerate() {
        let line = line.map_err(|error| wrong(error.to_string()))?;
        let at = |error: serde_json::Error| wrong(format!("line {}: {error}", number + 1));
        if line.starts_with("{\"trace\":") {
            let head: Head = serde_json::from_str(&line).map_err(at)?;
            if head.trace > VERSION {
                let version = head.trace;
                return Err(wrong(format!(
                    "it is of version {version}, and this program reads {VERSION}"
                )));
            }
            entries.push(Entry { head, passages: Vec::new() });
            continue;
        }
        let passage = serde_json::from_str(&line).map_err(at)?;
        let entry = entries.last_mut();
        let entry = entry.ok_or_else(|| wrong("it does not begin with a script".to_owned()))?;
        entry.passages.push(passage);
    }
    if entries.is_empty() {
        return Err(wrong("there is no script in it".to_owned()));
    }
    Ok(entries)
}

impl Entry {
    /// The recorded sessions, against which a script can run in place of servers.
    pub(crate) fn recording(&self) -> Recording {
        let mut sessions: BTreeMap<String, RecordedSession> = BTreeMap::new();
        for passage in &self.passages {
            let Some(name) = &passage.session else { continue };
            let session = sessions.entry(name.clone()).or_default();
            if let Some(url) = &passage.connecting {
                session.url.clone_from(url);
            }
            session.steps.extend(step(passage));
        }
        Recording { sessions }
    }
}

fn step(passage: &Passage) -> Option<Step> {
    let bytes = |text: &String| Bytes::from(visible::unescape(text));
    match passage {
        Passage { client: Some(text), .. } => Some(Step::Client(bytes(text))),
        Passage { server: Some(text), .. } => Some(Step::Server(bytes(text))),
        Passage { tls: Some(facts), .. } => Some(Step::Tls(Ok(facts.clone()))),
        Passage { tls_failed: Some(why), .. } => Some(Step::Tls(Err(why.clone()))),
        Passage { closed_by_server: true, reset: true, .. } => Some(Step::Reset),
        Passage { closed_by_server: true, .. } => Some(Step::Closed),
        _ => None,
    }
}
