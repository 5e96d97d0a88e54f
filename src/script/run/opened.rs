//! The sessions that a script has opened.

use std::rc::Rc;

use crate::outcome::Opened;
use crate::script::handle::Handle;
use crate::script::scope::Scope;

/// How many sessions are kept before those that are over are looked for.
const FIRST_LOOK: usize = 64;
/// The most sessions that are over whose times are kept. More would be of no use to a monitoring
/// system.
const MOST_MEASURED: usize = 10_000;

/// The sessions of a script. A session that is closed and that the script can no longer use is
/// dropped, because a script may open any number of them in a loop.
pub(super) struct Sessions {
    /// The sessions that are open or that the script can still use, each with the scope that opened
    /// it.
    kept: Vec<(Rc<Scope>, Handle)>,
    /// The number of kept sessions at which those that are over are looked for. It is twice what
    /// was left the time before, so that all these looks together take a time that is proportional
    /// to the number of sessions.
    look_at: usize,
    /// How long opening the dropped sessions took.
    measured: Vec<Opened>,
}

impl Default for Sessions {
    fn default() -> Self {
        Self { kept: Vec::new(), look_at: FIRST_LOOK, measured: Vec::new() }
    }
}

impl Sessions {
    pub(super) fn add(&mut self, scope: Rc<Scope>, session: Handle) {
        if self.kept.len() >= self.look_at {
            self.drop_ended();
            self.look_at = FIRST_LOOK.max(2 * self.kept.len());
        }
        self.kept.push((scope, session));
    }

    fn drop_ended(&mut self) {
        let Self { kept, measured, .. } = self;
        kept.retain(|(_, handle)| {
            let is_over = handle.is_over();
            if is_over {
                handle.look(|session| {
                    if measured.len() < MOST_MEASURED {
                        measured.extend(session.opened());
                    }
                });
            }
            !is_over
        });
    }

    /// Returns how many sessions are open or can still be used.
    pub(super) fn kept(&self) -> usize {
        self.kept.len()
    }

    /// Returns the kept sessions that were opened in a scope.
    pub(super) fn of(&self, scope: &Scope) -> Vec<Handle> {
        let opened = self.kept.iter().filter(|(of, _)| scope.has(of));
        opened.map(|(_, handle)| handle.clone()).collect()
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
        let script = Rc::<Scope>::default();
        let case = Scope::of_case(&script);
        let (used, still_open) = (open(), open());
        close(&used);
        sessions.add(Rc::clone(&script), used.clone());
        sessions.add(Rc::clone(&case), still_open.clone());
        for _ in 0..3 * FIRST_LOOK {
            let handle = open();
            close(&handle);
            sessions.add(Rc::clone(&script), handle);
        }
        assert!(sessions.kept() <= FIRST_LOOK + 1, "{}", sessions.kept());
        assert_eq!(sessions.of(&script).len(), sessions.kept());
        assert_eq!(sessions.of(&case).len(), 1);
        close(&still_open);
        drop((used, still_open));
        sessions.drop_ended();
        assert_eq!(sessions.kept(), 0);
    }
}
