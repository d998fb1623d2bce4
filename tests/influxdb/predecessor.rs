//! A bucket or database that the predecessor filled takes everything.

use integration_tests::strict_influxdb::line_protocol::parse;
use integration_tests::strict_influxdb::store::Store;
use integration_tests::strict_influxdb::version2::Bucket;
use integration_tests::strict_influxdb::{Serves, Strict, Version2, Version3};
use shared::timestamp::Timestamp;

use crate::events;
use crate::running::{BUCKET, DATABASE, Running, start, strict2, strict3, version2, version3};

/// One point of each measurement of Butler SOS 15, with the types of 2.x.
const FILLED_2: &str = "\
sense_server,host=h version=\"v\",started=\"s\",uptime=\"u\"
mem,host=h comitted=1.5,allocated=2.5,free=3.5
apps,host=h active_docs_count=1i,loaded_docs_count=1i,in_memory_docs_count=1i,active_docs=\"\",loaded_docs=\"\",in_memory_docs=\"\",active_docs_names=\"\",loaded_docs_names=\"\",in_memory_docs_names=\"\",active_session_docs_names=\"\",loaded_session_docs_names=\"\",in_memory_session_docs_names=\"\",calls=1u,selections=1u
cpu,host=h total=12.5
session,host=h active=1u,total=1u
users,host=h active=1u,total=1u
cache,host=h hits=1u,lookups=1u,added=1i,replaced=1i,bytes_added=1i
saturated,host=h saturated=T
user_session_summary,user_session_host=h session_count=1u,session_user_id_list=\"\"
user_session_list,user_session_host=h session_count=1u,session_user_id_list=\"\"
user_session_details,user_session_host=h session_id=\"\",user_directory=\"\",user_id=\"\"
butlersos_memory_usage,version=1 heap_used=1.5,heap_total=1.5,external=1.5,process_memory=1.5
butler_sos_errors,server_name=s error_count=1i,error_category=\"\",error_code=\"\",http_status=403i,request_url=\"\",request_timeout_ms=5000i,remote_address=\"\",remote_port=1i,syscall=\"\"
";

/// As [`FILLED_2`], with the types of 3.x.
fn filled_3() -> String {
    FILLED_2.replace("=1u", "=1i").replace("total=12.5", "total=12i")
}

/// A stand-in with one place to write to.
pub(crate) trait Filled: Serves {
    /// That place.
    fn place(&mut self) -> &mut Store;
}

impl Filled for Version2 {
    fn place(&mut self) -> &mut Store {
        self.store(BUCKET)
    }
}

impl Filled for Version3 {
    fn place(&mut self) -> &mut Store {
        self.store(DATABASE)
    }
}

/// Stores lines without a timestamp.
pub(crate) fn fill<V: Filled>(server: &Strict<V>, lines: &str) {
    server.with(|server| {
        for line in parse(lines) {
            let mut line = line.unwrap();
            line.timestamp = Some(1);
            server.place().table.insert(&line);
        }
    });
}

async fn takes_everything<V: Filled>(server: &Strict<V>, writer: Running) {
    let before = server.with(|server| server.place().table.types());
    writer.publish(events::one_of_each(Timestamp::now())).await;
    writer.all_acked().await;
    assert!(writer.dead_letters().await.is_empty());
    assert_eq!(writer.metrics.counters().failed_writes, Some(0));
    let after = server.with(|server| server.place().table.types());
    for field in before {
        assert!(after.contains(&field), "{field}");
    }
    // Every field of the predecessor is written again.
    server.with(|server| {
        let table = &server.place().table;
        for line in parse(FILLED_2).into_iter().map(Result::unwrap) {
            let written = table.points(&line.measurement).filter(|(is, _)| is.timestamp != 1);
            let fields: Vec<&String> = written.flat_map(|(_, fields)| fields.keys()).collect();
            for field in line.fields.keys() {
                assert!(fields.contains(&field), "{}.{field}", line.measurement);
            }
        }
    });
    writer.stop().await;
}

#[tokio::test]
async fn of_2() {
    let server = Strict::start(strict2().with_bucket(BUCKET, Bucket::default())).await;
    fill(&server, FILLED_2);
    takes_everything(&server, start(&server, &version2("10d"))).await;
}

#[tokio::test]
async fn of_3() {
    let server = Strict::start(strict3()).await;
    fill(&server, &filled_3());
    takes_everything(&server, start(&server, &version3("10d"))).await;
}
