//! The retained record of a member: a writer of the group that is there, whether it owns slots or
//! not.

use serde::{Deserialize, Serialize};

use super::slot_record::SlotOwner;
use crate::subject::Token;

/// What a member publishes again and again as long as it is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct MemberRecord {
    /// Who it is.
    #[serde(flatten)]
    pub(super) who: SlotOwner,
    /// Unlike that of any other start of any program, a ULID: tells two programs of the same name
    /// apart.
    pub(super) start: String,
    /// How many slots it is configured for.
    pub(super) slots: u16,
    /// Rises with each publication: a record that does not change is that of a member which is gone.
    pub(super) beat: u64,
}

/// What a member is called among the others; one level of a topic.
pub(super) fn member_name(who: &SlotOwner) -> String {
    format!("{}-{}", Token::new(&who.process), Token::new(&who.instance))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_on_the_wire() {
        let who = SlotOwner { process: "writer".to_owned(), instance: "host.a".to_owned() };
        assert_eq!(member_name(&who), "writer-host%2Ea");
        let record = MemberRecord { who, start: "01JC".to_owned(), slots: 4, beat: 7 };
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(
            text,
            r#"{"process":"writer","instance":"host.a","start":"01JC","slots":4,"beat":7}"#
        );
        assert_eq!(serde_json::from_str::<MemberRecord>(&text).unwrap(), record);
    }
}
