//! The schemas of values that are texts on the wire.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::event::Category;
use crate::timestamp::Timestamp;

/// RFC 3339 in UTC; nine decimals are written, fewer are read as well.
const TIMESTAMP: &str = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?Z$";

impl JsonSchema for Timestamp {
    fn schema_name() -> Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A moment: RFC 3339 in UTC with nanoseconds.",
            "type": "string",
            "format": "date-time",
            "pattern": TIMESTAMP,
            "examples": ["2026-11-21T08:15:30.123456789Z"],
        })
    }
}

/// Every category that this version gives.
const CATEGORIES: [Category; 19] = [
    Category::TIMEOUT,
    Category::CONNECTION_REFUSED,
    Category::HOST_NOT_FOUND,
    Category::CONNECTION_RESET,
    Category::UNREACHABLE,
    Category::AUTH_ERROR,
    Category::NOT_FOUND,
    Category::RATE_LIMITED,
    Category::HTTP_5XX,
    Category::HTTP_4XX,
    Category::CERTIFICATE_ERROR,
    Category::CERTIFICATE_UNREADABLE,
    Category::UNEXPECTED_BODY,
    Category::DECODE,
    Category::TOO_LARGE,
    Category::SKIPPED,
    Category::INTERRUPTED,
    Category::OUTBOX_FULL,
    Category::UNKNOWN,
];

impl JsonSchema for Category {
    fn schema_name() -> Cow<'static, str> {
        "Category".into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        let known = CATEGORIES.map(|category| category.name().to_owned());
        json_schema!({
            "description": "The cause of a failed poll. There may be further ones one day: take \
                            what is not known for `unknown`.",
            "type": "string",
            "pattern": "^[a-z0-9_]+$",
            "examples": known,
        })
    }
}

#[test]
fn no_category_is_forgotten() {
    let source = include_str!("../event/failed_poll.rs");
    let known = source.matches("Self::known(\"").count();
    assert_eq!(known, CATEGORIES.len(), "name the new one in CATEGORIES here");
}
