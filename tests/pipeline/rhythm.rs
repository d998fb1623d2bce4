//! One server's trouble is no other's.

use std::time::Duration;

use integration_tests::influxd::Influxd;
use integration_tests::patience::eventually;
use simulator::{Endpoint, Fault};

use crate::site::{self, DATABASE};

const SERVERS: usize = 20;
const HANGING: usize = 3;
const DEAD: usize = 11;
const INTERVAL: Duration = Duration::from_secs(2);
const ROUNDS: u64 = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hanging_and_a_dead_server_disturb_no_other() {
    let (site, influxd) = (site::start(SERVERS).await, Influxd::start().await);
    for endpoint in [Endpoint::Engine, Endpoint::Proxy] {
        site.set_fault(HANGING, endpoint, Some(Fault::Hang)).await.unwrap();
        site.set_fault(DEAD, endpoint, Some(Fault::Refused)).await.unwrap();
    }
    let mut footman = site::footman(&site, &influxd, INTERVAL, |_| {});
    footman.start().await;
    let healthy = (0..SERVERS).filter(|server| ![HANGING, DEAD].contains(server));
    for server in healthy.clone() {
        site.ledger().wait_for_count(server, Endpoint::Engine, ROUNDS).await;
    }
    let ended = footman.process().terminate().await;
    assert_eq!(ended.code(), Some(0), "{}", footman.printed());

    // The healthy ones missed nothing: every poll went well, and none was skipped.
    let polls = "SELECT ok, source, server_name FROM footman_poll WHERE ok = false";
    let failed = influxd.rows(DATABASE, polls).await;
    let names: Vec<&str> = site.servers().iter().map(simulator::Server::name).collect();
    for server in healthy {
        assert!(failed.iter().all(|poll| poll["server_name"] != names[server]), "{failed:?}");
    }
    for (server, category) in [(HANGING, "timeout"), (DEAD, "connection_refused")] {
        for error_type in ["HEALTH_API", "PROXY_API"] {
            let causes = format!(
                "SELECT error_category FROM butler_sos_errors WHERE error_type = '{error_type}' \
                 AND server_name = '{}'",
                names[server]
            );
            let causes = influxd.rows(DATABASE, &causes).await;
            assert!(!causes.is_empty(), "{error_type} of {}", names[server]);
            assert!(causes.iter().all(|cause| cause["error_category"] == category), "{causes:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_recovers_is_polled_again() {
    let (site, influxd) = (site::start(1).await, Influxd::start().await);
    site.set_fault(0, Endpoint::Engine, Some(Fault::Status(503))).await.unwrap();
    let mut footman = site::footman(&site, &influxd, Duration::from_secs(1), |_| {});
    footman.start().await;
    eventually("a failed poll in InfluxDB", || async {
        let causes = "SELECT error_category, http_status FROM butler_sos_errors";
        let row = influxd.rows(DATABASE, causes).await.pop()?;
        assert_eq!(
            (&row["error_category"], &row["http_status"]),
            (&"http_5xx".into(), &503.into())
        );
        Some(())
    })
    .await;
    site.set_fault(0, Endpoint::Engine, None).await.unwrap();
    eventually("health in InfluxDB", || async {
        influxd.value(DATABASE, "SELECT count(total) FROM cpu", "count").await
    })
    .await;
    let printed = footman.printed();
    assert!(printed.contains("503"), "{printed}");
}
