//! The verbs of IMAP, and the values that they return.

pub(super) mod answers;
pub(super) mod extensions;
mod messages;
pub(super) mod names;
pub(super) mod structure;
mod values;

pub(super) use messages::messages;
use rhai::{Array, Map, Module};
pub(super) use values::answer;
use values::mailbox;

use super::verb::{Manual, collected, verbs};
use crate::imap::{Answer, Argument};

pub(super) const INTRO: &str = "IMAP (RFC 3501, RFC 9051). Each verb makes a tag (`a1`, `a2`, ...), sends its command, and \
takes all responses up to the tagged one, which has to say OK. With `#{expect: \"NO\"}`, the text after the tag has to match \
this pattern instead.\n\nUntagged responses may come in any order. `require: [...]` lists patterns, each of which has to \
match one of them; `forbid: [...]` lists patterns that must not match any. With `only: true`, only responses that are \
required or in `allow: [...]` may come. With `ordered: true`, the required responses have to come in the order of their \
patterns.\n\nA verb fails if the server says OK without the data that the command asks for: SELECT without EXISTS, SEARCH \
without its list, STATUS, CAPABILITY, ENABLE, SORT, THREAD, NAMESPACE, GETQUOTA, GETACL, GETMETADATA, LOGOUT without BYE, \
MOVE by numbers without EXPUNGE of each message that it names and that exists, FETCH without the requested items, FETCH by numbers without a message that it names and \
that exists by the last EXISTS (`1:3` and `*` too), EXAMINE that opens the mailbox for writing. A search with `RETURN (SAVE)` alone has no list (RFC 5182). `bare: true` accepts such an answer. Responses that a server sends unasked between two \
commands wait for the next answer. `FETCH` of other messages, data of other mailboxes or \
quota roots (STATUS, ACL, METADATA, QUOTA) and ESEARCH with another tag are in an answer's `untagged`, but in no result. \
FETCH, STORE, SEARCH, SORT and THREAD by numbers fail if EXPUNGE or VANISHED comes before their end (RFC 3501 section \
7.4.1), except after NOTIFY and with `bare: true`.\n\n\
The data of an answer must not contradict itself: COUNT, MIN, MAX and ALL of ESEARCH come once each and agree, \
STATUS, QUOTA, ACL and METADATA have one value for each name, a mailbox in LIST has one delimiter and children \
or none, and RFC822.SIZE and BINARY.SIZE are the size of the content in the same FETCH. A message has one RFC822.SIZE, \
and one content of each `BODY[...]`, and is once in SORT and THREAD. `HEADER.FIELDS` comes with the fields that were asked for. \
With CHANGEDSINCE, each message has a higher MODSEQ. With UNCHANGEDSINCE, each message that comes has a MODSEQ, \
and MODIFIED names messages of the command. \
LIST and LSUB come with mailboxes that match the pattern, each with its own response. \
COPYUID has the UIDs of messages that the command names, as many as it names, and another UID for each copy; \
APPENDUID has one UID.\n\n\
All untagged data must have the form that its name requires (RFC 3501 section 7). \
A flag may have `]` or octets that are not ASCII, because servers let clients set such flags. \
An answer must agree with what the server has said of the selected mailbox: EXISTS falls only after EXPUNGE or \
VANISHED, no message number is above EXISTS, UIDVALIDITY stays, UIDNEXT does not fall, and UIDs ascend with the \
message numbers. Each response is compared with those before it, in their order; also those that `expect` takes during \
IDLE, for which `done` fails. After NOTIFY, by which a client may ask for no news, no number is compared with EXISTS (RFC 5465). \
`bare: true` accepts an answer that does not agree, and `command` does not compare.\n\n\
OK in place of the `+` that a literal waits for fails a verb, and `* BYE` ends it at once, except `logout`.\n\nStrings are sent as atoms, quoted, \
or as literals, whichever can carry them. Literals are sent after the server asks for them, unless `literal: \"plus\"` (or \
`\"minus\"`, RFC 7888) is set. With `uid: true`, `fetch`, `store`, `search`, `esearch`, `copy`, `move` and `expunge` name \
messages by their unique identifiers.";

pub(super) const MAILBOXES: &str = "Verbs of IMAP about mailboxes. Names are sent unchanged. Names that are not ASCII have to \
be in modified UTF-7, unless another encoding was agreed on with the server (RFC 3501 section 5.1.3).";

pub(super) const MESSAGES: &str = "Verbs of IMAP about messages. Messages are named by a number, a list of numbers, or a set \
as text: `7`, `[1, 2, 5]`, `\"2:4,7\"`, `\"1:*\"`. A verb returns the data that it has read; all responses to its command are \
then in `s.answer`.";

pub(super) const ANSWERS: &str =
    "What verbs of IMAP give back: all that came for a command, and each response on its own.";

pub(super) fn words(manual: Manual) -> Module {
    let mut module = Module::new();
    verbs! { module, manual:
        /// Sends any command, and takes all responses to it. The text is sent unchanged. Arguments
        /// that may need quotes or a literal are given as a list.
        ///
        /// ```dialogue imap
        /// S: * OK hi
        /// C: a1 SELECT INBOX
        /// S: * FLAGS (\Answered \Seen)
        /// S: * 3 EXISTS
        /// S: a1 OK [READ-WRITE] done
        /// C: a2 FROB
        /// S: a2 BAD no such command
        /// ```
        /// ```rhai
        /// let s = connect(param("imap"));
        /// s.expect("* OK");
        /// let r = s.command("SELECT INBOX", #{require: ["* FLAGS", re(`^\* \d+ EXISTS`)], forbid: [re("EXPUNGE")]});
        /// assert_eq(r.status, "OK");
        /// assert_eq(r.code, "READ-WRITE");
        /// assert_eq(r.untagged[1].number, 3);
        /// s.command("FROB", #{expect: "BAD"});
        /// ```
        command(session, call, text: &str) -> Answer { session.command(text, &[]).with(call).await }

        /// Sends a command with arguments. Text is sent as an atom, a quoted string or a literal,
        /// whichever can carry the text. A blob is sent as a literal, `()` as NIL, a list in
        /// parentheses, and `atom(...)` and a number as they are.
        ///
        /// ```dialogue imap
        /// S: * OK hi
        /// C: a1 APPEND "lab box" (\Seen) {11}
        /// S: + go on
        /// C: Subject: hi
        /// S: a1 OK [APPENDUID 38505 3955] done
        /// C: a2 SEARCH CHARSET UTF-8 BODY {6+}
        /// C: Grüß
        /// S: * SEARCH 1 2
        /// S: a2 OK done
        /// ```
        /// ```rhai
        /// let s = connect(param("imap"));
        /// s.expect("* OK");
        /// let r = s.command("APPEND", ["lab box", [atom(`\Seen`)], bytes("Subject: hi")]);
        /// assert_eq(r.codes.APPENDUID, [38505, 3955]);
        /// s.command("SEARCH CHARSET UTF-8 BODY", ["Grüß"], #{literal: "plus"});
        /// ```
        command(session, call, text: &str, arguments: Array) -> Answer { session.command(text, &values::arguments(arguments)?).with(call).await }

        /// Enables extensions (RFC 5161).
        ///
        /// ```dialogue imap
        /// S: * OK hi
        /// C: a1 ENABLE CONDSTORE
        /// S: * ENABLED CONDSTORE
        /// S: a1 OK done
        /// ```
        /// ```rhai
        /// let s = connect(param("imap"));
        /// s.expect("* OK");
        /// s.enable("CONDSTORE", #{require: "* ENABLED CONDSTORE"});
        /// ```
        enable(session, call, capabilities: &str) -> Answer { session.imap_verb("enable", &[Argument::plain(capabilities)]).with(call).await }

        /// Begins an IDLE, in which the server can send news at any time (RFC 2177). `expect` takes
        /// the news, and `done` ends the IDLE. No other verb can be used during an IDLE; end it and
        /// begin another: `s.done(); s.noop(); s.idle();`. To test how a server reacts to a command
        /// during IDLE, send the command by hand. That line takes the place of `s.send("DONE")`,
        /// and the server answers it with the tag of the IDLE.
        ///
        /// ```dialogue imap
        /// S: * OK hi
        /// C: a1 IDLE
        /// S: + idling
        /// S: * 4 EXISTS
        /// C: DONE
        /// S: a1 OK done
        /// ```
        /// ```rhai
        /// let s = connect(param("imap"));
        /// s.expect("* OK");
        /// s.idle();
        /// s.expect(re("EXISTS"), #{timeout: "2m"});
        /// s.done();
        /// ```
        ///
        /// ```dialogue imap
        /// S: * OK hi
        /// C: a1 IDLE
        /// S: + idling
        /// C: a2 NOOP
        /// S: a1 BAD Expected DONE.
        /// ```
        /// ```rhai
        /// let s = connect(param("imap"));
        /// s.expect("* OK");
        /// s.idle();
        /// s.send("a2 NOOP");
        /// s.expect("a1 BAD Expected DONE");
        /// ```
        idle(session, call) -> Answer { session.idle().with(call).await }

        /// Ends an IDLE (RFC 2177). Responses that came meanwhile, and that no `expect` has taken,
        /// are among the untagged responses.
        ///
        /// ```dialogue imap
        /// S: * OK hi
        /// C: a1 IDLE
        /// S: + idling
        /// C: DONE
        /// S: * 1 RECENT
        /// S: a1 OK done
        /// ```
        /// ```rhai
        /// let s = connect(param("imap"));
        /// s.expect("* OK");
        /// s.idle();
        /// assert_eq(s.done().recent, 1);
        /// ```
        done(session, call) -> Answer { session.done().with(call).await }
    }
    module
}

pub(super) fn mailboxes(manual: Manual) -> Module {
    let mut module = Module::new();
    verbs! { module, manual:
        /// Opens a mailbox (RFC 3501 section 6.3.1).
        ///
        /// ```dialogue imap
        /// S: * OK hi
        /// C: a1 SELECT "lab box"
        /// S: * FLAGS (\Answered \Seen)
        /// S: * 3 EXISTS
        /// S: * 0 RECENT
        /// S: * OK [UIDVALIDITY 1795323818] UIDs valid
        /// S: a1 OK [READ-WRITE] done
        /// ```
        /// ```rhai
        /// let s = connect(param("imap"));
        /// s.expect("* OK");
        /// let lab = s.select("lab box");
        /// assert_eq([lab.exists, lab.recent], [3, 0]);
        /// assert_eq(lab.codes.UIDVALIDITY, 1795323818);
        /// assert("READ-WRITE" in lab.codes);
        /// ```
        select(session, call, mailbox: &str) -> Answer { session.select(mailbox).with(call).await }

        /// Opens a mailbox for reading only (RFC 3501 section 6.3.2).
        ///
        /// ```dialogue imap
        /// S: * OK hi
        /// C: a1 EXAMINE nosuch
        /// S: a1 NO Mailbox doesn't exist
        /// ```
        /// ```rhai
        /// let s = connect(param("imap"));
        /// s.expect("* OK");
        /// s.examine("nosuch", #{expect: "NO"});
        /// ```
        examine(session, call, mailbox: &str) -> Answer { session.examine(mailbox).with(call).await }

        /// Leaves the mailbox without expunging messages (RFC 3691).
        unselect(session, call) -> Answer { session.imap_verb("unselect", &[]).with(call).await }

        /// Creates a mailbox (RFC 3501 section 6.3.3).
        create(session, call, mailbox: &str) -> Answer { session.create(mailbox).with(call).await }

        /// Deletes a mailbox (RFC 3501 section 6.3.4).
        delete(session, call, mailbox: &str) -> Answer { session.delete(mailbox).with(call).await }

        /// Renames a mailbox (RFC 3501 section 6.3.5).
        rename(session, call, from: &str, to: &str) -> Answer { session.rename(from, to).with(call).await }

        /// Subscribes to a mailbox (RFC 3501 section 6.3.6).
        subscribe(session, call, mailbox: &str) -> Answer { session.imap_verb("subscribe", &[mailbox.into()]).with(call).await }

        /// Unsubscribes from a mailbox (RFC 3501 section 6.3.7).
        unsubscribe(session, call, mailbox: &str) -> Answer { session.imap_verb("unsubscribe", &[mailbox.into()]).with(call).await }

        /// Lists the mailboxes of IMAP whose names match the pattern (RFC 3501 section 6.3.8). In
        /// the pattern, `*` stands for anything, and `%` for one level. Returns a list of maps with
        /// `name`, `delimiter`, `flags`, `child` (whether the mailbox has children, `()` if the
        /// server does not say) and `extended`, a map of what RFC 5258 adds, such as `CHILDINFO`.
        ///
        /// ```dialogue imap
        /// S: * OK hi
        /// C: a1 LIST "" "*"
        /// S: * LIST (\HasNoChildren) "/" INBOX
        /// S: * LIST (\HasNoChildren \Sent) "/" "Sent mail"
        /// S: * LIST () "/" Lists ("CHILDINFO" ("SUBSCRIBED"))
        /// S: a1 OK done
        /// ```
        /// ```rhai
        /// let s = connect(param("imap"));
        /// s.expect("* OK");
        /// let all = s.list("", "*");
        /// assert_eq(all.map(|mailbox| mailbox.name), ["INBOX", "Sent mail", "Lists"]);
        /// assert(`\Sent` in all[1].flags);
        /// assert_eq(all[2].extended.CHILDINFO, ["SUBSCRIBED"]);
        /// ```
        list(session, call, reference: &str, pattern: &str) -> Array {
            let all = session.list(reference, pattern).with(call).await?;
            collected(session, all.into_iter().map(mailbox))
        }

        /// Asks about a mailbox without opening it (RFC 3501 section 6.3.10). Returns a map of the
        /// items.
        ///
        /// ```dialogue imap
        /// S: * OK hi
        /// C: a1 STATUS INBOX (MESSAGES UNSEEN)
        /// S: * STATUS INBOX (MESSAGES 3 UNSEEN 2)
        /// S: a1 OK done
        /// ```
        /// ```rhai
        /// let s = connect(param("imap"));
        /// s.expect("* OK");
        /// assert_eq(s.status("INBOX", "MESSAGES UNSEEN").UNSEEN, 2);
        /// ```
        status(session, call, mailbox: &str, items: &str) -> Map { values::values(session.status(mailbox, items).with(call).await?) }
    }
    module
}
