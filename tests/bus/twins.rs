//! Two collectors with one instance name, of two sites whose servers have the same names, too.
//!
//! Over MQTT they drive each other off the broker, since the name makes the client id. It is a mistake
//! and is said, but it costs no event, and none of one site takes the place of one of the other.

use integration_tests::influxd::Influxd;
use integration_tests::patience::eventually;
use integration_tests::programs::Running;

use crate::brokers::{MqttBroker, NatsBroker, SharedBroker};
use crate::site;

/// Enough for the two to meet at the broker again and again.
const ANSWERS: u64 = 12;

async fn twins_lose_nothing<B: SharedBroker>() -> [Running; 2] {
    let (mut broker, influxd) = (B::prepare(), Influxd::start().await);
    let sites = [site::start_like(1).await, site::start_like(2).await];
    broker.restart().await;
    let houses = [0, 1].map(|site| site::house(&sites[site], &influxd, &broker.section()));
    let mut writer = houses[0].writer("w");
    writer.start().await;
    writer.ready().await;
    let mut collectors = [0, 1].map(|house| houses[house].collector_called("twin"));
    for collector in &mut collectors {
        collector.start().await;
    }
    for site in &sites {
        site::serves(site, ANSWERS).await;
    }
    for site in &sites {
        site::everything_is_stored(site, &influxd).await;
    }
    collectors
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_nats_they_do_not_notice() {
    twins_lose_nothing::<NatsBroker>().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_mqtt_the_log_says_what_is_wrong() {
    let collectors = twins_lose_nothing::<MqttBroker>().await;
    let suspicion = "does another program use the client id qliksense-collector-twin";
    eventually("a word about the client id", || async {
        collectors.iter().any(|collector| collector.printed().contains(suspicion)).then_some(())
    })
    .await;
}
