//! The two forms in which metrics are served, and which of them a reader gets.
//!
//! prometheus-client writes OpenMetrics 1.0, and a Prometheus server asks for it. Everybody else
//! (promtool, curl, older agents) gets the text format 0.0.4, which every reader understands. They
//! differ in the comments alone: there a counter's family is called as its series are.

use std::fmt::Write as _;

/// The media type of OpenMetrics.
const OPENMETRICS: &str = "application/openmetrics-text";
/// The one version of it that is written.
const OPENMETRICS_VERSION: &str = "1.0.0";
/// The media type of the text format.
const TEXT: &str = "text/plain";
/// Its version.
const TEXT_VERSION: &str = "0.0.4";

/// A form in which metrics are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// OpenMetrics 1.0, for those who ask for it.
    OpenMetrics,
    /// Prometheus' text format 0.0.4.
    Text,
}

impl Form {
    /// What the header `Accept` asks for; none is no wish.
    ///
    /// OpenMetrics has to be named, and not less wanted than the text format.
    pub fn wanted(accept: Option<&str>) -> Self {
        let Some(accept) = accept else { return Self::Text };
        let openmetrics = quality(accept, OPENMETRICS, OPENMETRICS_VERSION);
        if openmetrics > 0.0 && openmetrics >= quality(accept, TEXT, TEXT_VERSION) {
            Self::OpenMetrics
        } else {
            Self::Text
        }
    }

    /// The content type, without which newer Prometheus servers refuse an answer.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }

    /// What prometheus-client wrote, in this form.
    pub fn of(self, openmetrics: String) -> String {
        match self {
            Self::OpenMetrics => openmetrics,
            Self::Text => text(&openmetrics),
        }
    }
}

/// How much a media type is wanted, from 0 to 1; 0 when it is not named in this version.
fn quality(accept: &str, media_type: &str, version: &str) -> f32 {
    let named = accept.split(',').filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        if !parts.next()?.eq_ignore_ascii_case(media_type) {
            return None;
        }
        let mut quality = 1.0;
        for (name, value) in parts.filter_map(|parameter| parameter.split_once('=')) {
            let value = value.trim_matches('"');
            match name.trim().to_ascii_lowercase().as_str() {
                "q" => quality = value.parse().ok()?,
                "version" if value != version => return None,
                _ => {}
            }
        }
        Some(quality)
    });
    named.fold(0.0, f32::max)
}

/// The text format of what prometheus-client wrote.
fn text(openmetrics: &str) -> String {
    let mut text = String::with_capacity(openmetrics.len());
    let mut help = "";
    for line in openmetrics.lines() {
        let comment = line.strip_prefix("# ").and_then(|comment| comment.split_once(' '));
        match comment {
            // The type, which comes next, decides what the family is called.
            Some(("HELP", named)) => help = named.split_once(' ').map_or("", |(_, help)| help),
            Some(("TYPE", named)) => {
                let (name, kind) = named.rsplit_once(' ').unwrap_or((named, "unknown"));
                let (end, kind) = match kind {
                    "counter" => ("_total", "counter"),
                    "info" => ("_info", "gauge"),
                    "unknown" => ("", "untyped"),
                    other => ("", other),
                };
                // Writing into a string does not fail.
                let _written =
                    write!(text, "# HELP {name}{end} {help}\n# TYPE {name}{end} {kind}\n");
            }
            Some(("UNIT", _)) => {}
            _ if line == "# EOF" => {}
            _ => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;
    use prometheus_client::metrics::counter::Counter;
    use prometheus_client::metrics::family::Family;
    use prometheus_client::metrics::gauge::Gauge;
    use prometheus_client::metrics::histogram::Histogram;
    use prometheus_client::metrics::info::Info;
    use prometheus_client::registry::{Registry, Unit};

    use super::*;

    #[test]
    fn who_asks_for_openmetrics_gets_it() {
        let prometheus_2 = "application/openmetrics-text;version=1.0.0,\
             application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let prometheus_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
             application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;q=0.4,\
             text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        for accept in [
            prometheus_2,
            prometheus_3,
            "application/openmetrics-text",
            "Application/OpenMetrics-Text; Version=\"1.0.0\"; Q=0.1",
            "text/plain;q=0.5, application/openmetrics-text; q=0.5",
        ] {
            assert_eq!(Form::wanted(Some(accept)), Form::OpenMetrics, "{accept}");
        }
    }

    #[test]
    fn everybody_else_gets_the_text_format() {
        assert_eq!(Form::wanted(None), Form::Text);
        for accept in [
            "",
            "*/*",
            "text/plain;version=0.0.4",
            "text/html,application/xhtml+xml,*/*;q=0.8",
            "application/openmetrics-text;version=0.0.1",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;q=much",
            "application/openmetrics-text;q=0.5,text/plain",
            ";;,=,q=1",
        ] {
            assert_eq!(Form::wanted(Some(accept)), Form::Text, "{accept}");
        }
    }

    #[test]
    fn families_are_called_as_their_series_are() {
        let mut registry = Registry::default();
        let (polls, waits) = (Counter::<u64>::default(), Histogram::new([0.5]));
        let named = Family::<[(&str, &str); 1], Gauge>::default();
        registry.register("polls", "Ticks", polls.clone());
        registry.register("program", "Who it is", Info::new([("version", "1 # EOF")]));
        registry.register_with_unit("waits", "Waiting", Unit::Seconds, waits.clone());
        registry.register("named", "By name", named.clone());
        polls.inc_by(7);
        waits.observe(0.25);
        named.get_or_create(&[("name", "a \"b\"\n# TYPE c counter\\")]).set(3);
        let mut openmetrics = String::new();
        encode(&mut openmetrics, &registry).unwrap();
        assert_eq!(Form::OpenMetrics.of(openmetrics.clone()), openmetrics);
        assert_eq!(
            Form::Text.of(openmetrics),
            r#"# HELP polls_total Ticks.
# TYPE polls_total counter
polls_total 7
# HELP program_info Who it is.
# TYPE program_info gauge
program_info{version="1 # EOF"} 1
# HELP waits_seconds Waiting.
# TYPE waits_seconds histogram
waits_seconds_sum 0.25
waits_seconds_count 1
waits_seconds_bucket{le="0.5"} 1
waits_seconds_bucket{le="+Inf"} 1
# HELP named By name.
# TYPE named gauge
named{name="a \"b\"\n# TYPE c counter\\"} 3
"#
        );
    }
}
