//! Recognises the exchanges of SASL and APOP that succeeded, so that a script has the user and the
//! password as parameters.

use super::follow::Turn;
use crate::proto::Speech;
use crate::script::written as rhai;
use crate::secrets::{MASK, SECRET};

/// A SASL or APOP exchange that succeeded.
pub(super) struct Exchange {
    /// The call of the verb.
    pub(super) call: String,
    /// How many turns the exchange took.
    pub(super) turns: usize,
    /// The mechanism and the user, if the password itself is sent, in base64.
    clear: Option<(String, String)>,
}

impl Exchange {
    /// The expression for the secret in a client's turn, which is a whole SASL response. `None` if
    /// nobody can compute the response from the password alone.
    pub(super) fn secret(&self, turn: &Turn) -> Option<String> {
        let (mechanism, user) = self.clear.as_ref()?;
        let Turn::Client { bytes, meaning, .. } = turn else { return None };
        // A literal announces the length of the password, which differs while the trace is played.
        let is_line = memchr::memchr_iter(b'\n', bytes).count() == 1;
        if !is_line || memchr::memmem::find_iter(bytes, SECRET).count() != 1 {
            return None;
        }
        let meaning = match meaning {
            // What is nothing but a secret has no meaning of its own.
            None if mechanism == "LOGIN" => MASK,
            meaning => std::str::from_utf8(meaning.as_deref()?).ok()?,
        };
        // The user may be masked, too, as the whole of a response.
        let (before, after) = match meaning.split_once(MASK) {
            Some((before, after)) => (before, Some(after)),
            None => (meaning, None),
        };
        let mut parts = Vec::new();
        match before.rsplit_once(user) {
            Some((before, between)) => {
                let user = format!("param(\"user\", {})", rhai::string(user));
                parts.extend([rhai::string(before), user, rhai::string(between)]);
            }
            None => parts.push(rhai::string(before)),
        }
        if let Some(after) = after {
            parts.extend(["param(\"password\")".to_owned(), rhai::string(after)]);
        }
        parts.retain(|part| part != "\"\"");
        Some(format!("base64({})", parts.join(" + ")))
    }
}

/// The exchange at the start of these turns, if there is one.
pub(super) fn exchange(speech: Speech, turns: &[Turn]) -> Option<Exchange> {
    let Some(Turn::Client { bytes, .. }) = turns.first() else { return None };
    let line = std::str::from_utf8(bytes).ok()?.strip_suffix("\r\n")?;
    if line.contains('\n') {
        return None;
    }
    let mut words = line.split(' ');
    if speech.facts().has_tags {
        words.next();
    }
    let command = words.next()?;
    if speech == Speech::Pop3 && command.eq_ignore_ascii_case("APOP") {
        let user = words.next()?;
        let call = rhai::apop(user);
        return Some(Exchange { call, turns: 2, clear: None }).filter(
            |_| matches!(turns.get(1), Some(Turn::Server(said)) if said.starts_with(b"+OK")),
        );
    }
    if !command.eq_ignore_ascii_case(speech.facts().sasl.command) {
        return None;
    }
    let mechanism = words.next()?.trim_matches('"').to_ascii_uppercase();
    let opens = mechanism == "PLAIN" || mechanism.starts_with("SCRAM-");
    let waits = opens && words.next().is_none();
    let mut user = None;
    for (at, turn) in turns.iter().enumerate() {
        match turn {
            Turn::Client { meaning, .. } => {
                let meaning = meaning.as_deref();
                user = user.or_else(|| meaning.and_then(|meaning| who(&mechanism, meaning)));
            }
            Turn::Server(said) if speech.facts().sasl.is_challenge(said) => {}
            Turn::Server(said) if is_success(speech, said) => {
                let user = user?;
                let mut call = rhai::auth(&user, Some(&mechanism));
                if let Some(begun) = call.strip_suffix(");").filter(|_| waits) {
                    call = format!("{begun}, #{{initial: false}});");
                }
                let is_clear = ["PLAIN", "LOGIN"].contains(&&*mechanism);
                let clear = is_clear.then(|| (mechanism.clone(), user));
                return Some(Exchange { call, turns: at + 1, clear });
            }
            _ => return None,
        }
    }
    None
}

fn is_success(speech: Speech, said: &[u8]) -> bool {
    let last = crate::proto::last_line(said);
    let status = if speech.facts().has_tags {
        &last[memchr::memchr(b' ', last).map_or(last.len(), |at| at + 1)..]
    } else {
        last
    };
    speech.facts().sasl.success.fits(status)
}

/// The user of a response whose secret is masked.
fn who(mechanism: &str, meaning: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(meaning).ok()?;
    let user = match mechanism {
        "PLAIN" => text.split('\0').nth(1)?,
        "LOGIN" => text,
        "CRAM-MD5" => text.rsplit_once(' ')?.0,
        _ if mechanism.starts_with("SCRAM-") => {
            text.split(',').find_map(|part| part.strip_prefix("n="))?
        }
        "DIGEST-MD5" => text.split("username=\"").nth(1)?.split('"').next()?,
        _ => return None,
    };
    (!user.is_empty() && !user.contains(MASK)).then(|| user.to_owned())
}
