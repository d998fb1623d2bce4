//! Events for machines: unchanged, one to a line. Pure.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;
use serde_json::value::RawValue;
use shared::broker::Published;
use shared::envelope::DecodeError;

use super::words;

/// An event on one line. Inside strings, valid JSON has no line breaks, so taking them away changes
/// nothing; nor do escapes in the place of characters that a terminal obeys.
pub(super) fn event(payload: &[u8]) -> String {
    let text = String::from_utf8_lossy(payload);
    let mut line = String::with_capacity(text.len() + 1);
    for character in text.chars() {
        match character {
            '\n' | '\r' | '\t' => line.push(' '),
            // Below U+0020 there is nothing else outside of escapes, so these are in strings.
            other if other.is_control() => {
                // Writing to a String cannot fail.
                let _written = write!(line, "\\u{:04x}", u32::from(other));
            }
            other => line.push(other),
        }
    }
    line.push('\n');
    line
}

/// What cannot be decoded, as JSON that cannot be taken for an event.
pub(super) fn undecodable(published: &Published, error: &DecodeError) -> String {
    #[derive(Serialize)]
    struct Line<'a> {
        undecodable: Undecodable<'a>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Undecodable<'a> {
        subject: &'a str,
        why: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        payload: Option<&'a RawValue>,
        #[serde(skip_serializing_if = "Option::is_none")]
        payload_base64: Option<String>,
    }
    let json: Option<&RawValue> = serde_json::from_slice(&published.payload).ok();
    let undecodable = Undecodable {
        subject: published.subject.as_topic(),
        why: words::undecodable(error),
        payload: json,
        payload_base64: json.is_none().then(|| BASE64_STANDARD.encode(&published.payload)),
    };
    // Of strings and what is JSON already, nothing can fail.
    let line = serde_json::to_string(&Line { undecodable }).unwrap_or_default();
    event(line.as_bytes())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use shared::envelope::Envelope;
    use shared::subject::Subject;

    use super::*;

    #[test]
    fn an_event_is_one_line_and_the_same_event() {
        let payload = "{\n\t\"a\": \"b\u{9b}31m\u{7f}\\n\",\r\n \"n\": 12345678901234567890.0 }";
        let line = event(payload.as_bytes());
        assert!(line.ends_with("}\n") && line.trim_end().lines().count() == 1, "{line}");
        assert!(!line.trim_end().chars().any(char::is_control), "{line}");
        assert!(line.contains("12345678901234567890.0"), "{line}");
        let [before, after]: [Value; 2] =
            [payload, &line].map(|text| serde_json::from_str(text).unwrap());
        assert_eq!(before, after);
    }

    #[test]
    fn what_cannot_be_decoded_is_still_json() {
        for (payload, pointer, shown) in [
            (&b"{\"a\": [1,\n2]}"[..], "/undecodable/payload", "{\"a\":[1,2]}"),
            (b"\xff\x1b[2J", "/undecodable/payloadBase64", "\"/xtbMko=\""),
            (b"", "/undecodable/payloadBase64", "\"\""),
        ] {
            let subject = Subject::from_neutral("p/v1/health/\u{1b}x".to_owned());
            let published = Published { subject, payload: payload.to_vec().into() };
            let error = Envelope::decode(payload).unwrap_err();
            let line = undecodable(&published, &error);
            let json: Value = serde_json::from_str(&line).unwrap();
            assert_eq!(json.pointer(pointer).unwrap().to_string(), shown);
            assert_eq!(json["undecodable"]["subject"], "p/v1/health/\u{1b}x");
            assert!(json["undecodable"]["why"].as_str().unwrap().contains("no CloudEvents"));
            assert!(!line.trim_end().chars().any(char::is_control), "{line}");
        }
    }
}
