use super::*;
use proptest::prelude::*;

fn why(unreadable: &Unreadable) -> &'static str {
    match unreadable {
        Unreadable::Malformed(why) => why,
        Unreadable::NoRoom(_) => "no room",
    }
}

fn read(text: &str) -> Result<Vec<Value>, &'static str> {
    super::values(text.as_bytes(), Grammar::Data)
        .map(|(values, _)| values)
        .map_err(|error| why(&error))
}

fn atom(text: &str) -> Value {
    Value::Atom(text.into())
}

#[test]
fn values_are_apart_unless_they_are_lists() {
    for (text, count) in [
        ("(A {2}\r\nhi B ())", 1),
        ("((1)(2) \"MIXED\")", 1),
        ("(1)(2 3)", 2),
        ("() \"/\" INBOX", 3),
    ] {
        assert_eq!(read(text).map(|values| values.len()), Ok(count), "{text}");
    }
    for text in [
        "(A {3}\r\nhi B ())",
        "(A \"hi\"B ())",
        "(A ()B ())",
        "() \"/\"INBOX",
        "INBOX(A 3)",
        "((\"\" \"/\"))NIL",
        "\"\"(A 1)",
    ] {
        assert!(read(text).is_err(), "{text}");
    }
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

fn literal(text: &str) -> Value {
    Value::Literal(text.into())
}

#[test]
fn values_of_all_kinds_are_told_apart() {
    let list = Value::List(vec![atom("\\Seen"), Value::List(vec![])]);
    for (source, wanted) in [
        (
            "1 007 0 NIL nil",
            vec![Value::Number(1), atom("007"), Value::Number(0), Value::Nil, Value::Nil],
        ),
        ("(\\Seen ()) \"a \\\"b\\\\\" \"\"", vec![list, text("a \"b\\"), text("")]),
        ("{3}\r\na\r\n {0}\r\n ~{2+}\r\n\0{", vec![literal("a\r\n"), literal(""), literal("\0{")]),
        ("a[b [x c]d", vec![atom("a[b"), atom("[x"), atom("c]d")]),
        ("", vec![]),
        ("18446744073709551616", vec![atom("18446744073709551616")]),
    ] {
        assert_eq!(read(source), Ok(wanted), "{source}");
    }
}

#[test]
fn a_value_that_cannot_be_read_says_why() {
    let deep = "(".repeat(DEPTH + 1);
    for (source, why) in [
        ("(1", "a list is not closed"),
        ("1)", "closed that was not opened"),
        ("\"a", "string is not closed"),
        ("\"a\\", "string is not closed"),
        ("\"a\n\"", "string is not closed"),
        ("{3}\r\nab", "not what it announces"),
        ("{3} abc", "not what it announces"),
        ("{18446744073709551615}\r\nab", "not what it announces"),
        ("1 \r\n", "a value is missing"),
        (&deep, "too deep"),
    ] {
        assert!(
            read(source).is_err_and(|error| error.contains(why)),
            "{why}: {:?}",
            read(source).map(|v| v.len())
        );
    }
}

#[test]
fn a_code_ends_at_its_bracket() {
    let (code, length) = values(b"COPYUID 1 304,319:320 3956:3958] done", Grammar::Code).unwrap();
    assert_eq!(code, [atom("COPYUID"), Value::Number(1), atom("304,319:320"), atom("3956:3958")]);
    assert_eq!(length, 31);
}

#[test]
fn the_names_of_attributes_alone_have_sections() {
    let source = "(BODY[HEADER.FIELDS (\"a]\" {1}\r\n] b)]<0> {1}\r\nx X-GM-LABELS (a[b))";
    let (values, _) = values(source.as_bytes(), Grammar::Fetch).unwrap();
    assert_eq!(
        values,
        [Value::List(vec![
            atom("BODY[HEADER.FIELDS (\"a]\" {1}\r\n] b)]<0>"),
            literal("x"),
            atom("X-GM-LABELS"),
            Value::List(vec![atom("a[b")]),
        ])]
    );
    let open = super::values(b"(BODY[TEXT x)", Grammar::Fetch);
    assert_eq!(open.map_err(|error| why(&error)), Err("a bracket is not closed"));
}

#[test]
fn flags_and_mailboxes_are_names_whatever_they_look_like() {
    let names = Value::List(vec![atom("nil"), atom("123"), atom("\\Seen")]);
    for (grammar, source, wanted) in [
        (Grammar::Flags, "(nil 123 \\Seen)", vec![names.clone()]),
        (
            Grammar::Fetch,
            "(UID 7 FLAGS (nil 123 \\Seen))",
            vec![Value::List(vec![atom("UID"), Value::Number(7), atom("FLAGS"), names.clone()])],
        ),
        (Grammar::List, "(nil 123 \\Seen) NIL nil", vec![names.clone(), Value::Nil, atom("nil")]),
        (
            Grammar::Status,
            "2026 (UNSEEN 0)",
            vec![atom("2026"), Value::List(vec![atom("UNSEEN"), Value::Number(0)])],
        ),
        (Grammar::Code, "PERMANENTFLAGS (nil 123 \\Seen)", vec![atom("PERMANENTFLAGS"), names]),
    ] {
        let (values, _) = values(source.as_bytes(), grammar).unwrap();
        assert_eq!(values, wanted, "{source}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(prop::sample::select(&b"(){}[]\"\\ \r\n~+19aB\0\xff"[..]), 0..60)) {
        for grammar in [Grammar::Data, Grammar::Fetch, Grammar::List, Grammar::Code] {
            if let Ok((_, end)) = values(&bytes, grammar) {
                prop_assert!(end <= bytes.len());
            }
        }
    }
}
