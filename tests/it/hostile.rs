//! Hostile peers, scripts and files. `tests/hostile` holds them as data.
//!
//! A file there holds cases. A case begins with `=== title`, and each part of it with `--- part`:
//!
//! | part | what |
//! | --- | --- |
//! | `--- peer SCHEME` | the server's dialogue, in the notation of `Replay`; its URL is `%url%` |
//! | `--- script` | the script; without `connect` in it, `let s = connect("%url%");` comes first |
//! | `--- file NAME` | a file beside the script |
//! | `--- octets NAME` | a file with `\xHH`, `\r`, `\n` for bytes; real line ends are left out |
//! | `--- args` | the arguments of a separate run; cases without this are run together |
//! | `--- want CODE KIND` | exit code and kind of error; then `says TEXT`, `lacks TEXT` of the output |
//!
//! A table before the first part makes a case of each row. Its first row names the columns, whose
//! values replace `%column%` in all parts. Several tables are separated by blank lines, and each
//! row of one is combined with each row of the others. Before the first part, `long` leaves a case
//! to the ignored test, `timeout T` sets `--timeout`, and `deadline D` sets `--deadline`.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use regex::Regex;

use crate::escaped::assert_harmless;
use crate::peer::Peer;
use crate::program::{program, project};

/// The limit for the program's address space, in KiB. 2 GiB are reserved for stacks, and the rest
/// is for scripts, their output, and the arenas of threads.
const ADDRESS_SPACE: usize = 6 << 20;
/// How long the program may run before it counts as hung. The deadline of a script is 8 s unless a
/// case sets another, and the machine may be busy.
const HUNG: Duration = Duration::from_mins(2);
/// How many scripts the program runs at once. Most of them only wait.
const AT_ONCE: &str = "8";
/// How many scripts one run of the program has. If the program dies, these are the scripts to look
/// at.
const BATCH: usize = 50;

#[derive(Clone, Debug, Default)]
struct Case {
    title: String,
    is_long: bool,
    timeout: Option<String>,
    deadline: Option<String>,
    parts: Vec<(String, String)>,
}

impl Case {
    fn part(&self, name: &str) -> Option<&str> {
        let mut parts = self.parts.iter();
        parts.find_map(|(head, text)| (head == name).then_some(text.as_str()))
    }

    /// The parts whose headings begin with this word, each with the rest of its heading and its
    /// text.
    fn all(&self, word: &str) -> impl Iterator<Item = (&str, &str)> {
        let rest = move |head: &'_ str| head.strip_prefix(word).map(str::len);
        self.parts.iter().filter_map(move |(head, text)| {
            let length = rest(head)?;
            Some((head[head.len() - length..].trim(), text.as_str()))
        })
    }

    /// The case with the values of a row instead of the column names.
    fn filled(&self, row: &[(&str, &str)]) -> Self {
        let values: Vec<_> = row.iter().map(|(_, value)| *value).collect();
        let title = match values.as_slice() {
            [] => self.title.clone(),
            values => format!("{} [{}]", self.title, values.join(" | ")),
        };
        Self { title, ..self.filled_in(row) }
    }

    fn filled_in(&self, row: &[(&str, &str)]) -> Self {
        let fill = |text: &String| {
            let line_end = ("nl", "\n");
            row.iter()
                .chain([&line_end])
                .fold(text.clone(), |text, (name, value)| text.replace(&format!("%{name}%"), value))
        };
        let parts = self.parts.iter().map(|(head, text)| (fill(head), fill(text))).collect();
        Self { parts, ..self.clone() }
    }
}

/// Parses the cases of a file.
fn parse(file: &str, text: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    for block in text.split("\n=== ").skip(1) {
        let (head, parts) = block.split_once("\n--- ").unwrap_or((block, ""));
        let (title, head) = head.split_once('\n').unwrap_or((head, ""));
        let mut case = Case { title: format!("{file}: {title}"), ..Case::default() };
        for part in parts.split("\n--- ") {
            let (name, text) = part.split_once('\n').unwrap_or((part, ""));
            let begins =
                name == "script" && parts.starts_with("peer") && !text.contains("connect(");
            let connect = if begins { "let s = connect(\"%url%\");\n" } else { "" };
            case.parts.push((name.trim().to_owned(), format!("{connect}{}\n", text.trim_end())));
        }
        let mut rows: Vec<Vec<(&str, &str)>> = vec![Vec::new()];
        for paragraph in head.split("\n\n") {
            let (table, words): (Vec<_>, Vec<_>) = paragraph
                .lines()
                .filter(|line| !line.is_empty())
                .partition(|line| line.contains('|'));
            for word in words {
                match word.split_once(' ') {
                    None if word == "long" => case.is_long = true,
                    Some(("timeout", timeout)) => case.timeout = Some(timeout.to_owned()),
                    Some(("deadline", deadline)) => case.deadline = Some(deadline.to_owned()),
                    _ => panic!("{}: `{word}` means nothing", case.title),
                }
            }
            if let Some((names, values)) = table.split_first() {
                rows = multiplied(&rows, names, values);
            }
        }
        cases.extend(rows.iter().map(|row| case.filled(row)));
    }
    cases
}

fn multiplied<'a>(
    rows: &[Vec<(&'a str, &'a str)>],
    names: &'a str,
    values: &[&'a str],
) -> Vec<Vec<(&'a str, &'a str)>> {
    let cells = |line: &'a str| line.trim_matches('|').split(" | ").map(str::trim);
    let tables = values.iter().flat_map(|line| {
        rows.iter().map(move |row| {
            assert_eq!(cells(names).count(), cells(line).count(), "{line}");
            row.iter().copied().chain(cells(names).zip(cells(line))).collect()
        })
    });
    tables.collect()
}

/// Replaces `\xHH`, `\r`, `\n`, `\0`, `\e` and `\\` by bytes. Line ends of the file are left out.
fn octets(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.chars().filter(|c| *c != '\n');
    while let Some(c) = rest.next() {
        let escaped = if c == '\\' { rest.next() } else { None };
        match escaped {
            Some('x') => {
                let digits: String = rest.by_ref().take(2).collect();
                bytes.push(u8::from_str_radix(&digits, 16).unwrap());
            }
            Some('r') => bytes.push(b'\r'),
            Some('n') => bytes.push(b'\n'),
            Some('0') => bytes.push(0),
            Some('e') => bytes.push(0x1b),
            Some(other) => bytes.extend(other.to_string().bytes()),
            None => bytes.extend(c.to_string().bytes()),
        }
    }
    bytes
}

/// Writes the files of a case into a folder.
fn write_files(folder: &Path, case: &Case) {
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.join(String::from_utf8(octets(name)).unwrap());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    case.all("file ").for_each(|(name, text)| write(name, text.as_bytes()));
    case.all("octets ").for_each(|(name, text)| write(name, &octets(text)));
    if let Some(script) = case.part("script") {
        write("script.rhai", format!("// {}\n{script}", case.title).as_bytes());
    }
}

/// Starts the peer of a case, and puts its URL into the case.
fn with_peer(case: Case) -> (Option<Peer>, Case) {
    let Some((scheme, dialogue)) = case.all("peer").next() else { return (None, case) };
    let peer = Peer::parse(dialogue);
    let filled = case.filled_in(&[("url", &peer.url(scheme))]);
    (Some(peer), filled)
}

/// Runs the program in a folder, with limits that only a run without limits of its own reaches.
fn run(folder: &Path, args: &[String]) -> Output {
    let bounded =
        format!("ulimit -v {ADDRESS_SPACE}; exec timeout -s KILL {} \"$0\" \"$@\"", HUNG.as_secs());
    let program = program();
    let mut command = Command::new("sh");
    command.args(["-c", &bounded]).arg(program.get_program()).args(args);
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.stdin(Stdio::null()).current_dir(folder).output().unwrap()
}

/// The output of the program, or an error if it is bad for any case.
fn shown(title: &str, output: &Output) -> Result<String, String> {
    let said = [output.stdout.as_slice(), &output.stderr].concat();
    let text = String::from_utf8_lossy(&said).into_owned();
    match output.status.code() {
        Some(0..=3) if !text.contains("panicked") && said.len() < 1 << 24 => {
            assert_harmless(title, &said);
            Ok(text)
        }
        _ => {
            let end = text.len().saturating_sub(3000);
            let end = text.ceil_char_boundary(end);
            Err(format!("=== {title}: {}, {} bytes\n{}", output.status, text.len(), &text[end..]))
        }
    }
}

/// Describes what is wrong with the end of a case: its exit code and kind, and its output. `None`
/// if nothing is wrong.
fn fault(case: &Case, ended: &str, text: &str) -> Option<String> {
    // `--nocapture` shows the result of each case.
    let error = text.lines().find(|line| line.contains("error: ")).unwrap_or_default();
    eprintln!("{}: {ended} {error}", case.title);
    let (wanted, texts) =
        case.all("want").next().unwrap_or_else(|| panic!("{}: no want", case.title));
    let is_lacking = |line: &&str| match line.split_once(' ') {
        Some(("says", wanted)) => !text.contains(wanted),
        Some(("lacks", forbidden)) => text.contains(forbidden),
        _ => panic!("{}: `{line}` means nothing", case.title),
    };
    let why = if ended.starts_with(wanted) {
        texts.lines().filter(|line| !line.is_empty()).find(is_lacking)?.to_owned()
    } else {
        format!("ended with {ended} and not {wanted}")
    };
    let shown: String = text.chars().take(2000).collect();
    Some(format!("=== {}: {why}\n{shown}", case.title))
}

/// Runs a case that has its own arguments.
fn alone(case: Case) -> Option<String> {
    let (_peer, case) = with_peer(case);
    let folder = tempfile::tempdir().unwrap();
    write_files(folder.path(), &case);
    let args = case.part("args").unwrap_or_default().split_whitespace();
    let args: Vec<_> = args.map(|arg| String::from_utf8(octets(arg)).unwrap()).collect();
    let output = run(folder.path(), &args);
    match shown(&case.title, &output) {
        Ok(text) => fault(&case, &output.status.code().unwrap().to_string(), &text),
        Err(fault) => Some(fault),
    }
}

/// Runs the scripts of cases in one run of the program, and describes what is wrong with their
/// ends.
fn together((timeout, deadline): (&str, &str), cases: Vec<Case>) -> Vec<String> {
    let (_peers, cases): (Vec<_>, Vec<_>) = cases.into_iter().map(with_peer).unzip();
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<_> = (0..cases.len()).map(|number| format!("{number:03}/script.rhai")).collect();
    for (number, case) in cases.iter().enumerate() {
        write_files(&folder.path().join(format!("{number:03}")), case);
    }
    let options = ["run", "-v", "--format", "pretty", "--format", "json=events"];
    let bounds = ["--deadline", deadline, "--timeout", timeout, "--jobs", AT_ONCE];
    let args: Vec<_> = options.iter().chain(&bounds).map(|arg| (*arg).to_owned()).collect();
    let output = run(folder.path(), &[args, names.clone()].concat());
    let text = match shown(&cases[0].title, &output) {
        Ok(text) => text,
        Err(fault) => return vec![fault],
    };
    let events = fs::read_to_string(folder.path().join("events")).unwrap();
    let code = Regex::new(r#""exit_code":(\d+)"#).unwrap();
    let kind = Regex::new(r#""kind":"([a-z-]+)""#).unwrap();
    let head = Regex::new(r"(?m)^[A-Z]+ \d{3}/script\.rhai").unwrap();
    let heads: Vec<_> = head.find_iter(&text).map(|found| found.range()).collect();
    let faults = cases.iter().zip(&names).filter_map(|(case, name)| {
        let event = events.lines().find(|line| {
            line.contains("\"script-ended\"") && line.contains(&format!("\"path\":\"{name}\""))
        });
        let event = event.unwrap_or_else(|| panic!("{}: no verdict", case.title));
        let kind = kind.captures(event).map_or("", |found| found.get(1).unwrap().as_str());
        let ended = format!("{} {kind}", &code.captures(event).unwrap()[1]);
        let shown =
            heads.iter().position(|head| text[head.clone()].ends_with(&name[..])).map(|at| {
                let end = heads.get(at + 1).map_or(text.len(), |next| next.start);
                &text[heads[at].start..end]
            });
        fault(case, &ended, shown.unwrap_or_default())
    });
    faults.collect()
}

fn all() -> Vec<Case> {
    let entries = fs::read_dir(project().join("tests/hostile")).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let cases = paths.iter().flat_map(|path| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        parse(&name, &format!("\n{}", fs::read_to_string(path).unwrap()))
    });
    // To debug some of the cases, set MAILEXPECT_HOSTILE to the beginning of their titles.
    let only = std::env::var("MAILEXPECT_HOSTILE").unwrap_or_default();
    cases.filter(|case| case.title.starts_with(&only)).collect()
}

fn all_end_as_they_should(cases: Vec<Case>) {
    let (with_args, mut scripts): (Vec<_>, Vec<_>) =
        cases.into_iter().partition(|case| case.part("args").is_some());
    let alone_faults = std::thread::spawn(|| with_args.into_iter().filter_map(alone).collect());
    let bounds = |case: &Case| (case.timeout.clone(), case.deadline.clone());
    scripts.sort_by_key(bounds);
    let mut faults = Vec::new();
    for same in scripts.chunk_by(|a, b| bounds(a) == bounds(b)) {
        let timeout = same[0].timeout.as_deref().unwrap_or("3s");
        let deadline = same[0].deadline.as_deref().unwrap_or("8s");
        let bounds = (timeout, deadline);
        same.chunks(BATCH).for_each(|batch| faults.extend(together(bounds, batch.to_vec())));
    }
    faults.extend::<Vec<_>>(alone_faults.join().unwrap());
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn every_hostile_case_ends_as_it_should() {
    let (_, short): (Vec<_>, Vec<_>) = all().into_iter().partition(|case| case.is_long);
    let is_whole = std::env::var_os("MAILEXPECT_HOSTILE").is_none();
    assert!(!is_whole || short.len() >= 300, "{} cases", short.len());
    all_end_as_they_should(short);
}

#[test]
#[ignore = "takes minutes"]
fn every_long_hostile_case_ends_as_it_should() {
    all_end_as_they_should(all().into_iter().filter(|case| case.is_long).collect());
}
