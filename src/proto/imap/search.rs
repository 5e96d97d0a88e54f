//! The results of SEARCH (RFC 3501 section 7.2.5), also in ESEARCH responses (RFC 4731).

use std::collections::{BTreeSet, HashMap, HashSet};

use super::answer::Answer;
use super::pairs::{pairs, singles};
use super::response::{Response, unlike};
use super::set::{Spare, is_message, is_modseq, largest};
use super::value::Value;
use crate::error::Result;

impl Answer {
    /// The messages that SEARCH found, or the `ALL` of ESEARCH (RFC 4731), as numbers. An ESEARCH
    /// with the tag of another command is left out.
    ///
    /// # Errors
    /// Malformed if a response cannot be read, or has an excessive number of messages.
    pub fn found(&self) -> Result<Vec<u64>> {
        let mut found = Vec::new();
        for response in self.named("SEARCH") {
            found.extend(listed(response)?);
        }
        for (name, value) in self.search_results()? {
            if name == "ALL" {
                found.extend(value.list().unwrap_or_default().iter().filter_map(Value::number));
            }
        }
        Ok(found)
    }

    /// The messages that SORT found, in its order (RFC 5256 section 4).
    ///
    /// # Errors
    /// Malformed if a response cannot be read.
    pub fn sorted(&self) -> Result<Vec<u64>> {
        let mut sorted = Vec::new();
        for response in self.named("SORT") {
            sorted.extend(listed(response)?);
        }
        Ok(sorted)
    }

    /// The threads that THREAD found, each as a list (RFC 5256 section 4).
    ///
    /// # Errors
    /// Malformed if a response cannot be read.
    pub fn threads(&self) -> Result<Vec<Value>> {
        let mut all = Vec::new();
        for response in self.named("THREAD") {
            all.extend(threads(response)?);
        }
        Ok(all)
    }

    /// A message that is more than once in the responses with this name: SORT or THREAD.
    ///
    /// # Errors
    /// Malformed if a response cannot be read.
    pub(crate) fn repeated(&self, name: &str) -> Result<Option<u64>> {
        let mut known = HashSet::new();
        for response in self.named(name) {
            let mut left = response.values()?;
            while let Some(value) = left.pop() {
                match value {
                    Value::Number(number) if !known.insert(number) => return Ok(Some(number)),
                    // A modification sequence is no number of a message.
                    Value::List(values) if matches!(values.first(), Some(Value::Atom(_))) => {}
                    Value::List(values) => left.extend(values),
                    _ => {}
                }
            }
        }
        Ok(None)
    }

    /// The results of ESEARCH: `COUNT`, `MIN`, `MAX`, `ALL` (RFC 4731 section 3.1). `ALL` is a list
    /// of numbers, even if it has only one.
    ///
    /// # Errors
    /// Malformed if a response cannot be read.
    pub fn search_results(&self) -> Result<Vec<(String, Value)>> {
        let (mut results, mut spare) = (Vec::new(), Spare::default());
        for response in self.named("ESEARCH") {
            let values = response.plain_values()?;
            if self.is_own(values.first()) {
                let values = response.spelt_out(values, &mut spare)?;
                results.extend(results_of(response, values)?);
            }
        }
        Ok(results)
    }

    /// Whether a response has the result of this command: SEARCH, or ESEARCH with its tag.
    ///
    /// # Errors
    /// Malformed if an ESEARCH cannot be read, or has unique identifiers and the command had none,
    /// or the other way round.
    pub(crate) fn has_search(&self, by_uid: bool) -> Result<bool> {
        Ok(self.named("SEARCH").next().is_some() || self.has_results(by_uid)?)
    }

    /// Whether an ESEARCH has the result of this command.
    ///
    /// # Errors
    /// See [`Answer::has_search`].
    pub(crate) fn has_results(&self, by_uid: bool) -> Result<bool> {
        let mut has_results = false;
        for response in self.named("ESEARCH") {
            let values = response.plain_values()?;
            if !self.is_own(values.first()) {
                continue;
            }
            if values.iter().take(2).any(|value| value.is_atom("UID")) != by_uid {
                let wanted = if by_uid { "UID, as after UID SEARCH" } else { "no UID" };
                return Err(unlike(response, &format!("{wanted} (RFC 4731, 3.1)")));
            }
            has_results = true;
        }
        Ok(has_results)
    }

    /// Fails if the results of this SEARCH contradict each other. For SORT they need not agree,
    /// because MIN is the first message of its order there (RFC 5267 section 3).
    ///
    /// # Errors
    /// Malformed if a result came twice, or says something else than another one.
    pub(crate) fn check_results(&self) -> Result<()> {
        let results = self.search_results()?;
        let Some(wanted) = contradiction(&results) else { return Ok(()) };
        let last = self.named("ESEARCH").last().unwrap_or(self.tagged());
        Err(unlike(last, &format!("{wanted} (RFC 4731, 3.1)")))
    }

    /// Whether the correlator of an ESEARCH (RFC 4466 section 2.6.2) names this command, or is
    /// missing.
    fn is_own(&self, correlator: Option<&Value>) -> bool {
        let Some([name, tag]) = correlator.and_then(Value::list) else { return true };
        !name.is_atom("TAG") || tag.text().is_none_or(|tag| tag == self.tagged().tag())
    }
}

impl Response {
    /// What an ESEARCH response says: `TAG`, if it has one, and the results (RFC 4731 section 3.1).
    /// Sets of messages are lists of numbers.
    ///
    /// # Errors
    /// Malformed if the response cannot be read.
    pub fn search_results(&self) -> Result<Vec<(String, Value)>> {
        let values = self.values()?;
        let tag = match values.first().and_then(Value::list) {
            Some([name, tag]) if name.is_atom("TAG") => Some(("TAG".to_owned(), tag.clone())),
            _ => None,
        };
        Ok(tag.into_iter().chain(results_of(self, values)?).collect())
    }
}

/// The results in the values of an ESEARCH response. If a name comes again, as `ADDTO` may, its lists are put
/// together.
pub(super) fn results_of(response: &Response, values: Vec<Value>) -> Result<Vec<(String, Value)>> {
    let wrong = || unlike(response, "a tag, UID, and names and values by turns (RFC 4731, 3.1)");
    let values = values
        .into_iter()
        .skip_while(|value| matches!(value, Value::List(_)) || value.is_atom("UID"))
        .collect();
    let mut results: Vec<(String, Value)> = Vec::new();
    let mut places = HashMap::new();
    for (name, value) in singles(pairs(values).ok_or_else(wrong)?) {
        let value = of_form(&name, value).ok_or_else(wrong)?;
        let place = *places.entry(name.clone()).or_insert(results.len());
        match (results.get_mut(place), value) {
            (Some((_, Value::List(known))), Value::List(more)) => known.extend(more),
            (_, value) => results.push((name, value)),
        }
    }
    Ok(results)
}

/// What the results of a SEARCH should have been, if they contradict each other.
fn contradiction(results: &[(String, Value)]) -> Option<&'static str> {
    let is_twice = |name: &&str| results.iter().filter(|(known, _)| known == *name).count() > 1;
    if ["MIN", "MAX", "COUNT", "ALL"].iter().any(is_twice) {
        return Some("each of MIN, MAX, COUNT and ALL once");
    }
    let value = |wanted: &str| results.iter().find(|(name, _)| name == wanted).map(|(_, v)| v);
    let number = |name: &str| value(name).and_then(Value::number);
    let (min, max, count) = (number("MIN"), number("MAX"), number("COUNT"));
    if let Some((min, max)) = min.zip(max) {
        let agrees = count.is_none_or(|count| (count == 1) == (min == max));
        if min > max || !agrees {
            return Some("a MIN, MAX and COUNT that agree");
        }
    }
    if count == Some(0) && (min.is_some() || max.is_some()) {
        return Some("no MIN and no MAX with COUNT 0");
    }
    let all = value("ALL")?.list()?;
    let all: BTreeSet<u64> = all.iter().filter_map(Value::number).collect();
    let agrees = count.is_none_or(|count| count == all.len() as u64)
        && min.is_none_or(|min| all.first() == Some(&min))
        && max.is_none_or(|max| all.last() == Some(&max));
    (!agrees).then_some("a MIN, MAX and COUNT that agree with ALL")
}

/// The numbers of a SEARCH response. A modification sequence (RFC 7162) may follow them.
pub(super) fn listed(response: &Response) -> Result<Vec<u64>> {
    let mut values = response.values()?;
    let modseq = |value: &Value| {
        let Some([name, Value::Number(number)]) = value.list() else { return false };
        name.is_atom("MODSEQ") && is_modseq(*number)
    };
    if values.last().is_some_and(modseq) {
        values.pop();
    }
    let numbers = values.iter().map(|value| value.number().filter(|number| is_message(*number)));
    numbers.collect::<Option<_>>().ok_or_else(|| unlike(response, "numbers of messages"))
}

/// The threads of a THREAD response.
pub(super) fn threads(response: &Response) -> Result<Vec<Value>> {
    let values = response.values()?;
    // There are only numbers and brackets in it.
    let has_blank_between = memchr::memmem::find(response.bytes(), b") (").is_some();
    if values.iter().all(is_thread) && !has_blank_between {
        Ok(values)
    } else {
        Err(unlike(
            response,
            "threads: numbers of messages, and after them two branches or more, without blanks between (RFC 5256, 5)",
        ))
    }
}

/// Whether the value is a list of numbers of messages, and after them of no such lists or of two or
/// more (`thread-list` in RFC 5256 section 5).
fn is_thread(value: &Value) -> bool {
    let Some(members) = value.list().filter(|members| !members.is_empty()) else { return false };
    let is_number = |member: &&Value| member.number().is_some_and(is_message);
    let branches = &members[members.iter().take_while(is_number).count()..];
    branches.len() != 1 && branches.iter().all(is_thread)
}

/// The result, if it has the form that its name requires. A set of messages is a list of numbers,
/// or as it came.
fn of_form(name: &str, value: Value) -> Option<Value> {
    match name {
        "ALL" => {
            let is_set = match value.list() {
                Some(all) => all.iter().all(|number| number.number().is_some()),
                None => largest(&value).is_some(),
            };
            is_set.then_some(value)
        }
        "MIN" | "MAX" => value.number().filter(|number| is_message(*number)).map(Value::Number),
        "MODSEQ" => value.number().filter(|number| is_modseq(*number)).map(Value::Number),
        "COUNT" => value.number().map(Value::Number),
        _ => Some(value),
    }
}

#[cfg(test)]
mod tests {
    use super::super::answer::tests::{answer, named};

    #[test]
    fn a_search_is_found_in_either_form() {
        assert_eq!(
            answer(&["* SEARCH 2 84 882 (MODSEQ 917162500)", "* SEARCH ", "a1 OK"])
                .found()
                .unwrap(),
            [2, 84, 882]
        );
        let extended = answer(&["* ESEARCH (TAG \"a1\") UID MIN 2 COUNT 4 ALL 2,12:10", "a1 OK"]);
        assert_eq!(extended.found().unwrap(), [2, 10, 11, 12]);
        assert_eq!(named(&extended.search_results().unwrap()), "MIN=2 COUNT=4 ALL=(2 10 11 12)");
        let one = answer(&["* ESEARCH (TAG \"a1\") ALL 2", "a1 OK"]);
        assert_eq!(named(&one.search_results().unwrap()), "ALL=(2)");
        assert!(answer(&["* ESEARCH (TAG \"a1\")", "a1 OK"]).found().unwrap().is_empty());
        let updated = answer(&[
            "* ESEARCH (TAG \"b2\") UID ADDTO (0 3:5 1 7) REMOVEFROM (0 1) ADDTO (0 9)",
            "* ESEARCH PARTIAL (1:4 2:3)",
            "* ESEARCH PARTIAL (1:4 NIL)",
            "a1 OK",
        ]);
        let results = |place: usize| named(&updated.untagged()[place].search_results().unwrap());
        assert_eq!(results(0), "TAG=b2 ADDTO=(0 (3 4 5) 1 (7) 0 (9)) REMOVEFROM=(0 (1))");
        assert_eq!(
            (results(1), results(2)),
            ("PARTIAL=(1:4 (2 3))".into(), "PARTIAL=(1:4 )".into())
        );
    }

    #[test]
    fn a_result_of_another_command_is_not_found() {
        let answer =
            answer(&["* SEARCH 1 2", "* ESEARCH (TAG \"x9\") UID ADDTO (0 7) ALL 40:42", "a1 OK"]);
        assert_eq!(answer.found().unwrap(), [1, 2]);
    }

    #[test]
    fn results_agree_or_contradict_each_other() {
        for (results, agree) in [
            ("MIN 1 MAX 3 COUNT 3 ALL 1:3", true),
            ("MIN 2 MAX 2 COUNT 1", true),
            ("MIN 1 MAX 9 COUNT 2", true),
            ("COUNT 0", true),
            ("COUNT 0 PARTIAL (1:4 NIL)", true),
            ("COUNT 3 ALL 3,1:2", true),
            ("", true),
            ("COUNT 1 COUNT 2", false),
            ("MIN 3 MAX 1", false),
            ("MIN 2 MAX 2 COUNT 2", false),
            ("MIN 1 MAX 2 COUNT 1", false),
            ("COUNT 1 ALL 1:3", false),
            ("MIN 2 ALL 1:3", false),
            ("MAX 2 ALL 1:3", false),
            ("MIN 1 COUNT 0", false),
            ("ALL 1 COUNT 0", false),
        ] {
            let response = format!("* ESEARCH (TAG \"a1\") {results}");
            let checked = answer(&[&response, "a1 OK"]).check_results();
            assert_eq!(checked.is_ok(), agree, "{results}");
        }
        let twice = ["* ESEARCH (TAG \"a1\") COUNT 1", "* ESEARCH (TAG \"a1\") COUNT 1", "a1 OK"];
        assert!(answer(&twice).check_results().unwrap_err().is_malformed());
    }

    #[test]
    fn a_search_that_cannot_be_read_is_malformed() {
        for wrong in [
            "* SEARCH 1 x 3",
            "* SEARCH 0",
            "* SEARCH (1)",
            "* SEARCH 1 NIL",
            "* SEARCH 1 (MODSEQ 0)",
            "* SEARCH 1 (MODSEQ x)",
            "* ESEARCH ALL 1 MODSEQ 0",
            "* ESEARCH ALL x",
            "* ESEARCH ALL",
            "* ESEARCH COUNT few",
            "* ESEARCH (TAG \"a1\") UID 7 ALL 1",
            "* ESEARCH ALL 1:18446744073709551615",
        ] {
            let error = answer(&[wrong, "a1 OK"]).found().unwrap_err();
            assert!(error.is_malformed(), "{wrong}");
            assert_eq!(error.got().unwrap().split('\\').next(), Some(wrong));
        }
        let half = "* ESEARCH ALL 1:600000";
        let others = "* ESEARCH (TAG \"b\") ALL 1:1000000";
        for (excessive, is_read) in [
            (&["* ESEARCH ALL 1:1000000,1:1000000"][..], false),
            (&["* ESEARCH ALL 1:600000 ALL 1:600000"], false),
            (&["* ESEARCH PARTIAL (1:9 1:600000) ADDTO (0 1:600000)"], false),
            (&[half, half], false),
            (&[half, others], true),
        ] {
            let lines: Vec<_> = excessive.iter().copied().chain(["a1 OK"]).collect();
            let error = answer(&lines).found().err();
            let kind = (!is_read).then_some(crate::error::Kind::TooLong);
            assert_eq!(error.map(|error| error.kind()), kind, "{excessive:?}");
            assert!(answer(&lines).check_forms("").is_ok(), "{excessive:?}");
        }
    }
}
