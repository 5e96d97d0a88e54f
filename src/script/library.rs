//! The compiled sources of scripts and of the modules that they import.

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use rhai::{
    AST, Engine, EvalAltResult, Module, ModuleResolver, NativeCallContext, ParseError, Position,
    Scope, Shared,
};

use super::columns::Columns;
use super::coroutine::{self, Halt};
use super::program::Program;
use super::run::Run;
use super::{fixtures, heading, parsing, raise, shipped};
use crate::error::Error;
use crate::file;
use crate::outcome::{Failure, Place};
use crate::secrets;
use crate::stoppable;

/// The deepest nesting of imports. Rhai's own limit counts only the modules that one module
/// imports.
pub(super) const DEEPEST: usize = 256;

/// The most bytes of a source, and of a script with all its imports: compiled, a source takes up to
/// a hundred times its size.
pub(crate) const LARGEST: u64 = 2 << 20;

/// A source that was read, with the result of compiling it.
pub(super) struct Unit {
    pub(super) text: String,
    /// Where the lines of the text start, and the parts of it that are secret: both are found when
    /// the first line is shown.
    lines: OnceLock<Vec<usize>>,
    secrets: OnceLock<Vec<Range<usize>>>,
    columns: Columns,
    /// The title: the first line of the first comment that has no other meaning.
    pub(super) title: Option<String>,
    /// The names that no other script may hold while this script runs.
    pub(super) serial: Vec<String>,
    /// The folder whose setup and teardown apply to the script.
    pub(super) fixture: Option<PathBuf>,
    compiled: Result<Arc<Program>, ParseError>,
    /// The problem that keeps the script from starting, if there is one. Set by the first search.
    fatal: OnceLock<Option<Failure>>,
}

/// Explains why a file was not found if its name was not UTF-8: the characters that replace other
/// bytes have changed the name.
fn named(name: &str, error: io::Error) -> io::Error {
    let is_lossy = name.contains(char::REPLACEMENT_CHARACTER);
    if is_lossy && error.kind() == io::ErrorKind::NotFound {
        return io::Error::other("its name is not UTF-8; give it one that is");
    }
    error
}

/// The hint for a script that is too large.
pub(super) const LONG_DATA: &str = "put long data into files of their own: read(\"data.txt\"), and parts of the script into modules";

/// Makes the error for a script that cannot be read.
pub(super) fn unreadable(name: &str, error: &io::Error) -> Error {
    let is_too_large = error.kind() == io::ErrorKind::FileTooLarge;
    let hint = if is_too_large { LONG_DATA } else { "look for a mistake in the path" };
    Error::unreadable(name, error).hint(hint)
}

impl Unit {
    fn read(engine: &Engine, name: &str) -> std::io::Result<Self> {
        let text = match shipped::text(name) {
            Some(text) => Ok(text.to_owned()),
            None => file::read_text_up_to(Path::new(name), LARGEST),
        };
        let text = text.map_err(|error| named(name, error))?;
        let unit = Self::of(engine, name, text);
        // What a parser says that was stopped is no result.
        if stoppable::is_stopped() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        Ok(unit)
    }

    fn of(engine: &Engine, name: &str, text: String) -> Self {
        // A first line for the kernel (`#!/usr/bin/env ...`) is treated as a comment.
        let script = text.strip_prefix("#!").map(|rest| {
            let end = rest.find('\n').unwrap_or(rest.len());
            format!("//{}", &rest[end..])
        });
        let mut compiled = parsing::bounded(|| engine.compile(script.as_deref().unwrap_or(&text)));
        if let Ok(ast) = &mut compiled {
            ast.set_source(name);
        }
        Self {
            title: heading::title(&text),
            serial: heading::serial_names(&text),
            fixture: fixtures::folder(Path::new(name)).map(Path::to_owned),
            text,
            lines: OnceLock::new(),
            secrets: OnceLock::new(),
            columns: Columns::default(),
            compiled: compiled.map(|ast| Arc::new(Program::new(ast))),
            fatal: OnceLock::new(),
        }
    }

    /// Returns the compiled source.
    ///
    /// # Errors
    /// The error in its syntax.
    pub(super) fn ast(&self) -> Result<&AST, &ParseError> {
        self.compiled.as_ref().map(|program| &program.ast)
    }

    /// Returns the problem for which the script does not start. Searches only at the first call.
    pub(super) fn forbids_start(&self, look: impl FnOnce() -> Option<Failure>) -> Option<Failure> {
        self.fatal.get_or_init(look).clone()
    }

    /// Whether it is known if the script can start.
    fn is_prepared(&self) -> bool {
        self.compiled.is_err() || self.fatal.get().is_some()
    }

    /// Returns where a line is in the text, without its line end. Lines count from 1.
    fn span_of_line(&self, line: usize) -> Option<Range<usize>> {
        let starts = self.lines.get_or_init(|| {
            let ends = memchr::memchr_iter(b'\n', self.text.as_bytes());
            [0].into_iter().chain(ends.map(|end| end + 1)).collect()
        });
        let start = *starts.get(line.checked_sub(1)?)?;
        let end = starts.get(line).map_or(self.text.len(), |next| next - 1);
        // After the last line end, there is no further line.
        (start < self.text.len()).then_some(start..end)
    }

    /// Returns the parts of a line that are secret, by their places in the whole text. A call may
    /// span several lines, so the whole source decides which parts are secret.
    fn secrets_in(&self, line: &Range<usize>) -> impl Iterator<Item = Range<usize>> {
        let all = self.secrets.get_or_init(|| secrets::secret_spans(&self.text));
        all.iter().filter(|span| span.start < line.end && span.end > line.start).cloned()
    }

    /// Returns the compiled source in the form that can be run.
    pub(super) fn program(&self) -> Result<&Arc<Program>, &ParseError> {
        self.compiled.as_ref()
    }
}

/// Compiled sources by their names. Each source is read and parsed once, even if several threads
/// ask for it at the same time.
#[derive(Default)]
pub(crate) struct Library(Mutex<HashMap<String, Entry>>);

/// The slot of a source. It is locked while the source is read and compiled.
type Entry = Arc<Mutex<Option<Arc<Unit>>>>;

impl Library {
    /// The sources of the script that calls a native function.
    pub(super) fn of_call(context: &NativeCallContext<'_>) -> Arc<Self> {
        let tag = context.tag().cloned();
        tag.and_then(rhai::Dynamic::try_cast::<Arc<Self>>).unwrap_or_default()
    }

    /// Returns the source of this name: the path of a file, or the name of a shipped module.
    ///
    /// # Errors
    /// The reason for which the source cannot be read.
    pub(super) fn load(&self, engine: &Engine, name: &str) -> std::io::Result<Arc<Unit>> {
        let entry = Arc::clone(self.entries().entry(name.to_owned()).or_default());
        let mut place = lock(&entry);
        if let Some(unit) = &*place {
            return Ok(Arc::clone(unit));
        }
        let unit = Arc::new(Unit::read(engine, name)?);
        *place = Some(Arc::clone(&unit));
        Ok(unit)
    }

    /// Uses this text as the source of this name.
    #[cfg(feature = "cli")]
    pub(super) fn give(&self, engine: &Engine, name: &str, text: String) {
        let unit = Arc::new(Unit::of(engine, name, text));
        self.entries().insert(name.to_owned(), Arc::new(Mutex::new(Some(unit))));
    }

    pub(super) fn get(&self, name: &str) -> Option<Arc<Unit>> {
        let entry = Arc::clone(self.entries().get(name)?);
        let place = lock(&entry);
        place.clone()
    }

    /// Whether a script was read, compiled and checked. Does not wait for a thread that does it.
    pub(super) fn is_prepared(&self, name: &str) -> bool {
        let entry = self.entries().get(name).map(Arc::clone);
        entry.is_some_and(|entry| {
            entry
                .try_lock()
                .is_ok_and(|place| place.as_ref().is_some_and(|unit| unit.is_prepared()))
        })
    }

    /// Returns the text of a compiled source between the backticks that begin at a position, up to
    /// the end of the line. It may have secrets: do not show it.
    pub(super) fn within_backticks(&self, name: &str, at: Position) -> Option<String> {
        let unit = self.get(name)?;
        let line = unit.span_of_line(at.line()?)?;
        let start = unit.columns.byte_at(&unit.text, line.start, at.position()?);
        let rest = unit.text.get(start..line.end)?.strip_prefix('`')?;
        Some(rest.split('`').next().unwrap_or_default().to_owned())
    }

    /// Returns a line of a compiled source with secrets masked, and the position of a column in the
    /// masked line.
    pub(super) fn line(&self, name: &str, line: usize, column: usize) -> Option<(String, usize)> {
        let unit = self.get(name)?;
        let at = unit.span_of_line(line)?;
        let within = |span: Range<usize>| {
            span.start.max(at.start) - at.start..span.end.min(at.end) - at.start
        };
        let spans: Vec<_> = unit.secrets_in(&at).map(within).collect();
        Some(secrets::masked_line(&unit.text[at], &spans, column))
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        lock(&self.0)
    }

    /// Compiles a module and runs its top level. The module is run again for each script, because
    /// it may hold sessions.
    fn import(
        &self,
        engine: &Engine,
        name: &str,
        position: Position,
    ) -> Result<Shared<Module>, Box<EvalAltResult>> {
        if coroutine::halt(coroutine::CALLS_SIZE) == Some(Halt::StackShort) {
            return Err(Box::new(EvalAltResult::ErrorStackOverflow(position)));
        }
        let in_module = |inner: EvalAltResult| {
            Box::new(EvalAltResult::ErrorInModule(name.to_owned(), Box::new(inner), position))
        };
        let unit = self
            .load(engine, name)
            .map_err(|why| cannot_import(name, &why.to_string(), position))?;
        let program = unit.program().map_err(|wrong| {
            in_module(EvalAltResult::ErrorParsing(wrong.err_type().clone(), wrong.position()))
        })?;
        let module = Module::eval_ast_as_new(Scope::new(), program.module(), engine)
            .map_err(|inner| in_module(*inner))?;
        Ok(module.into())
    }
}

impl Library {
    /// Returns a place in a compiled source.
    pub(super) fn place(&self, source: &str, position: Position) -> Option<Place> {
        let line = position.line()?;
        let column = position.position().unwrap_or(1);
        let shown = self.line(source, line, column).map(|(line, caret)| excerpt(line, caret));
        let caret = shown.as_ref().map_or(column, |(_, caret)| *caret);
        let text = shown.map(|(text, _)| text.into());
        Some(Place { file: source.to_owned(), line, column, source: text, caret })
    }
}

/// The most characters of a source line that are kept before the column of a failure, and as many
/// after it. A report shows fewer.
const AROUND: usize = 1000;

/// Returns the part of a line around a column, and the column in that part.
fn excerpt(line: String, column: usize) -> (String, usize) {
    let first = column.saturating_sub(AROUND);
    let place = |nth: usize| line.char_indices().nth(nth).map_or(line.len(), |(at, _)| at);
    let (start, end) = (place(first), place(first.saturating_add(2 * AROUND)));
    if end - start == line.len() {
        return (line, column);
    }
    let cut = |is_cut: bool| if is_cut { "..." } else { "" };
    let (before, after) = (cut(start > 0), cut(end < line.len()));
    let part = format!("{before}{}{after}", &line[start..end]);
    (part, column - first + before.len())
}

/// Locks a mutex. A panic elsewhere leaves the content intact, because each change is one step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes the error for a failed import. Rhai's own error for this makes Rhai search elsewhere and
/// then report the failure without the reason.
#[allow(clippy::unnecessary_box_returns, reason = "Rhai's errors are boxed")]
fn cannot_import(name: &str, why: &str, position: Position) -> Box<EvalAltResult> {
    let error = Error::usage(format!("cannot import {name}: {why}"));
    let error = error.hint("a path is relative to the importing file, without .rhai; \"mailexpect/smtp\" comes with the tool");
    raise::raised_at(position, error)
}

/// Returns the name of an imported source. The name of a shipped module stays as it is; a path is
/// relative to the folder of the importing file.
pub(super) fn resolve(importer: Option<&str>, path: &str) -> String {
    if shipped::is_module(path) {
        return path.to_owned();
    }
    let folder = importer
        .and_then(|importer| Path::new(importer).parent())
        .map(PathBuf::from)
        .unwrap_or_default();
    let mut file = folder.join(path);
    if file.extension().is_none_or(|extension| extension != "rhai") {
        file.as_mut_os_string().push(".rhai");
    }
    file.to_string_lossy().into_owned()
}

/// A library in the form that Rhai needs.
pub(super) struct Resolver(pub(super) Arc<Library>);

impl ModuleResolver for Resolver {
    fn resolve(
        &self,
        engine: &Engine,
        source: Option<&str>,
        path: &str,
        position: Position,
    ) -> Result<Shared<Module>, Box<EvalAltResult>> {
        let name = resolve(source, path);
        let Ok(run) = Run::current() else { return self.0.import(engine, &name, position) };
        if run.importing.borrow().contains(&name) {
            let circle = format!(
                "modules import each other in a circle: {} -> {name}",
                run.importing.borrow().join(" -> ")
            );
            return Err(cannot_import(&name, &circle, position));
        }
        if !shipped::is_module(&name) && !run.may_import(Path::new(&name)) {
            let why = "it lies outside of the script's folder and of the current one";
            return Err(cannot_import(&name, why, position));
        }
        if run.importing.borrow().len() >= DEEPEST {
            return Err(Box::new(EvalAltResult::ErrorTooManyModules(position)));
        }
        run.importing.borrow_mut().push(name.clone());
        let module = self.0.import(engine, &name, position);
        run.importing.borrow_mut().pop();
        module
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_parsed_once_if_several_ask_at_the_same_time() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "let x = 1;").unwrap();
        let (library, engine) = (Library::default(), Engine::new());
        let name = file.path().to_str().unwrap();
        let load = || library.load(&engine, name).unwrap();
        let units: Vec<_> = std::thread::scope(|scope| {
            let loading: Vec<_> = (0..8).map(|_| scope.spawn(load)).collect();
            loading.into_iter().map(|loading| loading.join().unwrap()).collect()
        });
        assert!(units.iter().all(|unit| Arc::ptr_eq(unit, &units[0])));
    }

    #[test]
    fn the_text_between_backticks_is_found_by_its_position() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = "f(\"\u{e4}\"); f(`a\\n`); f(`b`);\nf(\"c`d`\"); f(`e\ng`);\n";
        std::fs::write(file.path(), text).unwrap();
        let (library, engine) = (Library::default(), Engine::new());
        let name = file.path().to_str().unwrap();
        library.load(&engine, name).unwrap();
        let within = |line, column| library.within_backticks(name, Position::new(line, column));
        assert_eq!(within(1, 11).as_deref(), Some("a\\n"));
        assert_eq!(within(1, 21).as_deref(), Some("b"));
        assert_eq!(within(2, 3), None, "between other quotes");
        assert_eq!(within(2, 14).as_deref(), Some("e"), "up to the end of the line");
        assert_eq!((within(1, 200), within(9, 1)), (None, None));
    }
}
