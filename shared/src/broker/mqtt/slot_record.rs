//! The retained record of a slot: that a session of the group exists, and who owns it.

use serde::{Deserialize, Serialize};

use crate::timestamp::Timestamp;

/// What is retained on a slot's topic as long as its session lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SlotRecord {
    /// Who is connected as the slot; nobody when its writer has left or died.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<SlotOwner>,
    /// Since when.
    pub since: Timestamp,
    /// Counts the owners: a record with a lower number than one already seen is an old one.
    pub takeover: u64,
    /// Names the session, a ULID: another one means that the broker has lost the session which was
    /// there, and all that it kept for it. None in records of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Its owner gave it up on purpose: nobody will come back for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub released: bool,
}

/// A program that owns a slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SlotOwner {
    /// The program.
    pub process: String,
    /// Which one of them.
    pub instance: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_on_the_wire() {
        let owner = SlotOwner { process: "writer".to_owned(), instance: "a".to_owned() };
        let record = SlotRecord {
            owner: Some(owner),
            since: Timestamp::from_nanos(1_700_000_000_000_000_000),
            takeover: 0,
            session: None,
            released: false,
        };
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(
            text,
            r#"{"owner":{"process":"writer","instance":"a"},"since":"2023-11-14T22:13:20.000000000Z","takeover":0}"#
        );
        assert_eq!(serde_json::from_str::<SlotRecord>(&text).unwrap(), record);
        let left =
            SlotRecord { owner: None, session: Some("01JC".to_owned()), released: true, ..record };
        let text = serde_json::to_string(&left).unwrap();
        assert_eq!(
            text,
            r#"{"since":"2023-11-14T22:13:20.000000000Z","takeover":0,"session":"01JC","released":true}"#
        );
        assert_eq!(serde_json::from_str::<SlotRecord>(&text).unwrap(), left);
    }
}
