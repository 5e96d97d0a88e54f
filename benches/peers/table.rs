//! The measurements, as tables and as verdicts.

use std::path::PathBuf;

use crate::peers::{OURS, Peer, REFERENCE};
use crate::stopwatch::Lap;

/// One measurement, divided by its sessions.
pub(crate) struct Sample {
    rate: f64,
    cpu_us: f64,
    peak_mib: f64,
}

impl Sample {
    #[expect(clippy::cast_precision_loss, reason = "the numbers are small")]
    pub(crate) fn new(lap: &Lap, sessions: usize) -> Sample {
        Sample {
            rate: sessions as f64 / lap.wall.as_secs_f64(),
            cpu_us: lap.cpu.as_secs_f64() * 1e6 / sessions as f64,
            peak_mib: lap.peak_kib as f64 / 1024.0,
        }
    }
}

/// A peer and its samples, one for each round unless the peer failed.
pub(crate) struct Row {
    pub(crate) peer: &'static Peer,
    pub(crate) program: PathBuf,
    pub(crate) samples: Vec<Sample>,
    pub(crate) failure: Option<String>,
}

impl Row {
    fn median(&self, number: fn(&Sample) -> f64) -> f64 {
        median(self.samples.iter().map(number).collect())
    }

    /// The median of the ratios to another row. Each ratio is taken within one round, because what
    /// slows the machine for a while slows both peers.
    fn ratio(&self, other: &Row, number: fn(&Sample) -> f64) -> f64 {
        median(
            self.samples
                .iter()
                .zip(&other.samples)
                .map(|(ours, theirs)| number(ours) / number(theirs))
                .collect(),
        )
    }
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    if numbers.len() % 2 == 1 {
        numbers[middle]
    } else {
        f64::midpoint(numbers[middle - 1], numbers[middle])
    }
}

/// All rows for one number of concurrent sessions.
pub(crate) struct Table {
    pub(crate) title: &'static str,
    pub(crate) rows: Vec<Row>,
}

/// The ratios to the reference that we want to reach.
pub(crate) struct Target {
    pub(crate) rate: f64,
    pub(crate) cpu: f64,
}

impl Table {
    pub(crate) fn new(title: &'static str, peers: &[(&'static Peer, PathBuf)]) -> Table {
        let row = |(peer, program): &(&'static Peer, PathBuf)| Row {
            peer,
            program: program.clone(),
            samples: Vec::new(),
            failure: None,
        };
        Table { title, rows: peers.iter().map(row).collect() }
    }

    fn row(&self, name: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.peer.name == name && row.failure.is_none())
    }

    pub(crate) fn print(&self) {
        let header = ["sessions/s", "CPU µs/session", "peak MiB", "rate ratio", "CPU ratio"];
        let header: Vec<_> = header.iter().map(|name| format!("{name:>15}")).collect();
        println!("\n{:<32}{}", self.title, header.concat());
        for row in self.rows.iter().filter(|row| row.failure.is_none()) {
            self.print_row(row);
        }
        for row in &self.rows {
            if let Some(failure) = &row.failure {
                println!("{:<32} FAILED: {failure}", row.peer.name);
            }
        }
    }

    fn print_row(&self, row: &Row) {
        let ratio = |number| {
            self.row(REFERENCE)
                .map_or("-".to_owned(), |other| format!("{:.2}", row.ratio(other, number)))
        };
        println!(
            "{:<32}{:>15.0}{:>15.0}{:>15.1}{:>15}{:>15}",
            row.peer.name,
            row.median(|sample| sample.rate),
            row.median(|sample| sample.cpu_us),
            row.median(|sample| sample.peak_mib),
            ratio(|sample| sample.rate),
            ratio(|sample| sample.cpu_us),
        );
    }

    /// Compares our ratios with the target.
    pub(crate) fn verdict(&self, target: &Target) -> String {
        let (Some(ours), Some(theirs)) = (self.row(OURS), self.row(REFERENCE)) else {
            return format!("{}: no verdict without both {OURS} and {REFERENCE}", self.title);
        };
        let (rate, cpu) =
            (ours.ratio(theirs, |sample| sample.rate), ours.ratio(theirs, |sample| sample.cpu_us));
        let word = |met| if met { "met" } else { "MISSED" };
        format!(
            "{}: {rate:.2} of {REFERENCE}'s rate, {:.2} wanted: {}; {cpu:.2} times its CPU, at most {:.2} wanted: {}",
            self.title,
            target.rate,
            word(rate >= target.rate),
            target.cpu,
            word(cpu <= target.cpu),
        )
    }
}
