//! Every role of NATS against every subject: on what it may publish, to what it may subscribe.

use std::sync::{Arc, Mutex};

use async_nats::{Client, ConnectOptions, Event};
use integration_tests::patience::eventually;
use shared::tls::client_config_of;

use super::shipped::Shipped;

const ROLES: [&str; 3] = ["collector", "writer", "subscriber"];

/// A subject, and the roles that may publish on it or subscribe to it.
type Row = (&'static str, &'static [&'static str]);

const COLLECTOR: &[&str] = &["collector"];
const WRITER: &[&str] = &["writer"];
const SUBSCRIBER: &[&str] = &["subscriber"];
const PROGRAMS: &[&str] = &["collector", "writer"];
const NOBODY: &[&str] = &[];

const PUBLISH: [Row; 58] = [
    ("qliksense.v1.health.sense1", COLLECTOR),
    ("qliksense.v1.sessions.sense1.default", COLLECTOR),
    ("qliksense.v1.app-names.sense1", COLLECTOR),
    ("qliksense.v1.failed-polls.sense1.health", COLLECTOR),
    ("qliksense.v1.heartbeats.collector.host", COLLECTOR),
    ("qliksense.v1.heartbeats.writer.host", WRITER),
    ("qliksense.v1.heartbeats.other.host", NOBODY),
    ("qliksense.v1.replay.health.sense1", WRITER),
    ("qliksense.v1.dead-letters.influxdb.event", WRITER),
    ("qliksense.v1.dead-letters.other.event", NOBODY),
    ("qliksense.v1.state.sense1", COLLECTOR),
    ("qliksense.v1.programs.writer.host", COLLECTOR),
    ("qliksense.v1.status.collector.host", COLLECTOR),
    ("qliksense.v1.status.footman.host", COLLECTOR),
    ("qliksense.v1.status.writer.host", NOBODY),
    ("homeassistant.device.sense1.config", COLLECTOR),
    ("homeassistant.status", &["collector", "subscriber"]),
    ("qliksense.v2.health.sense1", NOBODY),
    ("other.subject", NOBODY),
    // Answers to somebody's questions.
    ("_INBOX.collector.a.b", NOBODY),
    ("_INBOX.writer.a.b", NOBODY),
    ("_INBOX.subscriber.a.b", NOBODY),
    ("_INBOX.a.b", NOBODY),
    ("$JS.API.STREAM.INFO.QLIKSENSE", PROGRAMS),
    ("$JS.API.STREAM.INFO.QLIKSENSE_DEAD", PROGRAMS),
    ("$JS.API.STREAM.INFO.OTHER", NOBODY),
    ("$JS.API.STREAM.CREATE.QLIKSENSE", COLLECTOR),
    ("$JS.API.STREAM.CREATE.QLIKSENSE_DEAD", COLLECTOR),
    ("$JS.API.STREAM.CREATE.OTHER", NOBODY),
    ("$JS.API.STREAM.MSG.GET.QLIKSENSE", WRITER),
    ("$JS.API.STREAM.MSG.GET.QLIKSENSE_DEAD", WRITER),
    ("$JS.API.STREAM.PURGE.QLIKSENSE", NOBODY),
    ("$JS.API.STREAM.PURGE.QLIKSENSE_DEAD", WRITER),
    ("$JS.API.STREAM.UPDATE.QLIKSENSE", NOBODY),
    ("$JS.API.STREAM.UPDATE.QLIKSENSE_DEAD", NOBODY),
    ("$JS.API.STREAM.DELETE.QLIKSENSE", NOBODY),
    ("$JS.API.STREAM.DELETE.QLIKSENSE_DEAD", NOBODY),
    ("$JS.API.STREAM.MSG.DELETE.QLIKSENSE", NOBODY),
    ("$JS.API.STREAM.MSG.DELETE.QLIKSENSE_DEAD", NOBODY),
    ("$JS.API.STREAM.SNAPSHOT.QLIKSENSE", NOBODY),
    ("$JS.API.STREAM.RESTORE.QLIKSENSE", NOBODY),
    ("$JS.API.STREAM.NAMES", NOBODY),
    ("$JS.API.STREAM.LIST", NOBODY),
    ("$JS.API.DIRECT.GET.QLIKSENSE", NOBODY),
    ("$JS.API.INFO", NOBODY),
    ("$JS.API.CONSUMER.INFO.QLIKSENSE.influxdb", WRITER),
    ("$JS.API.CONSUMER.CREATE.QLIKSENSE.influxdb", WRITER),
    ("$JS.API.CONSUMER.MSG.NEXT.QLIKSENSE.influxdb", WRITER),
    ("$JS.ACK.QLIKSENSE.influxdb.1.1.1.1.0", WRITER),
    ("$JS.API.CONSUMER.CREATE.QLIKSENSE", NOBODY),
    ("$JS.API.CONSUMER.CREATE.QLIKSENSE.other", NOBODY),
    ("$JS.API.CONSUMER.CREATE.QLIKSENSE_DEAD.influxdb", NOBODY),
    ("$JS.API.CONSUMER.DURABLE.CREATE.QLIKSENSE.influxdb", NOBODY),
    ("$JS.API.CONSUMER.DELETE.QLIKSENSE.influxdb", NOBODY),
    ("$JS.API.CONSUMER.MSG.NEXT.QLIKSENSE.other", NOBODY),
    ("$JS.ACK.QLIKSENSE.other.1.1.1.1.0", NOBODY),
    ("$JS.API.CONSUMER.NAMES.QLIKSENSE", NOBODY),
    ("$MQTT.sub.a", NOBODY),
];

const EVENTS: &[&str] = SUBSCRIBER;

const SUBSCRIBE: [Row; 26] = [
    ("qliksense.v1.health.>", EVENTS),
    ("qliksense.v1.sessions.>", EVENTS),
    ("qliksense.v1.app-names.>", EVENTS),
    ("qliksense.v1.failed-polls.>", EVENTS),
    ("qliksense.v1.heartbeats.>", &["collector", "subscriber"]),
    ("qliksense.v1.state.>", &["collector", "subscriber"]),
    ("qliksense.v1.programs.>", &["collector", "subscriber"]),
    ("qliksense.v1.status.>", SUBSCRIBER),
    ("homeassistant.>", SUBSCRIBER),
    ("homeassistant.status", &["collector", "subscriber"]),
    ("qliksense.v1.dead-letters.>", NOBODY),
    ("qliksense.v1.replay.>", NOBODY),
    ("qliksense.v1.>", NOBODY),
    ("qliksense.>", NOBODY),
    (">", NOBODY),
    ("_INBOX.>", NOBODY),
    ("_INBOX.*.a.*", NOBODY),
    ("_INBOX.collector.>", COLLECTOR),
    ("_INBOX.writer.>", WRITER),
    ("$JS.>", NOBODY),
    ("$JS.ACK.>", NOBODY),
    ("$JS.API.>", NOBODY),
    ("$JS.EVENT.>", NOBODY),
    ("$SYS.>", NOBODY),
    ("$MQTT.sub.>", SUBSCRIBER),
    ("$MQTT.>", NOBODY),
];

/// A connection of a role, which remembers what the server refused.
pub(crate) struct Role {
    pub(crate) client: Client,
    refusals: Arc<Mutex<Vec<String>>>,
}

impl Role {
    pub(crate) async fn connect(
        shipped: &Shipped,
        user: &str,
        password: &str,
    ) -> Result<Self, async_nats::ConnectError> {
        let refusals = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&refusals);
        let client = ConnectOptions::new()
            .user_and_password(user.to_owned(), password.to_owned())
            .custom_inbox_prefix(format!("_INBOX.{user}"))
            .require_tls(true)
            .tls_client_config(client_config_of(&shipped.tls()).unwrap())
            .event_callback(move |event| {
                if let Event::ServerError(error) = event {
                    told.lock().unwrap().push(error.to_string());
                }
                std::future::ready(())
            })
            .connect(format!("tls://localhost:{}", shipped.tls_port))
            .await?;
        Ok(Self { client, refusals })
    }

    pub(crate) async fn of(shipped: &Shipped, role: &str) -> Self {
        Self::connect(shipped, role, shipped.password(role).expose()).await.unwrap()
    }

    /// Waits until the server has answered everything so far: it refuses in order, and this last.
    async fn fence(&self) {
        let fence = format!("fence.{}", ulid::Ulid::generate());
        self.client.publish(fence.clone(), "".into()).await.unwrap();
        eventually("the refusal of the fence", || async {
            self.refusals.lock().unwrap().iter().any(|words| words.contains(&fence)).then_some(())
        })
        .await;
    }

    fn was_refused(&self, what: &str, subject: &str) -> bool {
        let words = format!("permissions violation for {what} to \"{}\"", subject.to_lowercase());
        self.refusals.lock().unwrap().iter().any(|found| found.to_lowercase().contains(&words))
    }
}

/// What is not as the tables say.
pub(crate) async fn surprises(shipped: &Shipped) -> Vec<String> {
    let mut surprises = Vec::new();
    for name in ROLES {
        let role = Role::of(shipped, name).await;
        let mut subscriptions = Vec::new();
        for (subject, _) in SUBSCRIBE {
            subscriptions.push(role.client.subscribe(subject).await.unwrap());
        }
        for (subject, _) in PUBLISH {
            role.client.publish(subject, "".into()).await.unwrap();
        }
        role.fence().await;
        for (what, table) in [("subscription", &SUBSCRIBE[..]), ("publish", &PUBLISH[..])] {
            for (subject, roles) in table {
                let may = !role.was_refused(what, subject);
                if may != roles.contains(&name) {
                    surprises.push(format!("{name}, {what} to {subject}: {may}"));
                }
            }
        }
    }
    surprises
}
