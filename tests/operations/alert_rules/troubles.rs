//! A database in which one server or program is in each kind of trouble, and others are well.
//!
//! Who is in trouble is named like the rule that is to find it. Others come close to it.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A little longer than the longest window but the one of heartbeats.
const SECONDS: u64 = 20 * 60;
const BETWEEN: u64 = 30;

/// The lines.
pub(crate) fn lines() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let mut lines = String::new();
    for age in (0..SECONDS).step_by(usize::try_from(BETWEEN).unwrap()) {
        let time = now.saturating_sub(Duration::from_secs(age)).as_nanos();
        for line in servers(age).into_iter().chain(programs(age)) {
            writeln!(lines, "{line} {time}").unwrap();
        }
    }
    lines
}

fn servers(age: u64) -> Vec<String> {
    let mut lines = Vec::new();
    for server in ["well", "saturated", "low-memory", "almost-no-memory", "engine-restarted"] {
        // Once is not twice, and long ago is not now.
        let saturated = match server {
            "saturated" => age < 2 * BETWEEN,
            _ => age == BETWEEN || age > 15 * 60,
        };
        let memory = match server {
            "low-memory" => "free=5000i,total_physical=64000i",
            "almost-no-memory" => "free=1900i",
            _ => "free=7000i,total_physical=64000i",
        };
        let started = if server == "engine-restarted" && age < 300 { "new" } else { "old" };
        lines.push(format!("saturated,server_name={server} saturated={saturated}"));
        lines.push(format!("mem,server_name={server} {memory}"));
        lines.push(format!("sense_server,server_name={server} started=\"{started}\""));
    }
    // A third of the polls is less than half of them.
    let third = (age / BETWEEN).is_multiple_of(3);
    for (server, ok) in [("well", !third), ("failing-polls", third)] {
        lines.push(format!("footman_poll,server_name={server},source=health ok={ok}"));
    }
    let (refused, other) = ("certificate_error", "timeout");
    for (server, category) in [("certificate", refused), ("well", other)] {
        lines.push(format!(
            "butler_sos_errors,error_type=HEALTH_API,server_name={server} \
             error_category=\"{category}\",error_count=1"
        ));
    }
    lines
}

fn programs(age: u64) -> Vec<String> {
    let beat = |instance: &str| {
        let of =
            |who: &str, then: u64, otherwise: u64| if instance == who { then } else { otherwise };
        let honest = instance != "not-at-work" || age > 5 * 60;
        let outbox = of("growing-backlog", 1_500 + SECONDS - age, (SECONDS - age) / 2);
        // This one has more, and it drains.
        let outbox = of("draining", 5_000 + age, outbox);
        let lag = of("lag", 400, 2);
        let since = |moment: u64, count: u64| if age < moment { count } else { 0 };
        let dead = of("dead-letters", since(300, 3), of("mended", 7, 0));
        let lost = of("lost", since(300, 1), 0);
        format!(
            "footman_heartbeat,process=writer,instance={instance} uptime_s=1i,honest={honest},\
             outbox={outbox}i,oldest_unwritten_s={lag},dead_lettered={dead}i,lost={lost}i"
        )
    };
    let mut lines: Vec<String> = [
        "well",
        "not-at-work",
        "growing-backlog",
        "draining",
        "lag",
        "dead-letters",
        "mended",
        "lost",
    ]
    .map(beat)
    .into();
    if age > 5 * 60 {
        lines.push(beat("stale-heartbeat"));
    }
    lines
}
