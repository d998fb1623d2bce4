//! A broker for one client at a time that does exactly what a test tells it, and no more.

use std::time::Duration;

use bytes::BytesMut;
use integration_tests::patience::PATIENCE;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{
    ConnAck, ConnAckProperties, ConnectReturnCode, Packet, PubAck, PubAckReason, Publish, SubAck,
    SubscribeReasonCode,
};
use shared::config::{Mqtt, Tls};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use url::Url;

use crate::site::{GROUP, PREFIX};

/// Where it listens.
pub(crate) struct Scripted {
    listener: TcpListener,
}

/// One connection to it.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: BytesMut,
}

impl Scripted {
    pub(crate) async fn start() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap() }
    }

    pub(crate) fn settings(&self) -> Mqtt {
        let port = self.listener.local_addr().unwrap().port();
        Mqtt {
            url: Url::parse(&format!("mqtt://127.0.0.1:{port}")).unwrap(),
            username: None,
            password: None,
            tls: Tls::default(),
            groups: vec![GROUP.to_owned()],
            consumer_slots: 1,
            session_expiry: Duration::from_hours(1),
        }
    }

    /// Lets a publisher in, as far as it can publish.
    pub(crate) async fn accept_publisher(&self, receive_max: u16) -> Connection {
        let (stream, _) = timeout(PATIENCE, self.listener.accept()).await.unwrap().unwrap();
        let mut connection = Connection { stream, buffer: BytesMut::new() };
        let Packet::Connect(..) = connection.next().await else { panic!("no CONNECT") };
        connection.send(Packet::ConnAck(connack(receive_max))).await;
        let Packet::Subscribe(subscribe) = connection.next().await else { panic!("no SUBSCRIBE") };
        let return_codes = vec![SubscribeReasonCode::Success(QoS::AtLeastOnce)];
        let suback = SubAck { pkid: subscribe.pkid, return_codes, properties: None };
        connection.send(Packet::SubAck(suback)).await;
        let slot = format!("{PREFIX}/v1/slots/{GROUP}/0");
        connection.send(Packet::Publish(Publish::new(slot, QoS::AtMostOnce, "{}", None))).await;
        let status = connection.publish().await;
        assert_eq!(status.payload, "online");
        connection.answer(&status, PubAckReason::Success).await;
        connection
    }
}

impl Connection {
    async fn next(&mut self) -> Packet {
        loop {
            if let Ok(packet) = Packet::read(&mut self.buffer, None) {
                return packet;
            }
            let read = timeout(PATIENCE, self.stream.read_buf(&mut self.buffer)).await;
            assert_ne!(read.unwrap().unwrap(), 0, "the client left");
        }
    }

    /// The next publish.
    pub(crate) async fn publish(&mut self) -> Publish {
        loop {
            if let Packet::Publish(publish) = self.next().await {
                return publish;
            }
        }
    }

    /// Answers a publish.
    pub(crate) async fn answer(&mut self, publish: &Publish, reason: PubAckReason) {
        let puback = PubAck { reason, ..PubAck::new(publish.pkid, None) };
        self.send(Packet::PubAck(puback)).await;
    }

    async fn send(&mut self, packet: Packet) {
        let mut bytes = BytesMut::new();
        packet.write(&mut bytes, None).unwrap();
        self.stream.write_all(&bytes).await.unwrap();
    }
}

fn connack(receive_max: u16) -> ConnAck {
    let properties = ConnAckProperties {
        receive_max: Some(receive_max),
        session_expiry_interval: None,
        max_qos: None,
        retain_available: None,
        max_packet_size: None,
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
    ConnAck { session_present: false, code, properties: Some(properties) }
}
