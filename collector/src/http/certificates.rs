//! Watching the certificate files, so that renewed ones are used without a restart.
//!
//! Once a second the size and the time of each file are compared; what is made from the files is
//! made again when one changed, also when that fails: polls then fail with the cause instead of
//! going on with something that is no longer there.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use std::{fmt, fs};

use shared::config::Certificates;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// Time between two looks at the files.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Files, and what is made of them.
pub(super) struct Watched<T> {
    pub(super) files: Certificates,
    pub(super) make: Arc<dyn Fn(&Certificates) -> T + Send + Sync>,
}

impl<T> Clone for Watched<T> {
    fn clone(&self) -> Self {
        Self { files: self.files.clone(), make: Arc::clone(&self.make) }
    }
}

impl<T> fmt::Debug for Watched<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").field("files", &self.files).finish_non_exhaustive()
    }
}

/// What a file looked like; none when it cannot be looked at.
type Look = Option<(u64, Option<SystemTime>)>;

/// Makes the first value, and a new one whenever a file changes, until `stop`.
pub(super) async fn watch<T: Send + Sync + 'static>(
    watched: Watched<T>,
    stop: CancellationToken,
) -> watch::Receiver<T> {
    let first = watched.clone();
    // Making is reading files and parsing keys, which a runtime thread should not wait for.
    let made = tokio::task::spawn_blocking(move || {
        let look = looks(&first.files);
        (look, (first.make)(&first.files))
    });
    let (look, value) = match made.await {
        Ok((look, value)) => (Some(look), value),
        Err(_panicked) => (None, (watched.make)(&watched.files)),
    };
    let (sender, receiver) = watch::channel(value);
    tokio::spawn(keep_up(watched, look, sender, stop));
    receiver
}

async fn keep_up<T: Send + Sync + 'static>(
    watched: Watched<T>,
    mut last: Option<[Look; 3]>,
    sender: watch::Sender<T>,
    stop: CancellationToken,
) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _tick = ticks.tick() => {}
        }
        let this = watched.clone();
        let look = tokio::task::spawn_blocking(move || {
            let look = looks(&this.files);
            (Some(look) != last).then(|| (look, (this.make)(&this.files)))
        });
        if let Ok(Some((look, value))) = look.await {
            last = Some(look);
            tracing::info!(
                "The certificate files changed, new connections use what they hold now."
            );
            sender.send_replace(value);
        }
    }
}

fn looks(files: &Certificates) -> [Look; 3] {
    [look(&files.cert), look(&files.key), look(&files.ca)]
}

fn look(path: &Path) -> Look {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.len(), metadata.modified().ok()))
}
