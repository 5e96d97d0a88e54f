//! All words of the language, in the groups that the reference shows.

use std::sync::LazyLock;

use rhai::{Module, Shared};

use super::verb::{Manual, words_of};
use super::{
    auth, background, capabilities, cases, caught, expect, files, find, golden, imap, listening,
    logs, message, metric, names, pattern, pop3, port, processes, reply, same, send, serving,
    session, shared, sieve, smtp, standard, test, tls, together, trying,
};

/// A group of words that belong together: one chapter of the reference.
pub(in crate::script) struct Group {
    pub(in crate::script) title: &'static str,
    pub(in crate::script) intro: &'static str,
    pub(in crate::script) module: Shared<Module>,
}

/// All groups of words, in the order of the reference.
pub(in crate::script) fn groups() -> &'static [Group] {
    static GROUPS: LazyLock<Vec<Group>> = LazyLock::new(|| {
        let group =
            |(title, intro, module): (_, _, Module)| Group { title, intro, module: module.into() };
        chapters(Manual::Wanted).map(group).collect()
    });
    &GROUPS
}

/// All words in one module. Rhai searches modules one after the other for each call, so one module
/// is faster than many.
pub(in crate::script) fn vocabulary() -> Shared<Module> {
    static VOCABULARY: LazyLock<Shared<Module>> = LazyLock::new(|| {
        let mut all = Module::new();
        for (_, _, module) in chapters(Manual::LeftOut) {
            all.combine(module);
        }
        all.into()
    });
    Shared::clone(&VOCABULARY)
}

/// The title, the introduction and the words of each group.
fn chapters(manual: Manual) -> impl Iterator<Item = (&'static str, &'static str, Module)> {
    [
        ("Sessions", session::INTRO, words_of!(session::words, manual)),
        ("Sending", send::INTRO, words_of!(send::words, manual)),
        ("Expecting", expect::INTRO, words_of!(expect::words, manual)),
        ("Patterns and bytes", pattern::INTRO, pattern::words(manual)),
        ("Replies", reply::INTRO, words_of!(reply::words, manual)),
        ("TLS", tls::INTRO, words_of!(tls::words, manual)),
        ("Verbs", shared::INTRO, shared::words(manual)),
        ("Verbs of SMTP", smtp::INTRO, smtp::words(manual)),
        ("Verbs of IMAP", imap::INTRO, imap::words(manual)),
        ("Mailboxes of IMAP", imap::MAILBOXES, imap::mailboxes(manual)),
        ("Messages of IMAP", imap::MESSAGES, imap::messages(manual)),
        ("Extensions of IMAP", imap::extensions::INTRO, imap::extensions::all_words(manual)),
        (
            "Structure of messages",
            imap::structure::INTRO,
            words_of!(imap::structure::words, manual),
        ),
        ("Answers of IMAP", imap::ANSWERS, words_of!(imap::answers::words, manual)),
        ("Authentication", auth::INTRO, auth::all_words(manual)),
        ("Capabilities", capabilities::INTRO, words_of!(capabilities::words, manual)),
        ("Messages", message::INTRO, words_of!(message::words, manual)),
        ("Verbs of POP3", pop3::INTRO, pop3::words(manual)),
        ("Verbs of ManageSieve", sieve::INTRO, sieve::words(manual)),
        ("Servers in the background", background::INTRO, words_of!(background::words, manual)),
        ("Ports", port::INTRO, words_of!(port::words, manual)),
        ("Listeners", listening::INTRO, words_of!(listening::words, manual)),
        ("The server's side", serving::INTRO, serving::words(manual)),
        ("Tests", test::INTRO, words_of!(test::words, manual)),
        ("Files", files::INTRO, words_of!(files::words, manual)),
        ("Commands", processes::INTRO, words_of!(processes::words, manual)),
        ("Logs", logs::INTRO, words_of!(logs::words, manual)),
        ("Tables", cases::INTRO, words_of!(cases::words, manual)),
        ("Failures and attempts", trying::INTRO, words_of!(trying::words, manual)),
        ("Comparing in any order", same::INTRO, words_of!(same::words, manual)),
        ("Several dialogues at once", together::INTRO, words_of!(together::words, manual)),
        ("Metrics", metric::INTRO, words_of!(metric::words, manual)),
        ("Golden transcripts", golden::INTRO, words_of!(golden::words, manual)),
        ("Finding", find::INTRO, words_of!(find::words, manual)),
        ("Names, time and chance", names::INTRO, words_of!(names::words, manual)),
        ("Lists and text", standard::INTRO, standard::all_words(manual)),
        ("Caught errors", caught::INTRO, words_of!(caught::words, manual)),
    ]
    .into_iter()
}
