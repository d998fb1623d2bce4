//! The parts of a program: started one by one, stopped in order, and none of them may end alone.
//!
//! What feeds stops first, what stores stops last, so that a drain loses nothing that is in hand.

use std::error::Error;
use std::time::Duration;

use thiserror::Error as ThisError;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

/// Why a part ended, as it says.
pub type Cause = Box<dyn Error + Send + Sync>;

/// A part that ended although nobody stopped it.
#[derive(Debug, ThisError)]
pub enum StageError {
    /// It gave up.
    #[error("the {stage} failed")]
    Failed {
        /// The part.
        stage: &'static str,
        /// Why.
        #[source]
        cause: Cause,
    },
    /// It has nothing to do any more, which should never be.
    #[error("the {stage} ended by itself")]
    Ended {
        /// The part.
        stage: &'static str,
    },
    /// It panicked.
    #[error("a part of the program died")]
    Died(#[source] JoinError),
}

/// The running parts of a program, in the order in which they stop.
#[derive(Debug, Default)]
pub struct Stages {
    stages: Vec<Stage>,
    running: JoinSet<(usize, Result<(), Cause>)>,
}

#[derive(Debug)]
struct Stage {
    name: &'static str,
    stop: CancellationToken,
    ended: bool,
}

/// How a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drain {
    /// Every part ended.
    Complete,
    /// Time was up; what was not finished is where it was.
    CutShort,
}

impl Stages {
    /// Starts a part that stops after all parts before it; it ends when its token is cancelled.
    pub fn spawn<F, E>(&mut self, name: &'static str, work: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Cause> + 'static,
    {
        let stop = CancellationToken::new();
        let place = self.stages.len();
        let work = work(stop.clone());
        self.stages.push(Stage { name, stop, ended: false });
        self.running.spawn(async move { (place, work.await.map_err(Into::into)) });
    }

    /// Runs until `shutdown`, then stops the parts in order, all of them within `grace`.
    pub async fn until(
        mut self,
        shutdown: CancellationToken,
        grace: Duration,
    ) -> Result<Drain, StageError> {
        tokio::select! {
            () = shutdown.cancelled() => {}
            Some(ended) = self.running.join_next() => return Err(self.unexpected(ended)),
        }
        match tokio::time::timeout(grace, self.drain()).await {
            Ok(()) => Ok(Drain::Complete),
            Err(_elapsed) => Ok(Drain::CutShort),
        }
    }

    async fn drain(&mut self) {
        for place in 0..self.stages.len() {
            let Some(stage) = self.stages.get(place) else { return };
            stage.stop.cancel();
            while self.stages.get(place).is_some_and(|stage| !stage.ended) {
                match self.running.join_next().await {
                    None => return,
                    Some(Ok((ended, result))) => self.note(ended, result),
                    Some(Err(error)) => {
                        tracing::error!(%error, "A part of the program died while it drained.");
                        return;
                    }
                }
            }
        }
    }

    fn note(&mut self, place: usize, result: Result<(), Cause>) {
        let Some(stage) = self.stages.get_mut(place) else { return };
        stage.ended = true;
        if let Err(error) = result {
            tracing::error!(part = stage.name, %error, "A part failed while it drained.");
        }
    }

    fn unexpected(&self, ended: Result<(usize, Result<(), Cause>), JoinError>) -> StageError {
        let name = |place: usize| self.stages.get(place).map_or("part", |stage| stage.name);
        match ended {
            Ok((place, Ok(()))) => StageError::Ended { stage: name(place) },
            Ok((place, Err(cause))) => StageError::Failed { stage: name(place), cause },
            Err(panicked) => StageError::Died(panicked),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    const GRACE: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn parts_stop_in_order() {
        let (ended, mut stages) = (Arc::new(Mutex::new(Vec::new())), Stages::default());
        for name in ["collector", "writer", "pages"] {
            let ended = Arc::clone(&ended);
            stages.spawn(name, |stop| async move {
                stop.cancelled().await;
                // The others have every chance to overtake.
                tokio::task::yield_now().await;
                ended.lock().unwrap().push(name);
                Ok::<(), Cause>(())
            });
        }
        let shutdown = CancellationToken::new();
        shutdown.cancel();
        assert_eq!(stages.until(shutdown, GRACE).await.unwrap(), Drain::Complete);
        assert_eq!(*ended.lock().unwrap(), ["collector", "writer", "pages"]);
    }

    #[tokio::test]
    async fn a_part_that_ends_alone_ends_the_program() {
        let mut stages = Stages::default();
        stages.spawn("writer", |stop| async move {
            stop.cancelled().await;
            Ok::<(), Cause>(())
        });
        stages.spawn("pages", |_stop| async { Err(io::Error::other("the port is gone")) });
        let error = stages.until(CancellationToken::new(), GRACE).await.unwrap_err();
        assert!(matches!(&error, StageError::Failed { stage: "pages", .. }), "{error:?}");

        let mut stages = Stages::default();
        stages.spawn("writer", |_stop| async { Ok::<(), Cause>(()) });
        let error = stages.until(CancellationToken::new(), GRACE).await.unwrap_err();
        assert!(matches!(error, StageError::Ended { stage: "writer" }), "{error:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_drain_has_a_deadline() {
        let mut stages = Stages::default();
        stages.spawn("writer", |_stop| std::future::pending::<Result<(), Cause>>());
        let shutdown = CancellationToken::new();
        shutdown.cancel();
        assert_eq!(stages.until(shutdown, GRACE).await.unwrap(), Drain::CutShort);
    }
}
