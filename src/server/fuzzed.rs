//! The embedded server without its sockets, for `fuzz/`.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use super::conversation::Conversation;
use super::service::SERVICES;
use super::site::Site;

/// Serves one client of a port, whose bytes come in pieces of this size. Returns the lines of the
/// answers, and whether the server has ended the dialogue.
pub(crate) fn answers(service: usize, said: &[u8], piece: usize) -> (usize, bool) {
    let site = Arc::new(Site::default());
    let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 25));
    let dialogue = (SERVICES[service % SERVICES.len()].dialogue)(Arc::clone(&site), peer);
    let mut conversation = Conversation::new(dialogue, Arc::clone(&site.spool), None);
    let mut replies = conversation.greet().replies;
    for piece in said.chunks(piece) {
        let mut answer = Some(conversation.receive(piece));
        while let Some(mut more) = answer {
            replies.append(&mut more.replies);
            if more.last.is_some() {
                return (lines(&replies), true);
            }
            answer = conversation.go_on();
        }
    }
    (lines(&replies), false)
}

fn lines(replies: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', replies).count()
}
