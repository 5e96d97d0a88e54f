//! The conversation. Text from the server is shown when it arrives, and typed lines are sent when
//! it is the client's turn.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::timeout;

use super::commands::{self, Command};
use super::editor::{Editor, Input, Password};
use super::hearing::Hearing;
use super::held_back::HeldBack;
use super::output::Output;
use super::saving::{Saving, Verb};
use crate::Credentials;
use crate::cli::screen::Screen;
use crate::error::{Error, Kind, Result};
use crate::file;
use crate::interrupt::Interrupt;
use crate::outcome::ExitCode;
use crate::proto::Speech;
use crate::report::Human;
use crate::script::written;
use crate::session::{Heard, Options, Session};
use crate::transcript::{Event, Transcript};

/// How long to wait at a terminal for a greeting that shows which protocol is spoken.
const GREETING: Duration = Duration::from_secs(3);
/// How long to wait for a line on stdin that the server is not there for any more.
const UNSENT: Duration = Duration::from_millis(200);

/// Whether the conversation goes on.
enum Next {
    Go,
    Leave,
    Stop(ExitCode),
}

pub(super) struct Conversation {
    url: String,
    /// Whether the URL names the protocol.
    is_told: bool,
    editor: Editor,
    saving: Saving,
    output: Arc<Output>,
    is_terminal: bool,
    hearing: Hearing,
    held_back: HeldBack,
}

impl Conversation {
    pub(super) fn new(
        (url, is_told): (String, bool),
        mut editor: Editor,
        saving: Saving,
        (screen, patience): (&Screen, Duration),
    ) -> Self {
        let is_terminal = editor.is_terminal();
        let output = Arc::new(Output::new(screen, editor.take_printer()));
        let hearing = Hearing::new(&url, patience);
        let held_back = HeldBack::default();
        Self { url, is_told, editor, saving, output, is_terminal, hearing, held_back }
    }

    /// Connects, and talks until the user or the server ends the conversation.
    ///
    /// # Errors
    /// If the connection fails or breaks. If stdin is no terminal, also if a reply does not come.
    pub(super) async fn hold(mut self, options: Options) -> Result<ExitCode> {
        let interrupt = Interrupt::listen()?;
        let (output, bytes) = (Arc::clone(&self.output), self.hearing.bytes());
        let transcript = Transcript::new().watched(Arc::new(move |event: &Event| {
            bytes.fetch_add(event.bytes(), Ordering::Relaxed);
            output.event(event);
        }));
        let connecting = options.transcript(transcript.clone()).connect(&self.url);
        let Some(session) = interrupt.unless_pressed(connecting).await else {
            return Ok(ExitCode::Interrupted);
        };
        let mut session = session?;
        if self.is_terminal {
            self.output
                .show("Lines are sent as they are typed; :help shows more, Ctrl-D leaves.\n");
        }
        if self.is_terminal {
            // The editor reads keys from now on. Otherwise the terminal would lose a Ctrl-D that is
            // typed while the server is silent.
            self.editor.ask();
        }
        if !self.is_told {
            // What comes from a pipe would be sent before a greeting that is late.
            let patience = if self.is_terminal { GREETING } else { session.timeout() };
            match interrupt.unless_pressed(session.recognise(patience)).await {
                Some(recognised) => recognised?,
                None => return Ok(ExitCode::Interrupted),
            }
            if session.speech() != Speech::Stream
                && let Some(rest) = self.url.strip_prefix("tcp:")
            {
                self.url = format!("{}:{rest}", session.protocol());
                self.editor.learn(super::completion::verbs(&self.url));
            }
        }
        let ended = interrupt.unless_pressed(self.talk(&mut session)).await;
        let ended = ended.unwrap_or(Ok(ExitCode::Interrupted));
        session.hang_up();
        self.output.flush();
        if self.is_terminal {
            Screen::clear_line();
        }
        drop(self.editor);
        if let Some(path) = self.saving.write(&self.url, session.speech(), &transcript)? {
            self.output.screen().show(&Human::wrote(&path));
        }
        ended
    }

    async fn talk(&mut self, session: &mut Session) -> Result<ExitCode> {
        loop {
            let owed = session.owed();
            let is_our_turn = self.is_terminal || owed == 0;
            if is_our_turn {
                self.editor.ask();
            }
            let hearing = &mut self.hearing;
            let heard = async {
                if is_our_turn {
                    hearing.anything(session).await
                } else {
                    hearing.reply(session).await
                }
            };
            let next = tokio::select! {
                heard = heard => {
                    match heard? {
                        Heard::End => return self.closed(owed).await,
                        Heard::Something => self.learn(session),
                    }
                    if !self.held_back.is_empty()
                        && self.hearing.at_hand(session).await? == Heard::End
                    {
                        return self.closed(session.owed()).await;
                    }
                    let sent = self.send_held_back(session).await;
                    self.told(sent)?;
                    Next::Go
                }
                input = self.editor.input() => self.take(session, input).await?,
            };
            match next {
                Next::Go => {}
                Next::Leave => return self.leave(session).await,
                Next::Stop(code) => return Ok(code),
            }
        }
    }

    /// The server has closed the connection. If stdin is no terminal, this is an error if a reply was
    /// owed, or if lines are left that were not sent.
    async fn closed(&mut self, owed: usize) -> Result<ExitCode> {
        if self.is_terminal {
            return Ok(ExitCode::Passed);
        }
        if owed > 0 {
            let message = "the server closed the connection and owed a reply";
            return Err(Error::new(Kind::Closed, message).hint("look at what it said last"));
        }
        if self.held_back.is_empty() && !self.has_line().await {
            return Ok(ExitCode::Passed);
        }
        // The lines are not shown, because a password may be among them.
        let message = "the server closed the connection before all lines of stdin were sent";
        Err(Error::new(Kind::Closed, message).hint("look at what it said last"))
    }

    /// Whether another line is on stdin. Whoever writes to a pipe may leave it open.
    async fn has_line(&mut self) -> bool {
        self.editor.ask();
        matches!(timeout(UNSENT, self.editor.input()).await, Ok(Input::Line(..)))
    }

    /// Adds the server's capabilities to the words that Tab completes.
    fn learn(&self, session: &Session) {
        if let Some(can) = session.capabilities() {
            let keywords = can.keywords().into_iter().map(std::borrow::Cow::into_owned);
            self.editor.learn(keywords.chain(can.auth()));
        }
    }

    async fn take(&mut self, session: &mut Session, input: Input) -> Result<Next> {
        self.hearing.sends();
        let done = match input {
            Input::Interrupted => return Ok(Next::Stop(ExitCode::Interrupted)),
            Input::End => return Ok(Next::Leave),
            Input::Broken(why) => {
                return Err(Error::new(Kind::Io, format!("cannot read what is typed: {why}")));
            }
            Input::NotText => {
                let error = Error::usage("what was typed is not UTF-8, and the line is not sent");
                Err(error.hint(r":raw sends any octets: :raw caf\xE9\r\n"))
            }
            Input::Line(line, password) => match commands::parse(&String::from_utf8_lossy(&line)) {
                Ok(Some(Command::Quit)) => return Ok(Next::Leave),
                Ok(Some(Command::Reset)) => {
                    session.reset()?;
                    return Ok(Next::Stop(ExitCode::Passed));
                }
                Ok(Some(Command::Auth { user, mechanism })) => {
                    self.auth(session, (user, mechanism), password).await
                }
                Ok(Some(command)) => self.execute(session, command).await,
                Ok(None) if is_starttls(session, &line) => {
                    self.execute(session, Command::Starttls).await
                }
                Ok(None) => self.send(session, line).await,
                Err(error) => Err(error),
            },
        };
        self.told(done)?;
        Ok(Next::Go)
    }

    /// Shows an error at a terminal, because the user can try again. Otherwise returns the error.
    fn told(&self, done: Result<()>) -> Result<()> {
        match done {
            Err(error) if self.is_terminal => {
                self.output.show(&Human::error(&error));
                Ok(())
            }
            done => done,
        }
    }

    /// Sends lines that were held back, as long as no reply is owed. Several may go at once,
    /// because the lines of a message have no replies.
    async fn send_held_back(&mut self, session: &mut Session) -> Result<()> {
        while session.owed() == 0 {
            let Some(line) = self.held_back.take() else { break };
            self.hearing.sends();
            let sent = if is_starttls(session, &line) {
                self.execute(session, Command::Starttls).await
            } else {
                session.send(&line).await
            };
            match sent {
                Err(error) if error.is_out_of_step() => {
                    self.held_back.put_back(line);
                    break;
                }
                sent => sent?,
            }
        }
        Ok(())
    }

    async fn send(&mut self, session: &mut Session, typed: Vec<u8>) -> Result<()> {
        let line = typed.strip_prefix(b":").unwrap_or(&typed);
        if !self.held_back.is_empty() {
            if !line.is_empty() || self.held_back.takes_empty_line(session.speech()) {
                self.held_back.push(line);
                return Ok(());
            }
            let mut line = self.held_back.take().unwrap_or_default();
            self.saving.ahead(self.output.events());
            line.extend_from_slice(b"\r\n");
            return session.send_raw(line).await;
        }
        self.output.typed(self.is_terminal);
        let mut sent = session.send(line).await;
        self.output.typed(false);
        while !self.is_terminal && sent.as_ref().is_err_and(Error::is_out_of_step) {
            // First read the reply that has to come before this line.
            if self.hearing.reply(session).await? == Heard::End
                || self.hearing.at_hand(session).await? == Heard::End
            {
                break;
            }
            sent = session.send(line).await;
        }
        match sent {
            Err(error) if error.is_out_of_step() && self.is_terminal => {
                self.held_back.push(line);
                self.output.show(&Human::out_of_turn());
                Ok(())
            }
            sent => {
                self.held_back.sent(line);
                sent
            }
        }
    }

    async fn execute(&mut self, session: &mut Session, command: Command) -> Result<()> {
        let begun = self.output.events();
        let verb = match command {
            Command::Starttls => {
                session.starttls().await?;
                Verb::Called("s.starttls();".to_owned())
            }
            Command::Data(path) => {
                let message =
                    file::read(Path::new(&path)).map_err(|error| Error::unreadable(path, error))?;
                match written::text_of(&message) {
                    Some(text) => session.data(text).await?,
                    None => session.data(&message[..]).await?,
                };
                Verb::Data(message)
            }
            Command::Raw(bytes) => return session.send_raw(bytes).await,
            Command::Save(path) => {
                self.saving.name(path.into())?;
                self.output.show("The dialogue is written there when it ends.\n");
                return Ok(());
            }
            // All but `:help` were handled by the caller.
            Command::Help | Command::Reset | Command::Quit | Command::Auth { .. } => {
                self.output.show(&commands::help());
                return Ok(());
            }
        };
        self.saving.verb(begun..self.output.events(), verb);
        Ok(())
    }

    async fn auth(
        &mut self,
        session: &mut Session,
        (user, mechanism): (String, Option<String>),
        password: Option<Result<Password>>,
    ) -> Result<()> {
        let begun = self.output.events();
        let verb = Verb::Called(written::auth(&user, mechanism.as_deref()));
        let credentials = match password {
            Some(password) => Credentials::new(user, password?.as_str()),
            // The named mechanism takes no password.
            None => Credentials::new(user, ""),
        };
        let credentials = match mechanism {
            Some(name) => credentials.mechanism(name),
            None => credentials,
        };
        session.auth(credentials).await?;
        self.saving.verb(begun..self.output.events(), verb);
        Ok(())
    }

    /// Closes the client's side, and reads until the server closes, too.
    async fn leave(&mut self, session: &mut Session) -> Result<ExitCode> {
        while !self.is_terminal && session.owed() > 0 {
            let owed = session.owed();
            if self.hearing.reply(session).await? == Heard::End {
                return self.closed(owed).await;
            }
        }
        // That the server closes after its answer to QUIT is a part of the dialogue.
        if session.is_closing() {
            self.hearing.last_words(session).await?;
        }
        // If the connection is gone already, closing it fails, which does no harm.
        if session.shutdown().await.is_ok() {
            self.hearing.last_words(session).await?;
        }
        Ok(ExitCode::Passed)
    }
}

/// Whether a line is the command that begins TLS. A user who types it wants the handshake to
/// follow.
fn is_starttls(session: &Session, line: &[u8]) -> bool {
    let facts = session.speech().facts();
    let words: Vec<_> = line.trim_ascii_end().split(|byte| *byte == b' ').collect();
    let (tag, command) = words.split_at(usize::from(facts.has_tags).min(words.len()));
    let is_starttls = match (facts.tls, command) {
        (Some(tls), [command]) => tls.command.as_bytes().eq_ignore_ascii_case(command),
        _ => false,
    };
    is_starttls && tag.iter().all(|tag| !tag.is_empty()) && session.awaits_command()
}
