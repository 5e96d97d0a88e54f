//! All words of the language, in the groups that the reference shows.
//!
//! # How to add a word
//!
//! Write it into the file of its topic with a doc comment that has an example: the comment is its
//! entry in the reference, and a test runs the example. `mailexpect reference > docs/reference.md`
//! brings the file in the repository up to date. An option that is new goes into `OPTIONS` of
//! `script/vocabulary.rs`, and a test fails until it is there. A new topic is a file beside this
//! one and a line in `chapters`.

use std::sync::LazyLock;

use rhai::{Module, Shared};

use super::verb::{Manual, words_of};
use super::{
    auth, background, capabilities, cases, caught, expect, files, find, golden, imap, listening,
    logs, message, metric, names, pattern, pop3, port, processes, reply, same, send, serving,
    session, shared, shown, sieve, smtp, standard, test, tls, together, trying, unlike,
};

/// A group of words that belong together: one chapter of the reference.
pub(in crate::script) struct Group {
    pub(in crate::script) title: &'static str,
    pub(in crate::script) intro: &'static str,
    pub(in crate::script) module: Shared<Module>,
    /// Whether the words of a session in it expect replies, so that a script that calls one of them
    /// proves something.
    pub(in crate::script) expects: bool,
}

/// A group whose module is not shared yet.
struct Chapter {
    title: &'static str,
    intro: &'static str,
    module: Module,
    expects: bool,
}

fn words(title: &'static str, intro: &'static str, module: Module) -> Chapter {
    Chapter { title, intro, module, expects: false }
}

fn verbs(title: &'static str, intro: &'static str, module: Module) -> Chapter {
    Chapter { title, intro, module, expects: true }
}

/// All groups of words, in the order of the reference.
pub(in crate::script) fn groups() -> &'static [Group] {
    static GROUPS: LazyLock<Vec<Group>> = LazyLock::new(|| {
        let group = |Chapter { title, intro, module, expects }| Group {
            title,
            intro,
            module: module.into(),
            expects,
        };
        chapters(Manual::Wanted).map(group).collect()
    });
    &GROUPS
}

/// All words in one module. Rhai searches modules one after the other for each call, so one module
/// is faster than many.
pub(in crate::script) fn vocabulary() -> Shared<Module> {
    static VOCABULARY: LazyLock<Shared<Module>> = LazyLock::new(|| {
        let mut all = Module::new();
        for chapter in chapters(Manual::LeftOut) {
            all.combine(chapter.module);
        }
        shown::add_to(&mut all);
        unlike::add_to(&mut all);
        all.into()
    });
    Shared::clone(&VOCABULARY)
}

/// All groups. `verbs` makes a group of verbs, whose words expect their replies; `words` any other.
fn chapters(manual: Manual) -> impl Iterator<Item = Chapter> {
    [
        words("Sessions", session::INTRO, words_of!(session::words, manual)),
        words("Sending", send::INTRO, words_of!(send::words, manual)),
        words("Expecting", expect::INTRO, expect::words(manual)),
        words("Patterns and bytes", pattern::INTRO, pattern::words(manual)),
        words("Replies", reply::INTRO, words_of!(reply::words, manual)),
        words("TLS", tls::INTRO, tls::all_words(manual)),
        verbs("Verbs", shared::INTRO, shared::words(manual)),
        verbs("Verbs of SMTP", smtp::INTRO, smtp::words(manual)),
        verbs("Verbs of IMAP", imap::INTRO, imap::words(manual)),
        verbs("Mailboxes of IMAP", imap::MAILBOXES, imap::mailboxes(manual)),
        verbs("Messages of IMAP", imap::MESSAGES, imap::messages(manual)),
        verbs("Extensions of IMAP", imap::extensions::INTRO, imap::extensions::all_words(manual)),
        words(
            "Structure of messages",
            imap::structure::INTRO,
            words_of!(imap::structure::words, manual),
        ),
        words("Answers of IMAP", imap::ANSWERS, words_of!(imap::answers::words, manual)),
        verbs("Authentication", auth::INTRO, auth::all_words(manual)),
        words("Capabilities", capabilities::INTRO, words_of!(capabilities::words, manual)),
        words("Messages", message::INTRO, words_of!(message::words, manual)),
        verbs("Verbs of POP3", pop3::INTRO, pop3::words(manual)),
        verbs("Verbs of ManageSieve", sieve::INTRO, sieve::words(manual)),
        words("Servers in the background", background::INTRO, words_of!(background::words, manual)),
        words("Ports", port::INTRO, words_of!(port::words, manual)),
        words("Listeners", listening::INTRO, words_of!(listening::words, manual)),
        words("The server's side", serving::INTRO, serving::words(manual)),
        words("Tests", test::INTRO, words_of!(test::words, manual)),
        words("Files", files::INTRO, words_of!(files::words, manual)),
        words("Commands", processes::INTRO, words_of!(processes::words, manual)),
        words("Logs", logs::INTRO, words_of!(logs::words, manual)),
        words("Tables", cases::INTRO, words_of!(cases::words, manual)),
        words("Failures and attempts", trying::INTRO, words_of!(trying::words, manual)),
        words("Comparing in any order", same::INTRO, words_of!(same::words, manual)),
        words("Several dialogues at once", together::INTRO, words_of!(together::words, manual)),
        words("Metrics", metric::INTRO, words_of!(metric::words, manual)),
        words("Golden transcripts", golden::INTRO, words_of!(golden::words, manual)),
        words("Finding", find::INTRO, words_of!(find::words, manual)),
        words("Names, time and chance", names::INTRO, words_of!(names::words, manual)),
        words("Lists and text", standard::INTRO, standard::all_words(manual)),
        words("Caught errors", caught::INTRO, words_of!(caught::words, manual)),
    ]
    .into_iter()
}
