//! The retained record of a slot: that a session of the group exists, and who owns it.

use serde::{Deserialize, Serialize};

use crate::timestamp::Timestamp;

/// What is retained on a slot's topic as long as its session lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SlotRecord {
    /// Who is connected as the slot; nobody when its writer has left or died.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<SlotOwner>,
    /// Since when.
    pub since: Timestamp,
    /// Counts the owners: a record with a lower number than one already seen is an old one.
    pub takeover: u64,
}

/// A program that owns a slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
        let since = Timestamp::from_nanos(1_700_000_000_000_000_000);
        let record = SlotRecord { owner: Some(owner), since, takeover: 0 };
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(
            text,
            r#"{"owner":{"process":"writer","instance":"a"},"since":"2023-11-14T22:13:20.000000000Z","takeover":0}"#
        );
        assert_eq!(serde_json::from_str::<SlotRecord>(&text).unwrap(), record);
    }
}
