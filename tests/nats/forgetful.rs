//! A server that never got a fetch, or forgot it: nothing comes, and nobody says why.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use integration_tests::nats::NatsServer;
use integration_tests::patience::eventually_equal;
use shared::config;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use crate::house::{Program, names, receive_all, timing};

/// Passes bytes on to a server, but for the next fetch when it is told to swallow one.
struct Swallower {
    port: u16,
    swallow: Arc<AtomicBool>,
}

impl Swallower {
    async fn before(server: &NatsServer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, behind) = (listener.local_addr().unwrap().port(), server.port());
        let swallow = Arc::new(AtomicBool::new(false));
        let swallowing = Arc::clone(&swallow);
        tokio::spawn(async move {
            while let Ok((client, _address)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", behind)).await.unwrap();
                let ((from_client, mut to_client), (mut from_server, to_server)) =
                    (client.into_split(), server.into_split());
                tokio::spawn(async move { copy(&mut from_server, &mut to_client).await });
                tokio::spawn(pass_on(from_client, to_server, Arc::clone(&swallowing)));
            }
        });
        Self { port, swallow }
    }
}

async fn pass_on(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, swallow: Arc<AtomicBool>) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let chunk = &buffer[..count];
        let is_fetch = chunk.windows(9).any(|window| window == b".MSG.NEXT");
        if is_fetch && swallow.swap(false, Ordering::Relaxed) {
            continue;
        }
        to.write_all(chunk).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fetch_without_an_answer_is_asked_for_again() {
    let server = NatsServer::start().await;
    let swallower = Swallower::before(&server).await;
    let url = format!("nats://127.0.0.1:{}", swallower.port).parse().unwrap();
    let config = config::Nats { servers: vec![url], ..server.config() };
    let writer = Program::with(&config, timing()).await;
    writer.is_ready().await;
    let collector = Program::ready(&server).await;
    let mut consumer = writer.consumer();
    for round in 0..3 {
        let names = names(&format!("round{round}"), 10);
        collector.publish(&names).await;
        receive_all(&mut *consumer, &names).await;
        swallower.swallow.store(true, Ordering::Relaxed);
        // The one before ends first.
        let mut waiting = std::pin::pin!(consumer.receive(10));
        tokio::select! {
            early = &mut waiting => panic!("{early:?}"),
            () = eventually_equal("a fetch to be swallowed", false, || async {
                swallower.swallow.load(Ordering::Relaxed)
            }) => {}
        }
    }
    let last = names("last", 10);
    collector.publish(&last).await;
    receive_all(&mut *consumer, &last).await;
}
