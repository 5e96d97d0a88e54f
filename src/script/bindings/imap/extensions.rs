//! Words that send several IMAP commands at once, and the verbs of IMAP extensions.

use rhai::{Array, Dynamic, Map, Module};

use super::super::argument::may_copy;
use super::super::verb::{Manual, collected, verbs, words_of};
use super::values::{argument, criteria, mailbox, number, numbers, text, value};
use crate::error::{Error, Result};
use crate::imap::{Answer, Argument};
use crate::proto::imap::{Namespace, Resource};
use crate::room;

pub(in crate::script::bindings) const INTRO: &str = "Words for commands that are sent together or by hand, and verbs of \
extensions. A verb returns the data that it has read in the answer; the whole answer is `s.answer`.";

/// A map from names and values.
fn by_name<T: Into<Dynamic>>(pairs: impl IntoIterator<Item = (String, T)>) -> Result<Map> {
    room::collect(pairs.into_iter().map(|(name, value)| Ok((name.into(), value.into()))))
}

/// The namespaces of one kind (RFC 2342 section 5).
fn namespaces(kind: Vec<Namespace>) -> Result<Array> {
    let space = |Namespace { prefix, delimiter }| {
        let parts = [("prefix", Dynamic::from(prefix)), ("delimiter", text(delimiter))];
        by_name(parts.map(|(name, part)| (name.to_owned(), part))).map(Dynamic::from)
    };
    room::collect(kind.into_iter().map(space))
}

/// The resources of a quota root, each with its usage and limit (RFC 9208 section 5.1).
fn quota(resources: Vec<Resource>) -> Result<Map> {
    let parts = |Resource { name, used, limit }| {
        let parts = [("used", number(used)), ("limit", number(limit))];
        let parts = by_name(parts.map(|(name, part)| (name.to_owned(), part)))?;
        Ok((name.into(), parts.into()))
    };
    room::collect(resources.into_iter().map(parts))
}

fn texts(list: Array) -> Result<Vec<String>> {
    let text = |value: Dynamic| {
        let text = value.into_immutable_string().map_err(|kind| {
            Error::usage(format!(
                "a command cannot be of type {}",
                crate::script::raise::kind(kind)
            ))
        })?;
        may_copy(text.len())?;
        Ok(text.into_owned())
    };
    list.into_iter().map(text).collect()
}

/// The verbs of extensions, with the words for names of mailboxes, arguments and message numbers.
pub(in crate::script::bindings) fn all_words(manual: Manual) -> Module {
    let mut all = extensions(manual);
    all.combine(words_of!(super::names::words, manual));
    all
}

fn extensions(manual: Manual) -> Module {
    let mut module = Module::new();
    verbs! { module, manual:
        /// Sends several commands in one write, each with its own tag, and returns an answer for
        /// each (RFC 3501 section 5.5). The server may answer the commands in any order.
        ///
        /// ```dialogue imap
        /// S: * OK hi
        /// C: a1 NOOP
        /// C: a2 CHECK
        /// S: * 3 EXISTS
        /// S: a1 OK done
        /// S: a2 OK done
        /// ```
        /// ```rhai
        /// let s = connect(param("imap"));
        /// s.expect("* OK");
        /// let answers = s.commands(["NOOP", "CHECK"]);
        /// assert_eq([answers.len(), answers[0].exists], [2, 3]);
        /// ```
        commands(session, call, texts: Array) -> Array {
            let answers = session.commands(&self::texts(texts)?).with(call).await?;
            Ok(answers.into_iter().map(Dynamic::from).collect())
        }

        /// Sends `COMPRESS DEFLATE` (RFC 4978). If the server accepts, both directions are
        /// compressed from then on, whether TLS is on or not. The transcript shows the uncompressed
        /// data.
        ///
        /// ```dialogue imap
        /// S: * OK hi
        /// C: a1 COMPRESS DEFLATE
        /// S: a1 NO [COMPRESSIONACTIVE] TLS does that
        /// ```
        /// ```rhai
        /// let s = connect(param("imap"));
        /// s.expect("* OK");
        /// s.compress(#{expect: "NO [COMPRESSIONACTIVE]"});
        /// ```
        compress(session, call) -> Answer { session.compress().with(call).await }

        /// Compresses both directions with DEFLATE from here on, without sending a command: the
        /// second half of `compress()`. A script that plays the server calls `deflate` after it has
        /// told the client to go on.
        ///
        /// ```rhai
        /// let l = listen("imap");
        /// let s = connect(l.url);
        /// let c = l.accept();
        /// c.greet("OK ready");
        /// s.expect("* OK");
        /// s.send("x1 COMPRESS DEFLATE");
        /// c.expect_command("COMPRESS DEFLATE");
        /// c.reply("OK go on");
        /// s.expect("x1 OK");
        /// c.deflate();
        /// s.deflate();
        /// s.send("x2 LOGOUT");
        /// c.expect_quit();
        /// s.expect("* BYE");
        /// s.expect("x2 OK");
        /// ```
        deflate(session, call) -> () { session.deflate().with(call).await }

        /// Takes all responses to a command that the script sent without a verb, up to the response
        /// with this tag. The result is an answer, as from a verb.
        ///
        /// ```dialogue imap
        /// S: * OK hi
        /// C: x1 NOOP
        /// S: * 3 EXISTS
        /// S: x1 OK done
        /// ```
        /// ```rhai
        /// let s = connect(param("imap"));
        /// s.expect("* OK");
        /// s.send("x1 NOOP");
        /// assert_eq(s.finish("x1", #{require: "* 3 EXISTS"}).exists, 3);
        /// ```
        finish(session, call, tag: &str) -> Answer { session.finish_command(tag).with(call).await }

        /// Searches messages and sorts them. Returns a list of their numbers (RFC 5256).
        ///
        /// ```dialogue imap
        /// S: * OK hi
        /// C: a1 UID SORT (REVERSE DATE) UTF-8 UNSEEN
        /// S: * SORT 50 30 40
        /// S: a1 OK done
        /// ```
        /// ```rhai
        /// let s = connect(param("imap"));
        /// s.expect("* OK");
        /// assert_eq(s.sort("REVERSE DATE", "UNSEEN", #{uid: true}), [50, 30, 40]);
        /// ```
        sort(session, call, order: &str, criteria: Dynamic) -> Array { numbers(session.sort(order, self::criteria(criteria)?).with(call).await?) }

        /// Searches messages and groups them into threads (RFC 5256). A thread is a list of
        /// numbers, with a nested list for each branch.
        ///
        /// ```dialogue imap
        /// S: * OK hi
        /// C: a1 THREAD REFERENCES UTF-8 ALL
        /// S: * THREAD (2)(3 6 (4 23)(44))
        /// S: a1 OK done
        /// ```
        /// ```rhai
        /// let s = connect(param("imap"));
        /// s.expect("* OK");
        /// assert_eq(s.threads("REFERENCES", "ALL"), [[2], [3, 6, [4, 23], [44]]]);
        /// ```
        threads(session, call, algorithm: &str, criteria: Dynamic) -> Array {
            let threads = session.threads(algorithm, self::criteria(criteria)?).with(call).await?;
            collected(session, threads.into_iter().map(value))
        }

        /// Lists the mailboxes that are subscribed to (RFC 3501 section 6.3.9). The result has the
        /// same form as that of `list`.
        ///
        /// ```dialogue imap
        /// S: * OK hi
        /// C: a1 LSUB "" "*"
        /// S: * LSUB () "/" Lab
        /// S: a1 OK done
        /// ```
        /// ```rhai
        /// let s = connect(param("imap"));
        /// s.expect("* OK");
        /// assert_eq(s.lsub("", "*")[0].name, "Lab");
        /// ```
        lsub(session, call, reference: &str, pattern: &str) -> Array {
            let answer = session.imap_verb("lsub", &[reference.into(), pattern.into()]).with(call).await?;
            collected(session, answer.mailboxes_of("LSUB", reference, pattern)?.into_iter().map(mailbox))
        }

        /// Lists mailboxes with selection options before the names and return options after them,
        /// and with one pattern or a list of patterns (RFC 5258). Each mailbox has `child` as well:
        /// whether the mailbox has children, `()` if the server does not say. If STATUS was asked
        /// for, its responses are in `s.answer.all("STATUS")` (RFC 5819).
        ///
        /// ```dialogue imap
        /// S: * OK hi
        /// C: a1 LIST (SUBSCRIBED) "" (INBOX "Lab/%") RETURN (CHILDREN)
        /// S: * LIST (\Subscribed \HasNoChildren) "/" INBOX
        /// S: * LIST (\Subscribed \HasChildren) "/" Lab/1
        /// S: a1 OK done
        /// ```
        /// ```rhai
        /// let s = connect(param("imap"));
        /// s.expect("* OK");
        /// let all = s.list("SUBSCRIBED", "", ["INBOX", "Lab/%"], "CHILDREN");
        /// assert_eq(all.map(|mailbox| mailbox.child), [false, true]);
        /// ```
        list(session, call, selection: &str, reference: &str, pattern: Dynamic, returned: &str) -> Array {
            let mut arguments = Vec::new();
            if !selection.is_empty() {
                arguments.push(Argument::plain(in_parentheses(selection)));
            }
            arguments.extend([reference.into(), argument(pattern)?]);
            if !returned.is_empty() {
                arguments.push(Argument::plain(format!("RETURN {}", in_parentheses(returned))));
            }
            let answer = session.imap("list", "LIST", arguments).with(call).await?;
            collected(session, answer.mailboxes_of("LIST", "", "")?.into_iter().map(mailbox))
        }

        /// Asks for the namespaces (RFC 2342). Returns a map with `personal`, `others` and
        /// `shared_ones`, each of which is a list of maps with `prefix` and `delimiter`.
        ///
        /// ```dialogue imap
        /// S: * OK hi
        /// C: a1 NAMESPACE
        /// S: * NAMESPACE (("" "/")) NIL (("Public/" "/"))
        /// S: a1 OK done
        /// ```
        /// ```rhai
        /// let s = connect(param("imap"));
        /// s.expect("* OK");
        /// let spaces = s.namespace();
        /// assert_eq([spaces.personal[0].delimiter, spaces.others], ["/", []]);
        /// assert_eq(spaces.shared_ones[0].prefix, "Public/");
        /// ```
        namespace(session, call) -> Map {
            let answer = session.imap_verb("namespace", &[]).with(call).await?;
            let [personal, others, shared] = answer.namespaces()?.unwrap_or_default();
            let all = [("personal", personal), ("others", others), ("shared_ones", shared)];
            room::collect(all.map(|(name, kind)| Ok((name.into(), namespaces(kind)?.into()))))
        }

        /// Asks for the quota of a quota root (RFC 9208). Returns a map of resources, each with
        /// `used` and `limit`.
        ///
        /// ```dialogue imap
        /// S: * OK hi
        /// C: a1 GETQUOTA ""
        /// S: * QUOTA "" (STORAGE 10 512 MESSAGE 3 100)
        /// S: a1 OK done
        /// ```
        /// ```rhai
        /// let s = connect(param("imap"));
        /// s.expect("* OK");
        /// assert_eq(s.getquota("").STORAGE, #{used: 10, limit: 512});
        /// ```
        getquota(session, call, root: &str) -> Map {
            let answer = session.imap_verb("getquota", &[root.into()]).with(call).await?;
            quota(answer.quota(root)?.unwrap_or_default())
        }

        /// Asks for the access rights of a mailbox (RFC 4314). Returns a map of the rights of each
        /// identifier.
        ///
        /// ```dialogue imap
        /// S: * OK hi
        /// C: a1 GETACL INBOX
        /// S: * ACL INBOX alice lrswipkxtea anyone lr
        /// S: a1 OK done
        /// ```
        /// ```rhai
        /// let s = connect(param("imap"));
        /// s.expect("* OK");
        /// assert_eq(s.getacl("INBOX").anyone, "lr");
        /// ```
        getacl(session, call, mailbox: &str) -> Map {
            let answer = session.imap_verb("getacl", &[mailbox.into()]).with(call).await?;
            by_name(answer.rights(mailbox)?.unwrap_or_default())
        }

        /// Asks for annotations of a mailbox, or of the server if the name of the mailbox is empty
        /// (RFC 5464). `entries` is one entry or a list of entries. Returns a map of the value of
        /// each entry.
        ///
        /// ```dialogue imap
        /// S: * OK hi
        /// C: a1 GETMETADATA INBOX (/shared/comment /private/comment)
        /// S: * METADATA INBOX (/shared/comment "Shared" /private/comment NIL)
        /// S: a1 OK done
        /// ```
        /// ```rhai
        /// let s = connect(param("imap"));
        /// s.expect("* OK");
        /// let all = s.getmetadata("INBOX", ["/shared/comment", "/private/comment"]);
        /// assert_eq([all["/shared/comment"], all["/private/comment"]], ["Shared", ()]);
        /// ```
        getmetadata(session, call, mailbox: &str, entries: Dynamic) -> Map {
            let answer = session.imap_verb("getmetadata", &[mailbox.into(), argument(entries)?]).with(call).await?;
            let all = answer.annotations(mailbox)?.unwrap_or_default();
            let all = all.into_iter().map(|(entry, one)| Ok((entry.into(), value(one)?)));
            room::collect(all)
        }

        /// Closes the mailbox and removes the messages that are marked as deleted: `CLOSE`
        /// (RFC 3501 section 6.4.2). To end the connection, use `close()`.
        ///
        /// ```dialogue imap
        /// S: * OK hi
        /// C: a1 CLOSE
        /// S: a1 OK done
        /// ```
        /// ```rhai
        /// let s = connect(param("imap"));
        /// s.expect("* OK");
        /// s.close_mailbox();
        /// ```
        close_mailbox(session, call) -> Answer { session.imap("close_mailbox", "CLOSE", []).with(call).await }
    }
    module
}

fn in_parentheses(items: &str) -> String {
    if items.starts_with('(') { items.to_owned() } else { format!("({items})") }
}
