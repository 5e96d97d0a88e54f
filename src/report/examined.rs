//! The answers of `mailexpect doctor`, in English and Japanese.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::json::line;
use super::style::{BAD, DIM, GOOD, ODD};
use super::wrapped::{COLUMNS, columns, wrapped};
use crate::doctor::{Answer, Examined, Note, Proof, Question, Said};
use crate::visible;

/// The indentation of proofs, in columns.
const INDENT: usize = 9;

/// The note about a refusal without a reason, in both languages.
const UNSAID: (&str, &str) = (
    "the refusal does not say that it is about relaying or AUTH: the server may refuse this for another reason",
    "\u{4e2d}\u{7d99}\u{3084}\u{8a8d}\u{8a3c}\u{306e}\u{8981}\u{6c42}\u{3092}\u{7406}\u{7531}\u{3068}\u{3059}\u{308b}\u{62d2}\u{5426}\u{304b}\u{3069}\u{3046}\u{304b}\u{4e0d}\u{660e}\u{306e}\u{305f}\u{3081}\u{5224}\u{5b9a}\u{3067}\u{304d}\u{307e}\u{305b}\u{3093}\u{3002}",
);

/// The language of the answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Language {
    #[default]
    English,
    Japanese,
}

impl Language {
    /// Parses `en`, `ja`, `ja_JP.UTF-8`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().split(['_', '.', '-']).next()? {
            "ja" => Some(Self::Japanese),
            "en" => Some(Self::English),
            _ => None,
        }
    }

    fn of<'a>(self, english: &'a str, japanese: &'a str) -> &'a str {
        match self {
            Self::English => english,
            Self::Japanese => japanese,
        }
    }
}

/// Writes answers.
pub(crate) struct Diagnosis<'a> {
    pub(crate) examined: &'a Examined,
    pub(crate) language: Language,
}

impl Diagnosis<'_> {
    /// The text for people.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let domain = visible::escape(self.examined.domain.as_bytes());
        let _ = writeln!(text, "{domain}");
        for (own, peer) in &self.examined.from {
            let from = self.language.of("asked from", "\u{63a5}\u{7d9a}\u{5143}");
            let _ = writeln!(text, "{DIM}{from} {own} ({peer}){DIM:#}");
        }
        let mut host = None;
        for answer in &self.examined.answers {
            if answer.host != host {
                host.clone_from(&answer.host);
                if let Some(host) = &host {
                    let _ = writeln!(text, "\n{}", visible::escape(host.as_bytes()));
                } else {
                    text.push('\n');
                }
            }
            self.answer(&mut text, answer);
        }
        let bad =
            self.examined.answers.iter().filter(|answer| answer.is_well == Some(false)).count();
        let _ = match (bad, self.language) {
            (0, Language::English) => writeln!(text, "\n{GOOD}nothing is wrong{GOOD:#}"),
            (0, Language::Japanese) => writeln!(
                text,
                "\n{GOOD}\u{554f}\u{984c}\u{306f}\u{898b}\u{3064}\u{304b}\u{308a}\u{307e}\u{305b}\u{3093}\u{3067}\u{3057}\u{305f}\u{3002}{GOOD:#}"
            ),
            (1, Language::English) => {
                writeln!(text, "\n{BAD}1 answer is not as it should be{BAD:#}")
            }
            (bad, Language::English) => {
                writeln!(text, "\n{BAD}{bad} answers are not as they should be{BAD:#}")
            }
            (bad, Language::Japanese) => {
                writeln!(text, "\n{BAD}\u{8981}\u{78ba}\u{8a8d}: {bad} \u{4ef6}{BAD:#}")
            }
        };
        text
    }

    fn answer(&self, text: &mut String, answer: &Answer) {
        let word = match answer.said {
            Said::Yes => self.language.of("yes", "\u{306f}\u{3044}"),
            Said::No => self.language.of("no", "\u{3044}\u{3044}\u{3048}"),
            Said::Unknown => self.language.of("unknown", "\u{4e0d}\u{660e}"),
        };
        let style = match answer.is_well {
            Some(true) => GOOD,
            Some(false) => BAD,
            None => ODD,
        };
        let mark = if answer.is_well == Some(false) { "!" } else { " " };
        let pad = " ".repeat(7usize.saturating_sub(columns(word)));
        let question = question(answer.question, self.language);
        let _ = writeln!(text, "{mark}{pad}{style}{word}{style:#} {question}");
        for proof in &answer.proof {
            let (line, is_note) = match proof {
                Proof::Line(line) => (visible::printable(line), false),
                Proof::Note(said) => (note(said, self.language), true),
            };
            for line in wrapped(&line, COLUMNS - INDENT) {
                let _ = if is_note {
                    writeln!(text, "{:INDENT$}{DIM}{line}{DIM:#}", "")
                } else {
                    writeln!(text, "{:INDENT$}{line}", "")
                };
            }
        }
    }

    /// The text for programs: a JSON object in one line.
    pub(crate) fn json(&self) -> String {
        let answers: Vec<Value> =
            self.examined.answers.iter().map(|answer| self.value(answer)).collect();
        let from: Vec<_> = self
            .examined
            .from
            .iter()
            .map(|(own, peer)| json!({ "own": own.to_string(), "server": peer.to_string() }))
            .collect();
        let well = !self.examined.answers.iter().any(|answer| answer.is_well == Some(false));
        let object = json!({
            "version": 1,
            "domain": self.examined.domain,
            "ok": well,
            "from": from,
            "answers": answers,
        });
        line(&object)
    }

    fn value(&self, answer: &Answer) -> Value {
        let proof: Vec<_> = answer
            .proof
            .iter()
            .map(|proof| match proof {
                Proof::Line(line) => line.clone(),
                Proof::Note(said) => note(said, self.language),
            })
            .collect();
        json!({
            "host": answer.host,
            "question": question(answer.question, self.language),
            "answer": match answer.said { Said::Yes => "yes", Said::No => "no", Said::Unknown => "unknown" },
            "well": answer.is_well,
            "proof": proof,
        })
    }
}

fn question(question: Question, language: Language) -> &'static str {
    let (english, japanese) = match question {
        Question::Exchangers => (
            "Does a host take mail for the domain?",
            "\u{30c9}\u{30e1}\u{30a4}\u{30f3}\u{5b9b}\u{306e}\u{30e1}\u{30fc}\u{30eb}\u{3092}\u{53d7}\u{3051}\u{308b}\u{30db}\u{30b9}\u{30c8}\u{306f}\u{3042}\u{308a}\u{307e}\u{3059}\u{304b}\u{ff1f}",
        ),
        Question::Reachable => (
            "Can its SMTP port be reached from here?",
            "\u{3053}\u{3053}\u{304b}\u{3089} SMTP \u{30dd}\u{30fc}\u{30c8}\u{306b}\u{63a5}\u{7d9a}\u{3067}\u{304d}\u{307e}\u{3059}\u{304b}\u{ff1f}",
        ),
        Question::Relays => (
            "Does it relay mail for strangers?",
            "\u{7b2c}\u{4e09}\u{8005}\u{4e2d}\u{7d99}\u{3092}\u{8a31}\u{53ef}\u{3057}\u{3066}\u{3044}\u{307e}\u{3059}\u{304b}\u{ff1f}",
        ),
        Question::DemandsAuth => (
            "Does submission demand AUTH?",
            "\u{6295}\u{7a3f}\u{30dd}\u{30fc}\u{30c8}\u{306f} SMTP-AUTH \u{3092}\u{8981}\u{6c42}\u{3057}\u{307e}\u{3059}\u{304b}\u{ff1f}",
        ),
        Question::Mechanisms => (
            "Does it offer AUTH?",
            "SMTP-AUTH \u{306e}\u{8a8d}\u{8a3c}\u{65b9}\u{5f0f}\u{3092}\u{63d0}\u{793a}\u{3057}\u{3066}\u{3044}\u{307e}\u{3059}\u{304b}\u{ff1f}",
        ),
        Question::TellsSoftware => (
            "Does its banner name the software?",
            "\u{30d0}\u{30ca}\u{30fc}\u{306b}\u{30bd}\u{30d5}\u{30c8}\u{30a6}\u{30a7}\u{30a2}\u{540d}\u{304c}\u{51fa}\u{3066}\u{3044}\u{307e}\u{3059}\u{304b}\u{ff1f}",
        ),
        Question::Encrypts => (
            "Is it encrypted?",
            "\u{6697}\u{53f7}\u{5316} (TLS) \u{3055}\u{308c}\u{3066}\u{3044}\u{307e}\u{3059}\u{304b}\u{ff1f}",
        ),
        Question::Accepts => (
            "Does it accept mail for the domain?",
            "\u{30c9}\u{30e1}\u{30a4}\u{30f3}\u{5b9b}\u{306e}\u{30e1}\u{30fc}\u{30eb}\u{3092}\u{53d7}\u{3051}\u{4ed8}\u{3051}\u{307e}\u{3059}\u{304b}\u{ff1f}",
        ),
        Question::Delivers => (
            "Does the mail arrive?",
            "\u{30e1}\u{30fc}\u{30eb}\u{306f}\u{5c4a}\u{304d}\u{307e}\u{3059}\u{304b}\u{ff1f}",
        ),
    };
    language.of(english, japanese)
}

fn note(note: &Note, language: Language) -> String {
    let ja = language == Language::Japanese;
    match note {
        Note::NearBy(ip) if ja => format!("\u{6ce8}\u{610f}: {ip} \u{304b}\u{3089}\u{63a5}\u{7d9a}\u{3057}\u{305f}\u{7d50}\u{679c}\u{3067}\u{3059}\u{3002}\u{4fe1}\u{983c}\u{3055}\u{308c}\u{305f}\u{30a2}\u{30c9}\u{30ec}\u{30b9} (permit_mynetworks) \u{306e}\u{53ef}\u{80fd}\u{6027}\u{304c}\u{3042}\u{308a}\u{3001}\u{5916}\u{90e8}\u{304b}\u{3089}\u{306e}\u{7d50}\u{679c}\u{3068}\u{306f}\u{9650}\u{308a}\u{307e}\u{305b}\u{3093}\u{3002}"),
        Note::NearBy(ip) => format!(
            "note: asked from {ip}, which the server may trust (permit_mynetworks): this says nothing of clients elsewhere"
        ),
        Note::Blocked(port) if ja => format!("\u{30dd}\u{30fc}\u{30c8} {port} \u{306f}\u{63a5}\u{7d9a}\u{3067}\u{304d}\u{308b}\u{305f}\u{3081}\u{3001}25 \u{756a}\u{306e}\u{9001}\u{4fe1}\u{5236}\u{9650} (OP25B) \u{304b}\u{30d5}\u{30a1}\u{30a4}\u{30a2}\u{30a6}\u{30a9}\u{30fc}\u{30eb}\u{3067}\u{3059}\u{3002}"),
        Note::Blocked(port) => format!(
            "port {port} of the same host answers: port 25 is blocked on the way (OP25B of this network's provider, or a firewall)"
        ),
        Note::NotAsking(hosts) if ja => format!("\u{30db}\u{30b9}\u{30c8}\u{304c}\u{591a}\u{3044}\u{305f}\u{3081}\u{3001}\u{6b8b}\u{308a} {hosts} \u{53f0}\u{306f}\u{78ba}\u{8a8d}\u{3057}\u{3066}\u{3044}\u{307e}\u{305b}\u{3093}\u{3002}"),
        Note::NotAsking(hosts) => format!("{hosts} more are not asked, because there are so many"),
        Note::AllFiltered => language.of(
            "no port answers: a firewall drops everything, or the host is down",
            "\u{3069}\u{306e}\u{30dd}\u{30fc}\u{30c8}\u{3082}\u{5fdc}\u{7b54}\u{3057}\u{307e}\u{305b}\u{3093}\u{3002}\u{30d5}\u{30a1}\u{30a4}\u{30a2}\u{30a6}\u{30a9}\u{30fc}\u{30eb}\u{304b}\u{30db}\u{30b9}\u{30c8}\u{306e}\u{505c}\u{6b62}\u{3067}\u{3059}\u{3002}",
        ).to_owned(),
        Note::NoSubmission => language.of(
            "submission cannot be reached from here",
            "\u{6295}\u{7a3f}\u{30dd}\u{30fc}\u{30c8}\u{306b}\u{63a5}\u{7d9a}\u{3067}\u{304d}\u{307e}\u{305b}\u{3093}\u{3002}",
        ).to_owned(),
        Note::EnvelopeOnly => language.of(
            "only the envelope was sent, and cancelled with RSET: no message was sent",
            "\u{30a8}\u{30f3}\u{30d9}\u{30ed}\u{30fc}\u{30d7}\u{306e}\u{307f}\u{3092}\u{9001}\u{308a} RSET \u{3057}\u{307e}\u{3057}\u{305f}\u{3002}\u{30e1}\u{30fc}\u{30eb}\u{306f}\u{9001}\u{4fe1}\u{3057}\u{3066}\u{3044}\u{307e}\u{305b}\u{3093}\u{3002}",
        ).to_owned(),
        Note::PutOff => language.of(
            "it was deferred (greylisting?), which means neither yes nor no: ask again later",
            "\u{4e00}\u{6642}\u{62d2}\u{5426} (\u{30b0}\u{30ec}\u{30a4}\u{30ea}\u{30b9}\u{30c8}\u{ff1f}) \u{306e}\u{305f}\u{3081}\u{5224}\u{5b9a}\u{3067}\u{304d}\u{307e}\u{305b}\u{3093}\u{3002}",
        ).to_owned(),
        Note::OfDestination => language.of(
            "this may be about the domain of that recipient, which takes no mail: it does not show what the server does with others",
            "\u{5b9b}\u{5148}\u{30c9}\u{30e1}\u{30a4}\u{30f3}\u{3092}\u{7406}\u{7531}\u{3068}\u{3059}\u{308b}\u{62d2}\u{5426}\u{306e}\u{305f}\u{3081}\u{5224}\u{5b9a}\u{3067}\u{304d}\u{307e}\u{305b}\u{3093}\u{3002}",
        ).to_owned(),
        Note::OfClient => language.of(
            "this is about the client, whatever it asks for, and says nothing of others: ask from another address, or with another --helo",
            "\u{63a5}\u{7d9a}\u{5143}\u{3092}\u{7406}\u{7531}\u{3068}\u{3059}\u{308b}\u{62d2}\u{5426}\u{306e}\u{305f}\u{3081}\u{5224}\u{5b9a}\u{3067}\u{304d}\u{307e}\u{305b}\u{3093}\u{3002}\u{5225}\u{306e}\u{30a2}\u{30c9}\u{30ec}\u{30b9}\u{307e}\u{305f}\u{306f} --helo \u{3067}\u{304a}\u{8a66}\u{3057}\u{304f}\u{3060}\u{3055}\u{3044}\u{3002}",
        ).to_owned(),
        Note::Unsaid => language.of(UNSAID.0, UNSAID.1).to_owned(),
        Note::InClear => language.of(
            "PLAIN or LOGIN without TLS: a password would go in clear",
            "TLS \u{306a}\u{3057}\u{306e} PLAIN \u{307e}\u{305f}\u{306f} LOGIN \u{3067}\u{306f}\u{30d1}\u{30b9}\u{30ef}\u{30fc}\u{30c9}\u{304c}\u{5e73}\u{6587}\u{3067}\u{6d41}\u{308c}\u{307e}\u{3059}\u{3002}",
        ).to_owned(),
        Note::NotAsked => language.of(
            "not asked: nothing is delivered unless --deliver says so",
            "\u{672a}\u{78ba}\u{8a8d}: --deliver \u{3092}\u{6307}\u{5b9a}\u{3057}\u{306a}\u{3044}\u{9650}\u{308a}\u{914d}\u{9001}\u{306f}\u{3057}\u{307e}\u{305b}\u{3093}\u{3002}",
        ).to_owned(),
        Note::IsHost => language.of(
            "it has no exchangers of its own, and is asked as a host",
            "MX \u{304c}\u{306a}\u{3044}\u{305f}\u{3081}\u{3001}\u{30db}\u{30b9}\u{30c8}\u{3068}\u{3057}\u{3066}\u{78ba}\u{8a8d}\u{3057}\u{307e}\u{3057}\u{305f}\u{3002}",
        ).to_owned(),
        Note::NullBeside => language.of(
            "a null MX stands beside them, which RFC 7505 (section 3) forbids; it is passed over",
            "null MX \u{304c}\u{4ed6}\u{306e} MX \u{3068}\u{4f75}\u{8a18}\u{3055}\u{308c}\u{3066}\u{3044}\u{307e}\u{3059} (RFC 7505, 3 \u{3067}\u{7981}\u{6b62})\u{3002}\u{7121}\u{8996}\u{3057}\u{307e}\u{3057}\u{305f}\u{3002}",
        ).to_owned(),
        Note::Address(address) if ja => format!("MX \u{306b} IP \u{30a2}\u{30c9}\u{30ec}\u{30b9} {address} \u{304c}\u{66f8}\u{304b}\u{308c}\u{3066}\u{3044}\u{307e}\u{3059}\u{3002}\u{30db}\u{30b9}\u{30c8}\u{540d}\u{304c}\u{5fc5}\u{8981}\u{3067}\u{3059} (RFC 5321, 5.1)\u{3002}"),
        Note::Address(address) => format!(
            "{address} is an address, and an MX record has to name a host (RFC 5321, 5.1): senders do not find it"
        ),
        Note::Failed => language.of("the dialogue failed", "\u{5bfe}\u{8a71}\u{304c}\u{5931}\u{6557}\u{3057}\u{307e}\u{3057}\u{305f}\u{3002}").to_owned(),
    }
}
