//! Addresses that the programs listen on: free, or held by whom.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use serde_json::Value;
use shared::config::{Config, Transport};
use shared::program;

use super::report::{Area, Finding, Section};

/// An address, and the key that names it.
struct Wanted {
    key: &'static str,
    address: SocketAddr,
    /// Whether a program of ours answers there with its readiness.
    has_readiness: bool,
    /// Whether the next free port does as well.
    may_move: bool,
}

/// Looks at all of them; blocks.
pub(crate) fn look(config: &Config, patience: Duration) -> Vec<Section> {
    let wanted = wanted(config);
    let mut ours = false;
    let mut sections = Vec::new();
    for one in &wanted {
        let (finding, is_ours) = look_at(one, ours, patience);
        ours |= is_ours;
        let subject = format!("{}: {}", one.key, one.address);
        sections.push(Section::new(Area::Listeners, subject).with(finding));
    }
    sections
}

/// Those with a readiness first: what runs explains the others.
fn wanted(config: &Config) -> Vec<Wanted> {
    let collector = &config.collector;
    let page = |key, address, may_move| Wanted { key, address, has_readiness: true, may_move };
    let other = |key, address| Wanted { key, address, has_readiness: false, may_move: false };
    let mut all = vec![page("collector.http.listen", collector.http.listen, false)];
    if !config.needs_one_process() {
        all.push(page(
            "writer.http.listen",
            config.writer.http.listen,
            config.writer.http.may_move,
        ));
    }
    if let Some(page) = &collector.prometheus {
        let host = page.host.parse().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        all.push(other("prometheus.port", SocketAddr::new(host, page.port)));
    }
    if let Some(port) = collector.docker_health_check {
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        all.push(other("dockerHealthCheck.port", address));
    }
    if let Transport::Embedded(embedded) = &config.broker.transport
        && let Some(address) = embedded.mqtt_listener
    {
        all.push(other("broker.embedded.mqttListener", address));
    }
    all
}

/// What is at an address, and whether it is one of our programs.
fn look_at(wanted: &Wanted, ours_run: bool, patience: Duration) -> (Finding, bool) {
    let error = match TcpListener::bind(wanted.address) {
        Ok(_freed_at_once) => return (Finding::ok("address", "free"), false),
        Err(error) => error,
    };
    if error.kind() != std::io::ErrorKind::AddrInUse {
        let finding = Finding::fault("address", format!("nobody can listen there: {error}"))
            .advise(format!("name an address of this machine in {}", wanted.key));
        return (finding, false);
    }
    if wanted.has_readiness
        && let Some(readiness) = readiness(wanted.address, patience)
    {
        return (running(&readiness), true);
    }
    let finding = if !wanted.has_readiness && ours_run {
        Finding::ok("address", "held, by the running program as it seems")
    } else if wanted.may_move {
        Finding::note("address", "held by another program; the writer takes the next free port")
    } else {
        Finding::fault("address", "held by a program that is not Footman's")
            .advise(format!("end that program, or name another port in {}", wanted.key))
    };
    (finding, false)
}

/// What a program of ours says about itself; none when it is somebody else's.
fn readiness(address: SocketAddr, patience: Duration) -> Option<Value> {
    let answer = program::ask(program::reachable(address), "/readyz", patience).ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    let value: Value = serde_json::from_str(body).ok()?;
    value.get("dependencies")?.as_object()?;
    Some(value)
}

fn running(readiness: &Value) -> Finding {
    let is_ready = readiness.get("ready").and_then(Value::as_bool).unwrap_or(false);
    let dependencies = readiness.get("dependencies").and_then(Value::as_object);
    let missing: Vec<String> = dependencies
        .into_iter()
        .flatten()
        .filter(|(_, state)| state.get("up") != Some(&Value::Bool(true)))
        .map(|(name, state)| {
            let why = state.get("why").and_then(Value::as_str).unwrap_or("no reason given");
            format!("{name}: {why}")
        })
        .collect();
    let waiting = readiness.pointer("/backlog/waiting").and_then(Value::as_u64).unwrap_or(0);
    if is_ready {
        let backlog = if waiting > 0 { format!(", {waiting} events wait") } else { String::new() };
        return Finding::ok(
            "address",
            format!("a program of Footman's runs here and is ready{backlog}"),
        )
        .fact("ready", true);
    }
    let seen = format!("a program of Footman's runs here and is not ready: {}", missing.join("; "));
    Finding::warning("address", seen).advise("see what it misses above").fact("ready", false)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::report::Verdict;
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    #[test]
    fn free_held_and_impossible_addresses() {
        let holder = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = holder.local_addr().unwrap();
        let wanted = |address, may_move, has_readiness| Wanted {
            key: "k",
            address,
            has_readiness,
            may_move,
        };
        let verdict = |wanted: &Wanted, ours| look_at(wanted, ours, PATIENCE).0.verdict;
        assert_eq!(verdict(&wanted(address, false, false), false), Verdict::Fault);
        assert_eq!(verdict(&wanted(address, false, false), true), Verdict::Ok);
        assert_eq!(verdict(&wanted(address, true, false), false), Verdict::Note);
        let elsewhere = "203.0.113.7:1".parse().unwrap();
        assert_eq!(verdict(&wanted(elsewhere, false, true), false), Verdict::Fault);
        drop(holder);
        assert_eq!(verdict(&wanted(address, false, true), false), Verdict::Ok);
    }

    #[test]
    fn what_a_running_program_misses_is_told() {
        let unready = running(&json!({"ready": false, "dependencies": {
            "broker": {"up": false, "why": "no connection"}, "outbox": {"up": true}}}));
        assert_eq!(unready.verdict, Verdict::Warning);
        assert!(unready.seen.ends_with("not ready: broker: no connection"), "{}", unready.seen);
        let ready = running(&json!({"ready": true, "dependencies": {}, "backlog": {"waiting": 7}}));
        assert!(ready.seen.contains("7 events wait"), "{}", ready.seen);
    }
}
