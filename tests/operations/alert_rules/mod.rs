//! The alert rules of `config/`: their shape, and when they raise an alarm.
//!
//! Grafana's are evaluated here, over a real InfluxDB with something wrong for each of them and
//! with others beside it that are well. Prometheus' rules are parsed, and what they ask for has to
//! be served; `promtool.yml` beside this file has their cases, for
//! `promtool test rules tests/operations/alert_rules/promtool.yml`.

mod conditions;
mod documents;
mod grafana;
mod prometheus;
mod troubles;
pub(crate) mod yaml;
