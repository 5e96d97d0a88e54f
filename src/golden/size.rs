//! How large a transcript may be that is compared with a golden. The comparison comes after the
//! script, so its allowance of memory does not bound it.

use crate::error::{Error, Kind, Result};
use crate::transcript::{Event, What};

/// How many bytes the events may take. Redacting as many takes 300 MB at worst, if a regex matches
/// each letter.
const EVENTS: usize = 8 << 20;
/// How many bytes the events may take after they are redacted.
pub(super) const REDACTED: usize = 48 << 20;
/// How many bytes the text of a golden may have.
const TEXT: usize = 16 << 20;
/// How many lines it may have. A diff takes a hundred bytes for each.
const LINES: usize = 200_000;

/// Checks that events are few enough to be redacted, and that none were left out: what is not there
/// cannot be compared.
///
/// # Errors
/// Too long.
pub(super) fn check_events(events: &[&Event]) -> Result<()> {
    if events.iter().any(|event| matches!(event.what, What::Omitted(_))) {
        return Err(too_long("the transcript", "21000 replies, commands and other events"));
    }
    let bytes: usize = events.iter().map(|event| event.bytes()).sum();
    if bytes <= EVENTS { Ok(()) } else { Err(too_long("the transcript", "8 MiB")) }
}

/// Checks the text of a run for a golden.
///
/// # Errors
/// Too long.
pub(super) fn check_run(text: String) -> Result<String> {
    match check_text(&text) {
        Ok(()) => Ok(text),
        Err(_) => Err(redacted()),
    }
}

/// Checks the text of a golden.
///
/// # Errors
/// A description of what is wrong with it.
pub(super) fn check_text(text: &str) -> Result<(), String> {
    if text.len() > TEXT {
        return Err(format!("it has more than {} MiB", TEXT >> 20));
    }
    if memchr::memchr_iter(b'\n', text.as_bytes()).count() > LINES {
        return Err(format!("it has more than {LINES} lines"));
    }
    Ok(())
}

/// The error for events that take too much after they are redacted.
pub(super) fn redacted() -> Error {
    too_long("the redacted transcript", &format!("16 MiB and {LINES} lines"))
}

fn too_long(what: &str, most: &str) -> Error {
    let error = Error::new(Kind::TooLong, format!("{what} is too long for a golden"));
    error
        .with_expected(format!("at most {most}"))
        .hint("give less to snapshot(...), or make several scripts of this one")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compared_is_bounded() {
        let event = Event::new(None, What::Step("x".repeat(1 << 20)));
        assert!(check_events(&[&event; 7]).is_ok());
        assert!(check_events(&[&event; 8]).unwrap_err().is_too_long());
        let omitted = Event::new(None, What::Omitted(1));
        assert!(check_events(&[&omitted]).unwrap_err().is_too_long());
        assert_eq!(check_text(&"\n".repeat(LINES)), Ok(()));
        assert_eq!(
            check_text(&"\n".repeat(LINES + 1)),
            Err("it has more than 200000 lines".to_owned())
        );
        assert_eq!(check_text(&"x".repeat(TEXT + 1)), Err("it has more than 16 MiB".to_owned()));
        assert!(check_run("x".repeat(TEXT + 1)).unwrap_err().is_too_long());
    }
}
