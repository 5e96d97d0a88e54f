//! The verbs of POP3.

use rhai::{Array, Dynamic, Map, Module};

use super::verb::{Manual, collected, verbs};
use crate::proto::capabilities::Capabilities;
use crate::reply::Reply;
use crate::session::{Scan, UniqueId};

pub(super) const INTRO: &str = "POP3 (RFC 1939, RFC 2449). A reply is a status line, `+OK` or `-ERR`. The `+OK` of CAPA, \
LIST, UIDL, RETR and TOP is followed by a block of lines. If the script has written out the command by hand, \
`expect_multiline` takes this block; nothing can be sent before that. The response code of a refusal is its `response_code`.";

fn number(number: u64) -> Dynamic {
    i64::try_from(number).unwrap_or(i64::MAX).into()
}

/// Converts a line of a scan listing to a map.
fn scan(scan: Scan) -> Dynamic {
    Dynamic::from_map(Map::from([
        ("message".into(), number(scan.message)),
        ("octets".into(), number(scan.octets)),
    ]))
}

fn unique_id(unique: UniqueId) -> Dynamic {
    Dynamic::from_map(Map::from([
        ("message".into(), number(unique.message)),
        ("id".into(), unique.id.into()),
    ]))
}

/// Returns the only item, or `()` if the script expected a refusal and so there is no item.
fn single(items: Vec<Dynamic>) -> Dynamic {
    items.into_iter().next().unwrap_or(Dynamic::UNIT)
}

pub(super) fn words(manual: Manual) -> Module {
    let mut module = Module::new();
    verbs! { module, manual:
        /// Logs in with the digest of the greeting's timestamp and the password: `APOP user digest`
        /// (RFC 1939 section 7). Fails if the greeting has no timestamp.
        ///
        /// ```dialogue pop3
        /// S: +OK POP3 server ready <1896.697170952@dbc.mtview.ca.us>
        /// C: APOP mrose c4c9334bac560ecc979e58001b3e22fb
        /// S: +OK maildrop has 1 message (369 octets)
        /// ```
        ///
        /// ```rhai
        /// let s = connect(param("pop3"));
        /// s.expect("+OK");
        /// s.apop("mrose", "tanstaaf");
        /// ```
        apop(session, call, user: &str, password: &str) -> Reply { session.apop(user, password).with(call).await }

        /// Asks what the server can do: `CAPA` (RFC 2449 section 5).
        ///
        /// ```dialogue pop3
        /// S: +OK ready
        /// C: CAPA
        /// S: +OK
        /// S: UIDL
        /// S: SASL PLAIN LOGIN
        /// S: .
        /// ```
        ///
        /// ```rhai
        /// let s = connect(param("pop3"));
        /// s.expect("+OK");
        /// let caps = s.capa();
        /// assert("UIDL" in caps);
        /// assert_eq(caps.auth, ["PLAIN", "LOGIN"]);
        /// ```
        capa(session, call) -> Capabilities { session.capa().with(call).await }

        /// Asks how many messages are in the maildrop and how large they are: `STAT` (RFC 1939
        /// section 5). Returns a map with `messages` and `octets`.
        ///
        /// ```dialogue pop3
        /// S: +OK ready
        /// C: STAT
        /// S: +OK 3 2407
        /// ```
        ///
        /// ```rhai
        /// let s = connect(param("pop3"));
        /// s.expect("+OK");
        /// assert_eq(s.stat(), #{messages: 3, octets: 2407});
        /// ```
        stat(session, call) -> Map {
            let maildrop = session.stat().with(call).await?;
            Ok(Map::from([("messages".into(), number(maildrop.messages)), ("octets".into(), number(maildrop.octets))]))
        }

        /// Asks for the size of each message: `LIST` (RFC 1939 section 5). Returns a list of maps
        /// with `message` and `octets`.
        ///
        /// ```dialogue pop3
        /// S: +OK ready
        /// C: LIST
        /// S: +OK 2 messages
        /// S: 1 511
        /// S: 2 768
        /// S: .
        /// ```
        ///
        /// ```rhai
        /// let s = connect(param("pop3"));
        /// s.expect("+OK");
        /// assert_eq(s.list(), [#{message: 1, octets: 511}, #{message: 2, octets: 768}]);
        /// ```
        list(session, call) -> Array {
            let all = session.list_messages(None).with(call).await?;
            collected(session, all.into_iter().map(scan).map(Ok))
        }

        /// Asks for the size of one message: `LIST message`. Returns a map with `message` and
        /// `octets`, or `()` if the option `expect` asked for a refusal.
        ///
        /// ```dialogue pop3
        /// S: +OK ready
        /// C: LIST 2
        /// S: +OK 2 768
        /// C: LIST 99
        /// S: -ERR no such message
        /// ```
        ///
        /// ```rhai
        /// let s = connect(param("pop3"));
        /// s.expect("+OK");
        /// assert_eq(s.list(2).octets, 768);
        /// s.list(99, #{expect: "-ERR"});
        /// ```
        list(session, call, message: i64) -> Dynamic {
            Ok(single(session.list_messages(message).with(call).await?.into_iter().map(scan).collect()))
        }

        /// Asks for the unique id of each message: `UIDL` (RFC 1939 section 7). Returns a list of
        /// maps with `message` and `id`.
        ///
        /// ```dialogue pop3
        /// S: +OK ready
        /// C: UIDL
        /// S: +OK
        /// S: 1 000000016b0277a9
        /// S: .
        /// ```
        ///
        /// ```rhai
        /// let s = connect(param("pop3"));
        /// s.expect("+OK");
        /// assert_eq(s.uidl(), [#{message: 1, id: "000000016b0277a9"}]);
        /// ```
        uidl(session, call) -> Array {
            let all = session.uidl(None).with(call).await?;
            collected(session, all.into_iter().map(unique_id).map(Ok))
        }

        /// Asks for the unique id of one message: `UIDL message`. Returns a map with `message` and
        /// `id`, or `()` if the option `expect` asked for a refusal.
        ///
        /// ```dialogue pop3
        /// S: +OK ready
        /// C: UIDL 1
        /// S: +OK 1 000000016b0277a9
        /// ```
        ///
        /// ```rhai
        /// let s = connect(param("pop3"));
        /// s.expect("+OK");
        /// assert_eq(s.uidl(1).id, "000000016b0277a9");
        /// ```
        uidl(session, call, message: i64) -> Dynamic {
            Ok(single(session.uidl(message).with(call).await?.into_iter().map(unique_id).collect()))
        }

        /// Fetches a message: `RETR` (RFC 1939 section 5). The result has the message as `text`,
        /// `lines` and `bytes`, with doubled dots made single, and its size as `octets`. With
        /// `#{keep: false}` only `octets` is kept, however long the message is.
        ///
        /// ```dialogue pop3
        /// S: +OK ready
        /// C: RETR 1
        /// S: +OK 20 octets
        /// S: Subject: hi
        /// S:
        /// S: ..dot
        /// S: .
        /// C: RETR 2
        /// S: +OK
        /// S: Subject: hi
        /// S: .
        /// ```
        ///
        /// ```rhai
        /// let s = connect(param("pop3"));
        /// s.expect("+OK");
        /// let message = s.retr(1);
        /// assert_eq(message.lines, ["Subject: hi", "", ".dot"]);
        /// assert_eq(s.retr(2, #{keep: false, timeout: "2m"}).octets, 13);
        /// ```
        retr(session, call, message: i64; keep) -> Reply { session.retr(message).with(call).await }

        /// Fetches the header of a message and the first lines of its body: `TOP message lines`
        /// (RFC 1939 section 7). `lines` is the number of lines of the body. The result is like
        /// that of `retr`.
        ///
        /// ```dialogue pop3
        /// S: +OK ready
        /// C: TOP 1 0
        /// S: +OK
        /// S: Subject: hi
        /// S:
        /// S: .
        /// ```
        ///
        /// ```rhai
        /// let s = connect(param("pop3"));
        /// s.expect("+OK");
        /// assert_eq(s.top(1, 0).lines[0], "Subject: hi");
        /// ```
        top(session, call, message: i64, lines: i64; keep) -> Reply { session.top(message, lines).with(call).await }

        /// Marks a message as deleted: `DELE message` (RFC 1939 section 5). `quit` deletes the
        /// marked messages, and `rset` removes the marks.
        ///
        /// ```dialogue pop3
        /// S: +OK ready
        /// C: DELE 1
        /// S: +OK Marked to be deleted.
        /// C: RSET
        /// S: +OK
        /// C: QUIT
        /// S: +OK Logging out.
        /// close
        /// ```
        ///
        /// ```rhai
        /// let s = connect(param("pop3"));
        /// s.expect("+OK");
        /// s.dele(1);
        /// s.rset();
        /// s.quit();
        /// ```
        dele(session, call, message: i64) -> Reply { session.dele(message).with(call).await }
    }
    module
}
