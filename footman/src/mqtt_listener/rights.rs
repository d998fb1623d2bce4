//! Who may publish what at the embedded broker: this program everything, everybody else the birth
//! and will of Home Assistant. What is refused ends no connection.

use async_trait::async_trait;
use rmqtt::hook::{Handler, HookResult, Parameter, ReturnType};
use rmqtt::session::Session;
use rmqtt::types::{Publish, PublishAclResult};
use shared::secret::Secret;

/// Where a message goes that its client may not publish. Wills are not asked about, only shown
/// before they are published, so they are led where nobody is: filters with wildcards leave topics
/// with `$` out.
const NOWHERE: &str = "$refused";
/// The longest birth: it is one word.
const LONGEST_BIRTH: usize = 64;

/// The rights of clients.
#[derive(Clone, Debug)]
pub(super) struct Rights {
    own: Secret,
    birth: Option<String>,
}

impl Rights {
    /// Clients with this password may publish anything, others to the topic `birth` alone.
    pub(super) fn new(own: Secret, birth: Option<String>) -> Self {
        Self { own, birth }
    }

    fn allow(&self, session: &Session, publish: &Publish) -> bool {
        self.is_own(session) || self.is_birth(&publish.topic, publish.payload.len())
    }

    fn is_own(&self, session: &Session) -> bool {
        session.password().is_some_and(|password| password[..] == *self.own.expose().as_bytes())
    }

    fn is_birth(&self, topic: &str, bytes: usize) -> bool {
        bytes <= LONGEST_BIRTH && self.birth.as_deref() == Some(topic)
    }
}

#[async_trait]
#[expect(elided_lifetimes_in_paths, reason = "the trait's own signature elides it")]
impl Handler for Rights {
    async fn hook(&self, parameter: &Parameter, before: Option<HookResult>) -> ReturnType {
        match parameter {
            Parameter::MessagePublishCheckAcl(session, publish) => {
                let result = if self.allow(session, publish) {
                    PublishAclResult::allow()
                } else {
                    PublishAclResult::rejected(false, Some("this broker is for subscribers".into()))
                };
                (false, Some(HookResult::PublishAclResult(result)))
            }
            Parameter::MessagePublish(Some(session), _, publish) if !self.is_own(session) => {
                let mut changed = (*publish).clone();
                // What others say is never kept for those who come later.
                changed.retain = false;
                if !self.allow(session, publish) {
                    changed.topic = NOWHERE.into();
                }
                (true, Some(HookResult::Publish(changed)))
            }
            _ => (true, before),
        }
    }
}
