//! The report for people: aligned, wrapped, and coloured where colours are shown.

use std::fmt::Write as _;

use crossterm::style::{StyledContent, Stylize as _};

use super::report::{Finding, Report, Survives, Verdict};

/// Where nobody says how wide the lines may be.
pub(crate) const WIDTH: usize = 100;
/// Lines become no narrower than this.
const NARROWEST: usize = 60;
/// Lines become no wider than this: longer ones are hard to read.
const WIDEST: usize = 120;
const MARK: usize = 9;
const WHAT: usize = 14;
const INDENT: usize = 2;
const TROUBLE: usize = 22;
const TO_DO: &str = "→ ";

/// How the report is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    /// Columns of a line.
    pub(crate) width: usize,
    /// Whether colours are shown.
    pub(crate) colours: bool,
}

/// The whole report.
pub(crate) fn text(report: &Report, style: Style) -> String {
    let style = Style { width: style.width.clamp(NARROWEST, WIDEST), ..style };
    let mut text = format!("footman {} looked at {}\n", report.footman_version, report.config);
    let mut area = None;
    for section in &report.sections {
        if area != Some(section.area) {
            area = Some(section.area);
            let _ = write!(text, "\n{}\n", bold(section.area.title(), style));
        }
        let _ = writeln!(text, "{:INDENT$}{}", "", section.subject);
        for finding in &section.findings {
            write_finding(&mut text, finding, style);
        }
    }
    if let Some(yaml) = &report.discovered {
        let title = "What discovery found, as configuration to paste";
        let _ = write!(text, "\n{}\n{yaml}", bold(title, style));
    }
    write_promise(&mut text, report, style);
    let counts = report.counts;
    let _ = write!(
        text,
        "\n{}, {}, {}\n",
        counted(counts.fault, "fault"),
        counted(counts.warning, "warning"),
        counted(counts.note, "note")
    );
    text
}

fn write_finding(text: &mut String, finding: &Finding, style: Style) {
    let mark = padded(mark(finding.verdict), MARK);
    let mark = if style.colours { coloured(&mark, finding.verdict).to_string() } else { mark };
    let start = 2 * INDENT + MARK + WHAT;
    let _ = write!(text, "{:1$}{mark}{what}", "", 2 * INDENT, what = padded(finding.what, WHAT));
    let _ = writeln!(text, "{}", wrapped(&finding.seen, start, style.width));
    if let Some(advice) = &finding.advice {
        let further = start + TO_DO.chars().count();
        let _ = writeln!(text, "{:start$}{TO_DO}{}", "", wrapped(advice, further, style.width));
    }
}

fn write_promise(text: &mut String, report: &Report, style: Style) {
    if report.promise.is_empty() {
        return;
    }
    let _ = write!(text, "\n{}\n", bold("What this configuration survives, as seen now", style));
    for promise in &report.promise {
        let survives = match promise.survives {
            Survives::Yes => "kept",
            Survives::Partly => "partly",
            Survives::No => "LOST",
            Survives::Unseen => "unseen",
        };
        let trouble = padded(trouble(promise.trouble), TROUBLE);
        let start = INDENT + MARK + TROUBLE;
        let _ = write!(text, "{:INDENT$}{}{trouble}", "", padded(survives, MARK));
        let _ = writeln!(text, "{}", wrapped(&promise.text, start, style.width));
    }
}

/// The words for a trouble.
fn trouble(key: &'static str) -> &'static str {
    match key {
        "processKilled" => "a program is killed",
        "hostCrash" => "the host crashes",
        "influxdbAway" => "InfluxDB is away",
        "brokerAway" => "the broker is away",
        "brokerKilled" => "the broker is killed",
        "diskFull" => "the disk is full",
        other => other,
    }
}

fn mark(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ok => "ok",
        Verdict::Note => "note",
        Verdict::Warning => "WARNING",
        Verdict::Fault => "FAULT",
    }
}

fn coloured(mark: &str, verdict: Verdict) -> StyledContent<&str> {
    match verdict {
        Verdict::Ok => mark.green(),
        Verdict::Note => mark.cyan(),
        Verdict::Warning => mark.yellow(),
        Verdict::Fault => mark.red().bold(),
    }
}

fn bold(title: &str, style: Style) -> String {
    if style.colours { title.bold().to_string() } else { title.to_owned() }
}

fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

fn padded(text: &str, width: usize) -> String {
    format!("{text:width$} ").chars().take(width.max(text.chars().count() + 1)).collect()
}

/// Breaks a text into lines that begin at column `start`, the first one there already. Line feeds
/// in it are kept; words longer than a line stay whole, so that they can be copied.
fn wrapped(text: &str, start: usize, width: usize) -> String {
    let room = width.saturating_sub(start).max(1);
    let mut lines: Vec<String> = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split(' ') {
            let longer = line.chars().count() + 1 + word.chars().count();
            if !line.is_empty() && longer > room {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines.join(&format!("\n{:start$}", ""))
}

#[cfg(test)]
mod tests {
    use super::super::report::{Area, Promise, Section};
    use super::*;

    fn report() -> Report {
        let seen = "the certificate is for another name, it holds sense1.corp.com and nothing \
                    else that would do";
        let fault = Finding::fault("certificate", seen).advise("collector: { servers: {} }");
        let section = Section::new(Area::Qlik, "sense1 at 10.0.0.5:4747")
            .with(Finding::ok("port", "open"))
            .with(fault);
        let promise = vec![Promise {
            trouble: "diskFull",
            survives: Survives::Yes,
            text: "nothing that is held is lost".to_owned(),
        }];
        Report::new(String::new(), "f.yaml".to_owned(), vec![section], promise)
    }

    #[test]
    fn it_is_aligned_and_wrapped() {
        let shown = text(&report(), Style { width: 80, colours: false });
        let expected = format!(
            "footman {} looked at f.yaml\n\n\
             Qlik Sense\n\
             \x20 sense1 at 10.0.0.5:4747\n\
             \x20   ok       port          open\n\
             \x20   FAULT    certificate   the certificate is for another name, it holds\n\
             \x20                          sense1.corp.com and nothing else that would do\n\
             \x20                          → collector: {{ servers: {{}} }}\n\n\
             What this configuration survives, as seen now\n\
             \x20 kept     the disk is full      nothing that is held is lost\n\n\
             1 fault, 0 warnings, 0 notes\n",
            env!("CARGO_PKG_VERSION")
        );
        assert_eq!(shown, expected);
    }

    #[test]
    fn colours_are_codes_around_the_same_words() {
        let style = Style { width: 80, colours: true };
        let plain = text(&report(), Style { colours: false, ..style });
        assert!(!plain.contains('\u{1b}'));
        // Whatever NO_COLOR says where the tests run.
        crossterm::style::force_color_output(true);
        let coloured = text(&report(), style);
        assert!(coloured.contains("\u{1b}["), "{coloured}");
    }

    #[test]
    fn words_longer_than_a_line_stay_whole() {
        let (long, start) = ("x".repeat(90), " ".repeat(20));
        let expected = format!("a\n{start}{long}\n{start}b");
        assert_eq!(wrapped(&format!("a {long} b"), 20, 60), expected);
    }
}
