//! The words of the server's side of a session.

mod answer;
mod command;
mod replying;
mod taking;

use rhai::Module;

use super::verb::{Manual, words_of};

pub(super) const INTRO: &str = "A session from `accept()` is the server's side. The server speaks first, and then answers. A \
reply fails if no command waits for an answer, or if the client has sent more than was taken. Taking a command fails if the \
command before it has no answer. At the end, each command has to have been answered, and nothing may be unread. The header of \
the PROXY protocol comes before the greeting and is not a command: ``expect_line(re(`^PROXY `))`` takes one of version 1. \
`expect`, `send`, `expect_close` and the other words do the same as on the client's side. In a transcript, `S:` is always the \
server, whichever side the script plays.\n\nA reply is a code and its text (`reply(250, \"ok\")`), a code and several lines, \
to which hyphens are added (`reply(250, [\"mx.example\", \"PIPELINING\"])`), or a line that is sent unchanged (`reply(\"250 \
ok\")`). In IMAP, `reply(\"OK\", \"done\")` gets the tag of the command that it answers; in POP3, `reply(\"+OK\", [\"1 120\", \
\"2 200\"])` is a block that ends with a lone dot.\n\n`greet`, `reply`, `replies`, `serve`, `reply_unasked`, `expect_quit`, \
`expect_starttls` and `expect_auth` (for the first thing that it sends) take faults as options, in clear and inside TLS: \
`after: \"2s\"` (a pause before the reply), `drip: \"10ms\"` (each byte in its own write, with this pause in between), \
`jitter: \"1s\"` (a random time, at most this long, added to these pauses), `cut: 3` (only this many bytes; then the \
connection is closed), `then: \"close\"`, `\"reset\"`, `\"half_close\"`, `\"silence\"` or `\"cut_tls\"` (no close_notify), \
`bare_lf`, `nul`, `wrong: \"500 what?\"` (this line in place of the last one), `doubled` and `missing` (the last line twice, \
or not at all), `endless: 1000000` (this many bytes without a line end), `literal: 5` (each literal of IMAP announces this \
many octets more; a negative number, fewer), `uidvalidity` (another UIDVALIDITY), `inject: \"250 evil\\r\\n\"` (these bytes \
after the reply, in the same write; after the go-ahead of STARTTLS, in clear), `garbage` (bytes that are not TLS, in place of \
the handshake), `read_rate: 1000` (at most this many bytes a second are read from then on; 0 reads nothing) and `chance: 0.1` \
(the fault happens one time in ten; the seed of the run decides, which a failure shows and `--seed` sets).";

/// The words by which a server replies and takes commands, and the properties of commands.
pub(super) fn words(manual: Manual) -> Module {
    let mut all = words_of!(replying::words, manual);
    all.combine(words_of!(taking::words, manual));
    all.combine(words_of!(command::words, manual));
    all
}
