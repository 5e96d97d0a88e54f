//! Scripted mail dialogues with real servers: what was sent, what had to come back, and a
//! transcript as evidence.
//!
//! A dialogue is in lock-step: nothing is sent while a reply is owed or unread, unless the script
//! asks for that on purpose. A reply that does not match fails at once. A run that left anything
//! unexpected fails.
//!
//! There are three ways to use it:
//!
//! - The program: `mailexpect run scripts/relay.rhai`, see the README and `mailexpect reference`.
//! - Scripts as tests: [`assert_script!`] in any `#[test]`, or [`script::Case`] for more say in it;
//!   [`scripts!`] for all of a folder, each as a test of its own.
//! - The dialogue itself, without scripts: [`Session`], which is ordinary async Rust on tokio, with
//!   [`block_on`] for code that is not async.
//!
//! [`server::Embedded`] is a small SMTP and submission server for trying these out; [`Server`]
//! starts a real server for a test.
//!
//! # Features
//!
//! `default = ["cli", "dns", "harness"]`. `cli` (the program) and `harness` ([`scripts!`]) need
//! `script` (Rhai scripts), which needs `message` (composing and reading messages). Without these
//! features, the crate has the dialogue, its transcript and the embedded server. `dns` looks up
//! mail exchangers for `mx://domain`.
//!
//! Linux and macOS are supported: unix sockets, child processes and signals are used directly.
//!
//! # Layout
//!
//! A module imports from layers below it or from its own subtree; `tests/it/layers.rs` checks this.
//!
//! ```text
//! L0  pure: no I/O, no async
//!     error, outcome     what goes wrong, with its parts; what a case came to
//!     pattern/           literal, code, regex, alternatives, end of stream; whole replies and streams
//!     buffer, reply      received bytes; what an expectation gives back
//!     proto/             framing and turn-taking, a file for each protocol
//!     secrets            masked before they are stored
//!     sasl/              a file for each mechanism
//!     redaction/         what varies from run to run, made the same in events: presets, their places, tokens
//!     transcript/        events of all sessions in order; one renderer
//!     message/           feature "message": composing, reading, comparing
//!     duration, quoted, suggest, target, visible
//!     assignment         which reply, or header, counts for which of those that are wanted
//!     room               whether a script may hold more of what a server sent
//!     chance             random decisions, which a seed repeats
//!     lacking            stand-ins for the macros of a missing feature
//!
//! L1  bytes, async on tokio
//!     tls/               TLS by rustls: options, what a certificate says, why a handshake failed
//!     logs/              feature "script": logs of servers, followed, and what their lines say
//!     regular            regular files that somebody else names
//!     file               files that are read as text, and files written by rename
//!     stoppable          feature "script": work on a thread of its own that can be stopped
//!     transport/         TCP, unix sockets, child processes, TLS on them, cut into pieces; connecting with its report
//!
//! L2  dialogue
//!     session/           send, expect and similar operations; deadlines; the checks at the end
//!     probe/             ports that answer, what speaks there, how far a dialogue gets
//!     doctor/            questions about the mail hosts of a domain, and their answers
//!     server/            the embedded server; real ones as processes, for tests
//!
//! L3  script, feature "script"
//!     engine, library    Rhai with its limits; where modules come from
//!     memory             the memory that the process holds while scripts run
//!     coroutine          a script runs on a stack of its own (the one place with unsafe)
//!     branch, branches   closures of one script that run at once
//!     bindings/          a file for each noun of the language
//!     raise              errors to and from Rhai's
//!     run/, regexes      the state that the words of one run share; the state that all runs share
//!     case, runner/      one file, to be run; files run to their outcomes
//!     check, params      problems and parameters that are found without running
//!     heading            the title, the tags and other lines of the first comment
//!     reference          the manual
//!
//! L4  tool, feature "cli" (golden, plan, project, report and testing come with "script")
//!     plan/              paths to scripts; filters, partitions, shuffling
//!     project            the project file, `mailexpect.toml`
//!     workers            cases to outcomes, many at once, on all cores; retries
//!     import/            dialogues of other tools, as scripts
//!     interrupt          SIGINT, SIGTERM and SIGHUP
//!     golden/            outcomes against golden transcripts; the one user of insta at run time
//!     trace/             recordings of runs, as files
//!     report/            what happens in a run, as text: a file for each format, behind one trait
//!     testing/           scripts as Rust tests
//!     fuzz               feature "fuzz": what fuzz/ calls of all these
//!     cli/               clap, a file for each command; where reports are written
//! ```
//!
//! The path of data through the modules: arguments, plan, case, bindings, session, transport; and
//! back as transcript, outcome, report, exit code.
//!
//! # Where to add what
//!
//! Each of these modules says how, at its beginning:
//!
//! - a verb of a protocol: `session/verbs`; a word of scripts: `script/bindings/chapters.rs`;
//! - a protocol: `proto`; a SASL mechanism: `sasl`;
//! - a preset of redaction: `redaction/presets`;
//! - a fault of servers: `session/serve/named.rs`; a hint about a reply: `session/hint.rs`;
//! - a format of `--format`: `report/formats.rs`; a command: `cli`.
//!
//! # Glossary
//!
//! Words that the code uses in a special sense:
//!
//! - *owed*: a reply that the server has yet to send. After a command, one reply is owed, or
//!   several; nothing is sent while a reply is owed, unless the script asks for that.
//! - *settle*: a match in a stream that more bytes could still extend is held back until a byte
//!   ends it, the stream ends, or the peer has sent nothing for the settle time.
//! - *turn*: one step of an exchange, after which the server may ask the client to go on (`+` in
//!   IMAP, 334 in SMTP).
//! - *spare*: bytes at the front of the buffer that are not needed any more.
//! - *mask* and *redact*: masking hides secrets, always and everywhere; redaction replaces text
//!   that varies from run to run, in goldens.
//! - *golden*: the transcript that a run is compared with; a *pending* golden waits for review.
//! - *vacuous*: a run that passed and proved nothing.
//! - *lane*: one of the scripts that a thread runs at once.

#![cfg_attr(
    not(feature = "cli"),
    allow(
        dead_code,
        unused_imports,
        reason = "what the program alone uses; with the default features all of it has to be used"
    )
)]

#[cfg(not(unix))]
compile_error!(
    "mailexpect runs on Linux and macOS: it needs unix sockets, process groups and signals"
);

mod assignment;
mod buffer;
mod chance;
#[cfg(feature = "cli")]
mod cli;
#[cfg(feature = "cli")]
mod doctor;
mod duration;
mod error;
#[cfg(feature = "script")]
mod file;
#[cfg(feature = "fuzz")]
#[doc(hidden)]
pub mod fuzz;
#[cfg(feature = "script")]
mod golden;
#[cfg(feature = "cli")]
mod import;
#[cfg(feature = "cli")]
mod interrupt;
#[cfg(not(feature = "harness"))]
mod lacking;
#[cfg(feature = "script")]
mod logs;
#[cfg(feature = "message")]
pub mod message;
pub mod outcome;
mod pattern;
#[cfg(feature = "script")]
mod plan;
#[cfg(feature = "script")]
mod probe;
#[cfg(feature = "script")]
mod project;
mod proto;
mod quoted;
pub mod redaction;
mod regular;
mod reply;
#[cfg(feature = "script")]
mod report;
mod room;
mod runtime;
mod sasl;
#[cfg(feature = "script")]
pub mod script;
mod secrets;
pub mod server;
mod session;
#[cfg(feature = "script")]
mod stoppable;
#[cfg(feature = "script")]
mod suggest;
mod target;
#[cfg(feature = "script")]
pub mod testing;
pub mod tls;
#[cfg(feature = "cli")]
mod trace;
pub mod transcript;
mod transport;
mod visible;
#[cfg(feature = "cli")]
mod workers;

#[cfg(feature = "cli")]
#[doc(hidden)]
pub use cli::main;
pub use error::{Error, Kind as ErrorKind, Result, Waited};
pub use pattern::{Code, Enhanced, IntoPattern, Pattern, Regex};
pub use proto::capabilities::Capabilities;
pub use proto::imap;
pub use proto::smtp::{dot_stuff, xtext};
pub use reply::Reply;
pub use sasl::Credentials;
pub use server::Server;
pub use session::{
    Answer, Authenticated, Chunk, Command, Fault, Maildrop, Operation, Options, Payload, Scan,
    Session, SieveScript, Then, UniqueId, Untagged, Users, block_on,
};
pub use transcript::Transcript;
pub use transport::{Family, Proxy, Segment};
