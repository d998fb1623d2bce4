//! mosquitto with the shipped files.

use super::mosquitto_roles::{Client, Rule, surprises};
use super::shipped::Shipped;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_role_reads_and_publishes_what_is_its_own() {
    let shipped = Shipped::new();
    let _mosquitto = shipped.mosquitto("mosquitto.conf").await;
    assert_eq!(surprises(&shipped, Rule::Delivery).await, Vec::<String>::new());
    // As its head says: the access list is not asked.
    let mut subscriber = Client::of(&shipped, "subscriber").await;
    assert!(subscriber.subscribe("$share/influxdb/qliksense/v1/health/#").await);

    for (user, password) in [("subscriber", ""), ("subscriber", "wrong"), ("nobody", "wrong")] {
        assert!(Client::connect(&shipped, user, password).await.is_err(), "{user}");
    }
    let another = shipped.password("writer");
    assert!(Client::connect(&shipped, "collector", another.expose()).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strict_also_subscribes_and_consumes_what_is_its_own() {
    let shipped = Shipped::new();
    let _mosquitto = shipped.mosquitto("mosquitto-strict.conf").await;
    assert_eq!(surprises(&shipped, Rule::Subscription).await, Vec::<String>::new());
    for role in ["collector", "subscriber"] {
        let mut client = Client::of(&shipped, role).await;
        for filter in [
            "$share/influxdb/qliksense/v1/health/#",
            "$share/influxdb/#",
            "$share/another/qliksense/v1/health/+",
            "#",
            "qliksense/#",
            "qliksense/v1/dead-letters/#",
        ] {
            assert!(!client.subscribe(filter).await, "{role} {filter}");
        }
    }
    let mut writer = Client::of(&shipped, "writer").await;
    assert!(!writer.subscribe("$share/another/qliksense/v1/health/#").await);
    assert!(Client::connect(&shipped, "writer", "wrong").await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_right_too_many_is_found() {
    for (shipped_line, loose) in [
        ("topic write homeassistant/status", "topic write qliksense/v1/health/#"),
        ("topic read qliksense/v1/status/#", "topic read qliksense/v1/#"),
        ("topic read homeassistant/status", "topic read qliksense/v1/dead-letters/#"),
    ] {
        let shipped = Shipped::edited(|_name, text| text.replace(shipped_line, loose));
        let _mosquitto = shipped.mosquitto("mosquitto.conf").await;
        assert_ne!(surprises(&shipped, Rule::Delivery).await, Vec::<String>::new(), "{loose}");
    }
}
