//! Two look-ups of one name at the same time.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::{Answer, Failure, SILENT};

/// How long a look-up is waited for after the other one has found what was looked for: enough to
/// ask again twice, if a packet is lost. Some name servers and firewalls never answer a question
/// for AAAA (RFC 4074 section 4.1), and each connection waits that long for them.
const PATIENCE: Duration = Duration::from_secs(1);

/// Waits for two look-ups. If one of them settles whether the name has addresses, the other gets
/// [`PATIENCE`], and at most half of the time that is left, and then counts as failed.
pub(in crate::transport) async fn both(
    one: impl Future<Output = Result<Answer, Failure>>,
    other: impl Future<Output = Result<Answer, Failure>>,
    deadline: Instant,
) -> (Result<Answer, Failure>, Result<Answer, Failure>) {
    tokio::pin!(one, other);
    tokio::select! {
        biased;
        first = &mut one => {
            let second = late(other, &first, deadline).await;
            (first, second)
        }
        first = &mut other => {
            let second = late(one, &first, deadline).await;
            (second, first)
        }
    }
}

async fn late(
    look_up: impl Future<Output = Result<Answer, Failure>>,
    known: &Result<Answer, Failure>,
    deadline: Instant,
) -> Result<Answer, Failure> {
    if !matches!(known, Ok(Answer::Records(_) | Answer::NoName(_))) {
        return look_up.await;
    }
    let now = Instant::now();
    let patience = PATIENCE.min(deadline.saturating_duration_since(now) / 2);
    timeout_at(now + patience, look_up).await.unwrap_or_else(|_| Err(SILENT.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    const ALLOWED: Duration = Duration::from_millis(100);

    /// Whether a look-up that is never answered ends before the deadline.
    async fn is_left(known: Result<Answer, Failure>) -> bool {
        let deadline = Instant::now() + ALLOWED;
        let both = timeout_at(deadline, both(pending(), ready(known), deadline)).await;
        both.is_ok_and(|(silent, _)| silent.is_err_and(|why| why == SILENT))
    }

    #[tokio::test]
    async fn a_silent_look_up_is_left_if_the_other_settles_the_question() {
        assert!(is_left(Ok(Answer::Records(Vec::new()))).await);
        assert!(is_left(Ok(Answer::NoName(None))).await);
        assert!(!is_left(Ok(Answer::NoRecords)).await);
        assert!(!is_left(Err("error 2".to_owned())).await);
    }

    #[tokio::test]
    async fn a_look_up_that_is_only_slower_counts() {
        let slow = async {
            tokio::task::yield_now().await;
            Ok(Answer::NoRecords)
        };
        let found = ready(Ok(Answer::Records(Vec::new())));
        let (found, slow) = both(found, slow, Instant::now() + ALLOWED).await;
        assert!(matches!((found, slow), (Ok(Answer::Records(_)), Ok(Answer::NoRecords))));
    }
}
