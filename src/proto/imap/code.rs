//! Response codes, and the form of those whose values a caller uses (RFC 3501 section 7.1, RFC 4315
//! section 3, RFC 7162 section 3.1).

use super::set::{self, Spare, is_message, is_modseq};
use super::value::{Value, is_objectid};

/// The response code in brackets after a status (RFC 3501 section 7.1, RFC 5530).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Code {
    /// The whole code as it came: `APPENDUID 38505 3955`.
    pub text: String,
    /// The first word of the code in capitals: `APPENDUID`.
    pub name: String,
    /// The values after the first word; empty if they cannot be parsed. A set of messages is the
    /// list of its numbers, and an atom if all sets have more than 1 048 576 of them together.
    pub values: Vec<Value>,
}

impl Code {
    /// The same code, with sets as lists of numbers (RFC 4315 section 3, RFC 7162 section 3.1.3). A
    /// set of more numbers than there are to spare stays as it came. For an APPEND of one message,
    /// the identifier is a single number, and no set (`append-uid` there).
    pub(super) fn spelt_out(mut self, spare: &mut Spare) -> Self {
        let values = &mut self.values;
        let sets = match self.name.as_str() {
            "APPENDUID" if matches!(values.get(1), Some(Value::Number(_))) => 0..0,
            "APPENDUID" | "COPYUID" => 1..values.len(),
            "MODIFIED" => 0..values.len(),
            _ => 0..0,
        };
        for value in values.get_mut(sets).unwrap_or_default() {
            let _ = set::spell_out(value, spare);
        }
        self
    }

    /// The words after the name, as they came.
    pub(super) fn words(&self) -> Vec<&str> {
        self.text.split_ascii_whitespace().skip(1).collect()
    }
}

/// The form that the values of this code must have, if they have another one.
pub(super) fn wrong_form(code: &Code) -> Option<&'static str> {
    let is_number = |value: &Value| value.number().is_some_and(is_message);
    let words = code.words();
    let length = |place: usize| words.get(place).and_then(|word| set::length(word));
    let (holds, form) = match (code.name.as_str(), &*code.values) {
        ("UIDVALIDITY" | "UIDNEXT" | "UNSEEN", values) => {
            (matches!(values, [one] if is_number(one)), "a number from 1 to 4294967295")
        }
        ("HIGHESTMODSEQ", values) => {
            let holds = matches!(values, [Value::Number(number)] if is_modseq(*number));
            (holds, "a number from 1 to 9223372036854775807 (RFC 7162, 3.1.2.1)")
        }
        ("APPENDUID", values) => {
            let holds = matches!(values, [one, _] if is_number(one) && length(1).is_some());
            (holds, "UIDVALIDITY and a set of UIDs (RFC 4315, 3)")
        }
        ("COPYUID", values) => {
            let are_alike = length(1).is_some() && length(1) == length(2);
            let holds = matches!(values, [one, _, _] if is_number(one) && are_alike);
            (holds, "UIDVALIDITY and two sets of as many UIDs (RFC 4315, 3)")
        }
        ("MODIFIED", values) => {
            (values.len() == 1 && length(0).is_some(), "a set of messages (RFC 7162, 3.1.3)")
        }
        ("MAILBOXID", _) => {
            let id = match &*words {
                [one] => one.strip_prefix('(').and_then(|one| one.strip_suffix(')')),
                _ => None,
            };
            let holds = id.is_some_and(|id| is_objectid(id.as_bytes()));
            (holds, "an identifier in parentheses (RFC 8474, 4.2)")
        }
        ("PERMANENTFLAGS", values) => (matches!(values, [Value::List(_)]), "a list of flags"),
        _ => return None,
    };
    (!holds).then_some(form)
}

#[cfg(test)]
mod tests {
    use super::super::answer::tests::answer;
    use super::super::response::Response;

    #[test]
    fn the_sets_of_an_answer_are_spelt_out_up_to_a_number_of_all() {
        let copied = "* OK [COPYUID 5 1:400000 1:400000] x";
        let codes = answer(&[copied, copied, "a1 OK [MODIFIED 7:8] x"]).codes();
        let values = codes.iter().flat_map(|code| &code.values);
        let lengths: Vec<_> = values.map(|value| value.list().map(<[_]>::len)).collect();
        assert_eq!(lengths, [None, Some(400_000), Some(400_000), None, None, None, Some(2)]);
    }

    #[test]
    fn a_code_has_the_values_that_its_name_requires() {
        for code in [
            "UIDVALIDITY 7",
            "HIGHESTMODSEQ 715194045007",
            "APPENDUID 38505 3955",
            "APPENDUID 38505 3955:3957",
            "COPYUID 38505 304,319:320 3956:3958",
            "MODIFIED 7,9",
            "MODIFIED 1:4294967295",
            "COPYUID 38505 1:2000000 3:2000002",
            "PERMANENTFLAGS ()",
            "MAILBOXID (F2212ea87-6097-4256-9d51-71338625)",
            "NOMODSEQ",
            "X-OWN any thing",
        ] {
            assert!(Response::parse(format!("* OK [{code}] x\r\n")).is_ok(), "{code}");
        }
        for code in [
            "UIDVALIDITY",
            "UIDVALIDITY 0",
            "UIDVALIDITY x",
            "UIDVALIDITY 7 8",
            "UIDNEXT 4294967296",
            "UNSEEN 0",
            "HIGHESTMODSEQ 0",
            "HIGHESTMODSEQ 9223372036854775808",
            "APPENDUID 5",
            "APPENDUID 0 7",
            "APPENDUID 5 x",
            "COPYUID",
            "COPYUID 5 1:2",
            "COPYUID 5 1:2 3",
            "COPYUID 5 1:* 3:4",
            "COPYUID 5 1:2 3:4 6",
            "COPYUID 5 1:2000000 3:2000003",
            "COPYUID 5 \"1:2\" 3:4",
            "MODIFIED",
            "MODIFIED (7)",
            "PERMANENTFLAGS \\Seen",
            "MAILBOXID F1",
            "MAILBOXID (F1 F2)",
            "MAILBOXID ()",
        ] {
            let error = Response::parse(format!("a1 OK [{code}] x\r\n")).unwrap_err();
            assert!(error.is_malformed(), "{code}");
        }
    }
}
