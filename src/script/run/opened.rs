//! The sessions that a script has opened.

use crate::outcome::Opened;
use crate::script::handle::Handle;

/// How many sessions are kept before those that are over are looked for.
const FIRST_LOOK: usize = 64;
/// The most sessions that are over whose times are kept. More would be of no use to a monitoring
/// system.
const MOST_MEASURED: usize = 10_000;

/// The sessions of a script. A session that is closed and that the script can no longer use is
/// dropped, because a script may open any number of them in a loop.
pub(super) struct Sessions {
    /// The sessions that are open or that the script can still use, each with its number from 0.
    kept: Vec<(usize, Handle)>,
    /// How many sessions were opened.
    opened: usize,
    /// The number of kept sessions at which those that are over are looked for. It is twice what
    /// was left the time before, so that all these looks together take a time that is proportional
    /// to the number of sessions.
    look_at: usize,
    /// How often something expected came in the sessions that were dropped.
    expectations: u64,
    /// How long opening the dropped sessions took.
    measured: Vec<Opened>,
}

impl Default for Sessions {
    fn default() -> Self {
        Self {
            kept: Vec::new(),
            opened: 0,
            look_at: FIRST_LOOK,
            expectations: 0,
            measured: Vec::new(),
        }
    }
}

impl Sessions {
    pub(super) fn add(&mut self, session: Handle) {
        if self.kept.len() >= self.look_at {
            self.drop_ended();
            self.look_at = FIRST_LOOK.max(2 * self.kept.len());
        }
        self.kept.push((self.opened, session));
        self.opened += 1;
    }

    fn drop_ended(&mut self) {
        let Self { kept, expectations, measured, .. } = self;
        kept.retain(|(_, handle)| {
            let is_over = handle.is_over();
            if is_over {
                handle.look(|session| {
                    *expectations += session.expectations();
                    if measured.len() < MOST_MEASURED {
                        measured.extend(session.opened());
                    }
                });
            }
            !is_over
        });
    }

    /// Returns how many sessions were opened so far.
    pub(super) fn opened(&self) -> usize {
        self.opened
    }

    /// Returns how many sessions are open or can still be used.
    pub(super) fn kept(&self) -> usize {
        self.kept.len()
    }

    /// Returns the kept sessions from number `from` on.
    pub(super) fn since(&self, from: usize) -> Vec<Handle> {
        let later = self.kept.iter().filter(|(number, _)| *number >= from);
        later.map(|(_, handle)| handle.clone()).collect()
    }

    /// Returns how often something expected came in a session.
    pub(super) fn expectations(&self) -> u64 {
        let mut expectations = self.expectations;
        for (_, handle) in &self.kept {
            handle.look(|session| expectations += session.expectations());
        }
        expectations
    }

    /// Returns how long it took to open the connections of the sessions.
    pub(super) fn opened_in(&self) -> Vec<Opened> {
        let mut all = self.measured.clone();
        for (_, handle) in &self.kept {
            handle.look(|session| all.extend(session.opened()));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Session;

    #[test]
    fn a_session_is_kept_while_it_is_open_or_in_use() {
        let runtime = crate::runtime::current_thread().unwrap();
        let _entered = runtime.enter();
        let open = || Handle::new(Session::options().pipe(&["cat".to_owned()], "tcp").unwrap());
        let close = |handle: &Handle| handle.take().unwrap().session().unwrap().hang_up();
        let mut sessions = Sessions::default();
        let (used, still_open) = (open(), open());
        close(&used);
        sessions.add(used.clone());
        sessions.add(still_open);
        for _ in 0..3 * FIRST_LOOK {
            let handle = open();
            close(&handle);
            sessions.add(handle);
        }
        assert!(sessions.kept() <= FIRST_LOOK + 1, "{}", sessions.kept());
        assert_eq!(sessions.opened(), 3 * FIRST_LOOK + 2);
        assert!(
            sessions.since(0).len() == sessions.kept()
                && sessions.since(2).len() + 2 == sessions.kept()
        );
        close(&sessions.since(0)[1]);
        drop(used);
        sessions.drop_ended();
        assert_eq!((sessions.kept(), sessions.opened()), (0, 3 * FIRST_LOOK + 2));
    }
}
