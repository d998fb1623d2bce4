//! Payloads to events, in one pass where a payload is as Footman writes it.
//!
//! Elsewhere it takes two: the members of an event may come in any order, and only its type says
//! what its data is. Two passes also say what is wrong.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Error, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{DecodeError, Envelope, SPEC_VERSION, TYPE_PREFIX, TYPE_SUFFIX};
use crate::event::{BorrowedText, Event, Kind, Text};
use crate::timestamp::Timestamp;

impl Envelope {
    /// Decodes a payload.
    ///
    /// # Errors
    /// Bytes that are no event of this version.
    pub fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        read(payload)
    }
}

impl<'a> Envelope<BorrowedText<'a>> {
    /// Decodes a payload without copying its texts.
    ///
    /// # Errors
    /// As [`Envelope::decode`].
    pub fn borrow(payload: &'a [u8]) -> Result<Self, DecodeError> {
        read(payload)
    }
}

fn read<'de, S: Text + Deserialize<'de>>(payload: &'de [u8]) -> Result<Envelope<S>, DecodeError> {
    // Text that is known to be UTF-8 as a whole is read faster than its parts are looked at.
    let in_one_pass = std::str::from_utf8(payload).ok().map(serde_json::from_str::<InOnePass<S>>);
    match in_one_pass {
        Some(Ok(InOnePass(envelope))) => Ok(envelope),
        _ => in_two_passes(payload),
    }
}

/// The kind that a CloudEvents `type` names; none when it is not one of this version.
fn kind_of_type(name: &str) -> Option<Kind> {
    name.strip_prefix(TYPE_PREFIX)?.strip_suffix(TYPE_SUFFIX).and_then(Kind::from_name)
}

/// An envelope whose type came before its data.
struct InOnePass<S>(Envelope<S>);

impl<'de, S: Text + Deserialize<'de>> Deserialize<'de> for InOnePass<S> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members(PhantomData)).map(Self)
    }
}

struct Members<S>(PhantomData<S>);

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Member {
    SpecVersion,
    Id,
    Source,
    Type,
    Subject,
    Time,
    Sequence,
    Epoch,
    Data,
    #[serde(other)]
    Other,
}

impl<'de, S: Text + Deserialize<'de>> Visitor<'de> for Members<S> {
    type Value = Envelope<S>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut version, mut kind) = (None::<BorrowedText<'de>>, None);
        let (mut id, mut source, mut subject, mut time) = (None, None, None, None);
        let (mut sequence, mut epoch) = (None::<Option<BorrowedText<'de>>>, None);
        let mut event = None;
        while let Some(member) = map.next_key()? {
            match member {
                Member::SpecVersion => once(&mut version, map.next_value()?)?,
                Member::Id => once(&mut id, map.next_value()?)?,
                Member::Source => once(&mut source, map.next_value()?)?,
                Member::Type => {
                    let name: BorrowedText<'de> = map.next_value()?;
                    once(&mut kind, kind_of_type(name.as_ref()).ok_or_else(apart)?)?;
                }
                Member::Subject => once(&mut subject, map.next_value()?)?,
                Member::Time => once(&mut time, map.next_value()?)?,
                Member::Sequence => once(&mut sequence, map.next_value()?)?,
                Member::Epoch => once(&mut epoch, map.next_value()?)?,
                Member::Data => once(&mut event, data(kind.ok_or_else(apart)?, &mut map)?)?,
                Member::Other => {
                    let _ignored: IgnoredAny = map.next_value()?;
                }
            }
        }
        if version.is_none_or(|version| version.as_ref() != SPEC_VERSION) {
            return Err(apart());
        }
        Ok(Envelope {
            id: id.ok_or_else(apart)?,
            source: source.ok_or_else(apart)?,
            subject: subject.unwrap_or_default(),
            time: time.ok_or_else(apart)?,
            sequence: sequence.flatten().and_then(|digits| digits.as_ref().parse().ok()),
            epoch: epoch.flatten(),
            event: event.ok_or_else(apart)?,
        })
    }
}

fn data<'de, S: Text + Deserialize<'de>, A: MapAccess<'de>>(
    kind: Kind,
    map: &mut A,
) -> Result<Event<S>, A::Error> {
    Ok(match kind {
        Kind::Health => Event::Health(map.next_value()?),
        Kind::Sessions => Event::Sessions(map.next_value()?),
        Kind::AppNames => Event::AppNames(map.next_value()?),
        Kind::FailedPolls => Event::FailedPoll(map.next_value()?),
        Kind::Heartbeats => Event::Heartbeat(map.next_value()?),
    })
}

fn once<T, E: Error>(place: &mut Option<T>, value: T) -> Result<(), E> {
    if place.replace(value).is_some() { Err(apart()) } else { Ok(()) }
}

/// Why one pass is not enough: two find out what is wrong, if anything is.
fn apart<E: Error>() -> E {
    E::custom("not as Footman writes it")
}

#[derive(Deserialize)]
#[serde(bound = "S: Text + Deserialize<'de>")]
struct Read<'a, S> {
    #[serde(borrow)]
    specversion: Cow<'a, str>,
    id: S,
    source: S,
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(default)]
    subject: S,
    time: Timestamp,
    #[serde(borrow, default)]
    sequence: Option<Cow<'a, str>>,
    #[serde(default)]
    epoch: Option<S>,
    #[serde(borrow)]
    data: &'a RawValue,
}

fn in_two_passes<'de, S: Text + Deserialize<'de>>(
    payload: &'de [u8],
) -> Result<Envelope<S>, DecodeError> {
    let read: Read<'de, S> = serde_json::from_slice(payload).map_err(DecodeError::NotAnEvent)?;
    let kind = kind_of_type(&read.kind)
        .ok_or_else(|| DecodeError::UnknownType { found: read.kind.clone().into_owned() })?;
    if read.specversion != SPEC_VERSION {
        return Err(DecodeError::UnknownVersion { found: read.specversion.into_owned() });
    }
    let text = read.data.get();
    let event = match kind {
        Kind::Health => serde_json::from_str(text).map(Event::Health),
        Kind::Sessions => serde_json::from_str(text).map(Event::Sessions),
        Kind::AppNames => serde_json::from_str(text).map(Event::AppNames),
        Kind::FailedPolls => serde_json::from_str(text).map(Event::FailedPoll),
        Kind::Heartbeats => serde_json::from_str(text).map(Event::Heartbeat),
    };
    Ok(Envelope {
        event: event.map_err(|source| DecodeError::BadData { kind: kind.name(), source })?,
        id: read.id,
        source: read.source,
        subject: read.subject,
        time: read.time,
        sequence: read.sequence.and_then(|digits| digits.parse().ok()),
        epoch: read.epoch,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A payload as Footman writes it, and an example of each kind.
    fn payloads() -> Vec<Value> {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/contract");
        let examples = std::fs::read_dir(folder.join("examples")).unwrap();
        let read = examples.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
        let values = read.map(|text| serde_json::from_str::<Value>(&text).unwrap());
        values.filter(|value| value.get("specversion").is_some()).collect()
    }

    fn one_pass(payload: &str) -> Option<Envelope<BorrowedText<'_>>> {
        serde_json::from_str::<InOnePass<_>>(payload).ok().map(|InOnePass(envelope)| envelope)
    }

    #[test]
    fn one_pass_and_two_read_the_same() {
        let payloads = payloads();
        assert!(payloads.len() > Kind::ALL.len());
        for payload in payloads {
            // With the type last, as sorted names come.
            let sorted = payload.to_string();
            let data = payload["data"].to_string();
            let mut without = payload.clone();
            without.as_object_mut().unwrap().remove("data");
            let open = without.to_string();
            let as_written = format!("{},\"data\":{data}}}", open.strip_suffix('}').unwrap());
            let in_one = one_pass(&as_written).unwrap();
            assert_eq!(in_one, in_two_passes(as_written.as_bytes()).unwrap());
            assert_eq!(one_pass(&sorted), None);
            assert_eq!(in_one, Envelope::borrow(sorted.as_bytes()).unwrap());
        }
    }

    #[test]
    fn what_one_pass_refuses_is_named_by_two() {
        let whole = |members: Value| {
            let mut event = json!({
                "specversion": "1.0", "id": "1", "source": "/x", "subject": "s",
                "type": "qliksense.app-names.v1", "time": "2026-11-21T08:15:30Z",
            });
            event.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
            let data = r#"{"repository":"q","poll":{"scheduled":"2026-11-21T08:15:30Z",
                "durationMs":1,"intervalMs":1},"part":1,"parts":1,"full":true,"apps":[]}"#;
            format!("{},\"data\":{data}}}", event.to_string().strip_suffix('}').unwrap())
        };
        let right = whole(json!({"sequence": null, "later": [{}]}));
        assert!(one_pass(&right).is_some_and(|event| event.sequence.is_none()));
        let error = |payload: &str| {
            assert_eq!(one_pass(payload), None, "{payload}");
            Envelope::decode(payload.as_bytes()).unwrap_err()
        };
        let version = error(&whole(json!({"specversion": "2.0"})));
        assert!(matches!(version, DecodeError::UnknownVersion { .. }));
        let unknown = error(&whole(json!({"type": "qliksense.weather.v1"})));
        assert!(matches!(unknown, DecodeError::UnknownType { .. }));
        for wrong in [json!({"id": null}), json!({"time": "noon"}), json!({"source": 7})] {
            assert!(matches!(error(&whole(wrong)), DecodeError::NotAnEvent(_)));
        }
        let twice = right.replacen('{', "{\"id\":\"2\",", 1);
        assert!(matches!(error(&twice), DecodeError::NotAnEvent(_)));
        let bad = error(&right.replace("\"parts\":1", "\"parts\":-1"));
        assert!(matches!(bad, DecodeError::BadData { kind: "app-names", .. }));
        let mut latin = right.into_bytes();
        let at = latin.iter().position(|byte| *byte == b's').unwrap();
        latin[at] = 0xe4;
        assert!(matches!(Envelope::decode(&latin), Err(DecodeError::NotAnEvent(_))));
    }
}
