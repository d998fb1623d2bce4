//! The panels of the predecessor's own dashboard that show polled data.
//!
//! Its queries are made by Grafana's query editor, in the form that Grafana sends them; the
//! filter on a site's own tag is left out, as everybody has to who opens that dashboard.

/// Title and query, with the macros of Grafana.
pub(crate) const PANELS: [(&str, &str); 10] = [
    (
        "Apps in memory",
        r#"SELECT last("in_memory_docs_count") FROM "apps" WHERE $timeFilter GROUP BY "server_description"::tag"#,
    ),
    (
        "User sessions now",
        r#"SELECT last("total") FROM "session" WHERE $timeFilter GROUP BY time($__interval), "server_name"::tag fill(null)"#,
    ),
    (
        "Users active now",
        r#"SELECT last("active") FROM "session" WHERE $timeFilter GROUP BY time($__interval), "server_name"::tag fill(null)"#,
    ),
    (
        "Free memory per server",
        r#"SELECT mean("free") FROM "mem" WHERE $timeFilter GROUP BY time($__interval), "server_description"::tag fill(none)"#,
    ),
    (
        "Processor load per server",
        r#"SELECT mean("total") FROM "cpu" WHERE $timeFilter GROUP BY time($__interval), "server_description"::tag fill(none)"#,
    ),
    (
        "Normal apps",
        r#"SELECT "in_memory_docs_names" FROM "apps" WHERE $timeFilter GROUP BY "server_description"::tag"#,
    ),
    (
        "Session apps",
        r#"SELECT "in_memory_session_docs_names" FROM "apps" WHERE $timeFilter GROUP BY "server_description"::tag"#,
    ),
    (
        "Users",
        r#"SELECT mean("total"), mean("active") FROM "users" WHERE $timeFilter GROUP BY time($__interval), "server_description"::tag fill(none)"#,
    ),
    (
        "Proxy sessions",
        r#"SELECT mean("session_count") FROM "user_session_summary" WHERE $timeFilter GROUP BY time($__interval), "server_description"::tag fill(none)"#,
    ),
    (
        "Memory of the monitor",
        r#"SELECT mean("heap_used"), mean("heap_total"), mean("external"), mean("process_memory") FROM "butlersos_memory_usage" WHERE $timeFilter GROUP BY time($__interval), "butler_sos_instance"::tag, "version"::tag fill(none)"#,
    ),
];

/// What its documentation of failed polls asks, in both languages' sense.
pub(crate) const FAILED_POLLS: [(&str, &str); 2] = [
    (
        "Failed polls in the last hour",
        r#"SELECT SUM("error_count") FROM "butler_sos_errors" WHERE "error_type" =~ /HEALTH_API|PROXY_API|APP_NAMES_EXTRACT/ AND time > NOW() - 1h GROUP BY "server_name""#,
    ),
    (
        "Failed proxy-session polls by virtual proxy",
        r#"SELECT SUM("error_count") FROM "butler_sos_errors" WHERE "error_type" = 'PROXY_API' AND time > NOW() - 24h GROUP BY "server_name", "virtual_proxy""#,
    ),
];
