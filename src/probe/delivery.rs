//! Checks whether a message arrives in the mailbox that it was sent to.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::Account;
use super::deadline::left;
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
    session.login(&account.user, &account.password).await?;
    let has_idle = session.capability().await?.has("IDLE");
    session.select("INBOX").await?;
    let criteria = format!("SUBJECT \"{token}\"");
    loop {
        let found = session.search(&criteria).by_uid().await?;
        if let Some(message) = found.first() {
            return take_away(session, *message).await;
        }
        if Instant::now() >= deadline {
            let error = Error::new(Kind::Timeout, "the message was accepted and did not arrive");
            return Err(error
                .with_expected(format!("a message with {token} in its subject in the INBOX"))
                .hint(
                    "look for it in the server's queue (mailq) and log; --timeout 1m waits longer",
                ));
        }
        await_news(session, has_idle, deadline).await?;
    }
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
    session.set_timeout(left(deadline));
    if !has_idle {
        // Without IDLE the server does not report new mail, so the mailbox is checked after a
        // pause.
        sleep(PAUSE.min(left(deadline))).await;
        session.noop().await?;
        return Ok(());
    }
    session.idle().await?;
    let news = session.expect_until(Regex::new(r"^\* \d+ EXISTS")?).await;
    session.set_timeout(Duration::from_secs(5));
    session.done().await?;
    match news {
        Ok(_) => Ok(()),
        Err(error) if error.is_timeout() => Ok(()),
        Err(error) => Err(error),
    }
}
