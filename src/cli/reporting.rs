//! The reports of a run, and where each is written.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Command};

use super::report_file::ReportFile;
use super::screen::Screen;
use super::written;
use crate::error::{Error, Result};
use crate::outcome::{ExitCode, Outcome};
use crate::report::{
    FORMATS, Format, Github, Html, Human, Junit, Planned, Report, Setup, Summary, Tally, Threshold,
    Thresholds, Trace,
};
use crate::workers::{Audience, Job};

/// The arguments.
#[derive(Args, Debug)]
#[command(next_help_heading = "Reports")]
pub(super) struct Reporting {
    #[arg(long, value_name = "FORMAT[=FILE]", value_parser = parse_format, help = help_of_format())]
    format: Vec<(&'static Format, Option<PathBuf>)>,
    /// Write a report in `JUnit` XML, for Jenkins or GitLab: `--junit report.xml`.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write a report for browsers, a single file: `--html report.html`.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Record the bytes that sessions send and receive, with the time of each piece, secrets
    /// masked: on, retain-on-failure (only of scripts that fail) or off (the default).
    #[arg(long, value_enum, value_name = "WHEN")]
    trace: Option<When>,
    /// Write the recording to this file, `mailexpect.trace` by default; without --trace, as with
    /// `--trace on`.
    #[arg(long, value_name = "FILE")]
    trace_file: Option<PathBuf>,
    /// Draw no progress bar.
    #[arg(long)]
    no_progress: bool,
    /// Show only what failed, and nothing if all passed.
    #[arg(short, long, conflicts_with = "verbose")]
    quiet: bool,
    /// With --format nagios, report a warning if a metric is outside of its range: `-w total=2 -w
    /// cert_days=14:`. The metrics are total, connect, tls, `cert_days`, the titles of steps, and
    /// those of the script itself.
    #[arg(short, long, value_name = "METRIC=RANGE")]
    warning: Vec<Threshold>,
    /// With --format nagios, report a critical state if a metric is outside of its range: `-c
    /// total=10 -c cert_days=7:`.
    #[arg(short, long, value_name = "METRIC=RANGE")]
    critical: Vec<Threshold>,
}

/// Which scripts a recording keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum When {
    On,
    RetainOnFailure,
    Off,
}

fn help_of_format() -> String {
    format!(
        "Report in this format: {}; the default is {}. `json=FILE` writes it to a file. Repeat for \
         more: `--format pretty --format json=events.json`",
        Format::names(),
        FORMATS[0].name
    )
}

fn parse_format(text: &str) -> Result<(&'static Format, Option<PathBuf>), String> {
    let (name, file) = match text.split_once('=') {
        Some((_, "")) => return Err("the name of the file is missing".to_owned()),
        Some((name, file)) => (name, Some(PathBuf::from(file))),
        None => (text, None),
    };
    let format = Format::find(name)
        .ok_or_else(|| format!("a format is {}, such as json=events.json", Format::names()))?;
    Ok((format, file))
}

/// Whether the program runs as a Nagios plugin. A plugin reports its state by its exit code and the
/// first line of stdout, even if it cannot run. The environment variable counts for `run` only.
pub(super) fn is_for_nagios(args: impl Iterator<Item = OsString>, command: &Command) -> bool {
    let args: Vec<_> = args.map(|arg| arg.to_string_lossy().into_owned()).collect();
    let is_plugin = |name: &str| Format::find(name).is_some_and(|format| format.is_plugin);
    let is_given = args.iter().any(|arg| arg == "--format" || arg.starts_with("--format="));
    if is_given {
        return args.iter().filter_map(|arg| arg.strip_prefix("--format=")).any(is_plugin)
            || args.windows(2).any(|pair| pair[0] == "--format" && is_plugin(&pair[1]));
    }
    let named = args.iter().skip(1).find_map(|arg| command.find_subcommand(arg));
    let is_run = named.is_some_and(|command| command.get_name() == "run");
    is_run && std::env::var("MAILEXPECT_FORMAT").is_ok_and(|format| is_plugin(&format))
}

impl Reporting {
    /// Whether sessions are recorded. The HTML report needs this, too: it shows when each line was
    /// said.
    pub(super) fn is_taped(&self) -> bool {
        self.has_trace() || self.html.is_some()
    }

    /// Whether a recording is written to a file.
    fn has_trace(&self) -> bool {
        self.trace.map_or(self.trace_file.is_some(), |when| when != When::Off)
    }

    /// Whether the progress of the run is drawn.
    pub(super) fn progress(&self) -> bool {
        !self.no_progress
    }

    /// Whether another report than the default one is wanted.
    pub(super) fn is_asked_for(&self) -> bool {
        self.quiet || self.junit.is_some() || self.html.is_some() || !self.format.is_empty()
    }

    /// Opens the reports of a run. Files are opened now, so that a file that cannot be written
    /// fails the run before its first script. With `brief`, the pretty report shows only its last
    /// line for scripts that passed.
    ///
    /// # Errors
    /// Usage for a file that cannot be written or is one of `inputs`, and for two reports on stdout.
    pub(super) fn open(
        &self,
        human: Human,
        brief: bool,
        inputs: &[PathBuf],
        screen: &Screen,
    ) -> Result<Vec<Written>> {
        let setup = Setup { human, quiet: self.quiet, brief, thresholds: self.thresholds() };
        let on_stdout = self.format.iter().filter(|(_, file)| file.is_none()).count();
        if on_stdout > 1 {
            let error = Error::usage("stdout takes one format");
            return Err(error.hint("write the others to files: --format json=events.json"));
        }
        if self.has_idle_thresholds() {
            let error = Error::usage("thresholds are for --format nagios alone");
            return Err(error.hint("a script asserts a bound of its own: assert(...)"));
        }
        let mut reports = Vec::new();
        for (format, file) in &self.format {
            let output = match file {
                Some(path) => Output::File(ReportFile::create(path)?),
                None => Output::Stdout(screen.clone()),
            };
            reports.push(Written::new((format.begin)(&setup), output));
        }
        if on_stdout == 0 {
            let report = (FORMATS[0].begin)(&setup);
            reports.push(Written::new(report, Output::Stdout(screen.clone())));
        }
        if let Some(path) = &self.junit {
            let output = Output::File(ReportFile::create(path)?);
            reports.push(Written::new(Box::<Junit>::default(), output));
        }
        if self.has_trace() {
            let failures_only = self.trace == Some(When::RetainOnFailure);
            let path = self.trace_file.as_deref().unwrap_or(Path::new("mailexpect.trace"));
            let output = Output::File(ReportFile::create(path)?);
            reports.push(Written::new(Box::new(Trace { failures_only }), output));
        }
        if let Some(path) = &self.html {
            let output = Output::File(ReportFile::create(path)?);
            reports.push(Written::new(Box::<Html>::default(), output));
        }
        if std::env::var_os("GITHUB_ACTIONS").is_some_and(|set| set == "true") {
            let output = Output::Stderr(screen.clone());
            reports.push(Written::new(Box::<Github>::default(), output));
        }
        check_files(&reports, inputs)?;
        Ok(reports)
    }

    fn thresholds(&self) -> Thresholds {
        Thresholds { warning: self.warning.clone(), critical: self.critical.clone() }
    }

    /// Whether thresholds are given although no report uses them.
    fn has_idle_thresholds(&self) -> bool {
        let is_given = !self.warning.is_empty() || !self.critical.is_empty();
        is_given && !self.format.iter().any(|(format, _)| format.is_plugin)
    }
}

/// Refuses two reports in one file, because the later would replace the other, and a report in place
/// of an input.
fn check_files(reports: &[Written], inputs: &[PathBuf]) -> Result<()> {
    let mut paths = BTreeSet::new();
    for Written { output, .. } in reports {
        let Output::File(file) = output else { continue };
        let Some(path) = file.replaced() else { continue };
        written::check_report(path, inputs)?;
        if !paths.insert(std::path::absolute(path).unwrap_or_else(|_| path.to_owned())) {
            let path = path.display();
            let error = Error::usage(format!("two reports cannot be written to one file, {path}"));
            return Err(error.hint("nothing was run; give each report a file of its own"));
        }
    }
    Ok(())
}

/// A report and its output.
pub(super) struct Written {
    report: Box<dyn Report>,
    output: Output,
    /// Why the report is not complete. Nothing more is written to it then.
    failed: Option<Error>,
}

impl Written {
    fn new(report: Box<dyn Report>, output: Output) -> Self {
        Self { report, output, failed: None }
    }

    /// Ends the report, and returns why it is not complete.
    fn end(self) -> Option<Error> {
        match (self.output, self.failed) {
            (Output::File(file), None) => file.finish().err(),
            (_, failed) => failed,
        }
    }
}

enum Output {
    Stdout(Screen),
    Stderr(Screen),
    File(ReportFile),
}

impl Output {
    fn write(&mut self, text: &str) -> Result<()> {
        match self {
            Self::Stdout(screen) => screen.show(text),
            Self::Stderr(screen) => screen.note(text),
            Self::File(file) => return file.write(text),
        }
        Ok(())
    }
}

/// All reports of one run. Each gets the same events, in the same order.
pub(super) struct Reports {
    all: Vec<Written>,
    /// How many scripts are planned; `None` if the number is not known.
    scripts: Option<usize>,
    /// The number after the last one that ended.
    next: usize,
    tally: Tally,
}

impl Reports {
    /// Begins the reports.
    pub(super) fn start(all: Vec<Written>, planned: &Planned) -> Self {
        let mut reports = Self { all, scripts: planned.scripts, next: 0, tally: Tally::default() };
        reports.tell(|report| report.run_started(planned));
        reports
    }

    /// Ends the reports, and returns the exit code: that of the run, or of an error if that is
    /// worse. An error in writing one report is shown, as is another error, and concerns no other
    /// report. A report that asks for its own exit code has told the state of the server, which no
    /// error changes.
    pub(super) fn end(
        mut self,
        elapsed: Duration,
        timed_out: bool,
        other: Option<Error>,
        screen: &Screen,
    ) -> (Summary, ExitCode) {
        let ended = self.tally.total();
        let scripts = self.scripts.unwrap_or(ended);
        let mut summary = Summary {
            scripts,
            not_run: scripts.saturating_sub(ended),
            timed_out,
            tally: self.tally,
            wanted: None,
            elapsed,
        };
        self.tell(|report| report.run_ended(&summary));
        summary.wanted = self.all.iter().find_map(|written| written.report.exit_code());
        let mut code = summary.exit_code();
        let ends = self.all.into_iter().filter_map(Written::end);
        for mut error in other.into_iter().chain(ends) {
            error.mask(screen.passwords());
            screen.complain(&error);
            if summary.wanted.is_none() {
                code = code.max(error.exit_code());
            }
        }
        (summary, code)
    }

    /// Reports a script that ended in an earlier run.
    pub(super) fn tell_of(&mut self, number: usize, outcome: Outcome) {
        let target = outcome.target.as_deref();
        self.tell(|report| report.script_started(number, &outcome.path, target));
        self.ended(number, outcome);
    }

    /// Reports something that is no script of the run, after all of them.
    pub(super) fn add(&mut self, outcome: &Outcome) {
        let (number, target) = (self.next, outcome.target.as_deref());
        self.tell(|report| report.script_started(number, &outcome.path, target));
        self.tally.add_beside(outcome);
        self.tell_end(number, outcome);
    }

    fn tell_end(&mut self, number: usize, outcome: &Outcome) {
        self.next = self.next.max(number + 1);
        self.tell(|report| report.script_ended(number, outcome));
    }

    fn tell(&mut self, what: impl Fn(&mut dyn Report) -> String) {
        for Written { report, output, failed } in &mut self.all {
            let text = what(&mut **report);
            if failed.is_none() {
                *failed = output.write(&text).err();
            }
        }
    }
}

impl Audience for Reports {
    fn started(&mut self, number: usize, job: &Job) {
        let target = job.against.target.as_deref();
        self.tell(|report| report.script_started(number, &job.script, target));
    }

    fn ended(&mut self, number: usize, outcome: Outcome) {
        self.tally.add(&outcome);
        self.tell_end(number, &outcome);
    }

    fn teardown_failed(&mut self, outcome: Outcome) {
        self.add(&outcome);
    }
}
