//! Progress as a sentence in the log.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use super::{Backlog, Progress, Queue};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

impl Display for Progress {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Draining(queue, backlog) => {
                f.write_str(match queue {
                    Queue::Broker => "Draining a backlog: ",
                    Queue::Outbox => "Draining the outbox: ",
                })?;
                draining(f, backlog)
            }
            Self::Drained { queue, events, took } => {
                f.write_str(match queue {
                    Queue::Broker => "The backlog is drained: ",
                    Queue::Outbox => "The outbox is drained: ",
                })?;
                write!(f, "{} events left in {}.", Count(*events), Span(took.as_secs()))
            }
        }
    }
}

fn draining(f: &mut Formatter<'_>, backlog: &Backlog) -> fmt::Result {
    let Backlog { waiting, per_second, seconds_left, age_seconds } = *backlog;
    let each_second = Rate(per_second);
    match (waiting, age_seconds) {
        (Some(waiting), _) => {
            let waiting = Count(waiting);
            write!(f, "{waiting} events wait, {each_second} leave each second, ")?;
        }
        (None, age) => {
            let age = Duration::try_from_secs_f64(age.unwrap_or_default()).unwrap_or_default();
            let age = Span(age.as_secs());
            write!(f, "events from {age} ago are stored, {each_second} each second, ")?;
        }
    }
    match seconds_left {
        Some(seconds) => write!(f, "about {} to go.", Span(seconds)),
        None => f.write_str("and it does not become less."),
    }
}

/// A number with commas between its thousands.
struct Count(u64);

impl Display for Count {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

/// A rate, with a fraction where that says more than a whole number.
struct Rate(f64);

impl Display for Rate {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let whole = Duration::try_from_secs_f64(self.0.round()).unwrap_or_default().as_secs();
        if self.0 < 10.0 { write!(f, "{:.1}", self.0) } else { Count(whole).fmt(f) }
    }
}

/// A time in the two largest units that it has.
struct Span(u64);

impl Display for Span {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            seconds if seconds < 2 * MINUTE => write!(f, "{seconds} s"),
            seconds if seconds < 2 * HOUR => write!(f, "{} minutes", seconds / MINUTE),
            seconds if seconds < 2 * DAY => {
                write!(f, "{} h {} min", seconds / HOUR, seconds % HOUR / MINUTE)
            }
            seconds => write!(f, "{} d {} h", seconds / DAY, seconds % DAY / HOUR),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences() {
        let backlog = Backlog {
            waiting: Some(412_000),
            per_second: 8_100.0,
            seconds_left: Some(51),
            age_seconds: Some(700.0),
        };
        assert_eq!(
            Progress::Draining(Queue::Broker, backlog).to_string(),
            "Draining a backlog: 412,000 events wait, 8,100 leave each second, about 51 s to go."
        );
        let unknown = Backlog { waiting: None, per_second: 2.25, ..backlog };
        assert_eq!(
            Progress::Draining(Queue::Broker, unknown).to_string(),
            "Draining a backlog: events from 11 minutes ago are stored, 2.2 each second, about \
             51 s to go."
        );
        let stuck = Backlog { seconds_left: None, ..backlog };
        assert_eq!(
            Progress::Draining(Queue::Outbox, stuck).to_string(),
            "Draining the outbox: 412,000 events wait, 8,100 leave each second, and it does not \
             become less."
        );
        let (events, took) = (1_000_001, Duration::from_secs(125));
        let drained = Progress::Drained { queue: Queue::Broker, events, took };
        assert_eq!(
            drained.to_string(),
            "The backlog is drained: 1,000,001 events left in 2 minutes."
        );
    }

    #[test]
    fn numbers_and_times() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345_678, "12,345,678")]
        {
            assert_eq!(Count(number).to_string(), text);
        }
        for (seconds, text) in
            [(119, "119 s"), (120, "2 minutes"), (7_260, "2 h 1 min"), (200_000, "2 d 7 h")]
        {
            assert_eq!(Span(seconds).to_string(), text);
        }
    }
}
