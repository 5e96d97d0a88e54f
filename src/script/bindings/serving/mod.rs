//! The words of the server's side of a session.

mod answer;
mod command;
mod replying;
mod taking;

use rhai::Module;

use super::verb::{Manual, words_of};

pub(super) const INTRO: &str = "A session that `accept()` gave is the server's side. It speaks first, and then answers: a reply fails \
while no command is to be answered, or while the client has said more than was taken; a command fails while the one before it has no \
answer. At the end each command has to have been answered, and nothing may be unread. The header of a proxy (PROXY protocol) comes before \
the greeting and is no command: ``expect_line(re(`^PROXY `))`` takes one of version 1. `expect`, `send`, `expect_close` and the others \
mean here what they mean on the client's side; `S:` in a transcript is the server, whoever plays it. A reply is a code and its text \
(`reply(250, \"ok\")`), several lines of which have their dashes made (`reply(250, [\"mx.example\", \"PIPELINING\"])`), or a line as it \
is (`reply(\"250 ok\")`). In IMAP `reply(\"OK\", \"done\")` has the tag of the command that it answers; in POP3 \
`reply(\"+OK\", [\"1 120\", \"2 200\"])` is a block up to its lone dot. What goes wrong on purpose is an option of `greet`, `reply`, \
`replies`, `serve`, `reply_unasked`, `expect_quit`, `expect_starttls` and `expect_auth` (of the first thing said in it), in clear and inside \
of TLS: `after: \"2s\"` (a pause before it), `drip: \"10ms\"` (each byte in a write of its own, with \
that pause between), `jitter: \"1s\"` (a random time, up to that, added to these pauses), `cut: 3` (only so many bytes; then the connection \
is closed), `then: \"close\"`, `\"reset\"`, `\"half_close\"`, \
`\"silence\"` or `\"cut_tls\"` (no close_notify), `bare_lf`, `nul`, `wrong: \"500 what?\"` (this line in place of the last), `doubled`, \
`missing` (of the last line), `endless: 1000000` (so many \
bytes without a line end), `literal: 5` (each literal of IMAP announces so many octets more, or fewer), `uidvalidity` (another UIDVALIDITY), \
`inject: \"250 evil\\r\\n\"` (these bytes behind it in the same write: behind the go-ahead of STARTTLS, in clear), `garbage` (no TLS in place \
of the handshake), `read_rate: 1000` (no more than so many bytes a second are read from then on; 0 reads nothing) and `chance: 0.1` (all of \
that once in ten times; the seed of the run decides, which a failure shows and `--seed` gives again).";

/// The words by which a server replies and takes commands, and the properties of commands.
pub(super) fn words(manual: Manual) -> Module {
    let mut all = words_of!(replying::words, manual);
    all.combine(words_of!(taking::words, manual));
    all.combine(words_of!(command::words, manual));
    all
}
