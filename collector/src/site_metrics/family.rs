//! A metric with its series, before it is written.

use std::borrow::Cow;

use prometheus_client::registry;

/// Labels of a series, in the order in which they are shown.
pub(super) type Labels = Vec<(Cow<'static, str>, String)>;

/// One metric.
#[derive(Debug)]
pub(super) struct Family {
    /// Its name, without prefix, unit and `_total`.
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) unit: Unit,
    pub(super) kind: Kind,
    /// No two have the same labels.
    pub(super) series: Vec<(Labels, f64)>,
}

/// What a value does over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It only grows, until the engine starts anew.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// The unit of a metric, which its name ends in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// A plain number.
    None,
    Bytes,
    /// Of one, not of a hundred.
    Ratio,
    Seconds,
}

impl Unit {
    /// As the registry knows it, whose own word for ratios is not Prometheus'.
    pub(super) fn unit(self) -> Option<registry::Unit> {
        match self {
            Self::None => None,
            Self::Bytes => Some(registry::Unit::Bytes),
            Self::Ratio => Some(registry::Unit::Other("ratio".to_owned())),
            Self::Seconds => Some(registry::Unit::Seconds),
        }
    }
}

impl Family {
    /// A gauge.
    pub(super) fn gauge(
        name: &'static str,
        unit: Unit,
        help: &'static str,
        series: Vec<(Labels, f64)>,
    ) -> Self {
        Self { name, help, unit, kind: Kind::Gauge, series }
    }
}

/// A label whose name is known.
pub(super) fn label(name: &'static str, value: impl Into<String>) -> (Cow<'static, str>, String) {
    (Cow::Borrowed(name), value.into())
}
