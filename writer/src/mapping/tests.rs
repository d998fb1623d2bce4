//! The data dictionary: what each kind of event becomes, in line protocol, version by version.

use serde_json::{Value, json};
use shared::config::IncludeFields;
use shared::envelope::Envelope;

use super::{Excessive, MAX_LINES_BYTES, MAX_TAGS_BYTES, push_lines};
use crate::line_protocol::Lines;
use crate::schema::{Schema, Version};

pub(super) fn schema(version: Version) -> Schema {
    Schema {
        version,
        include_fields: IncludeFields { active: true, loaded: true, in_memory: true },
        app_names_enabled: true,
        failed_polls: Some("butler_sos_errors".to_owned()),
        memory_usage_instance: Some("DEV".to_owned()),
        session_details: true,
    }
}

pub(super) fn lines(kind: &str, data: &Value, schema: &Schema) -> Vec<String> {
    let event = json!({
        "specversion": "1.0", "id": "01JD", "source": "/footman/collector/host1",
        "type": format!("qliksense.{kind}.v1"), "subject": "sense1",
        "time": "2026-11-21T08:15:30.123456789Z", "datacontenttype": "application/json",
        "data": data,
    });
    let envelope = Envelope::decode(event.to_string().as_bytes()).unwrap();
    let mut lines = Lines::default();
    push_lines(&envelope, schema, &mut lines).unwrap();
    let texts: Vec<String> = (0..lines.len())
        .map(|index| String::from_utf8(lines.line(index).to_vec()).unwrap())
        .map(|line| line.trim_end().trim_end_matches(" 1795248930123456789").to_owned())
        .collect();
    assert!(lines.text().lines().all(|line| line.ends_with(" 1795248930123456789")));
    texts
}

fn server() -> Value {
    json!({"name": "sense 1", "description": "Central node", "host": "sense1.corp.com:4747",
           "tags": {"env": "prod"}})
}

pub(super) fn poll() -> Value {
    json!({"scheduled": "2026-11-21T08:15:30Z", "durationMs": 12, "intervalMs": 30000, "bytes": 1874})
}

pub(super) fn health() -> Value {
    json!({
        "server": server(), "poll": poll(),
        "health": {
            "version": "12.2054.4", "started": "20261120T091530.000+0200",
            "mem": {"committed": 1885.58, "allocated": 2093.9, "free": 7037.7, "totalPhysical": 16383.5},
            "cpu": {"total": 12.7},
            "session": {"active": 3, "total": 9},
            "apps": {"active_docs": ["b", "SessionApp_5b1e", "a", "a"], "loaded_docs": [],
                     "in_memory_docs": ["x"], "calls": 12345, "selections": 678},
            "users": {"active": 2, "total": 5},
            "cache": {"hits": 93, "lookups": 140, "added": 47, "replaced": 5, "bytes_added": 8_388_608},
            "saturated": false
        },
        "apps": {"active": [{"id": "b", "name": "Sales"}, {"id": "SessionApp_5b1e"},
                            {"id": "a", "name": "Say \"hi\", C:\\"}, {"id": "a", "name": "Say \"hi\", C:\\"}],
                 "loaded": [], "inMemory": [{"id": "x"}]}
    })
}

const TAGS: &str =
    r"env=prod,host=sense1.corp.com,server_description=Central\ node,server_name=sense\ 1";

fn with_tags(expected: &[&str]) -> Vec<String> {
    expected.iter().map(|line| line.replace("TAGS", TAGS)).collect()
}

#[test]
fn health_in_1() {
    assert_eq!(
        lines("health", &health(), &schema(Version::V1)),
        with_tags(&[
            r#"sense_server,TAGS version="12.2054.4",started="20261120T091530.000+0200",uptime="1 days, 1h 00m 00s""#,
            "mem,TAGS comitted=1885i,allocated=2093i,free=7037i,total_physical=16383i",
            concat!(
                r#"apps,TAGS active_docs_count=4i,active_docs="b,SessionApp_5b1e,a,a","#,
                r#"active_docs_names="\"Sales\",\"Say \"hi\", C:\\\",\"Say \"hi\", C:\\\"","#,
                r#"active_session_docs_names="\"SessionApp_5b1e\"","#,
                r#"loaded_docs_count=0i,loaded_docs="",loaded_docs_names="","#,
                r#"loaded_session_docs_names="",in_memory_docs_count=1i,in_memory_docs="x","#,
                r#"in_memory_docs_names="\"x\"",in_memory_session_docs_names="","#,
                "calls=12345i,selections=678i"
            ),
            "cpu,TAGS total=12i",
            "session,TAGS active=3i,total=9i",
            "users,TAGS active=2i,total=5i",
            "cache,TAGS hits=93i,lookups=140i,added=47i,replaced=5i,bytes_added=8388608i",
            "saturated,TAGS saturated=false",
            concat!(
                r"footman_poll,host=sense1.corp.com,server_name=sense\ 1,source=health ",
                "ok=true,duration_ms=12i,lateness_ms=123i,bytes=1874i"
            ),
        ])
    );
}

#[test]
fn health_in_2_and_3() {
    let apps = concat!(
        r#"apps,TAGS active_docs_count=4i,active_docs="b,SessionApp_5b1e,a,a","#,
        r#"active_docs_names="Sales,Say \"hi\", C:\\,Say \"hi\", C:\\","#,
        r#"active_session_docs_names="SessionApp_5b1e","#,
        r#"loaded_docs_count=0i,loaded_docs="",loaded_docs_names="","#,
        r#"loaded_session_docs_names="",in_memory_docs_count=1i,in_memory_docs="x","#,
        r#"in_memory_docs_names="x",in_memory_session_docs_names="","#
    );
    let v2 = lines("health", &health(), &schema(Version::V2));
    let expected = with_tags(&[
        "mem,TAGS comitted=1885.58,allocated=2093.9,free=7037.7,total_physical=16383.5",
        &format!("{apps}calls=12345u,selections=678u"),
        "cpu,TAGS total=12.7",
        "session,TAGS active=3u,total=9u",
        "users,TAGS active=2u,total=5u",
        "cache,TAGS hits=93u,lookups=140u,added=47i,replaced=5i,bytes_added=8388608i",
    ]);
    assert_eq!(v2[1..7], expected);
    let v3 = lines("health", &health(), &schema(Version::V3));
    let expected = with_tags(&[
        "mem,TAGS comitted=1885.58,allocated=2093.9,free=7037.7,total_physical=16383.5",
        &format!("{apps}calls=12345i,selections=678i"),
        "cpu,TAGS total=12i",
        "session,TAGS active=3i,total=9i",
        "users,TAGS active=2i,total=5i",
        "cache,TAGS hits=93i,lookups=140i,added=47i,replaced=5i,bytes_added=8388608i",
    ]);
    assert_eq!(v3[1..7], expected);
}

#[test]
fn fields_that_are_gated_off_are_empty() {
    let mut schema = schema(Version::V1);
    schema.app_names_enabled = false;
    schema.include_fields.in_memory = false;
    let lines = lines("health", &health(), &schema);
    assert_eq!(
        lines[2].replace(TAGS, "TAGS"),
        concat!(
            r#"apps,TAGS active_docs_count=4i,active_docs="b,SessionApp_5b1e,a,a",active_docs_names="","#,
            r#"active_session_docs_names="",loaded_docs_count=0i,loaded_docs="",loaded_docs_names="","#,
            r#"loaded_session_docs_names="",in_memory_docs_count=1i,in_memory_docs="","#,
            r#"in_memory_docs_names="",in_memory_session_docs_names="",calls=12345i,selections=678i"#
        )
    );
}

#[test]
fn missing_values_leave_out_fields_and_points() {
    let event = json!({"server": {"name": "a", "host": "a"}, "poll": poll(), "health": {
        "started": "soon", "session": {"active": -1, "total": 2},
        "mem": {"free": -0.5}, "apps": {"active_docs": ["z"]}}});
    let apps = |suffix: &str| {
        ["active", "loaded", "in_memory"]
            .map(|list| {
                let (count, text) = if list == "active" { (1, suffix) } else { (0, r#""""#) };
                format!(
                    "{list}_docs_count={count}i,{list}_docs={},{list}_docs_names={text},\
                     {list}_session_docs_names=\"\"",
                    if count == 1 { r#""z""# } else { r#""""# }
                )
            })
            .join(",")
    };
    let tags = "host=a,server_name=a";
    let poll = "footman_poll,host=a,server_name=a,source=health \
                ok=true,duration_ms=12i,lateness_ms=123i,bytes=1874i";
    assert_eq!(
        lines("health", &event, &schema(Version::V1)),
        [
            &format!(r#"sense_server,{tags} started="soon""#),
            &format!("mem,{tags} free=-1i"),
            &format!("apps,{tags} {}", apps(r#""\"z\"""#)),
            &format!("session,{tags} active=-1i,total=2i"),
            poll,
        ]
    );
    assert_eq!(
        lines("health", &event, &schema(Version::V2))[3],
        format!("session,{tags} total=2u")
    );
    assert_eq!(
        lines("health", &event, &schema(Version::V3))[3],
        format!("session,{tags} total=2i")
    );
}

#[test]
fn own_tags_may_overwrite_the_others() {
    let event = json!({"server": {"name": "a", "host": "a:1", "description": "d",
        "tags": {"host": "node,1", "server_description": "", "Ä=b": "c\\"}},
        "poll": poll(), "health": {"saturated": true}});
    let lines = lines("health", &event, &schema(Version::V1));
    assert_eq!(lines[1], r"saturated,host=node\,1,server_name=a,Ä\=b=c saturated=true");
}

pub(super) fn sessions(part: u32, parts: u32) -> Value {
    json!({
        "server": server(), "poll": poll(), "virtualProxy": "/hdr", "host": "sense1.corp.com:4243",
        "part": part, "parts": parts, "sessionCount": 4, "excludedSessionCount": 1, "userCount": 2,
        "sessions": [
            {"userDirectory": "CORP", "userId": "jane", "sessionId": "s1"},
            {"userDirectory": "CORP", "userId": "joe", "sessionId": "s2"},
            {"userDirectory": "CORP", "userId": "jane", "sessionId": "s3"},
        ]
    })
}

const SESSION_TAGS: &str = r"env=prod,host=sense1.corp.com,server_description=Central\ node,server_name=sense\ 1,user_session_host=sense1.corp.com:4243";

#[test]
fn sessions_in_every_version() {
    let detail = |id: &str, user: &str| {
        format!(
            "user_session_details,{SESSION_TAGS},user_session_id={id},\
             user_session_user_directory=CORP,user_session_user_id={user},\
             user_session_virtual_proxy=/hdr \
             session_id=\"{id}\",user_directory=\"CORP\",user_id=\"{user}\""
        )
    };
    for (version, suffix, list) in [
        (Version::V1, "i", ""),
        (Version::V2, "u", "session_count=4u,"),
        (Version::V3, "i", "session_count=4i,"),
    ] {
        let users = r#"session_user_id_list="CORP\\jane,CORP\\joe""#;
        let tags = format!("{SESSION_TAGS},user_session_virtual_proxy=/hdr");
        assert_eq!(
            lines("sessions", &sessions(1, 1), &schema(version)),
            [
                format!(
                    "user_session_summary,{tags} session_count=4{suffix},excluded_session_count=1i,{users}"
                ),
                format!("user_session_list,{tags} {list}{users}"),
                r"footman_poll,host=sense1.corp.com,server_name=sense\ 1,source=sessions,virtual_proxy=/hdr ok=true,duration_ms=12i,lateness_ms=123i,bytes=1874i".to_owned(),
                detail("s1", "jane"),
                detail("s2", "joe"),
                detail("s3", "jane"),
            ]
        );
    }
}

#[test]
fn summaries_come_from_the_first_part_alone() {
    let mut first = sessions(1, 2);
    first["users"] = json!(["CORP\\jane", "CORP\\joe", "EXT\\x"]);
    let mut schema = schema(Version::V1);
    schema.session_details = false;
    let made = lines("sessions", &first, &schema);
    assert_eq!(made.len(), 3);
    assert!(made[0].ends_with(r#"session_user_id_list="CORP\\jane,CORP\\joe,EXT\\x""#));
    assert!(lines("sessions", &sessions(2, 2), &schema).is_empty());
    schema.session_details = true;
    assert_eq!(lines("sessions", &sessions(2, 2), &schema).len(), 3);
}

#[test]
fn nobody_is_on() {
    let mut event = sessions(1, 1);
    event["sessions"] = json!([]);
    event["sessionCount"] = json!(0);
    let made = lines("sessions", &event, &schema(Version::V1));
    assert!(
        made[0].ends_with(r#" session_count=0i,excluded_session_count=1i,session_user_id_list="""#)
    );
    assert_eq!(made.len(), 3);
}

#[test]
fn dropped_user_ids_leave_the_directory() {
    let mut event = sessions(1, 1);
    event["sessions"] = json!([{"userDirectory": "CORP", "sessionId": "s1"}]);
    let made = lines("sessions", &event, &schema(Version::V1));
    assert!(made[1].ends_with(r#" session_user_id_list="CORP""#), "{}", made[1]);
    assert!(!made[3].contains("user_id"), "{}", made[3]);
}

#[test]
fn user_lists_are_cut_between_names() {
    let mut event = sessions(1, 2);
    let users: Vec<String> = (0..10_000).map(|number| format!("CORP\\user{number:05}")).collect();
    event["users"] = json!(users);
    let made = lines("sessions", &event, &schema(Version::V2));
    let list = made[1].split_once("session_user_id_list=\"").unwrap().1.trim_end_matches('"');
    let list = list.replace("\\\\", "\\");
    assert!(list.len() <= 65_536 && list.len() > 65_536 - 15, "{}", list.len());
    assert!(list.split(',').eq(users.iter().take(list.split(',').count())));
}

#[test]
fn app_names_and_what_became_of_them() {
    let event = json!({"repository": "qrs.corp.com", "poll": poll(), "part": 1, "parts": 2, "full": false,
        "apps": [{"id": "a", "name": "Sales", "change": "new"}, {"id": "b", "name": "Old", "change": "gone"},
                 {"id": "c", "name": "Same"}]});
    assert_eq!(
        lines("app-names", &event, &schema(Version::V1)),
        [
            r#"app_names,app_id=a,repository=qrs.corp.com name="Sales",state="present""#,
            r#"app_names,app_id=b,repository=qrs.corp.com name="Old",state="gone""#,
            r#"app_names,app_id=c,repository=qrs.corp.com name="Same",state="present""#,
            "footman_poll,host=qrs.corp.com,server_name=qrs.corp.com,source=app-names ok=true,duration_ms=12i,lateness_ms=123i,bytes=1874i",
        ]
    );
    let second = json!({"repository": "qrs", "poll": poll(), "part": 2, "parts": 2, "full": false, "apps": []});
    assert!(lines("app-names", &second, &schema(Version::V1)).is_empty());
}

pub(super) fn failed_poll() -> Value {
    json!({
        "server": server(), "source": "sessions", "virtualProxy": "/hdr", "host": "sense1.corp.com:4243",
        "poll": {"scheduled": "2026-11-21T08:15:30Z", "durationMs": 5000, "intervalMs": 30000},
        "url": "https://sense1.corp.com:4243/qps/hdr/session", "category": "auth_error",
        "code": "ERR_BAD_REQUEST", "httpStatus": 403, "timeoutMs": 5000, "remoteAddress": "10.0.0.1",
        "remotePort": 4243, "syscall": "connect", "message": "forbidden", "ticks": 1
    })
}

#[test]
fn failed_polls_in_every_version() {
    for (version, suffix) in [(Version::V1, ""), (Version::V2, "i"), (Version::V3, "i")] {
        assert_eq!(
            lines("failed-polls", &failed_poll(), &schema(version)),
            [
                format!(
                    "butler_sos_errors,error_type=PROXY_API,host=sense1.corp.com:4243,\
                     server_name=sense\\ 1,virtual_proxy=/hdr error_count=1{suffix},\
                     error_category=\"auth_error\",error_code=\"ERR_BAD_REQUEST\",\
                     http_status=403{suffix},request_url=\"https://sense1.corp.com:4243/qps/hdr/session\",\
                     request_timeout_ms=5000{suffix},remote_address=\"10.0.0.1\",\
                     remote_port=4243{suffix},syscall=\"connect\""
                ),
                "footman_poll,host=sense1.corp.com,server_name=sense\\ 1,source=sessions,\
                 virtual_proxy=/hdr ok=false,duration_ms=5000i,lateness_ms=123i"
                    .to_owned(),
            ]
        );
    }
}

#[test]
fn failed_polls_of_the_other_sources() {
    let mut event = failed_poll();
    for member in [
        "virtualProxy",
        "url",
        "code",
        "httpStatus",
        "timeoutMs",
        "remoteAddress",
        "remotePort",
        "syscall",
    ] {
        event.as_object_mut().unwrap().remove(member);
    }
    event["source"] = json!("health");
    event["host"] = json!("sense1.corp.com:4747");
    event["ticks"] = json!(7);
    assert_eq!(
        lines("failed-polls", &event, &schema(Version::V2)),
        [
            r#"butler_sos_errors,error_type=HEALTH_API,host=sense1.corp.com:4747,server_name=sense\ 1 error_count=7i,error_category="auth_error""#,
            r"footman_poll,host=sense1.corp.com,server_name=sense\ 1,source=health ok=false,duration_ms=5000i,lateness_ms=123i",
        ]
    );
    event["source"] = json!("app-names");
    event["server"] = json!({"name": "qrs.corp.com", "host": "qrs.corp.com:4242"});
    event["host"] = json!("qrs.corp.com:4242");
    let mut schema = schema(Version::V1);
    assert_eq!(
        lines("failed-polls", &event, &schema),
        [
            r#"butler_sos_errors,error_type=APP_NAMES_EXTRACT,host=qrs.corp.com,server_name=qrs.corp.com error_count=7,error_category="auth_error""#,
            "footman_poll,host=qrs.corp.com,server_name=qrs.corp.com,source=app-names ok=false,duration_ms=5000i,lateness_ms=123i",
        ]
    );
    schema.failed_polls = None;
    assert_eq!(lines("failed-polls", &event, &schema).len(), 1);
}

#[test]
fn heartbeats_and_memory() {
    let mut event = json!({
        "process": "collector", "instance": "host1", "version": "0.1.0",
        "started": "2026-11-21T08:00:00Z", "uptimeS": 930, "honest": true,
        "memory": {"residentBytes": 52_480_000, "allocatedBytes": 10_485_760},
        "counters": {"published": 7, "confirmed": 6, "outbox": 1, "oldest_unwritten_s": 1.5}
    });
    let beat = "footman_heartbeat,instance=host1,process=collector version=\"0.1.0\",honest=true,\
                uptime_s=930i,published=7i,confirmed=6i,outbox=1i,oldest_unwritten_s=1.5,\
                resident_mb=50.05";
    for version in [Version::V1, Version::V2, Version::V3] {
        event["uptimeMonitor"] = json!(false);
        assert_eq!(lines("heartbeats", &event, &schema(version)), [beat]);
        event["uptimeMonitor"] = json!(true);
        assert_eq!(
            lines("heartbeats", &event, &schema(version)),
            [
                beat,
                "butlersos_memory_usage,butler_sos_instance=DEV,version=0.1.0 \
                 heap_used=10,heap_total=10,external=0,process_memory=50.05",
            ]
        );
    }
    let mut schema = schema(Version::V1);
    schema.memory_usage_instance = None;
    assert_eq!(lines("heartbeats", &event, &schema), [beat]);
}

#[test]
fn a_made_up_event_does_not_exhaust_the_memory() {
    let sessions = |tag: usize, count: usize| {
        let session = json!({"userDirectory": "d", "userId": "u", "sessionId": "s"});
        let event = json!({
            "specversion": "1.0", "id": "01JD", "source": "s", "type": "qliksense.sessions.v1",
            "time": "2026-11-21T08:15:30Z",
            "data": {"server": {"name": "a", "host": "a:1", "tags": {"t": "x".repeat(tag)}},
                     "poll": poll(), "virtualProxy": "/", "host": "a", "part": 1, "parts": 1,
                     "sessionCount": 0, "excludedSessionCount": 0, "userCount": 0,
                     "sessions": vec![session; count]},
        });
        let envelope = Envelope::decode(event.to_string().as_bytes()).unwrap();
        let mut lines = Lines::default();
        let pushed = push_lines(&envelope, &schema(Version::V1), &mut lines);
        assert!(lines.body().len() < MAX_LINES_BYTES + 2 * MAX_TAGS_BYTES);
        pushed
    };
    assert_eq!(sessions(4_000, 1_000), Ok(()), "a full part and many tags");
    assert_eq!(sessions(500_000, 2), Err(Excessive::Tags { bytes: 500_007 }));
    assert_eq!(sessions(60_000, 4_000), Err(Excessive::Lines));
}
