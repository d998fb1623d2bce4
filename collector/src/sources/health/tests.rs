use proptest::prelude::*;
use shared::event::Category;

use super::*;

/// The example of release 3.1: misspelt key, file paths, no `in_memory_docs`, no `saturated`.
const RELEASE_3_1: &str = r#"{"version":"2.7.50501.0409.10","started":"20160314T103522.000+0100",
 "mem":{"comitted":63.98046875,"allocated":228.5625,"free":21680.28515625},"cpu":{"total":0},
 "session":{"active":2,"total":2},
 "apps":{"active_docs":["C:/Users/SomeUser/TestApp.qvf"],"loaded_docs":["C:/Users/SomeUser/TestApp.qvf"],"calls":34,"selections":0},
 "users":{"active":1,"total":1},"cache":{"hits":0,"lookups":0,"added":0,"replaced":0,"bytes_added":0}}"#;
/// Captured from an engine of 2018: 175 sessions of no users.
const CAPTURED: &str = r#"{"version":"12.138.0","started":"20180216T094833.000Z","mem":{"committed":11.8125,"allocated":20,"free":1966.3046875},
 "cpu":{"total":0},"session":{"active":0,"total":175},
 "apps":{"active_docs":[],"loaded_docs":[],"in_memory_docs":[],"calls":0,"selections":0},
 "users":{"active":0,"total":0},"cache":{"hits":0,"lookups":0,"added":0,"replaced":0,"bytes_added":0},"saturated":false}"#;
const MODERN: &str = r#"{"version":"12.2054.4","started":"20240509T174101.000+0200","mem":{"committed":28764.96484375,"allocated":41210.5,"free":97231.4453125,"totalPhysical":131071.48828125},
 "cpu":{"total":7},"session":{"active":3,"total":41},
 "apps":{"active_docs":["8b6a"],"loaded_docs":["8b6a","8b6a","SessionApp_1b2c"],"in_memory_docs":["8b6a","2933","SessionApp_1b2c"],"calls":1834523,"selections":20313},
 "users":{"active":2,"total":29},"cache":{"hits":190223,"lookups":260114,"added":69891,"replaced":120,"bytes_added":884736512},"saturated":false}"#;

#[test]
fn answers_of_three_releases() {
    let (health, rejected) = decode(RELEASE_3_1.as_bytes()).unwrap();
    assert_eq!(rejected, Rejected(0));
    assert_eq!(health.mem.committed, Some(63.980_468_75));
    assert_eq!(health.mem.total_physical, None);
    assert_eq!(health.saturated, None);
    assert_eq!(health.apps.in_memory_docs, Vec::<String>::new());

    let (health, rejected) = decode(CAPTURED.as_bytes()).unwrap();
    assert_eq!(rejected, Rejected(0));
    assert_eq!(health.session.total, Some(175));
    assert_eq!(health.mem.allocated, Some(20.0));

    let (health, rejected) = decode(MODERN.as_bytes()).unwrap();
    assert_eq!(rejected, Rejected(0));
    assert_eq!(health.version.as_deref(), Some("12.2054.4"));
    assert_eq!(health.apps.loaded_docs.len(), 3);
    assert_eq!(health.cache.bytes_added, Some(884_736_512));
    assert_eq!(health.saturated, Some(false));
}

#[test]
fn a_bad_member_costs_itself() {
    let bad = MODERN
        .replace("\"total\":7", "\"total\":-7")
        .replace("\"calls\":1834523", "\"calls\":null")
        .replace("\"free\":97231.4453125", "\"free\":1e999")
        .replace("\"hits\":190223", "\"hits\":\"190223\"")
        .replace("\"users\":{\"active\":2,\"total\":29}", "\"users\":[]");
    let (health, rejected) = decode(bad.as_bytes()).unwrap();
    assert_eq!((health.cpu.total, health.apps.calls, health.mem.free), (None, None, None));
    assert_eq!(health.cache.hits, Some(190_223));
    assert_eq!(health.users.total, None);
    assert_eq!(health.session.total, Some(41));
    // cpu, calls, free; users itself and its two members.
    assert_eq!(rejected, Rejected(6));
}

#[test]
fn answers_that_are_no_health() {
    for body in ["{}", "[]", "null", r#"{"value":true}"#, "", "<html></html>", "\"x\""] {
        assert_eq!(decode(body.as_bytes()).unwrap_err().category, Category::UNEXPECTED_BODY);
    }
    let half = &MODERN.as_bytes()[..MODERN.len() / 2];
    assert_eq!(decode(half).unwrap_err().category, Category::DECODE);
}

#[test]
fn names_stand_beside_their_ids() {
    let (health, _) = decode(MODERN.as_bytes()).unwrap();
    let names = KnownNames::of([("8b6a", "Sales"), ("SessionApp_1b2c", "never")]);
    let lists = named_apps(&health.apps, &names);
    let app = |id: &str, name: Option<&str>| App { id: id.into(), name: name.map(str::to_owned) };
    assert_eq!(lists.active, [app("8b6a", Some("Sales"))]);
    let in_memory = [app("8b6a", Some("Sales")), app("2933", None), app("SessionApp_1b2c", None)];
    assert_eq!(lists.in_memory, in_memory);
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        ".{0,8}".prop_map(Into::into),
    ];
    leaf.prop_recursive(3, 40, 8, |inner| {
        let key = prop_oneof![
            Just("mem".to_owned()),
            Just("apps".to_owned()),
            Just("cpu".to_owned()),
            Just("total".to_owned()),
            Just("active_docs".to_owned()),
            ".{0,6}",
        ];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            proptest::collection::hash_map(key, inner, 0..6)
                .prop_map(|members| members.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _either = decode(&body);
    }

    #[test]
    fn any_json_is_read_or_refused(body in any_json()) {
        let _either = decode(body.to_string().as_bytes());
    }
}
