//! Watching the certificate files, so that renewed ones are used without a restart.
//!
//! Once a second the contents of each file are compared, and at once when a handshake failed; what
//! is made from them is made again when they changed and can be used. What cannot be used for good
//! is told too: polls then fail with the cause instead of going on with something that is no longer
//! there.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use shared::tls::{Files, Material, News, Renewal, TlsError};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

/// Time between two looks at the files.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A look that is not older than this is as good as a new one: when the certificates of a site are
/// exchanged, the polls of all its servers fail at once.
const FRESH: Duration = Duration::from_millis(200);

/// Makes something of what the files hold, or of why they cannot be used.
pub(super) type Make<T> = Box<dyn Fn(Result<Material, TlsError>) -> T + Send + Sync>;

/// Files, and what is made of them.
pub(super) struct Watched<T> {
    state: Mutex<State>,
    make: Make<T>,
    made: watch::Sender<Arc<T>>,
}

struct State {
    renewal: Renewal,
    looked: Instant,
}

impl<T> std::fmt::Debug for Watched<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watched").finish_non_exhaustive()
    }
}

impl<T: Send + Sync + 'static> Watched<T> {
    /// Makes the first value, and a new one whenever the files change, until `stop`.
    pub(super) fn start(files: Files, make: Make<T>, stop: CancellationToken) -> Arc<Self> {
        let (renewal, material) = Renewal::start(files);
        let state = Mutex::new(State { renewal, looked: Instant::now() });
        let made = watch::Sender::new(Arc::new(make(material)));
        let watched = Arc::new(Self { state, make, made });
        tokio::spawn(keep_up(Arc::clone(&watched), stop));
        watched
    }

    /// What was made last.
    pub(super) fn now(&self) -> Arc<T> {
        Arc::clone(&self.made.borrow())
    }

    /// Looks at the files now, and gives what was made last.
    pub(super) async fn look(self: &Arc<Self>) -> Arc<T> {
        let this = Arc::clone(self);
        // Reading files and decrypting keys is nothing that a runtime thread should wait for. A
        // look that panics leaves what was.
        let _looked = tokio::task::spawn_blocking(move || this.look_blocking(FRESH)).await;
        self.now()
    }

    fn look_blocking(&self, fresh: Duration) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.looked.elapsed() < fresh {
            return;
        }
        let news = state.renewal.look();
        state.looked = Instant::now();
        match news {
            News::Nothing => {}
            News::Renewed(material) => {
                tracing::info!(
                    "The certificate files changed, new connections use what they hold now."
                );
                self.made.send_replace(Arc::new((self.make)(Ok(material))));
            }
            News::Broken(error) => {
                self.made.send_replace(Arc::new((self.make)(Err(error))));
            }
        }
    }
}

async fn keep_up<T: Send + Sync + 'static>(watched: Arc<Watched<T>>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick comes at once.
    ticks.tick().await;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _tick = ticks.tick() => {}
        }
        let _now = watched.look().await;
    }
}
