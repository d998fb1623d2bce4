use shared::envelope::Envelope;
use shared::event::Change;

use super::*;
use crate::endpoint::tests::sessions_endpoint;

fn poll() -> Poll {
    Poll {
        scheduled: Timestamp::from_nanos(1),
        duration_ms: 1,
        interval_ms: 30_000,
        bytes: Some(1),
    }
}

fn published(sessions: usize, id_length: usize) -> Published {
    let session = |number: usize| Session {
        user_directory: "LAB".to_owned(),
        user_id: Some(format!("user{}", number % 3)),
        session_id: format!("{number}{}", "x".repeat(id_length)),
    };
    Published {
        session_count: sessions as u64 + 2,
        excluded_session_count: 2,
        user_count: 3,
        user_id_key: None,
        shown_users: Vec::new(),
        sessions: (0..sessions).map(session).collect(),
        users: vec!["LAB\\user0".to_owned(), "LAB\\user1".to_owned(), "LAB\\user2".to_owned()],
    }
}

fn parts_of(published: Published) -> Result<Vec<Sessions>, TooLarge> {
    let origin = Origin::new("collector", "host1");
    let observation = Observation { origin: &origin, time: Timestamp::from_nanos(5) };
    let encoded = of_sessions(&sessions_endpoint(), &observation, &poll(), published)?;
    let read = |event: Unnumbered| {
        assert!(event.size() <= MAX_EVENT_BYTES);
        let envelope = Envelope::decode(&event.numbered(1)).unwrap();
        assert_eq!(envelope.time, Timestamp::from_nanos(5));
        match envelope.event {
            Event::Sessions(sessions) => sessions,
            other => panic!("{other:?}"),
        }
    };
    Ok(encoded.into_iter().map(read).collect())
}

#[test]
fn a_usual_poll_is_one_part_without_users() {
    for number in [0, 1, SESSIONS_IN_A_PART] {
        let parts = parts_of(published(number, 36)).unwrap();
        assert_eq!(parts.len(), 1);
        assert_eq!((parts[0].part, parts[0].parts, parts[0].users.as_ref()), (1, 1, None));
        assert_eq!(parts[0].session_count, number as u64 + 2);
        assert_eq!(parts[0].sessions.len(), number);
    }
}

#[test]
fn many_sessions_are_cut_and_the_first_part_lists_the_users() {
    let parts = parts_of(published(2_001, 36)).unwrap();
    let numbers: Vec<_> = parts.iter().map(|part| (part.part, part.parts)).collect();
    assert_eq!(numbers, [(1, 3), (2, 3), (3, 3)]);
    assert_eq!(parts[0].users.as_ref().map(Vec::len), Some(3));
    assert!(parts[1..].iter().all(|part| part.users.is_none()));
    assert!(parts.iter().all(|part| part.session_count == 2_003 && part.user_count == 3));
    let sessions: Vec<Session> = parts.into_iter().flat_map(|part| part.sessions).collect();
    assert_eq!(sessions, published(2_001, 36).sessions);
}

#[test]
fn long_sessions_are_cut_by_size() {
    let parts = parts_of(published(1_000, 2_000)).unwrap();
    assert_eq!(parts.len(), 3);
    assert_eq!(parts.iter().map(|part| part.sessions.len()).sum::<usize>(), 1_000);
}

#[test]
fn one_session_beyond_every_part_is_too_large() {
    assert!(parts_of(published(2, MAX_EVENT_BYTES)).is_err());
    let mut many_users = published(1_001, 36);
    many_users.users = (0..60_000).map(|number| format!("LAB\\user{number:010}")).collect();
    assert!(parts_of(many_users).is_err());
}

#[test]
fn app_names_are_cut_at_five_hundred_and_never_none() {
    let origin = Origin::new("collector", "host1");
    let observation = Observation { origin: &origin, time: Timestamp::from_nanos(5) };
    let parts = |apps: usize, name: &str| -> Vec<AppNames> {
        let app = |number: usize| AppChange {
            id: number.to_string(),
            name: name.to_owned(),
            change: Some(Change::Renamed),
        };
        let extraction = Extraction { full: true, apps: (0..apps).map(app).collect() };
        let encoded = of_app_names(&sessions_endpoint(), &observation, &poll(), extraction);
        let read = |event: Unnumbered| match Envelope::decode(&event.numbered(1)).unwrap().event {
            Event::AppNames(names) => names,
            other => panic!("{other:?}"),
        };
        encoded.unwrap().into_iter().map(read).collect()
    };
    let none = parts(0, "");
    assert_eq!((none.len(), none[0].part, none[0].parts), (1, 1, 1));
    assert_eq!(none[0].apps, []);
    let some = parts(1_200, "Sales");
    assert_eq!(some.iter().map(|part| part.apps.len()).collect::<Vec<_>>(), [500, 500, 200]);
    assert_eq!((some[2].part, some[2].parts, some[2].full), (3, 3, true));
    // Control characters are six times as long in JSON.
    let long = parts(400, &"\u{1}".repeat(1_000));
    assert_eq!(long.iter().map(|part| part.apps.len()).sum::<usize>(), 400);
    assert!(long.len() > 2);
}
