//! Keeps secrets out of goldens.

use crate::error::{Error, Result};
use crate::redaction::Redaction;
use crate::secrets::Learned;

/// Makes sure that a transcript contains no secret that is too short to be masked. Such a transcript
/// cannot be a golden. Short secrets are not masked, because they would be found everywhere.
pub(super) fn check_text(text: &str, secrets: &Learned) -> Result<()> {
    let Some(length) = secrets.short_in(text) else { return Ok(()) };
    let characters = if length == 1 { "character" } else { "characters" };
    let error = Error::usage(format!(
        "the golden transcript would hold a secret of {length} {characters} as a word of its own"
    ));
    Err(error
        .hint("secrets of less than 4 characters are not masked: give the account a longer one"))
}

/// Makes sure that no regex, which the header of a golden has in clear, contains a secret.
pub(super) fn check_regexes(redaction: &Redaction, secrets: &Learned) -> Result<()> {
    for (token, regex, _) in redaction.own_regexes() {
        // Characters with a meaning in regexes have a backslash before them.
        let literal = regex.replace('\\', "");
        let is_secret = |text: &str| secrets.short_in(text).is_some() || secrets.is_in(text);
        if is_secret(regex) || is_secret(&literal) {
            let error = Error::usage(format!(
                "the golden transcript would hold a secret in its header, in the regex for {token}"
            ));
            return Err(error
                .hint("take the secret out of the regex: it is masked as [SECRET] without one"));
        }
    }
    Ok(())
}
