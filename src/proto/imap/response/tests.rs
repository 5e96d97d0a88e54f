//! Tests of reading responses.

use super::*;
use proptest::prelude::*;

fn response(text: &str) -> Response {
    Response::parse(format!("{text}\r\n")).unwrap()
}

#[test]
fn data_has_a_number_a_name_and_values() {
    assert_eq!(response("*  5  EXISTS").number(), Some(5));
    let fetch = response("* 12 fetch (FLAGS (\\Seen) UID 7)");
    assert_eq!((fetch.number(), &*fetch.name(), &*fetch.tag()), (Some(12), "FETCH", "*"));
    assert_eq!(fetch.values().unwrap().len(), 1);
    assert_eq!((fetch.status(), fetch.code()), (None, None));
    let list = response("* LIST () \"/\" INBOX");
    assert_eq!((list.number(), &*list.name(), list.values().unwrap().len()), (None, "LIST", 3));
}

#[test]
fn the_words_of_the_protocol_are_found_in_a_response() {
    for (text, words) in [
        ("* ok hi", "ok"),
        ("a1  No", "No"),
        ("* 3 exists", "3 exists"),
        ("* Search 1 2", "Search"),
        ("+", ""),
    ] {
        assert_eq!(&text[words_of_protocol(text.as_bytes())], words, "{text}");
    }
}

#[test]
fn a_status_has_a_code_and_a_remark() {
    let tagged = response("a1 NO [TRYCREATE] no such box [really]");
    assert_eq!((tagged.status(), &*tagged.name(), &*tagged.tag()), (Some(Status::No), "NO", "a1"));
    assert_eq!(
        (&*tagged.code().unwrap().text, &*tagged.remark()),
        ("TRYCREATE", "no such box [really]")
    );
    let code = response("* OK [APPENDUID 38505 3955] done").code().unwrap();
    assert_eq!(
        (&*code.name, code.values),
        ("APPENDUID", vec![Value::Number(38505), Value::Number(3955)])
    );
    let numbers = |all: &[u64]| Value::List(all.iter().copied().map(Value::Number).collect());
    let code = response("* OK [COPYUID 38505 304,319:320 7:9] done").code().unwrap();
    assert_eq!(code.values, [Value::Number(38505), numbers(&[304, 319, 320]), numbers(&[7, 8, 9])]);
    let code = response("a1 OK [APPENDUID 1 5:6] done").code().unwrap();
    assert_eq!(code.values[1], numbers(&[5, 6]));
    let code = response("a1 OK [MODIFIED 7] x").code().unwrap();
    assert_eq!(code.values, [numbers(&[7])]);
    let odd = response("* OK [X-ODD \"] never closed");
    assert_eq!((&*odd.code().unwrap().text, &*odd.remark()), ("X-ODD \"", "never closed"));
    let none = response("* OK [never closed");
    assert_eq!((none.code(), &*none.remark()), (None, "[never closed"));
    assert_eq!(&*response("+ idling").remark(), "idling");
    assert_eq!(&*response("a1 OK").remark(), "");
    let apart = response("*  OK  [UIDVALIDITY 7]  x");
    assert_eq!((&*apart.code().unwrap().text, &*apart.remark()), ("UIDVALIDITY 7", "x"));
}

#[test]
fn bytes_that_are_not_one_whole_response_are_malformed() {
    for bytes in ["", "* OK", "220 hi\r\n", "* OK\r\n* OK\r\n", "* 1 FETCH (BODY[] {9}\r\nab)\r\n"]
    {
        assert!(Response::parse(bytes).unwrap_err().is_malformed(), "{bytes}");
    }
    let error = response("* 1 FETCH (FLAGS").values().unwrap_err();
    assert_eq!(
        (error.message(), error.got()),
        ("a list is not closed in a response", Some("* 1 FETCH (FLAGS\\r\\n"))
    );
}

#[test]
fn an_error_names_the_response_and_not_what_stands_around_its_name() {
    for (line, name) in [
        ("* 99999999999999999999 EXISTS", "EXISTS"),
        ("* 0 FETCH (UID 1)", "FETCH"),
        ("* 99999999999999999999", ""),
    ] {
        let error = Response::parse(format!("{line}\r\n")).unwrap_err();
        assert_eq!(error.message(), format!("the {name} response is malformed"), "{line}");
    }
    let odd = unlike(&response("* 5 RECENT\r"), "RECENT");
    assert_eq!(odd.message(), "the RECENT response is malformed");
}

proptest! {
    #[test]
    fn no_response_makes_it_panic(text in "[*+a]?[ ]?[0-9OKBAD\\[\\]\\(\\)\" \u{fc}]{0,30}") {
        if let Ok(response) = Response::parse(format!("{text}\r\n")) {
            let _ = (response.values().is_ok(), response.code(), response.name(), response.number(), response.text());
            prop_assert!(response.remark().len() <= response.text().len() + 8);
        }
    }
}
