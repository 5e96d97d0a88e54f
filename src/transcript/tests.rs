use super::part::{FIRST, LAST};
use super::session_id::BranchId;
use super::*;

#[test]
fn sessions_of_branches_are_numbered_apart_and_read_back() {
    for shown in ["s1", "s1048577", "b1.s1", "b1000.s3", "b70000.s1", "b2.1.s1", "b2.1000.3.4.s5"] {
        assert_eq!(SessionId::read(shown).unwrap().to_string(), shown);
    }
    let new = |branch| SessionId::new(BranchId::default().branch(branch), 1);
    assert_ne!(new(2048), SessionId::of(1), "a branch after many");
    assert_ne!(new(2048), new(2047));
    for wrong in
        ["b1", "b1.1", "b524288.s1", "b2.1024.s1", "b1.2.3.4.5.s1", "b0.s1", "b1..s1", "x1", "s"]
    {
        assert_eq!(SessionId::read(wrong), None, "{wrong}");
    }
}

#[test]
fn an_event_is_small() {
    assert!(
        size_of::<Event>() <= 56,
        "{} bytes, and ten thousand runs at once keep many each",
        size_of::<Event>()
    );
}

#[test]
fn an_event_has_its_time_and_none_that_was_read_back() {
    let transcript = Transcript::new();
    transcript.note(What::Step("one".into()));
    transcript.note(What::Step("two".into()));
    let at: Vec<_> = transcript.events().iter().map(|event| event.at().unwrap()).collect();
    assert!(at[0] <= at[1], "{at:?}");
    let lines: Vec<_> = lines(&transcript.events()).iter().map(|line| line.at).collect();
    assert_eq!(lines, [Some(at[0]), Some(at[1])]);
    let (read, _) = read(&transcript.to_string());
    assert!(read.iter().all(|event| event.at().is_none()));
}

#[test]
fn a_flood_of_events_is_bounded_and_what_is_left_out_is_counted() {
    let transcript = Transcript::new();
    let count = FIRST.0 + LAST.0 + 7;
    (0..count).for_each(|n| transcript.note(What::Printed(n.to_string())));
    let events = transcript.take();
    assert_eq!(events.len(), FIRST.0 + 1 + LAST.0);
    assert!(matches!(events[FIRST.0].what, What::Omitted(7)));
    assert!(
        matches!(&events.last().unwrap().what, What::Printed(n) if *n == (count - 1).to_string())
    );
    assert!(transcript.take().is_empty());
}
