//! Connecting no faster than a server accepts connections.
//!
//! A new connection waits in the server's listen queue until the server accepts it. If the queue is
//! full, the system drops further connection requests, and sends them again a second later. From
//! outside, a connection is known to be accepted once the server sends something; so the number of
//! connections that have not received anything is limited. A server that delays its greeting on
//! purpose must not stop all others for ever: if no connection receives anything for a while, all
//! are counted as accepted.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

/// How many connections may wait for a server's first byte; usual listen queues are of this length.
const AHEAD: usize = 128;
/// How long all connections may receive nothing before all are counted as accepted.
const PATIENCE: Duration = Duration::from_millis(25);

/// The pace that sessions which are opened together share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pace(Arc<State>);

#[derive(Debug, Default)]
struct State {
    waiting: Mutex<Waiting>,
    heard: Notify,
    /// Held by the session that connects next. The others wait for it in a queue.
    head: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Waiting {
    count: usize,
    /// How many times all connections were counted as accepted.
    pardons: u64,
}

/// A connection that has not received anything yet. Drop it once the connection has, or is closed.
#[derive(Debug)]
pub(crate) struct Unheard {
    pace: Pace,
    pardons: u64,
}

impl Pace {
    /// Waits until one more connection may be made.
    pub(crate) async fn turn(&self) -> Unheard {
        let _head = self.0.head.lock().await;
        loop {
            if let Some(turn) = self.take() {
                return turn;
            }
            if timeout(PATIENCE, self.0.heard.notified()).await.is_err() {
                let mut waiting = self.waiting();
                *waiting = Waiting { count: 0, pardons: waiting.pardons + 1 };
            }
        }
    }

    fn take(&self) -> Option<Unheard> {
        let mut waiting = self.waiting();
        if waiting.count >= AHEAD {
            return None;
        }
        waiting.count += 1;
        Some(Unheard { pace: self.clone(), pardons: waiting.pardons })
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // No code panics while it holds this lock, so it is never poisoned.
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Unheard {
    fn drop(&mut self) {
        let mut waiting = self.pace.waiting();
        if waiting.pardons == self.pardons {
            waiting.count -= 1;
        }
        drop(waiting);
        self.pace.0.heard.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    fn run<T>(test: impl Future<Output = T>) -> T {
        crate::runtime::current_thread().unwrap().block_on(test)
    }

    async fn many(pace: &Pace, count: usize) -> Vec<Unheard> {
        let mut turns = Vec::new();
        for _ in 0..count {
            turns.push(pace.turn().await);
        }
        turns
    }

    #[test]
    fn one_more_waits_until_one_has_heard_something() {
        run(async {
            let (pace, start) = (Pace::default(), Instant::now());
            let mut turns = many(&pace, AHEAD).await;
            let next = tokio::spawn({
                let pace = pace.clone();
                async move { pace.turn().await }
            });
            tokio::task::yield_now().await;
            assert!(!next.is_finished());
            drop(turns.pop());
            next.await.unwrap();
            assert_eq!(pace.waiting().pardons, 0, "it waited for {:?}", start.elapsed());
        });
    }

    #[test]
    fn where_nobody_hears_anything_the_next_ones_go_on() {
        run(async {
            let (pace, start) = (Pace::default(), Instant::now());
            let turns = many(&pace, 3 * AHEAD).await;
            assert!(start.elapsed() >= PATIENCE * 2);
            // Connections that were counted as accepted are not subtracted a second time.
            drop(turns);
            assert_eq!(pace.waiting().count, 0);
        });
    }
}
