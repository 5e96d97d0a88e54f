//! The line editor, on a thread of its own: it blocks while somebody types.

use std::io::{self, IsTerminal as _};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use rustyline::error::ReadlineError;
use rustyline::history::MemHistory;
use rustyline::{Config, ExternalPrinter};
use tokio::sync::mpsc as answers;
use zeroize::Zeroizing;

use super::commands;
use super::completion::Words;
use crate::cli::value;
use crate::error::{Error, Kind, Result};

const PROMPT: &str = "> ";
/// How many lines can be gone back to.
const HISTORY: usize = 1000;

/// What somebody typed.
#[derive(Debug)]
pub(super) enum Input {
    /// A line, and the password that it made us ask for.
    Line(String, Option<Result<Password>>),
    /// Ctrl-C.
    Interrupted,
    /// Ctrl-D, or the end of a file.
    End,
    Broken(String),
}

pub(super) type Password = Zeroizing<String>;

type LineEditor = rustyline::Editor<Words, MemHistory>;

/// Shows text above the line that is being typed.
type Printer = Box<dyn ExternalPrinter + Send>;

/// The editor, as the conversation sees it.
pub(super) struct Editor {
    asks: mpsc::Sender<()>,
    inputs: answers::UnboundedReceiver<Input>,
    /// A line was asked for and has not come.
    is_asked: bool,
    /// The words that Tab completes.
    pub(super) words: Arc<Mutex<Vec<String>>>,
    is_terminal: bool,
    /// Nothing if the terminal cannot go back to the beginning of a line.
    printer: Option<Printer>,
    /// What the terminal was set to before. Whoever leaves while a line is typed leaves the editor
    /// no time to put that back.
    before: Option<Termios>,
}

impl Drop for Editor {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // A terminal that is gone needs nothing put back.
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
        }
    }
}

impl Editor {
    /// # Errors
    /// If the terminal cannot be used.
    pub(super) fn start(url: &str) -> Result<Self> {
        let is_terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
        let words = Arc::new(Mutex::new(super::completion::verbs(url)));
        let mut editor = editor(Words::new(Arc::clone(&words))).map_err(|error| broken(&error))?;
        let printer = editor.create_external_printer().ok().filter(|_| is_terminal);
        let printer = printer.map(|printer| Box::new(printer) as Printer);
        let before = tcgetattr(io::stdin()).ok().filter(|_| is_terminal);
        let (asks, asked) = mpsc::channel();
        let (answer, inputs) = answers::unbounded_channel();
        thread::spawn(move || {
            if is_terminal && asked.recv().is_err() {
                return;
            }
            // At a terminal somebody may always type, and what is shown above the line waits until
            // there is one again.
            while is_terminal || asked.recv().is_ok() {
                let input = read(&mut editor);
                let is_broken = matches!(input, Input::Broken(_));
                if answer.send(input).is_err() || is_broken {
                    break;
                }
            }
        });
        Ok(Self { asks, inputs, is_asked: false, words, is_terminal, printer, before })
    }

    pub(super) fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// Asks for a line, unless one is being typed.
    pub(super) fn ask(&mut self) {
        if !self.is_asked {
            self.is_asked = self.asks.send(()).is_ok();
        }
    }

    /// What was typed, once it was asked for.
    pub(super) async fn input(&mut self) -> Input {
        if !self.is_asked {
            std::future::pending::<()>().await;
        }
        let input = self.inputs.recv().await.unwrap_or(Input::End);
        // At a terminal, once is for ever.
        self.is_asked = self.is_terminal;
        input
    }

    /// Lets Tab complete these words, too.
    pub(super) fn learn(&self, words: impl IntoIterator<Item = String>) {
        let mut known = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        for word in words {
            if !known.contains(&word) {
                known.push(word);
            }
        }
    }

    /// What shows text above the line that is being typed, for who shows everything.
    pub(super) fn take_printer(&mut self) -> Option<Printer> {
        self.printer.take()
    }
}

fn editor(words: Words) -> rustyline::Result<LineEditor> {
    let config = Config::builder().max_history_size(HISTORY)?.auto_add_history(true);
    // Of what is pasted, each line is one.
    let config = config.completion_type(rustyline::CompletionType::List).bracketed_paste(false);
    let config = config.build();
    let mut editor = LineEditor::with_history(config.clone(), MemHistory::with_config(&config))?;
    editor.set_helper(Some(words));
    Ok(editor)
}

fn read(editor: &mut LineEditor) -> Input {
    match editor.readline(PROMPT) {
        Ok(line) => {
            let question = commands::question(&line);
            let password = question.map(|question| value::prompt(&question));
            Input::Line(line, password)
        }
        Err(ReadlineError::Interrupted) => Input::Interrupted,
        Err(ReadlineError::Eof) => Input::End,
        Err(error) => Input::Broken(error.to_string()),
    }
}

fn broken(error: &ReadlineError) -> Error {
    Error::new(Kind::Io, format!("the terminal cannot be used: {error}"))
}
