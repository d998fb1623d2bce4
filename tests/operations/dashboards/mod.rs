//! The dashboards of `config/grafana/`: their shape, and what InfluxDB answers to them.
//!
//! Every InfluxQL query of every panel, variable and annotation is asked of a real InfluxDB, as
//! Grafana would ask, once over what the pipeline wrote and once over what Butler SOS writes.
//! Flux is not run anywhere here: its queries are compared with the InfluxQL of the same panel.

pub(crate) mod answers;
mod butler_sos;
pub(crate) mod files;
pub(crate) mod grafana;
mod peer;
mod pipeline;
mod provisioning;
mod structure;
mod twins;
