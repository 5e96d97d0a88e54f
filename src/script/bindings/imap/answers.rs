//! What the verbs of IMAP give back.
#![allow(
    clippy::needless_pass_by_value,
    reason = "Rhai's plugin macros hand arguments over by value"
)]

use rhai::plugin::{Dynamic, export_module};
use rhai::{Array, Blob, Map};

use super::{number, numbers, text, value};
use crate::imap::{Answer, Argument, Response, Value};
use crate::visible;

#[export_module(manifest)]
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "the macro writes code of its own beside these"
)]
pub mod words {
    /// An argument of `command` that is sent as it stands: a set of messages, a list in
    /// parentheses.
    pub fn atom(text: &str) -> Argument {
        Argument::plain(text)
    }

    /// The untagged responses, in the order in which they came.
    #[rhai_fn(get = "untagged", pure)]
    pub fn untagged(answer: &mut Answer) -> Array {
        answer.untagged().iter().cloned().map(Dynamic::from).collect()
    }

    /// The tagged response that ended the command, as text.
    #[rhai_fn(get = "tagged", pure)]
    pub fn tagged(answer: &mut Answer) -> String {
        answer.tagged().text().into_owned()
    }

    /// How the command went: `"OK"`, `"NO"` or `"BAD"`; `()` where `idle` was told to go on.
    #[rhai_fn(get = "status", pure)]
    pub fn status(answer: &mut Answer) -> Dynamic {
        answer.status().map_or(Dynamic::UNIT, |status| status.as_str().into())
    }

    /// What stands in brackets in the tagged response, as text: `"APPENDUID 38505 3955"`; `()`
    /// where there is nothing.
    #[rhai_fn(get = "code", pure)]
    pub fn code(answer: &mut Answer) -> Dynamic {
        text(answer.code().map(|code| code.text))
    }

    /// The same, by the name that it has in POP3 and ManageSieve.
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

    /// All of it as a list of lines, without their line ends.
    #[rhai_fn(get = "lines", pure)]
    pub fn lines(answer: &mut Answer) -> Array {
        answer.text().lines().map(Into::into).collect()
    }

    /// All response codes that came, tagged and untagged, as a map: `codes.UIDVALIDITY` is a
    /// number, `codes.APPENDUID` a list, and `"READ-WRITE" in codes` is true or false.
    #[rhai_fn(get = "codes", pure)]
    pub fn codes(answer: &mut Answer) -> Map {
        let single = |mut all: Vec<Value>| match (all.pop(), all.is_empty()) {
            (None, _) => Dynamic::UNIT,
            (Some(one), true) => value(one),
            (Some(last), false) => value(Value::List(all.into_iter().chain([last]).collect())),
        };
        answer.codes().into_iter().map(|code| (code.name.into(), single(code.values))).collect()
    }

    /// Everything as it came, untagged and tagged, as text, without the last line end.
    #[rhai_fn(get = "text", pure)]
    pub fn text_of(answer: &mut Answer) -> String {
        answer.text()
    }

    /// How many messages there are, as the last EXISTS says; `()` without one.
    #[rhai_fn(get = "exists", pure)]
    pub fn exists(answer: &mut Answer) -> Dynamic {
        answer.exists().map_or(Dynamic::UNIT, number)
    }

    /// How many of them are recent, as the last RECENT says; `()` without one.
    #[rhai_fn(get = "recent", pure)]
    pub fn recent(answer: &mut Answer) -> Dynamic {
        answer.recent().map_or(Dynamic::UNIT, number)
    }

    /// The numbers of messages that went, one for each EXPUNGE.
    #[rhai_fn(get = "expunged", pure)]
    pub fn expunged(answer: &mut Answer) -> Array {
        numbers(answer.expunged())
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

    /// The response as it came, as a blob, line ends and all.
    #[rhai_fn(get = "bytes", pure)]
    pub fn bytes_of_response(response: &mut Response) -> Blob {
        response.bytes().to_vec()
    }

    /// What sort of response it is: `"EXISTS"`, `"FETCH"`, `"LIST"`, or its status.
    #[rhai_fn(get = "name", pure)]
    pub fn name(response: &mut Response) -> String {
        response.name()
    }

    /// The number that data begins with: the message that FETCH and EXPUNGE are about, how many
    /// EXISTS; `()` without one.
    #[rhai_fn(get = "number", pure)]
    pub fn number_of_response(response: &mut Response) -> Dynamic {
        response.number().map_or(Dynamic::UNIT, number)
    }

    /// The status of an untagged `* OK` and its kin; `()` for data.
    #[rhai_fn(get = "status", pure)]
    pub fn status_of_response(response: &mut Response) -> Dynamic {
        response.status().map_or(Dynamic::UNIT, |status| status.as_str().into())
    }

    /// What stands in brackets behind the status, as text; `()` where there is nothing.
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
