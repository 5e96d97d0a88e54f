//! The sessions, listeners and servers of a script, from their opening to their end.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::opened::Sessions;
use crate::error::Error;
use crate::outcome::Opened;
use crate::script::handle::Handle;
use crate::script::listening::Listening;
use crate::script::order::InOrder;
use crate::script::programs::Programs;
use crate::script::questions::Questions;
use crate::script::scope::Scope;
use crate::server::Embedded;
use crate::transcript::Transcript;

/// The dialogues of a script: with servers, with clients, and with the commands that it started.
/// Each that is open is kept to the end of the script, and then judged.
#[derive(Default)]
pub(in crate::script) struct Peers {
    sessions: RefCell<Sessions>,
    /// The listeners that the script opened.
    listeners: RefCell<InOrder<(Rc<Scope>, Listening)>>,
    /// The servers that run in the background.
    servers: RefCell<InOrder<(Rc<Scope>, Arc<Embedded>)>>,
    /// The questions of the servers in the background.
    pub(in crate::script) questions: Questions,
    /// The commands that the script started.
    pub(in crate::script) programs: Programs,
}

impl Peers {
    /// Whether one of the listeners listens on this unix socket.
    pub(super) fn has_listener_at(&self, path: &Path) -> bool {
        self.listeners.borrow().iter().any(|(_, own)| own.listener().path() == path)
    }

    /// Whether the script listens, or runs a server in the background.
    pub(super) fn have_servers(&self) -> bool {
        !self.listeners.borrow().is_empty() || !self.servers.borrow().is_empty()
    }

    /// Lets other branches, and the script's own servers, have the thread while one of the open
    /// sessions waits.
    pub(in crate::script) fn share_thread(&self, whole: &Scope) {
        for handle in self.sessions(whole) {
            if let Ok(mut taken) = handle.take()
                && let Ok(session) = taken.session()
            {
                session.share_thread();
            }
        }
    }

    pub(super) fn add_session(&self, scope: Rc<Scope>, session: Handle) {
        self.sessions.borrow_mut().add(scope, session);
    }

    pub(super) fn add_listener(&self, scope: Rc<Scope>, listener: Listening) {
        self.listeners.borrow_mut().add(scope.order(), (scope, listener));
    }

    pub(super) fn add_server(&self, scope: Rc<Scope>, server: Arc<Embedded>) {
        self.servers.borrow_mut().add(scope.order(), (scope, server));
    }

    /// Ends the listeners. Returns an error if a client has connected and was not accepted.
    pub(in crate::script) async fn end_listeners(&self) -> Option<(Error, Listening)> {
        let all = self.listeners.borrow().clone();
        for (_, listening) in all.into_iter() {
            if let Err(error) = listening.listener().finish().await {
                return Some((error, listening));
            }
        }
        None
    }

    /// Stops the servers in the background. All connected clients together have `grace` to finish.
    pub(in crate::script) async fn end_servers(&self, grace: Duration) {
        let servers = self.servers.take();
        for (_, server) in servers.iter() {
            server.stop(grace);
        }
        let until = Instant::now() + grace;
        for (_, server) in servers.iter() {
            // Connections that are open after that are left as they are.
            let _ = timeout_at(until, server.idle()).await;
        }
    }

    /// Stops listening, without an error for clients that were not accepted.
    pub(in crate::script) fn close_listeners(&self) {
        self.listeners.borrow().iter().for_each(|(_, listening)| listening.listener().close());
    }

    /// Returns the sessions that were opened in a scope and are kept.
    pub(in crate::script) fn sessions(&self, scope: &Scope) -> Vec<Handle> {
        self.sessions.borrow().of(scope)
    }

    /// Returns how many sessions are open or can still be used.
    pub(in crate::script) fn kept(&self) -> usize {
        self.sessions.borrow().kept()
    }

    /// Ends what an attempt has opened and started which failed, without judging it.
    pub(in crate::script) fn leave(&self, scope: &Scope, transcript: &Transcript) {
        self.leave_sessions(scope);
        self.programs.leave(scope, transcript);
        self.listeners.borrow_mut().retain(|(of, listening)| {
            let is_left = scope.has(of);
            if is_left {
                listening.listener().close();
            }
            !is_left
        });
        self.servers.borrow_mut().retain(|(of, server)| {
            let is_left = scope.has(of);
            if is_left {
                server.stop(Duration::ZERO);
            }
            !is_left
        });
    }

    /// Closes the sessions of a scope, without judging them.
    pub(in crate::script) fn leave_sessions(&self, scope: &Scope) {
        for handle in self.sessions(scope) {
            if let Ok(mut taken) = handle.take()
                && let Ok(session) = taken.session()
            {
                session.hang_up();
            }
        }
    }

    /// Returns the sessions of a scope in the order of their names, because branches open sessions
    /// in any order.
    fn in_order(&self, scope: &Scope) -> Vec<Handle> {
        let mut sessions = self.sessions(scope);
        sessions.sort_by_cached_key(|handle| {
            let mut id = None;
            handle.look(|session| id = Some(session.id()));
            id
        });
        sessions
    }

    /// Returns the first session of a scope that has not ended yet.
    pub(in crate::script) fn first_open(&self, scope: &Scope) -> Option<Handle> {
        self.in_order(scope).into_iter().find(|handle| {
            let mut is_open = false;
            handle.look(|session| is_open = !session.is_over());
            is_open
        })
    }

    /// Ends the open dialogues of a scope, up to the first one that fails. Returns the
    /// error and the handle of that one. Our side of each session is closed before the first
    /// session is read to its end, so that all of them together take one grace time.
    pub(in crate::script) async fn end_sessions(&self, scope: &Scope) -> Option<(Error, Handle)> {
        let mut ending = Vec::new();
        for handle in self.in_order(scope) {
            let Ok(mut taken) = handle.take() else { continue };
            match taken.session() {
                Ok(session) if !session.is_over() => match session.close_our_side().await {
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

    /// Returns how long it took to open the connections of the sessions.
    pub(super) fn opened_in(&self) -> Vec<Opened> {
        self.sessions.borrow().opened_in()
    }
}
