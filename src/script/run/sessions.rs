//! What a run gives the sessions, listeners and servers that its script opens, and keeps of them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rhai::NativeCallContext;

use super::Run;
use crate::outcome::Measured;
use crate::script::branch::Branch;
use crate::script::handle::Handle;
use crate::script::listening::Listening;
use crate::server::Embedded;
use crate::session::{Options, Session};
use crate::transport::ThreadUse;

impl Run {
    /// Returns the deadline of each operation, unless the script sets another.
    pub(in crate::script) fn timeout(&self) -> Duration {
        self.settings().options.operation_timeout()
    }

    /// Returns the grace time: how long the end of the script waits for late data and late
    /// failures.
    pub(in crate::script) fn grace(&self) -> Duration {
        self.settings().options.end_grace()
    }

    /// Returns the options of sessions, unless the script sets others.
    pub(in crate::script) fn options(&self) -> Options {
        let options = self.settings().options.clone().pace(self.shared.pace.clone());
        options.thread(self.thread()).transcript(self.transcript.clone())
    }

    /// Returns whether a session may hold up the thread: other branches, and the server's side of a
    /// dialogue, would wait with it.
    fn thread(&self) -> ThreadUse {
        let is_alone = Branch::current().is_none() && !self.peers.have_servers();
        if is_alone { self.thread } else { ThreadUse::Shared }
    }

    /// Keeps a listener until the script ends. Its port or path differs from run to run, unless the
    /// script names it.
    pub(in crate::script) fn adopt_listener(&self, to: &str, listening: Listening) -> Listening {
        let listener = listening.listener();
        if !to.contains(':') {
            self.note_place(listener.port(), &listener.path());
        }
        self.peers.share_thread(&self.whole);
        self.peers.add_listener(self.scope(), listening.clone());
        listening
    }

    /// Makes goldens show a token for a port that the system chose, and for a unix socket in a
    /// temporary folder.
    fn note_place(&self, port: u16, path: &Path) {
        if port != 0 {
            self.values.note_known(self.scope().order(), "PORT", &port.to_string(), true);
        }
        if path != Path::new("") {
            self.values.note_known(self.scope().order(), "SOCKET", &path.to_string_lossy(), true);
        }
    }

    /// Keeps a server in the background until the script ends.
    pub(in crate::script) fn adopt_server(&self, scheme: &str, server: Embedded) -> Arc<Embedded> {
        let server = Arc::new(server);
        if let Some(at) = server.addr(scheme) {
            self.note_place(at.port(), Path::new(""));
        }
        self.peers.share_thread(&self.whole);
        self.peers.add_server(self.scope(), Arc::clone(&server));
        server
    }

    /// Registers a session that the current word has opened. Until an operation uses the session,
    /// the position of this word is the session's last position.
    pub(in crate::script) fn adopt(
        &self,
        context: &NativeCallContext<'_>,
        session: Session,
    ) -> Handle {
        let handle = Handle::new(session);
        handle.note(context, self.steps.current());
        self.peers.add_session(self.scope(), handle.clone());
        handle
    }

    /// Returns the times and metrics of the run, which ends now.
    pub(in crate::script) fn measured(&self) -> Measured {
        Measured { sessions: self.peers.opened_in(), ..self.steps.measured() }
    }

    /// Returns how often something expected came, or an assertion held.
    pub(in crate::script) fn proofs(&self) -> u64 {
        self.whole.proofs()
    }

    /// Whether the script has proved nothing although it has to. Setups and teardowns do not have
    /// to.
    pub(in crate::script) fn has_proved_nothing(&self) -> bool {
        self.proofs() == 0 && !self.table.has_failed() && self.fixture.has_to_prove()
    }
}
