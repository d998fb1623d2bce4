//! A time in which programs are watched, and the lines that tell of it.

use std::time::Duration;

use integration_tests::process::Resident;
use integration_tests::programs::Running;
use tokio::time::Instant;

const BETWEEN_LOOKS: Duration = Duration::from_millis(250);
const BETWEEN_LINES: Duration = Duration::from_secs(10);

pub(crate) struct Phase {
    name: &'static str,
    started: Instant,
    processes: Vec<(String, u32)>,
}

impl Phase {
    /// Begins now.
    pub(crate) fn over(name: &'static str, programs: &[Running]) -> Self {
        for program in programs {
            program.forget_peak();
        }
        Self::since_start(name, programs)
    }

    /// Began with the programs.
    pub(crate) fn since_start(name: &'static str, programs: &[Running]) -> Self {
        let processes = programs.iter().map(|program| (program.name().to_owned(), program.id()));
        Self { name, started: Instant::now(), processes: processes.collect() }
    }

    /// Lasts for a time.
    pub(crate) async fn last(self, time: Duration) {
        tokio::time::sleep(time).await;
        self.tell("");
    }

    /// Lasts until the last program has stored so many events.
    pub(crate) async fn until_stored(self, programs: &mut [Running], events: u64) {
        let program = programs.last_mut().expect("a program");
        let metric = "writer_events_stored_total";
        self.until(program, metric, |stored| stored >= events as f64, events).await;
    }

    /// Lasts until the last program has had so many events confirmed.
    pub(crate) async fn until_forwarded(self, programs: &mut [Running], events: u64) {
        let program = programs.last_mut().expect("a program");
        let metric = "collector_confirmed_events_total";
        self.until(program, metric, |confirmed| confirmed >= events as f64, events).await;
    }

    async fn until(
        self,
        program: &Running,
        metric: &str,
        is_done: impl Fn(f64) -> bool,
        events: u64,
    ) {
        let mut said = Instant::now();
        loop {
            assert!(program.resident().now > 0, "it has ended:\n{}", program.printed());
            let value = program.metric(metric).await.unwrap_or_default();
            if is_done(value) {
                break;
            }
            if said.elapsed() > BETWEEN_LINES {
                said = Instant::now();
                println!("  {metric} {value} after {:.0} s", self.started.elapsed().as_secs_f64());
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
        let rate = events as f64 / self.started.elapsed().as_secs_f64();
        self.tell(&format!(", {rate:.0} events/s"));
    }

    fn tell(&self, more: &str) {
        let seconds = self.started.elapsed().as_secs_f64();
        for (name, id) in &self.processes {
            let Resident { now, peak, own } = Resident::of(*id);
            let megabytes = |bytes: u64| bytes as f64 / 1e6;
            println!(
                "{:<14} {name:<9} resident {:>6.1} MB, peak {:>6.1} MB, own {:>6.1} MB, {seconds:.1} s{more}",
                self.name,
                megabytes(now),
                megabytes(peak),
                megabytes(own),
            );
        }
    }
}
