use super::*;

const ADDRESS: &str = "http://i:8086";

fn response(status: u16, body: &str) -> Response {
    Response { status, body: body.as_bytes().to_vec(), ..Response::default() }
}

fn understood(response: &Response) -> Answer {
    understood_by(Version::V1, response)
}

fn understood_by(version: Version, response: &Response) -> Answer {
    let now = Timestamp::parse("2026-11-21T08:15:30Z").unwrap();
    answer(version, ADDRESS, response, now)
}

fn trouble(response: &Response) -> Trouble {
    match understood(response) {
        Answer::Trouble(trouble) => trouble,
        other => panic!("{other:?}"),
    }
}

fn refusal(response: &Response) -> Refusal {
    match understood(response) {
        Answer::Refused(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}

#[test]
fn only_204_is_stored() {
    assert_eq!(understood(&response(204, "")), Answer::Stored);
    for status in [200, 201, 202, 206, 301, 302, 304, 307, 401, 403, 405, 415] {
        let trouble = trouble(&response(status, "<html>hello</html>"));
        assert_eq!(trouble.kind, TroubleKind::Misconfigured, "{status}");
        assert!(trouble.why.contains(&format!("{ADDRESS} answers {status}")), "{}", trouble.why);
    }
    assert!(matches!(understood(&response(404, "")), Answer::Missing(_)));
    assert!(matches!(understood(&response(413, "")), Answer::TooLarge(_)));
}

#[test]
fn what_passes_says_when() {
    for status in [408, 429, 500, 502, 503, 504, 599] {
        for (header, expected) in [
            (None, None),
            (Some("7"), Some(7)),
            (Some("Sat, 21 Nov 2026 08:16:00 GMT"), Some(30)),
            (Some("Sat, 21 Nov 2026 08:15:00 GMT"), Some(0)),
            (Some("soon"), None),
        ] {
            let response =
                Response { retry_after: header.map(ToOwned::to_owned), ..response(status, "") };
            let retry_after = expected.map(Duration::from_secs);
            assert_eq!(trouble(&response).kind, TroubleKind::Unavailable { retry_after });
        }
    }
}

#[test]
fn refusals_of_1() {
    let conflict = refusal(&response(
        400,
        r#"{"error":"partial write: field type conflict: input field \"f\" on measurement \"m\" is type float, already exists as type integer dropped=12"}"#,
    ));
    assert_eq!((conflict.dropped, conflict.expired, conflict.status), (Some(12), false, 400));
    assert!(conflict.reason.starts_with("partial write: field type conflict"));
    let expired = r#"{"error":"partial write: points beyond retention policy dropped=2"}"#;
    let expired = refusal(&response(400, expired));
    assert_eq!((expired.dropped, expired.expired), (Some(2), true));
    let malformed = refusal(&response(400, r#"{"error":"unable to parse 'x': missing fields"}"#));
    assert_eq!(malformed.dropped, None);
    let header_alone = Response {
        error: Some("partial write: dropped=1".to_owned()),
        by_influxdb: true,
        ..response(400, "")
    };
    assert_eq!(refusal(&header_alone).dropped, Some(1));
}

#[test]
fn refusals_of_2_and_3() {
    let refused =
        refusal(&response(422, r#"{"code":"unprocessable entity","message":"dropped=3"}"#));
    assert_eq!((refused.dropped, refused.status), (Some(3), 422));
    let refused = refusal(&response(
        400,
        r#"{"error":"partial write of line protocol occurred","data":[{"error_message":"bad type","line_number":2,"original_line":"m f=1"}]}"#,
    ));
    let line = LineRefusal { number: 2, reason: "bad type".to_owned() };
    assert_eq!(refused.lines, [line]);
    assert!(refused.rest_stored);
    // Without partial writes the first bad line is an object, and nothing is stored.
    let refused = refusal(&response(
        400,
        r#"{"error":"parsing failed for write_lp endpoint","data":{"original_line":"m f=hi","line_number":7,"error_message":"no"}}"#,
    ));
    assert_eq!((refused.lines[0].number, refused.rest_stored), (7, false));
    // A list that may be cut short says nothing about the lines that are not in it.
    let named: Vec<Value> = (1..=100)
        .map(|line| serde_json::json!({"line_number": line, "error_message": ""}))
        .collect();
    let body =
        serde_json::json!({"error": "partial write of line protocol occurred", "data": named});
    assert!(!refusal(&response(400, &body.to_string())).rest_stored);
}

/// The words are those of 2.x's documentation.
#[test]
fn points_too_old_for_a_bucket() {
    let words = "failure writing points to database: partial write: dropped 4 points outside \
        retention policy of duration 24h0m0s - oldest point home,room=Living\\\\ Room at \
        1970-01-01T00:00:01.541Z dropped because it violates a Retention Policy Lower Bound at \
        2025-05-20T19:06:17.612973Z, newest point home,room=Living\\\\ Room at \
        1970-01-01T00:00:01.5410006Z dropped because it violates a Retention Policy Lower Bound at \
        2025-05-20T19:06:17.612973Z dropped=4 for database: 9f282d63c7d3a5c0 for retention policy: \
        autogen";
    let body = format!(r#"{{"code":"unprocessable entity","message":"{words}"}}"#);
    let refused = refusal(&response(422, &body));
    assert_eq!((refused.dropped, refused.expired), (Some(4), true));
    let too_new = body.replace("Retention Policy Lower Bound", "Write Window Upper Bound");
    assert!(!refusal(&response(422, &too_new)).expired);
}

#[test]
fn limits_and_names_of_3_hold() {
    let limit = "Update to schema would exceed number of tables per database limit of 2000 tables";
    for body in [
        format!(r#"{{"error":"{limit}","data":null}}"#),
        format!(
            r#"{{"error":"partial write of line protocol occurred","data":[{{"line_number":1,"original_line":"m","error_message":"{limit}"}}]}}"#
        ),
    ] {
        let trouble = trouble(&response(422, &body));
        assert_eq!(trouble.kind, TroubleKind::Cardinality);
        assert!(trouble.why.contains("--num-table-limit"), "{}", trouble.why);
    }
    let name = r#"{"error":"db name did not start with a number or letter","data":null}"#;
    let Answer::Trouble(trouble) = understood_by(Version::V3, &response(400, name)) else {
        panic!("a wrong name must not cost data");
    };
    assert_eq!(trouble.kind, TroubleKind::Misconfigured);
    assert!(trouble.why.contains("v3Config.database"), "{}", trouble.why);
    let large = response(500, "max request size (10485760 bytes) exceeded");
    assert!(matches!(understood_by(Version::V3, &large), Answer::TooLarge(_)));
}

#[test]
fn limits_name_their_setting_and_no_data() {
    for (words, setting) in [
        ("max-series-per-database limit exceeded: (50) dropped=72", "`max-series-per-database`"),
        (
            r#"max-values-per-tag limit exceeded (14/10): measurement=\"mv\" tag=\"u\" value=\"jane\" dropped=1"#,
            "`max-values-per-tag`",
        ),
    ] {
        let trouble = trouble(&response(400, &format!(r#"{{"error":"partial write: {words}"}}"#)));
        assert_eq!(trouble.kind, TroubleKind::Cardinality);
        assert!(trouble.why.contains(setting) && !trouble.why.contains("jane"), "{}", trouble.why);
    }
}

#[test]
fn a_400_from_something_else_costs_no_data() {
    for body in ["<html>400 Bad Request</html>", "", "[]", "{}", "null"] {
        assert_eq!(trouble(&response(400, body)).kind, TroubleKind::Misconfigured, "{body}");
    }
}
