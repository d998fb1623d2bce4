//! Waiting for a condition, with a generous deadline.

use std::fmt::Debug;
use std::time::Duration;

use tokio::time::Instant;

/// How long a test waits before it gives up: far longer than a loaded machine needs.
pub const PATIENCE: Duration = Duration::from_mins(1);
pub(crate) const BETWEEN_LOOKS: Duration = Duration::from_millis(25);

/// Waits for something; panics with `what` after [`PATIENCE`].
pub async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    let found = tokio::time::timeout(PATIENCE, future).await;
    found.unwrap_or_else(|_elapsed| panic!("waited {PATIENCE:?} in vain for: {what}"))
}

/// Looks until `look` gives something; panics with `what` after [`PATIENCE`].
pub async fn eventually<T, F>(what: &str, mut look: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    match eventually_or_none(&mut look).await {
        Some(found) => found,
        None => panic!("waited {PATIENCE:?} in vain for: {what}"),
    }
}

/// Looks until `look` gives something; none after [`PATIENCE`].
pub async fn eventually_or_none<T, F>(mut look: impl FnMut() -> F) -> Option<T>
where
    F: Future<Output = Option<T>>,
{
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(found) = look().await {
            return Some(found);
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
    None
}

/// Looks until `look` gives `wanted`; panics with what it gave last after [`PATIENCE`].
pub async fn eventually_equal<T, F>(what: &str, wanted: T, mut look: impl FnMut() -> F)
where
    T: PartialEq + Debug,
    F: Future<Output = T>,
{
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = look().await;
        if found == wanted {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "waited {PATIENCE:?} in vain for: {what}: wanted {wanted:?}, found {found:?}"
        );
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}
