//! The verbs of IMAP about messages.

use rhai::{Array, Blob, Dynamic, Map, Module};

use super::super::argument;
use super::super::verb::{Manual, verbs};
use super::values::{criteria, fetched, numbers, set, values};
use crate::imap::Answer;

pub(in crate::script::bindings) fn messages(manual: Manual) -> Module {
    let mut module = Module::new();
    verbs! { module, manual:
        /// Adds a message to a mailbox (RFC 3501 section 6.3.11). The line ends of text become
        /// CRLF; a blob stays as it is.
        ///
        /// ```dialogue imap
        /// S: * OK hi
        /// C: a1 APPEND INBOX {20}
        /// S: + go on
        /// C: Subject: hi
        /// C:
        /// C: Hi.
        /// C:
        /// S: a1 OK [APPENDUID 38505 3955] done
        /// ```
        /// ```rhai
        /// let s = connect(param("imap"));
        /// s.expect("* OK");
        /// let r = s.append("INBOX", "Subject: hi\n\nHi.\n");
        /// assert_eq(r.code, "APPENDUID 38505 3955");
        /// ```
        append(session, call, mailbox: &str, message: Dynamic) -> Answer { session.append(mailbox, "", argument::message(message)?).with(call).await }

        /// The same with flags, or with flags and a date.
        ///
        /// ```dialogue imap
        /// S: * OK hi
        /// C: a1 APPEND Lab (\Seen) "17-Jul-1996 02:44:25 -0700" {11+}
        /// C: Subject: hi
        /// S: a1 OK done
        /// ```
        /// ```rhai
        /// let s = connect(param("imap"));
        /// s.expect("* OK");
        /// s.append("Lab", `(\Seen) "17-Jul-1996 02:44:25 -0700"`, "Subject: hi", #{literal: "plus"});
        /// ```
        append(session, call, mailbox: &str, flags: &str, message: &str) -> Answer {
            session.append(mailbox, flags, argument::message(message.into())?).with(call).await
        }

        append(session, call, mailbox: &str, flags: &str, message: Blob) -> Answer {
            session.append(mailbox, flags, argument::message(Dynamic::from_blob(message))?).with(call).await
        }

        append(session, call, mailbox: &str, flags: &str, message: Array) -> Answer {
            session.append(mailbox, flags, argument::message(message.into())?).with(call).await
        }

        /// Searches messages. Returns a list of their numbers (RFC 3501 section 6.4.4), also if the
        /// server sends an ESEARCH response. The criteria are text, which is sent unchanged, or a
        /// list of arguments as `command` takes them.
        ///
        /// ```dialogue imap
        /// S: * OK hi
        /// C: a1 SEARCH UNSEEN
        /// S: * SEARCH 2 3
        /// S: a1 OK done
        /// C: a2 UID SEARCH SUBJECT "hi"
        /// S: * ESEARCH (TAG "a2") UID ALL 7,9:11
        /// S: a2 OK done
        /// C: a3 SEARCH CHARSET UTF-8 SUBJECT {6+}
        /// C: Grüß UNSEEN
        /// S: * SEARCH 2
        /// S: a3 OK done
        /// ```
        /// ```rhai
        /// let s = connect(param("imap"));
        /// s.expect("* OK");
        /// assert_eq(s.search("UNSEEN"), [2, 3]);
        /// assert_eq(s.search(`SUBJECT "hi"`, #{uid: true}), [7, 9, 10, 11]);
        /// assert_eq(s.search(["CHARSET", "UTF-8", "SUBJECT", "Grüß", "UNSEEN"], #{literal: "plus"}), [2]);
        /// ```
        search(session, call, criteria: Dynamic) -> Array { numbers(session.search(self::criteria(criteria)?).with(call).await?) }

        /// Searches messages, and asks for some or all of `MIN MAX COUNT ALL` (RFC 4731). Returns a
        /// map of the results. It also has what the server adds, such as `MODSEQ`, and `PARTIAL`,
        /// a list of the range and of the numbers in it.
        ///
        /// ```dialogue imap
        /// S: * OK hi
        /// C: a1 SEARCH RETURN (COUNT MAX) UNSEEN
        /// S: * ESEARCH (TAG "a1") COUNT 2 MAX 3
        /// S: a1 OK done
        /// ```
        /// ```rhai
        /// let s = connect(param("imap"));
        /// s.expect("* OK");
        /// assert_eq(s.esearch("COUNT MAX", "UNSEEN"), #{COUNT: 2, MAX: 3});
        /// ```
        esearch(session, call, results: &str, criteria: Dynamic) -> Map { values(session.esearch(results, self::criteria(criteria)?).with(call).await?) }

        /// Fetches attributes of messages (RFC 3501 section 6.4.5). Returns a list of maps, one for
        /// each message, with the message's number as `seq` and the attributes by their names in
        /// capitals. The content of `BODY[...]`, `BINARY[...]` and `RFC822` is a blob. An envelope
        /// is a map with `date`, `subject`, `from`, `sender`, `reply_to`, `to`, `cc`, `bcc`,
        /// `in_reply_to` and `message_id`, and its addresses are maps with `name`, `route`,
        /// `mailbox` and `host`; NIL in place of addresses is an empty list. `MODSEQ` is a number. A
        /// body structure has its parts by their numbers: see "Structure of messages".
        ///
        /// ```dialogue imap
        /// S: * OK hi
        /// C: a1 FETCH 1:2 (UID FLAGS BODY[TEXT])
        /// S: * 1 FETCH (UID 7 FLAGS (\Seen) BODY[TEXT] {4}
        /// S: hi
        /// S: )
        /// S: * 2 FETCH (UID 9 FLAGS () BODY[TEXT] NIL)
        /// S: a1 OK done
        /// C: a2 UID FETCH 7,9 ENVELOPE
        /// S: * 1 FETCH (UID 7 ENVELOPE (NIL "hi" (("Al" NIL "alice" "example.test")) NIL NIL NIL NIL NIL NIL "<1@example.test>"))
        /// S: a2 OK done
        /// ```
        /// ```rhai
        /// let s = connect(param("imap"));
        /// s.expect("* OK");
        /// let mails = s.fetch("1:2", "(UID FLAGS BODY[TEXT])");
        /// assert_eq([mails[0].seq, mails[0].UID], [1, 7]);
        /// assert(`\Seen` in mails[0].FLAGS);
        /// assert_eq(mails[0]["BODY[TEXT]"].as_string(), "hi\r\n");
        /// assert_eq(mails[1]["BODY[TEXT]"], ());
        /// let envelope = s.fetch([7, 9], "ENVELOPE", #{uid: true})[0].ENVELOPE;
        /// assert_eq([envelope.subject, envelope.from[0].mailbox], ["hi", "alice"]);
        /// ```
        fetch(session, call, messages: Dynamic, items: &str) -> Array {
            let all = session.fetch(&set(messages)?, items).with(call).await?;
            fetched(all).map_err(|error| error.with_session(session.name()))
        }

        /// Changes flags of messages (RFC 3501 section 6.4.6). Returns what the server reports of
        /// the messages, in the same form as `fetch`.
        ///
        /// ```dialogue imap
        /// S: * OK hi
        /// C: a1 STORE 1 +FLAGS (\Deleted)
        /// S: * 1 FETCH (FLAGS (\Seen \Deleted))
        /// S: a1 OK done
        /// ```
        /// ```rhai
        /// let s = connect(param("imap"));
        /// s.expect("* OK");
        /// assert(`\Deleted` in s.store(1, `+FLAGS (\Deleted)`)[0].FLAGS);
        /// assert_eq(s.answer.status, "OK");
        /// ```
        store(session, call, messages: Dynamic, change: &str) -> Array {
            let all = session.store(&set(messages)?, change).with(call).await?;
            fetched(all).map_err(|error| error.with_session(session.name()))
        }

        /// Copies messages to another mailbox (RFC 3501 section 6.4.7).
        ///
        /// ```dialogue imap
        /// S: * OK hi
        /// C: a1 COPY 1:2 Lab
        /// S: a1 OK [COPYUID 38505 304,319 3956:3957] done
        /// ```
        /// ```rhai
        /// let s = connect(param("imap"));
        /// s.expect("* OK");
        /// assert_eq(s.copy("1:2", "Lab").codes.COPYUID, [38505, [304, 319], [3956, 3957]]);
        /// ```
        copy(session, call, messages: Dynamic, mailbox: &str) -> Answer { session.copy(&set(messages)?, mailbox).with(call).await }

        /// Moves messages to another mailbox (RFC 6851).
        ///
        /// ```dialogue imap
        /// S: * OK hi
        /// C: a1 UID MOVE 7 Lab
        /// S: * OK [COPYUID 38505 7 1] moved
        /// S: * 1 EXPUNGE
        /// S: a1 OK done
        /// ```
        /// ```rhai
        /// let s = connect(param("imap"));
        /// s.expect("* OK");
        /// assert_eq(s.move("7", "Lab", #{uid: true}).expunged, [1]);
        /// ```
        r#move(session, call, messages: Dynamic, mailbox: &str) -> Answer { session.r#move(&set(messages)?, mailbox).with(call).await }

        /// Removes the messages that are marked as deleted (RFC 3501 section 6.4.3). Returns the
        /// numbers of the removed messages. After `enable("QRESYNC")` servers send the unique
        /// identifiers instead: `s.answer.all("VANISHED")[0].data`.
        ///
        /// ```dialogue imap
        /// S: * OK hi
        /// C: a1 EXPUNGE
        /// S: * 2 EXPUNGE
        /// S: * 2 EXPUNGE
        /// S: a1 OK done
        /// C: a2 UID EXPUNGE 7:9
        /// S: a2 OK done
        /// ```
        /// ```rhai
        /// let s = connect(param("imap"));
        /// s.expect("* OK");
        /// assert_eq(s.expunge(), [2, 2]);
        /// assert_eq(s.expunge("7:9", #{uid: true}), []);
        /// ```
        expunge(session, call) -> Array { numbers(session.expunge(None).with(call).await?) }

        /// The same, but only for the messages in a set of unique identifiers (RFC 4315).
        expunge(session, call, messages: Dynamic) -> Array { numbers(session.expunge(&*set(messages)?).with(call).await?) }
    }
    module
}
