//! The line editor. It has its own thread, because it blocks while the user types.

use std::io::{self, IsTerminal as _};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;

use rustix::termios::{OptionalActions, QueueSelector, Termios, tcflush, tcgetattr, tcsetattr};
use rustyline::error::ReadlineError;
use rustyline::history::MemHistory;
use rustyline::{Config, ExternalPrinter};
use tokio::sync::mpsc as answers;
use zeroize::Zeroizing;

use super::commands;
use super::completion::Words;
use crate::cli::value;
use crate::error::{Error, Kind, Result};
use crate::file;

const PROMPT: &str = "> ";
/// How many lines the history keeps.
const HISTORY: usize = 1000;
/// The most words that Tab completes, and the longest of those that a server offers.
const MOST_WORDS: usize = 1000;
const LONGEST_WORD: usize = 100;

/// The result of reading a line.
#[derive(Debug)]
pub(super) enum Input {
    /// A line, and the password that was asked for if the line needs one.
    Line(Vec<u8>, Option<Result<Password>>),
    /// A key was typed that is not UTF-8, which the line editor cannot read.
    NotText,
    /// The user pressed Ctrl-C.
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
    /// Whether a line was asked for and has not arrived yet.
    is_asked: bool,
    /// The words that Tab completes.
    pub(super) words: Arc<Mutex<Vec<String>>>,
    is_terminal: bool,
    /// `None` if the terminal cannot move the cursor to the beginning of a line.
    printer: Option<Printer>,
    /// The terminal's settings before the start. If the program ends while a line is typed, the
    /// editor has no time to restore them.
    before: Option<Termios>,
}

impl Drop for Editor {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // If the terminal is gone, there is nothing to restore.
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
            // At a terminal the user may type at any time. Text to show above the line waits until
            // the editor reads again.
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

    /// Waits for the input that was asked for.
    pub(super) async fn input(&mut self) -> Input {
        if !self.is_asked {
            std::future::pending::<()>().await;
        }
        let input = self.inputs.recv().await.unwrap_or(Input::End);
        // At a terminal, the thread goes on reading lines after it was asked once.
        self.is_asked = self.is_terminal;
        input
    }

    /// Adds words that Tab completes.
    pub(super) fn learn(&self, words: impl IntoIterator<Item = String>) {
        let mut known = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        for word in words {
            if is_keyword(&word) && known.len() < MOST_WORDS && !known.contains(&word) {
                known.push(word);
            }
        }
    }

    /// Takes the printer, which shows text above the line that is being typed.
    pub(super) fn take_printer(&mut self) -> Option<Printer> {
        self.printer.take()
    }
}

/// Whether a word that a server offers can be a keyword. The line editor shows it as it is, so it
/// must not drive the terminal.
fn is_keyword(word: &str) -> bool {
    word.len() <= LONGEST_WORD && word.bytes().all(|byte| byte.is_ascii_graphic())
}

fn editor(words: Words) -> rustyline::Result<LineEditor> {
    let config = Config::builder().max_history_size(HISTORY)?.auto_add_history(true);
    // Without bracketed paste, each line of a pasted text is a line of its own.
    let config = config.completion_type(rustyline::CompletionType::List).bracketed_paste(false);
    let config = config.build();
    let mut editor = LineEditor::with_history(config.clone(), MemHistory::with_config(&config))?;
    editor.set_helper(Some(words));
    Ok(editor)
}

/// Reads a line. The editor would read an endless line of a file or a pipe without a bound.
fn read(editor: &mut LineEditor) -> Input {
    let line = if io::stdin().is_terminal() {
        editor.readline(PROMPT).map(String::into_bytes)
    } else {
        let line = file::octets_up_to(&mut io::stdin().lock(), file::LARGEST);
        line.map_err(ReadlineError::Io).and_then(|line| line.ok_or(ReadlineError::Eof))
    };
    match line {
        Ok(line) => {
            let question = std::str::from_utf8(&line).ok().and_then(commands::question);
            let password = question.map(|question| value::prompt(&question));
            Input::Line(line, password)
        }
        Err(ReadlineError::Io(error)) if error.kind() == io::ErrorKind::InvalidData => {
            // The editor gives up at the key. What was pasted after the key is the rest of a line
            // and must not be sent as a line. If it cannot be dropped, the server refuses it.
            let _ = tcflush(io::stdin(), QueueSelector::IFlush);
            Input::NotText
        }
        Err(ReadlineError::Interrupted) => Input::Interrupted,
        Err(ReadlineError::Eof) => Input::End,
        Err(error) => Input::Broken(error.to_string()),
    }
}

fn broken(error: &ReadlineError) -> Error {
    Error::new(Kind::Io, format!("the terminal cannot be used: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_drive_the_terminal_is_no_keyword() {
        assert!(is_keyword("8BITMIME") && is_keyword("AUTH=PLAIN"));
        for word in ["XA\u{1b}]0;owned\u{7}Q", "a\u{9b}2J", "x\u{202e}y", "two words"] {
            assert!(!is_keyword(word), "{word:?}");
        }
    }
}
