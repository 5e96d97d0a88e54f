//! Words that follow the logs of servers while a dialogue runs.
#![allow(
    clippy::needless_pass_by_value,
    reason = "Rhai's plugin macros hand arguments over by value"
)]

use std::time::Duration;

use rhai::plugin::{Dynamic, NativeCallContext, export_module};
use rhai::{ImmutableString, Map};

use super::argument::{self, boolean, check_known, deadline, duration};
use super::wait;
use crate::error::{Error, Result};
use crate::logs::Subject;
use crate::pattern::Pattern;
use crate::reply::Reply;
use crate::script::following::{Following, Wanted};
use crate::script::programs::Running;
use crate::script::raise::{self, Raised, raise};
use crate::script::run::Run;

pub(super) const INTRO: &str = "A script can also expect lines that a server writes to its log while the dialogue runs. \
`follow` begins to follow a log: only lines that are written from then on count. Lines may come in any order, because several \
processes of a server write them. An expectation looks at all lines since `follow` that no other has taken, and takes the \
first one that matches. With `#{id: ...}`, only the lines about one message count. The id is its queue id, its Message-ID, or \
the reply to the end of the message, in which the server named it. The lines that link identifiers are known for Postfix, \
Dovecot, Exim and Sendmail. The file may appear later, be rotated or be emptied. The newest 20,000 lines are kept, up to 1 \
MiB. docs/logs.md shows what to follow for which server.";

/// Reads the option `id`: the message that a line of the log has to be about.
fn subject(value: &Dynamic) -> Result<Subject> {
    if let Some(reply) = value.read_lock::<Reply>() {
        return Subject::queued(reply.bytes());
    }
    if let Some(text) = value.read_lock::<ImmutableString>() {
        return Subject::named(&text);
    }
    let kind = raise::kind(value.type_name());
    Err(Error::usage(format!("the option `id` cannot be of type {kind}"))
        .hint("it is text, or the reply to the end of a message: let queued = s.data(mail)"))
}

fn pattern(value: Dynamic) -> Result<Pattern> {
    let pattern = argument::pattern(value)?;
    if pattern.has_code() || pattern.eof_index().is_some() {
        let error = Error::usage(format!("{pattern} is in no line of a log"));
        return Err(error.hint("give text or re(`...`)"));
    }
    Ok(pattern)
}

/// Reads a pattern and options. `time` is the name of the option that is a duration, and `usual` is
/// its default.
fn wanted(
    pattern: Option<Dynamic>,
    options: &Map,
    (time, usual): (&str, Duration),
) -> Result<Wanted> {
    let pattern = pattern.map(self::pattern).transpose()?;
    let mut wanted = Wanted { pattern, subject: None, within: usual };
    for (name, value) in options {
        check_known(name, &["id", time])?;
        if name == "id" {
            wanted.subject = Some(subject(value)?);
        } else {
            wanted.within = if time == "timeout" { deadline(value)? } else { duration(value)? };
        }
    }
    Ok(wanted)
}

fn expected(
    ctx: &NativeCallContext<'_>,
    log: &Following,
    pattern: Dynamic,
    options: &Map,
) -> Result<Reply, Raised> {
    let found = wait(ctx, async {
        let run = Run::current()?;
        let wanted = wanted(Some(pattern), options, ("timeout", run.timeout()))?;
        log.expect(&run, wanted).await
    })?;
    found.map_err(|error: Error| raise(ctx, error))
}

fn refuted(
    ctx: &NativeCallContext<'_>,
    log: &Following,
    pattern: Dynamic,
    options: &Map,
) -> Result<(), Raised> {
    let refuted = wait(ctx, async {
        let wanted = wanted(Some(pattern), options, ("during", Duration::ZERO))?;
        log.refute(&*Run::current()?, wanted).await
    })?;
    refuted.map_err(|error: Error| raise(ctx, error))
}

fn delivered(
    ctx: &NativeCallContext<'_>,
    log: &Following,
    id: &Dynamic,
    options: &Map,
) -> Result<Reply, Raised> {
    let found = wait(ctx, async {
        let run = Run::current()?;
        options.keys().try_for_each(|name| check_known(name, &["timeout"]))?;
        let mut wanted = wanted(None, options, ("timeout", run.timeout()))?;
        wanted.subject = Some(subject(id)?);
        log.delivered(&run, wanted).await
    })?;
    found.map_err(|error: Error| raise(ctx, error))
}

#[export_module(manifest)]
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "the macro writes code of its own beside these"
)]
pub mod words {
    /// Follows a log: a file, from its end on, or what a command that was started writes to stdout.
    /// With `#{from_start: true}`, the lines that are already in the file count too. The script has
    /// to be allowed to read the file, as with `read`: name the file's folder with `--allow-read`.
    ///
    /// ```rhai,ignore
    /// let log = follow("/var/log/mail.log");
    /// let journal = follow(start("journalctl -f -n 0 -o short-iso"));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn follow(ctx: NativeCallContext, log: Dynamic) -> Result<Following, Raised> {
        follow_with(ctx, log, Map::new())
    }

    #[rhai_fn(name = "follow", return_raw)]
    pub fn follow_with(
        ctx: NativeCallContext,
        log: Dynamic,
        options: Map,
    ) -> Result<Following, Raised> {
        let followed = wait(&ctx, async {
            let run = Run::current()?;
            if let Some(running) = log.read_lock::<Running>() {
                options.keys().try_for_each(|name| check_known(name, &[]))?;
                return Ok(Following::command(&running));
            }
            let mut from_start = false;
            for (name, value) in &options {
                check_known(name, &["from_start"])?;
                from_start = boolean(name, value)?;
            }
            let path = log.as_immutable_string_ref().map_err(|kind| {
                let error = Error::usage(format!("a {} is no log", raise::kind(kind)));
                error.hint("follow a file, or a command: follow(start(\"journalctl -f -n 0\"))")
            })?;
            Following::file(&run, &path, from_start)
        })?;
        followed.map_err(|error: Error| raise(&ctx, error))
    }

    /// Waits for a line of a log in which the pattern matches anywhere, and returns the line as a
    /// reply: `text` is the line, and the groups of a regex are available by number and by name.
    /// The line is recorded in the transcript.
    ///
    /// ```rhai,ignore
    /// let log = follow("/var/log/mail.log");
    /// let queued = s.data(mail);
    /// let sent = log.expect(re(`relay=(\S+), .*status=(\w+)`), #{id: queued, timeout: "20s"});
    /// assert_eq(sent[2], "sent");
    /// ```
    #[rhai_fn(name = "expect", return_raw)]
    pub fn expect(
        ctx: NativeCallContext,
        log: &mut Following,
        pattern: Dynamic,
    ) -> Result<Reply, Raised> {
        let log = log.clone();
        expected(&ctx, &log, pattern, &Map::new())
    }

    #[rhai_fn(name = "expect", return_raw)]
    pub fn expect_with(
        ctx: NativeCallContext,
        log: &mut Following,
        pattern: Dynamic,
        options: Map,
    ) -> Result<Reply, Raised> {
        let log = log.clone();
        expected(&ctx, &log, pattern, &options)
    }

    /// Waits until a log says that a message was delivered: Postfix `status=sent`, Dovecot
    /// `saved mail to`, Exim `=>`, Sendmail `stat=Sent`. It fails at once if the message was
    /// bounced or refused, with the server's reason. Each recipient has a line of its own, and each
    /// call takes one line. A message that another host has taken counts as delivered. Only the
    /// fields at their place in a line with the whole id count, and not the same words in an address
    /// or in the reply of another host.
    ///
    /// ```rhai,ignore
    /// let log = follow("/var/log/mail.log");
    /// let queued = s.data(mail);
    /// log.expect_delivered(queued, #{timeout: "20s"});
    /// ```
    #[rhai_fn(name = "expect_delivered", return_raw)]
    pub fn expect_delivered(
        ctx: NativeCallContext,
        log: &mut Following,
        id: Dynamic,
    ) -> Result<Reply, Raised> {
        let log = log.clone();
        delivered(&ctx, &log, &id, &Map::new())
    }

    #[rhai_fn(name = "expect_delivered", return_raw)]
    pub fn expect_delivered_with(
        ctx: NativeCallContext,
        log: &mut Following,
        id: Dynamic,
        options: Map,
    ) -> Result<Reply, Raised> {
        let log = log.clone();
        delivered(&ctx, &log, &id, &options)
    }

    /// Fails if a line since `follow` matches the pattern, whether an expectation has taken the
    /// line or not. With `#{during: "2s"}`, it also fails if such a line comes within that time.
    /// First expect a line that the server writes later than the lines in question, so that they
    /// have arrived. If the file of the log never appeared, this fails, too.
    ///
    /// ```rhai,ignore
    /// log.expect("removed", #{id: queued});
    /// log.refute(re(`warning|fatal`));
    /// ```
    #[rhai_fn(name = "refute", return_raw)]
    pub fn refute(
        ctx: NativeCallContext,
        log: &mut Following,
        pattern: Dynamic,
    ) -> Result<(), Raised> {
        let log = log.clone();
        refuted(&ctx, &log, pattern, &Map::new())
    }

    #[rhai_fn(name = "refute", return_raw)]
    pub fn refute_with(
        ctx: NativeCallContext,
        log: &mut Following,
        pattern: Dynamic,
        options: Map,
    ) -> Result<(), Raised> {
        let log = log.clone();
        refuted(&ctx, &log, pattern, &options)
    }
}
