//! The sessions, listeners and servers of a script, from their opening to their end.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rhai::NativeCallContext;
use tokio::time::{Instant, timeout_at};

use super::Run;
use crate::error::Error;
use crate::script::handle::Handle;
use crate::script::listening::Listening;
use crate::server::Embedded;
use crate::session::{Options, Session};

impl Run {
    /// Returns the deadline of each operation, unless the script sets another.
    pub(in crate::script) fn timeout(&self) -> Duration {
        self.settings.options.operation_timeout()
    }

    /// Returns the grace time: how long the end of the script waits for late data and late
    /// failures.
    pub(in crate::script) fn grace(&self) -> Duration {
        self.settings.options.end_grace()
    }

    /// Returns the options of sessions, unless the script sets others.
    pub(in crate::script) fn options(&self) -> Options {
        let options = self.settings.options.clone().pace(self.pace.clone());
        options.thread(self.thread).transcript(self.transcript.clone())
    }

    /// Keeps a listener until the script ends. Its port or path differs from run to run, unless the
    /// script names it.
    pub(in crate::script) fn adopt_listener(&self, to: &str, listening: Listening) -> Listening {
        let listener = listening.listener();
        if !to.contains(':') {
            self.note_place(listener.port(), &listener.path());
        }
        self.listeners.borrow_mut().push(listening.clone());
        listening
    }

    /// Makes goldens show a token for a port that the system chose, and for a unix socket in a
    /// temporary folder.
    fn note_place(&self, port: u16, path: &Path) {
        if port != 0 {
            self.note_known("PORT", &port.to_string(), true);
        }
        if path != Path::new("") {
            self.note_known("SOCKET", &path.to_string_lossy(), true);
        }
    }

    /// Ends the listeners. Returns an error if a client has connected and was not accepted.
    pub(in crate::script) async fn end_listeners(&self) -> Option<(Error, Listening)> {
        let all = self.listeners.borrow().clone();
        for listening in all {
            if let Err(error) = listening.listener().finish().await {
                return Some((error, listening));
            }
        }
        None
    }

    /// Keeps a server in the background until the script ends.
    pub(in crate::script) fn adopt_server(&self, scheme: &str, server: Embedded) -> Arc<Embedded> {
        let server = Arc::new(server);
        if let Some(at) = server.addr(scheme) {
            self.note_place(at.port(), Path::new(""));
        }
        self.servers.borrow_mut().push(Arc::clone(&server));
        server
    }

    /// Stops the servers in the background. All connected clients together have `grace` to finish.
    pub(in crate::script) async fn end_servers(&self, grace: Duration) {
        let servers = self.servers.take();
        for server in &servers {
            server.stop(grace);
        }
        let until = Instant::now() + grace;
        for server in &servers {
            // Connections that are open after that are left as they are.
            let _ = timeout_at(until, server.idle()).await;
        }
    }

    /// Stops listening, without an error for clients that were not accepted.
    pub(in crate::script) fn close_listeners(&self) {
        self.listeners.borrow().iter().for_each(|listening| listening.listener().close());
    }

    /// Registers a session that the current word has opened. Until an operation uses the session,
    /// the position of this word is the session's last position.
    pub(in crate::script) fn adopt(
        &self,
        context: &NativeCallContext<'_>,
        session: Session,
    ) -> Handle {
        let handle = Handle::new(session);
        handle.note(context, self.step());
        self.sessions.borrow_mut().push(handle.clone());
        handle
    }

    pub(in crate::script) fn sessions(&self) -> Vec<Handle> {
        self.sessions.borrow().clone()
    }

    /// Returns how many sessions were opened so far.
    pub(in crate::script) fn opened(&self) -> usize {
        self.sessions.borrow().len()
    }

    /// Closes the sessions from number `from` on, without judging them.
    pub(in crate::script) fn leave_sessions(&self, from: usize) {
        for handle in self.sessions().into_iter().skip(from) {
            if let Ok(mut taken) = handle.take()
                && let Ok(session) = taken.session()
            {
                session.hang_up();
            }
        }
    }

    /// Ends the open dialogues from number `from` on, up to the first one that fails. Returns the
    /// error and the handle of that one. Our side of each session is closed before the first
    /// session is read to its end, so that all of them together take one grace time.
    pub(in crate::script) async fn end_sessions(&self, from: usize) -> Option<(Error, Handle)> {
        let mut ending = Vec::new();
        let mut sessions = self.sessions().split_off(from.min(self.opened()));
        // Branches open sessions in any order.
        sessions.sort_by_cached_key(|handle| {
            let mut id = None;
            handle.look(|session| id = Some(session.id()));
            id
        });
        for handle in sessions {
            let Ok(mut taken) = handle.take() else { continue };
            match taken.session() {
                Ok(session) if session.is_open() => match session.close_our_side().await {
                    Ok(deadline) => ending.push((taken, handle, deadline)),
                    Err(error) => return Some((error, handle)),
                },
                _ => {}
            }
        }
        for (mut taken, handle, deadline) in ending {
            if let Ok(session) = taken.session()
                && let Err(error) = session.read_to_end(deadline).await
            {
                return Some((error, handle));
            }
        }
        None
    }

    /// Returns how often something expected came, or an assertion held.
    pub(in crate::script) fn proofs(&self) -> u64 {
        let mut proofs = self.checks();
        for handle in self.sessions() {
            handle.look(|session| proofs += session.expectations());
        }
        proofs
    }

    /// Whether the script has proved nothing although it has to. Setups and teardowns do not have
    /// to.
    pub(in crate::script) fn has_proved_nothing(&self) -> bool {
        self.proofs() == 0 && !self.table.has_failed() && !self.is_fixture
    }
}
