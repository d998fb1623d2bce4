//! What must go well over every broker.

use integration_tests::influxd::Influxd;
use integration_tests::patience::eventually;
use integration_tests::programs::Running;

use crate::brokers::SharedBroker;
use crate::{site, taps};

pub(crate) async fn every_answer_is_stored<B: SharedBroker>() {
    let (mut broker, site, influxd) = (B::prepare(), site::start().await, Influxd::start().await);
    broker.restart().await;
    let house = site::house(&site, &influxd, &broker.section());
    let (mut collector, mut writer) = (house.collector("c"), house.writer("w"));
    writer.start().await;
    collector.start().await;
    site::serves(&site, 4).await;
    let ended = collector.process().terminate().await;
    assert_eq!(ended.code(), Some(0), "{}", collector.printed());
    site::everything_is_stored(&site, &influxd).await;
    let ended = writer.process().terminate().await;
    assert_eq!(ended.code(), Some(0), "{}", writer.printed());
}

pub(crate) async fn everything_may_be_absent_at_first<B: SharedBroker>() {
    let (mut broker, site) = (B::prepare(), site::start().await);
    let mut influxd = Influxd::start().await;
    influxd.stop();
    let house = site::house(&site, &influxd, &broker.section());
    let (mut collector, mut writer) = (house.collector("c"), house.writer("w"));
    collector.start().await;
    writer.start().await;
    eventually("the collector to miss the broker", || collector.missing("broker")).await;
    eventually("the writer to miss InfluxDB", || writer.missing("influxdb")).await;
    site::serves(&site, 2).await;
    broker.restart().await;
    site::serves(&site, 2).await;
    influxd.restart().await;
    collector.ready().await;
    writer.ready().await;
    site::everything_is_stored(&site, &influxd).await;
}

pub(crate) async fn the_broker_may_be_killed<B: SharedBroker>() {
    let (mut broker, site, influxd) = (B::prepare(), site::start().await, Influxd::start().await);
    broker.restart().await;
    let house = site::house(&site, &influxd, &broker.section());
    let (mut collector, mut writer) = (house.collector("c"), house.writer("w"));
    collector.start().await;
    writer.start().await;
    for _ in 0..2 {
        site::serves(&site, 2).await;
        broker.fell().await;
        site::serves(&site, 2).await;
        broker.restart().await;
    }
    collector.ready().await;
    writer.ready().await;
    site::serves(&site, 2).await;
    site::everything_is_stored(&site, &influxd).await;
}

pub(crate) async fn programs_die_and_come_back_in_any_order<B: SharedBroker>() {
    let (mut broker, site, influxd) = (B::prepare(), site::start().await, Influxd::start().await);
    broker.restart().await;
    let house = site::house(&site, &influxd, &broker.section());
    let (mut collector, mut writer) = (house.collector("c"), house.writer("w"));
    collector.start().await;
    writer.start().await;
    collector.ready().await;
    for round in 0..3 {
        site::serves(&site, 2).await;
        // A collector is ended in order: a poll that is open at a kill is a story of its own.
        let (collector_ends, writer_dies) = (round != 0, round != 1);
        if writer_dies {
            writer.kill();
        }
        if collector_ends {
            collector.process().terminate().await;
            collector.start().await;
        }
        if writer_dies {
            writer.start().await;
        }
    }
    site::serves(&site, 2).await;
    site::everything_is_stored(&site, &influxd).await;
}

pub(crate) async fn footman_run_uses_the_broker_too<B: SharedBroker>() {
    let (mut broker, site, influxd) = (B::prepare(), site::start().await, Influxd::start().await);
    broker.restart().await;
    let mut footman = site::house(&site, &influxd, &broker.section()).footman();
    footman.start().await;
    site::serves(&site, 3).await;
    footman.ready().await;
    site::everything_is_stored(&site, &influxd).await;
    let ended = footman.process().terminate().await;
    assert_eq!(ended.code(), Some(0), "{}", footman.printed());
}

pub(crate) async fn every_program_beats<B: SharedBroker>() {
    let (mut broker, site, influxd) = (B::prepare(), site::start().await, Influxd::start().await);
    broker.restart().await;
    let house = site::house(&site, &influxd, &broker.section());
    let mut programs = [house.writer("w"), house.collector("c")];
    for program in &mut programs {
        program.start().await;
    }
    eventually("beats of both programs in InfluxDB", || async {
        let beating = site::honest_programs(&influxd).await;
        ["collector", "writer"].iter().all(|name| beating.contains(*name)).then_some(())
    })
    .await;
    for program in &mut programs {
        let ended = program.process().terminate().await;
        assert_eq!(ended.code(), Some(0), "{}", program.printed());
    }
}

pub(crate) async fn the_programs_answer_for_themselves<B: SharedBroker>() {
    let (mut broker, site, influxd) = (B::prepare(), site::start().await, Influxd::start().await);
    broker.restart().await;
    let house = site::house(&site, &influxd, &broker.section());
    let mut programs = [house.collector("c"), house.writer("w")];
    for program in &mut programs {
        let before = program.command(&["--health"]).output().unwrap();
        assert_eq!(before.status.code(), Some(1), "{before:?}");
        program.start().await;
    }
    for program in &programs {
        assert_eq!(program.page("/healthz").await.unwrap().0, 200);
        let (_, metrics) = program.page("/metrics").await.unwrap();
        assert!(metrics.contains("\nfootman_ready "), "{metrics}");
        let asked = program.command(&["--health"]).output().unwrap();
        assert_eq!(asked.status.code(), Some(0), "{asked:?}");
    }
    programs[0].ready().await;
    site::serves(&site, 2).await;
    site::everything_is_stored(&site, &influxd).await;
    assert!(programs[0].metric("collector_confirmed_events_total").await.unwrap() > 0.0);
    assert!(programs[1].metric("writer_events_stored_total").await.unwrap() > 0.0);
}

pub(crate) async fn several_writers_share<B: SharedBroker>() {
    let (mut broker, site, influxd) = (B::prepare(), site::start().await, Influxd::start().await);
    broker.restart().await;
    let house = site::house(&site, &influxd, &broker.section());
    let mut collector = house.collector("c");
    let mut writers = [house.writer("w1"), house.writer("w2"), house.writer("w3")];
    for writer in &mut writers {
        writer.start().await;
    }
    collector.start().await;
    eventually("work for every writer", || async {
        for writer in &writers {
            writer.metric("writer_events_stored_total").await.filter(|stored| *stored > 0.0)?;
        }
        Some(())
    })
    .await;
    // One dies with deliveries in hand; the others get them when the broker gives up waiting.
    writers[0].kill();
    let ended = writers[1].process().terminate().await;
    assert_eq!(ended.code(), Some(0), "{}", writers[1].printed());
    site::serves(&site, 2).await;
    site::everything_is_stored(&site, &influxd).await;
}

/// One writer, three, and one again, while events flow; each of them gets work.
pub(crate) async fn writers_come_and_go<B: SharedBroker>() {
    let (mut broker, site, influxd) = (B::prepare(), site::start().await, Influxd::start().await);
    broker.restart().await;
    let house = site::house(&site, &influxd, &broker.section());
    let mut collector = house.collector("c");
    let [mut first, mut second, mut third] =
        [house.writer("w1"), house.writer("w2"), house.writer("w3")];
    first.start().await;
    collector.start().await;
    works(&first).await;
    second.start().await;
    third.start().await;
    for writer in [&first, &second, &third] {
        works(writer).await;
    }
    first.kill();
    site::serves(&site, 2).await;
    works(&second).await;
    let ended = third.process().terminate().await;
    assert_eq!(ended.code(), Some(0), "{}", third.printed());
    site::serves(&site, 2).await;
    works(&second).await;
    site::everything_is_stored(&site, &influxd).await;
    // What is published while no writer is there waits for the next.
    let ended = second.process().terminate().await;
    assert_eq!(ended.code(), Some(0), "{}", second.printed());
    site::serves(&site, 2).await;
    first.start().await;
    site::everything_is_stored(&site, &influxd).await;
}

/// Waits until a writer has stored more than before.
async fn works(writer: &Running) {
    let stored = || async { writer.metric("writer_events_stored_total").await.unwrap_or(0.0) };
    let before = stored().await;
    let what = format!("work for {}", writer.instance());
    eventually(&what, || async { (stored().await > before).then_some(()) }).await;
}

pub(crate) async fn taps_disturb_nobody<B: SharedBroker>() {
    taps::disturb_nobody::<B>().await;
}
