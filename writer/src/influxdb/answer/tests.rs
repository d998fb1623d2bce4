use super::*;

const ADDRESS: &str = "http://i:8086";

fn response(status: u16, body: &str) -> Response {
    Response { status, body: body.as_bytes().to_vec(), ..Response::default() }
}

fn understood(response: &Response) -> Answer {
    let now = Timestamp::parse("2026-11-21T08:15:30Z").unwrap();
    answer(Version::V1, ADDRESS, response, now)
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
