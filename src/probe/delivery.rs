//! Checks whether a message arrives in the mailbox that it was sent to.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::Account;
use super::deadline::{GOODBYE, left};
use super::encrypted::check_encrypted;
use crate::error::{Error, Kind, Result};
use crate::pattern::Regex;
use crate::session::{Options, Session};

/// The pause before looking again into a mailbox whose server has no IDLE.
const PAUSE: Duration = Duration::from_millis(500);

/// Waits until the INBOX contains a message with this token in its subject, and marks the message
/// deleted. On a server with UIDPLUS, it is removed.
///
/// # Errors
/// Errors of the IMAP session; a timeout if the message does not arrive.
pub(super) async fn wait(
    options: Options,
    url: &str,
    account: &Account,
    token: &str,
    deadline: Instant,
) -> Result<()> {
    let mut session = options.timeout(left(deadline)).connect(url).await?;
    session.set_until(Some(deadline));
    let found = look(&mut session, account, token, deadline).await;
    session.hang_up();
    found
}

async fn look(
    session: &mut Session,
    account: &Account,
    token: &str,
    deadline: Instant,
) -> Result<()> {
    session.expect("* OK").await?;
    let offers_starttls = session.capability().await?.has("STARTTLS");
    if session.tls().is_none() && offers_starttls {
        session.starttls().await?;
    }
    check_encrypted(session)?;
    session.login(&account.user, &account.password).await?;
    let has_idle = session.capability().await?.has("IDLE");
    session.select("INBOX").await?;
    // One word: some servers search for words, and would find those of other messages.
    let word = token.split('.').next().unwrap_or_default();
    let criteria = format!("SUBJECT \"{word}\"");
    let mut others = BTreeSet::new();
    loop {
        for message in session.search(&criteria).by_uid().await? {
            if others.contains(&message) {
                continue;
            }
            if has_subject(session, message, token).await? {
                session.set_until(Some(deadline + GOODBYE));
                return take_away(session, message).await;
            }
            others.insert(message);
        }
        if Instant::now() >= deadline {
            return Err(missing(token, others.len()));
        }
        await_news(session, has_idle, deadline).await?;
    }
}

/// The error for a message that is not there. `others` is how many messages the server named that
/// are others.
fn missing(token: &str, others: usize) -> Error {
    let error = Error::new(Kind::Timeout, "the message was accepted and did not arrive");
    let error = error.with_expected(format!("a message with {token} in its subject in the INBOX"));
    let error = match others {
        0 => error,
        _ => error.with_got(format!("{others} that SEARCH named, with other subjects")),
    };
    error.hint("look for it in the server's queue (mailq) and log; --timeout 1m waits longer")
}

/// Whether the message has the token in its subject. A search alone does not prove that, and what
/// it names is deleted.
async fn has_subject(session: &mut Session, message: u64, token: &str) -> Result<bool> {
    let fetched =
        session.fetch(&message.to_string(), "BODY.PEEK[HEADER.FIELDS (SUBJECT)]").by_uid().await?;
    let of_message = fetched.iter().filter(|fetched| fetched.uid() == Some(message));
    let mut subjects =
        of_message.filter_map(|fetched| fetched.content("BODY[HEADER.FIELDS (SUBJECT)]"));
    Ok(subjects.any(|subject| memchr::memmem::find(&subject, token.as_bytes()).is_some()))
}

async fn take_away(session: &mut Session, message: u64) -> Result<()> {
    let message = message.to_string();
    session.store(&message, "+FLAGS.SILENT (\\Deleted)").by_uid().await?;
    // EXPUNGE without a set would also remove messages that the owner has marked (RFC 4315 section
    // 2.1). On a server without UIDPLUS, our message remains marked.
    if session.capability().await?.has("UIDPLUS") {
        session.expunge(message.as_str()).by_uid().await?;
    }
    session.quit().await?;
    Ok(())
}

/// Waits until the server reports a new message, or for a moment if it has no IDLE.
async fn await_news(session: &mut Session, has_idle: bool, deadline: Instant) -> Result<()> {
    if !has_idle {
        // Without IDLE the server does not report new mail, so the mailbox is checked after a
        // pause.
        sleep(PAUSE.min(left(deadline))).await;
        session.noop().await?;
        return Ok(());
    }
    session.idle().await?;
    let news = session.expect_until(Regex::new(r"^\* \d+ EXISTS")?).await;
    session.set_until(Some(deadline + GOODBYE));
    session.done().await?;
    session.set_until(Some(deadline));
    match news {
        Ok(_) => Ok(()),
        Err(error) if error.is_timeout() => Ok(()),
        Err(error) => Err(error),
    }
}
