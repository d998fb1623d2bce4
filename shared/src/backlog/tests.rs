use super::*;

/// A queue that is looked at each second.
struct Looked {
    watch: Watch,
    start: Instant,
    second: u64,
    said: Vec<(u64, Progress)>,
}

impl Looked {
    fn new() -> Self {
        Self {
            watch: Watch::new(Queue::Broker),
            start: Instant::now(),
            second: 0,
            said: Vec::new(),
        }
    }

    fn see(&mut self, waiting: Option<u64>, left: u64, age: u64) {
        let at = self.start + Duration::from_secs(self.second);
        let age = Some(Duration::from_secs(age));
        if let Some(progress) = self.watch.see(Seen { at, waiting, left, age }) {
            self.said.push((self.second, progress));
        }
        self.second += 1;
    }

    fn drained(&self) -> Option<Progress> {
        self.said.last().map(|(_, progress)| *progress)
    }
}

#[test]
fn a_backlog_is_told_each_ten_seconds_and_once_at_its_end() {
    let mut queue = Looked::new();
    for second in 0..=40_u64 {
        let left = second * 10_000;
        queue.see(Some(400_000_u64.saturating_sub(left)), left.min(400_000), 3_600);
    }
    let seconds: Vec<u64> = queue.said.iter().map(|(second, _)| *second).collect();
    assert_eq!(seconds, [5, 15, 25, 35, 40]);
    let Progress::Draining(_, first) = queue.said[0].1 else { panic!("{:?}", queue.said) };
    assert_eq!(first.waiting, Some(350_000));
    assert!((first.per_second - 10_000.0).abs() < 1.0, "{first:?}");
    assert_eq!(first.seconds_left, Some(35));
    let took = Duration::from_secs(40);
    assert_eq!(
        queue.drained(),
        Some(Progress::Drained { queue: Queue::Broker, events: 400_000, took })
    );
    queue.see(Some(0), 400_000, 0);
    assert_eq!(queue.said.len(), 5);
}

#[test]
fn what_comes_meanwhile_makes_it_longer() {
    let mut queue = Looked::new();
    for second in 0..=10_u64 {
        // A thousand leave and two hundred come.
        queue.see(Some(80_000 - second * 800), second * 1_000, 60);
    }
    let backlog = queue.watch.backlog();
    assert!((backlog.per_second - 1_000.0).abs() < 1.0, "{backlog:?}");
    assert_eq!(backlog.seconds_left, Some(90));
}

#[test]
fn others_drain_it_too() {
    let mut queue = Looked::new();
    for second in 0..=10_u64 {
        queue.see(Some(80_000 - second * 3_000), second * 1_000, 60);
    }
    assert!((queue.watch.backlog().per_second - 3_000.0).abs() < 1.0);
}

#[test]
fn a_backlog_that_grows_has_no_end_in_sight() {
    let mut queue = Looked::new();
    for second in 0..=10_u64 {
        queue.see(Some(80_000 + second * 100), second * 1_000, 60);
    }
    let Some(Progress::Draining(_, backlog)) = queue.drained() else { panic!("{:?}", queue.said) };
    assert_eq!(backlog.seconds_left, None);
}

#[test]
fn nothing_is_said_while_nothing_leaves_or_little_waits() {
    let mut queue = Looked::new();
    for _ in 0..60 {
        // InfluxDB is away.
        queue.see(Some(1_000_000), 0, 600);
    }
    for second in 0..60_u64 {
        // A busy site: what comes is stored within a second.
        queue.see(Some(2_000), second * 2_000, 1);
    }
    assert!(queue.said.iter().all(|(second, _)| *second < 60 + 20), "{:?}", queue.said);
    let mut slow = Looked::new();
    for second in 0..60_u64 {
        slow.see(Some(900), second, 1);
    }
    assert_eq!(slow.said, []);
}

#[test]
fn an_outage_in_the_middle_of_a_drain_is_silence() {
    let mut queue = Looked::new();
    for second in 0..=20_u64 {
        queue.see(Some(400_000 - second * 1_000), second * 1_000, 600);
    }
    let said = queue.said.len();
    for _ in 0..60 {
        queue.see(Some(380_000), 20_000, 600);
    }
    assert!(queue.said.len() <= said + 2, "{:?}", queue.said);
    assert_eq!(queue.watch.backlog().seconds_left, None);
    queue.see(Some(0), 400_000, 0);
    assert!(matches!(queue.drained(), Some(Progress::Drained { events: 400_000, .. })));
}

#[test]
fn where_nobody_knows_what_waits_the_age_tells() {
    let mut queue = Looked::new();
    for second in 0..=60_u64 {
        // Eleven seconds of events leave in each second.
        queue.see(None, second * 500, 600 - second * 10);
    }
    let Progress::Draining(_, first) = queue.said[0].1 else { panic!("{:?}", queue.said) };
    assert_eq!((first.waiting, first.seconds_left), (None, Some(55)));
    assert!(matches!(queue.drained(), Some(Progress::Drained { .. })));
}

/// As after the start of a writer: for a moment nothing is in hand, and nobody knows what waits.
#[test]
fn what_was_before_the_drain_does_not_slow_the_estimate() {
    for knows in [true, false] {
        let mut queue = Looked::new();
        queue.see(None, 0, 0);
        for second in 0..10 {
            queue.see(knows.then_some(80_000), 0, 3_600 + second);
        }
        for second in 1..=10_u64 {
            queue.see(
                knows.then_some(80_000 - second * 2_000),
                second * 2_000,
                3_609 - second * 90,
            );
        }
        let backlog = queue.watch.backlog();
        assert!((backlog.per_second - 2_000.0).abs() < 1.0, "{backlog:?}");
        assert_eq!(backlog.seconds_left, Some(30), "{backlog:?}");
    }
}

#[test]
fn a_wrong_clock_is_no_backlog() {
    let mut queue = Looked::new();
    for second in 0..=60_u64 {
        queue.see(None, second * 500, 600);
    }
    assert_eq!(queue.said, []);
    assert_eq!(queue.watch.backlog().seconds_left, None);
}

#[test]
fn as_readyz_writes_it() {
    let mut queue = Looked::new();
    for second in 0..=10_u64 {
        queue.see(Some(80_000 - second * 1_000), second * 1_000, 60);
    }
    let written = serde_json::to_value(queue.watch.backlog()).unwrap();
    let expected = serde_json::json!({
        "waiting": 70_000, "perSecond": 1_000.0, "secondsLeft": 70, "ageSeconds": 60.0
    });
    assert_eq!(written, expected);
    let nothing = serde_json::to_value(Watch::new(Queue::Broker).backlog()).unwrap();
    assert_eq!(nothing, serde_json::json!({ "perSecond": 0.0 }));
}
