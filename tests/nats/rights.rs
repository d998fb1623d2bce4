//! Users, passwords and what they may do.

use integration_tests::nats::NatsServer;
use shared::broker::PublishError;

use crate::house::{Program, names, outgoing, receive_all, timing};

const USERS: &str = r#"
authorization {
  users = [
    { user: setup, password: "setup secret" }
    { user: collector, password: "collector secret", permissions: {
      publish: [ "qliksense.v1.health.>" ]
      subscribe: [ "_INBOX.>" ] } }
    { user: writer, password: "writer secret", permissions: {
      publish: [ "$JS.API.CONSUMER.MSG.NEXT.QLIKSENSE.influxdb", "$JS.ACK.QLIKSENSE.influxdb.>" ]
      subscribe: [ "_INBOX.>" ] } }
  ]
}
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_said_and_never_shown() {
    let server = NatsServer::start_with(USERS).await;
    let program = Program::with(&server.config_of("setup", "WRONG-MARKER"), timing()).await;
    let why = program.is_missing(&["127.0.0.1", "broker.nats.password"]).await;
    let shown = format!("{why} {:?}", program.nats);
    assert!(!shown.contains("WRONG-MARKER"), "{shown}");
    let error = program.nats.publisher().publish(outgoing("a")).await.unwrap_err();
    assert!(matches!(error, PublishError::Unavailable { .. }), "{error}");

    Program::with(&server.config_of("setup", "setup secret"), timing()).await.is_ready().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_with_few_rights_go_on_with_what_exists() {
    let server = NatsServer::start_with(USERS).await;
    let setup = Program::with(&server.config_of("setup", "setup secret"), timing()).await;
    setup.is_ready().await;
    let mut first = setup.consumer();
    setup.publish(&names("setup", 1)).await;
    receive_all(&mut *first, &names("setup", 1)).await;
    first.close().await.unwrap();
    drop(setup);

    let config = server.config_of("collector", "collector secret");
    let collector = Program::with(&config, timing()).await;
    collector.is_ready().await;
    let writer = Program::with(&server.config_of("writer", "writer secret"), timing()).await;
    let mut consumer = writer.consumer();
    let events = names("event", 50);
    collector.publish(&events).await;
    let counts = receive_all(&mut *consumer, &events).await;
    assert!(counts.values().all(|count| *count == 1), "{counts:?}");
    consumer.close().await.unwrap();

    // What a user may not publish is said with the subject.
    let mut forbidden = outgoing("a");
    forbidden.subject = shared::subject::Subject::heartbeats("qliksense", "collector", "a");
    let error = collector.nats.publisher().publish(forbidden).await.unwrap_err();
    assert!(error.to_string().contains("qliksense.v1.heartbeats.collector.a"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_create_says_what_is_missing() {
    let users = USERS.replace(
        r#"publish: [ "qliksense.v1.health.>" ]"#,
        r#"publish: [ "qliksense.v1.health.>", "$JS.API.STREAM.INFO.>" ]"#,
    );
    let server = NatsServer::start_with(&users).await;
    let config = server.config_of("collector", "collector secret");
    let collector = Program::with(&config, timing()).await;
    collector.is_missing(&["QLIKSENSE does not exist", "$JS.API.STREAM.CREATE"]).await;
    let setup = Program::with(&server.config_of("setup", "setup secret"), timing()).await;
    setup.is_ready().await;
    collector.is_ready().await;
    collector.publish(&names("event", 3)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_hear_the_answers_says_so() {
    let users = USERS.replace("_INBOX.>", "_INBOX.elsewhere.>");
    let server = NatsServer::start_with(&users).await;
    let config = server.config_of("collector", "collector secret");
    let collector = Program::with(&config, timing()).await;
    let words = ["broker.nats.username", "may not subscribe to _INBOX.collector.>"];
    collector.is_missing(&words).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_ask_for_deliveries_or_ack_them_says_so() {
    for (missing, words) in [
        (r#""$JS.API.CONSUMER.MSG.NEXT.QLIKSENSE.influxdb","#, "MSG.NEXT.QLIKSENSE.influxdb"),
        (r#", "$JS.ACK.QLIKSENSE.influxdb.>""#, "$JS.ACK.QLIKSENSE.influxdb.>"),
    ] {
        let users = USERS.replace(missing, "");
        assert_ne!(users, USERS);
        let server = NatsServer::start_with(&users).await;
        let setup = Program::with(&server.config_of("setup", "setup secret"), timing()).await;
        setup.is_ready().await;
        // It is there and has work, whoever may ask for it.
        let mut first = setup.consumer();
        setup.publish(&names("setup", 1)).await;
        receive_all(&mut *first, &names("setup", 1)).await;
        first.close().await.unwrap();
        setup.publish(&names("event", 1)).await;
        let writer = Program::with(&server.config_of("writer", "writer secret"), timing()).await;
        let mut consumer = writer.consumer();
        if words.contains("ACK") {
            let delivered = consumer.receive(1).await.unwrap();
            consumer.ack(&[delivered[0].tag]).await.unwrap();
            writer.is_missing(&["may not publish on", words]).await;
        } else {
            // As the caller does that wants deliveries.
            let words = ["may not publish on", words];
            let refused = writer.is_missing(&words);
            tokio::select! {
                _none = consumer.receive(1) => panic!("it was delivered"),
                _why = refused => {}
            }
        }
    }
}
