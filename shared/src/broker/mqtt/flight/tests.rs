use std::sync::Arc;

use rumqttc::v5::mqttbytes::v5::{ConnAckProperties, ConnectReturnCode};
use rumqttc::v5::{EventLoop, MqttOptions};

use super::*;

/// A flight over a connection whose broker said these limits; nothing is ever really sent.
fn flight(receive_max: u16, max_packet_size: Option<u32>) -> (Arc<Flight>, EventLoop) {
    let (client, event_loop) = AsyncClient::new(MqttOptions::new("id", "nowhere", 1), 100);
    let properties = ConnAckProperties {
        receive_max: Some(receive_max),
        max_packet_size,
        session_expiry_interval: None,
        max_qos: None,
        retain_available: None,
        assigned_client_identifier: None,
        topic_alias_max: None,
        reason_string: None,
        user_properties: vec![],
        wildcard_subscription_available: None,
        subscription_identifiers_available: None,
        shared_subscription_available: None,
        server_keep_alive: None,
        response_information: None,
        server_reference: None,
        authentication_method: None,
        authentication_data: None,
    };
    let code = ConnectReturnCode::Success;
    let connack = ConnAck { session_present: false, code, properties: Some(properties) };
    (Arc::new(Flight::new(client, &connack)), event_loop)
}

fn publication(bytes: usize) -> Publication {
    Publication::new("t".to_owned(), vec![0; bytes].into())
}

/// Publishes without waiting, as several tasks do; in the order of the calls.
async fn begin(flight: &Arc<Flight>, bytes: usize) -> tokio::task::JoinHandle<Answer> {
    let flight = Arc::clone(flight);
    let task = tokio::spawn(async move { flight.publish(publication(bytes)).await });
    tokio::task::yield_now().await;
    task
}

fn sent(flight: &Flight, packet_id: u16) {
    flight.observe(&Event::Outgoing(Sent::Publish(packet_id))).unwrap();
}

fn puback(flight: &Flight, packet_id: u16) {
    flight.observe(&Event::Incoming(Packet::PubAck(PubAck::new(packet_id, None)))).unwrap();
}

#[tokio::test]
async fn each_publish_has_its_own_confirmation() {
    let (flight, _event_loop) = flight(10, None);
    let first = begin(&flight, 1).await;
    let second = begin(&flight, 1).await;
    sent(&flight, 1);
    sent(&flight, 2);
    puback(&flight, 2);
    assert_eq!(second.await.unwrap().unwrap(), PubAckReason::Success);
    assert!(!first.is_finished());
    puback(&flight, 1);
    first.await.unwrap().unwrap();
}

#[tokio::test]
async fn the_span_of_unconfirmed_publishes_stays_within_the_broker_s_limit() {
    let (flight, event_loop) = flight(3, None);
    let mut tasks = Vec::new();
    for _ in 0..5 {
        tasks.push(begin(&flight, 1).await);
    }
    assert_eq!(flight.lock().queued.len(), 3);
    (1..=3).for_each(|packet_id| sent(&flight, packet_id));
    // Two of three are confirmed, but the oldest holds its packet id, to which the next would wrap.
    puback(&flight, 2);
    puback(&flight, 3);
    tokio::task::yield_now().await;
    assert_eq!(flight.lock().queued.len(), 0);
    puback(&flight, 1);
    tokio::task::yield_now().await;
    assert_eq!(flight.lock().queued.len(), 2);
    drop(event_loop);
}

#[tokio::test]
async fn an_end_fails_everything_that_is_not_confirmed() {
    let (flight, _event_loop) = flight(2, None);
    let on_its_way = begin(&flight, 1).await;
    let queued = begin(&flight, 1).await;
    let waiting = begin(&flight, 1).await;
    sent(&flight, 1);
    flight.fail(&Failure::new("gone"));
    for task in [on_its_way, queued, waiting] {
        let answer = task.await.unwrap();
        assert!(matches!(&answer, Err(PublishError::Unavailable { why }) if why == "gone"));
    }
    assert!(flight.publish(publication(1)).await.is_err());
}

#[tokio::test]
async fn too_large_for_the_broker_is_refused_before_it_is_sent() {
    let (flight, _event_loop) = flight(2, Some(1_000));
    let error = flight.publish(publication(1_000)).await.unwrap_err();
    assert!(matches!(error, PublishError::Refused { .. }));
    assert!(flight.lock().queued.is_empty());
    assert!(!begin(&flight, 900).await.is_finished());
}

#[tokio::test]
async fn what_the_broker_found_too_large_is_the_largest() {
    let (flight, _event_loop) = flight(3, None);
    let small = begin(&flight, 10).await;
    let large = begin(&flight, 5_000).await;
    let medium = begin(&flight, 2_000).await;
    (1..=3).for_each(|packet_id| sent(&flight, packet_id));
    flight.fail(&Failure { why: "too large".to_owned(), cause: Cause::TooLarge });
    assert!(matches!(large.await.unwrap(), Err(PublishError::Refused { .. })));
    for task in [small, medium] {
        assert!(matches!(task.await.unwrap(), Err(PublishError::Unavailable { .. })));
    }
}

#[tokio::test]
async fn a_packet_id_about_to_be_used_twice_ends_the_connection() {
    let (flight, _event_loop) = flight(3, None);
    assert!(flight.observe(&Event::Outgoing(Sent::AwaitAck(1))).is_err());
}

#[tokio::test]
async fn a_topic_with_wildcards_is_refused() {
    let (flight, _event_loop) = flight(3, None);
    let publication = Publication { topic: "a/#".to_owned(), ..publication(1) };
    assert!(matches!(flight.publish(publication).await, Err(PublishError::Refused { .. })));
}

#[tokio::test]
async fn the_largest_payload_makes_a_packet_that_the_broker_takes() {
    for limit in [1_000, 20_000, 3_000_000] {
        let (flight, _event_loop) = flight(10, Some(limit));
        let largest = flight.max_payload("t");
        assert!(largest + 20 > usize::try_from(limit).unwrap(), "{largest} of {limit}");
        flight.check(&publication(largest)).unwrap();
        flight.check(&publication(largest + 20)).unwrap_err();
    }
}
