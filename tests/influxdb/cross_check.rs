//! The encoder against that of `influxdb2` 0.5.2: what the two write means the same, apart from the
//! cases that are the reason for an encoder of our own, each of which is shown here.

use std::collections::BTreeMap;

use influxdb2::models::{DataPoint, FieldValue as Theirs, WriteDataPoint as _};
use integration_tests::strict_influxdb::line_protocol::{Line, Value, parse};
use integration_tests::strict_influxdb::{Strict, version2::Bucket};
use shared::timestamp::Timestamp;
use writer::line_protocol::Lines;
use writer::point::{FieldValue, Point, Tags};

use crate::running::{BUCKET, ORG, TOKEN, strict2};

const TIME: i64 = 1_795_248_930_123_456_789;

/// Tags and fields of a point of the measurement `apps, loaded`.
struct Case<'a> {
    tags: &'a [(&'a str, &'a str)],
    fields: Vec<(&'static str, Theirs)>,
}

fn text(value: &str) -> Case<'_> {
    Case { tags: &[("host", "h")], fields: vec![("f", Theirs::from(value))] }
}

fn tag<'a>(tags: &'a [(&'a str, &'a str)]) -> Case<'a> {
    Case { tags, fields: vec![("f", Theirs::from(true))] }
}

/// The case as a line of ours, twice: a line that goes wrong may swallow the next one.
fn ours(case: &Case<'_>) -> Vec<Result<Line, String>> {
    let mut tags = Tags::new();
    for (name, value) in case.tags {
        tags.set(name, value);
    }
    let tags = tags.encode();
    let mut point = Point::new("apps, loaded", &tags, Timestamp::from_nanos(TIME));
    for (name, value) in &case.fields {
        let value = match value {
            Theirs::Bool(value) => FieldValue::Bool(*value),
            Theirs::F64(value) => FieldValue::Float(*value),
            Theirs::I64(value) => FieldValue::Int(*value),
            Theirs::String(value) => FieldValue::text(&**value),
        };
        point = point.with(name, Some(value));
    }
    let mut lines = Lines::default();
    lines.push(&point);
    lines.push(&point);
    parse(std::str::from_utf8(lines.body()).unwrap())
}

/// The case as a line of theirs, twice.
fn theirs(case: &Case<'_>) -> Vec<Result<Line, String>> {
    let mut point = DataPoint::builder("apps, loaded").timestamp(TIME);
    for (name, value) in case.tags {
        point = point.tag(*name, *value);
    }
    for (name, value) in &case.fields {
        point = point.field(*name, value.clone());
    }
    let point = point.build().unwrap();
    let mut body = Vec::new();
    point.write_data_point_to(&mut body).unwrap();
    point.write_data_point_to(&mut body).unwrap();
    parse(std::str::from_utf8(&body).unwrap())
}

/// What a line says.
type Meaning = (BTreeMap<String, String>, BTreeMap<String, Value>);

/// What both lines say; none when they are not two good lines.
fn meaning(lines: &[Result<Line, String>]) -> Option<Meaning> {
    let [Ok(first), Ok(second)] = lines else {
        return None;
    };
    assert_eq!(first, second);
    assert_eq!((&*first.measurement, first.timestamp), ("apps, loaded", Some(TIME)));
    Some((first.tags.clone(), first.fields.clone()))
}

/// What the line of ours says, which is always good.
fn said(case: &Case<'_>) -> Meaning {
    meaning(&ours(case)).unwrap_or_else(|| panic!("{:?}", ours(case)))
}

fn text_of(meaning: &Meaning) -> &str {
    match &meaning.1["f"] {
        Value::Text(text) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn representative_points_mean_the_same() {
    let tags = [
        ("host", "sense1.corp.com"),
        ("server name", "sense 1, \"the\" first"),
        ("a=b", "Central=node"),
        ("path", "C:\\Qlik\\Apps"),
        ("ümlaut", "Crabs 🦀"),
    ];
    let mut cases = vec![Case {
        tags: &tags,
        fields: vec![
            ("calls", Theirs::from(12_345_i64)),
            ("lowest", Theirs::from(i64::MIN)),
            ("highest", Theirs::from(i64::MAX)),
            ("cpu total", Theirs::from(12.7)),
            ("whole", Theirs::from(7.0)),
            ("tiny", Theirs::from(1.5e-300)),
            ("huge", Theirs::from(-2e300)),
            ("saturated", Theirs::from(true)),
            ("honest", Theirs::from(false)),
        ],
    }];
    for value in ["", "plain", "a \"quoted\" one", "x,y=z", "CORP\\jane", "two\nlines", "🦀", "#"]
    {
        cases.push(text(value));
    }
    for case in &cases {
        assert_eq!(Some(said(case)), meaning(&theirs(case)));
    }
}

/// Paths of Windows folders end so: the next line is taken for a part of the text.
#[test]
fn it_swallows_the_line_after_a_text_that_ends_in_a_backslash() {
    for value in ["C:\\Apps\\Qlik\\", "end\\"] {
        let case = text(value);
        assert_eq!(meaning(&theirs(&case)), None);
        assert_eq!(text_of(&said(&case)), value);
    }
}

#[test]
fn it_ends_a_text_at_a_quote_after_a_backslash() {
    let case = text("a\\\"b");
    assert_eq!(meaning(&theirs(&case)), None);
    assert_eq!(text_of(&said(&case)), "a\\\"b");
}

/// Names of shares begin so. Nobody is told.
#[test]
fn it_loses_one_of_two_backslashes() {
    let case = text("\\\\server\\share");
    assert_eq!(text_of(&meaning(&theirs(&case)).unwrap()), "\\server\\share");
    assert_eq!(text_of(&said(&case)), "\\\\server\\share");
}

#[test]
fn it_writes_tags_that_break_the_line() {
    for (value, kept) in [("two\nlines", Some("two\\nlines")), ("", None), ("end\\", Some("end"))] {
        let tags = [("host", "h"), ("t", value)];
        let case = tag(&tags);
        assert_eq!(meaning(&theirs(&case)), None, "{value:?}");
        assert_eq!(said(&case).0.get("t").map(String::as_str), kept);
    }
}

/// The counters of 2.x are unsigned.
#[test]
fn it_knows_no_unsigned_integers() {
    let counter = 12_345_u64;
    let nearest = match Theirs::from(i64::try_from(counter).unwrap()) {
        // There is no other variant.
        Theirs::Bool(_) | Theirs::F64(_) | Theirs::String(_) => panic!("an integer"),
        Theirs::I64(value) => value,
    };
    let case = Case { tags: &[("host", "h")], fields: vec![("f", Theirs::from(nearest))] };
    assert_eq!(meaning(&theirs(&case)).unwrap().1["f"].kind(), "integer");
    let tags = Tags::new().encode();
    let mut lines = Lines::default();
    let point = Point::new("apps", &tags, Timestamp::from_nanos(TIME));
    lines.push(&point.with("calls", Some(FieldValue::UInt(u64::MAX))));
    let lines = parse(std::str::from_utf8(lines.body()).unwrap());
    assert_eq!(lines[0].as_ref().unwrap().fields["calls"], Value::Unsigned(u64::MAX));
}

#[test]
fn it_writes_numbers_that_are_none() {
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let fields = vec![("f", Theirs::from(value)), ("g", Theirs::from(1.5))];
        let case = Case { tags: &[("host", "h")], fields };
        assert_eq!(meaning(&theirs(&case)), None, "{value}");
        assert_eq!(said(&case).1.keys().collect::<Vec<_>>(), ["g"]);
    }
}

/// A plain body is not what a writer promises, so that the stand-in complains.
#[tokio::test]
async fn it_sends_lines_without_compression() {
    let server = Strict::start(strict2().with_bucket(BUCKET, Bucket::default())).await;
    let client = influxdb2::Client::new(server.url(), ORG, TOKEN);
    let line = format!("apps,host=h calls=1i {TIME}\n");
    assert!(client.write_line_protocol(ORG, BUCKET, line).await.is_err());
    let violations = server.violations();
    assert_eq!(violations.len(), 1);
}
