//! The answers that the verbs of IMAP return, and the responses in them.
#![allow(
    clippy::needless_pass_by_value,
    reason = "Rhai's plugin macros hand arguments over by value"
)]

use rhai::plugin::{Dynamic, NativeCallContext, export_module};
use rhai::{Array, Blob, Map};

use super::super::Handle;
use super::values::{number, text, value};
use crate::imap::{Answer, Argument, Response, Value};
use crate::room;
use crate::script::bounds;
use crate::script::lists::{list, texts};
use crate::script::raise::{Raised, raise};
use crate::visible;

/// The text of an answer, which is put together of the responses and then copied.
fn whole(ctx: &NativeCallContext<'_>, answer: &Answer) -> Result<String, Raised> {
    let responses = answer.untagged().iter().chain([answer.tagged()]);
    bounds::room(ctx, responses.map(|response| response.bytes().len()).sum::<usize>() * 3)?;
    Ok(answer.text())
}

#[export_module(manifest)]
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "the macro writes code of its own beside these"
)]
pub mod words {
    /// An argument of `command` that is sent unchanged, such as a set of messages or a list in
    /// parentheses.
    pub fn atom(text: &str) -> Argument {
        Argument::plain(text)
    }

    /// The untagged responses, in the order in which they came.
    #[rhai_fn(get = "untagged", return_raw, pure)]
    pub fn untagged(ctx: NativeCallContext, answer: &mut Answer) -> Result<Array, Raised> {
        list(&ctx, answer.untagged().iter().cloned().map(Dynamic::from))
    }

    /// The untagged responses with this name, in the order in which they came.
    ///
    /// ```dialogue imap
    /// S: * OK hi
    /// C: a1 GETACL INBOX
    /// S: * ACL INBOX alice lrs bob lr
    /// S: * 3 EXISTS
    /// S: * 1 FETCH (FLAGS (\Seen))
    /// S: a1 OK done
    /// ```
    /// ```rhai
    /// let s = connect(param("imap"));
    /// s.expect("* OK");
    /// let r = s.command("GETACL INBOX");
    /// assert_eq(r.all("ACL")[0].data, ["INBOX", "alice", "lrs", "bob", "lr"]);
    /// assert_eq(r.all("EXISTS")[0].data, 3);
    /// assert_eq(r.all("FETCH")[0].data.FLAGS, [`\Seen`]);
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn all(ctx: NativeCallContext, answer: &mut Answer, name: &str) -> Result<Array, Raised> {
        list(&ctx, answer.all(name).into_iter().cloned().map(Dynamic::from))
    }

    /// The responses that `require` demanded, each as a reply, in the order of its patterns. The
    /// groups of a regex are available by number, `r.required[0][1]`, and by name.
    ///
    /// ```dialogue imap
    /// S: * OK hi
    /// C: a1 NOOP
    /// S: * 3 EXISTS
    /// S: * 1 RECENT
    /// S: a1 OK done
    /// ```
    /// ```rhai
    /// let s = connect(param("imap"));
    /// s.expect("* OK");
    /// let r = s.noop(#{require: [re(`(?P<new>\d+) RECENT`), re(`(\d+) EXISTS`)]});
    /// assert_eq([r.required[0]["new"], r.required[1][1]], ["1", "3"]);
    /// ```
    #[rhai_fn(get = "required", return_raw, pure)]
    pub fn required(ctx: NativeCallContext, answer: &mut Answer) -> Result<Array, Raised> {
        list(&ctx, answer.required().iter().cloned().map(Dynamic::from))
    }

    /// The data of the FETCH responses, in the form that `fetch` returns: a list of maps, one for
    /// each message.
    #[rhai_fn(get = "fetched", return_raw, pure)]
    pub fn fetched(ctx: NativeCallContext, answer: &mut Answer) -> Result<Array, Raised> {
        answer.fetched().and_then(super::super::values::fetched).map_err(|error| raise(&ctx, error))
    }

    /// All responses to the last command of a session, if a verb of IMAP sent that command. A verb
    /// such as `store` returns only the data that it read in the answer, and `answer` is the whole
    /// answer. `()` if there is none.
    ///
    /// ```dialogue imap
    /// S: * OK hi
    /// C: a1 STORE 7:8 (UNCHANGEDSINCE 1) +FLAGS (\Seen)
    /// S: a1 OK [MODIFIED 7] Conditional STORE failed
    /// ```
    /// ```rhai
    /// let s = connect(param("imap"));
    /// s.expect("* OK");
    /// s.store([7, 8], `(UNCHANGEDSINCE 1) +FLAGS (\Seen)`);
    /// assert_eq(s.answer.codes.MODIFIED, [7]);
    /// ```
    #[rhai_fn(get = "answer", return_raw, pure)]
    pub fn last_answer(ctx: NativeCallContext, session: &mut Handle) -> Result<Dynamic, Raised> {
        session.with(&ctx, |session| {
            session.last_answer().cloned().map_or(Dynamic::UNIT, Dynamic::from)
        })
    }

    /// The tagged response that ended the command, as text.
    #[rhai_fn(get = "tagged", pure)]
    pub fn tagged(answer: &mut Answer) -> String {
        answer.tagged().text().into_owned()
    }

    /// The status of the command: `"OK"`, `"NO"` or `"BAD"`. `()` in the answer of `idle` if the
    /// server told the client to go on.
    #[rhai_fn(get = "status", pure)]
    pub fn status(answer: &mut Answer) -> Dynamic {
        answer.status().map_or(Dynamic::UNIT, |status| status.as_str().into())
    }

    /// The response code in the brackets of the tagged response, as text: `"APPENDUID 38505 3955"`.
    /// `()` if there is none.
    #[rhai_fn(get = "code", pure)]
    pub fn code(answer: &mut Answer) -> Dynamic {
        text(answer.code().map(|code| code.text))
    }

    /// The same as `code`, under the name that replies of POP3 and ManageSieve have for it.
    ///
    /// ```dialogue imap
    /// S: * OK hi
    /// C: a1 LOGIN alice wrong
    /// S: a1 NO [AUTHENTICATIONFAILED] Authentication failed.
    /// C: a2 NOOP
    /// S: * 4 EXISTS
    /// S: a2 OK done
    /// ```
    /// ```rhai
    /// let s = connect(param("imap"));
    /// s.expect("* OK");
    /// let r = s.login("alice", param("password", "wrong"), #{expect: "NO"});
    /// assert_eq(r.response_code, "AUTHENTICATIONFAILED");
    /// assert_eq(s.noop().exists, 4);
    /// ```
    #[rhai_fn(get = "response_code", pure)]
    pub fn response_code(answer: &mut Answer) -> Dynamic {
        code(answer)
    }

    /// All responses as a list of lines, without their line ends.
    #[rhai_fn(get = "lines", return_raw, pure)]
    pub fn lines(ctx: NativeCallContext, answer: &mut Answer) -> Result<Array, Raised> {
        texts(&ctx, whole(&ctx, answer)?.lines())
    }

    /// All response codes that came, tagged and untagged, as a map: `codes.UIDVALIDITY` is a
    /// number, `codes.APPENDUID` a list, and `"READ-WRITE" in codes` is true or false.
    #[rhai_fn(get = "codes", return_raw, pure)]
    pub fn codes(ctx: NativeCallContext, answer: &mut Answer) -> Result<Map, Raised> {
        let single = |mut all: Vec<Value>| match all.len() {
            0 | 1 => all.pop().unwrap_or_default(),
            _ => Value::List(all),
        };
        let codes = answer.codes().into_iter();
        let codes = codes.map(|code| Ok((code.name.into(), value(single(code.values))?)));
        room::collect(codes).map_err(|error| raise(&ctx, error))
    }

    /// All responses as they came, untagged and tagged, as text, without the last line end.
    #[rhai_fn(get = "text", return_raw, pure)]
    pub fn text_of(ctx: NativeCallContext, answer: &mut Answer) -> Result<String, Raised> {
        whole(&ctx, answer)
    }

    /// How many messages the mailbox has, from the last EXISTS; `()` if no EXISTS came.
    #[rhai_fn(get = "exists", pure)]
    pub fn exists(answer: &mut Answer) -> Dynamic {
        answer.exists().map_or(Dynamic::UNIT, number)
    }

    /// How many messages are recent, from the last RECENT; `()` if no RECENT came.
    #[rhai_fn(get = "recent", pure)]
    pub fn recent(answer: &mut Answer) -> Dynamic {
        answer.recent().map_or(Dynamic::UNIT, number)
    }

    /// The numbers of the messages that were expunged, one for each EXPUNGE.
    #[rhai_fn(get = "expunged", return_raw, pure)]
    pub fn expunged(ctx: NativeCallContext, answer: &mut Answer) -> Result<Array, Raised> {
        list(&ctx, answer.expunged().into_iter().map(number))
    }

    #[rhai_fn(name = "to_string", pure)]
    pub fn answer_to_string(answer: &mut Answer) -> String {
        answer.text()
    }

    #[rhai_fn(name = "to_debug", pure)]
    pub fn answer_to_debug(answer: &mut Answer) -> String {
        visible::escape(answer.text().as_bytes())
    }

    /// The response as it came, as text, without the last line end.
    #[rhai_fn(get = "text", pure)]
    pub fn text_of_response(response: &mut Response) -> String {
        response.text().into_owned()
    }

    /// The response as it came, as a blob, including its line ends.
    #[rhai_fn(get = "bytes", pure)]
    pub fn bytes_of_response(response: &mut Response) -> Blob {
        response.bytes().to_vec()
    }

    /// The content of the response. For FETCH it is the map that `fetch` returns for a message, for
    /// LIST and LSUB the map that `list` returns for a mailbox, for ESEARCH the map that `esearch`
    /// returns with the tag as `TAG`, for STATUS a list of the mailbox's name and the map that
    /// `status` returns. For `* 3 EXISTS` and similar responses it is the number. For a status it is
    /// the response code (`["UIDNEXT", 5]`). For any other response it is a list of the values. Among
    /// the values, NIL is `()`, a list in parentheses is a list, a set of messages is a list of
    /// numbers, and a literal is a blob.
    ///
    /// ```dialogue imap
    /// S: * OK hi
    /// C: a1 GETMETADATA INBOX (/shared/comment)
    /// S: * METADATA INBOX (/shared/comment {4}
    /// S: hi
    /// S:  /private/comment NIL)
    /// S: * OK [UIDNEXT 5] next
    /// S: a1 OK done
    /// ```
    /// ```rhai
    /// let s = connect(param("imap"));
    /// s.expect("* OK");
    /// let r = s.command("GETMETADATA INBOX (/shared/comment)");
    /// assert_eq(r.untagged[0].data, ["INBOX", ["/shared/comment", bytes("hi\r\n"), "/private/comment", ()]]);
    /// assert_eq(r.untagged[1].data, ["UIDNEXT", 5]);
    /// ```
    ///
    /// ```dialogue imap
    /// S: * OK hi
    /// C: a1 LIST "" % RETURN (STATUS (MESSAGES))
    /// S: * LIST (\HasChildren) "/" Lab
    /// S: * STATUS Lab (MESSAGES 3)
    /// S: * ESEARCH (TAG "b7") UID ADDTO (0 7:9)
    /// S: * VANISHED (EARLIER) 2,4:5
    /// S: a1 OK done
    /// ```
    /// ```rhai
    /// let s = connect(param("imap"));
    /// s.expect("* OK");
    /// let all = s.command(`LIST "" % RETURN (STATUS (MESSAGES))`).untagged.map(|r| r.data);
    /// assert_eq([all[0].name, all[0].child], ["Lab", true]);
    /// assert_eq(all[1], ["Lab", #{MESSAGES: 3}]);
    /// assert_eq(all[2], #{TAG: "b7", ADDTO: [0, [7, 8, 9]]});
    /// assert_eq(all[3], [["EARLIER"], [2, 4, 5]]);
    /// ```
    #[rhai_fn(get = "data", return_raw, pure)]
    pub fn data(ctx: NativeCallContext, response: &mut Response) -> Result<Dynamic, Raised> {
        super::super::values::data(response).map_err(|error| raise(&ctx, error))
    }

    /// The kind of the response: `"EXISTS"`, `"FETCH"`, `"LIST"`, or its status.
    #[rhai_fn(get = "name", pure)]
    pub fn name(response: &mut Response) -> String {
        response.name()
    }

    /// The number at the start of the response. For FETCH and EXPUNGE it is the number of a
    /// message, and for EXISTS the number of messages. `()` if the response has none.
    #[rhai_fn(get = "number", pure)]
    pub fn number_of_response(response: &mut Response) -> Dynamic {
        response.number().map_or(Dynamic::UNIT, number)
    }

    /// The status of an untagged response such as `* OK`; `()` for data.
    #[rhai_fn(get = "status", pure)]
    pub fn status_of_response(response: &mut Response) -> Dynamic {
        response.status().map_or(Dynamic::UNIT, |status| status.as_str().into())
    }

    /// The response code in brackets after the status, as text; `()` if there is none.
    #[rhai_fn(get = "code", pure)]
    pub fn code_of_response(response: &mut Response) -> Dynamic {
        text(response.code().map(|code| code.text))
    }

    #[rhai_fn(name = "to_string", pure)]
    pub fn response_to_string(response: &mut Response) -> String {
        response.text().into_owned()
    }

    #[rhai_fn(name = "to_debug", pure)]
    pub fn response_to_debug(response: &mut Response) -> String {
        visible::escape(response.text().as_bytes())
    }
}
