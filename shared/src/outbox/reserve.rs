//! Room on the disk that is kept for letting go.
//!
//! On a full disk nothing can be written, not even that events may leave: the outbox would stay
//! full after everything in it was settled. So a file holds some room. When the disk is full the
//! file goes, which makes room for settlements and for a checkpoint; events are taken again only
//! when the file has its place back.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

const FILE: &str = "reserve";
/// Twice what the log grows to before a checkpoint, which may need as much again.
const MAX_BYTES: u64 = 8 << 20;
/// The part of the outbox's limit that the reserve takes at most: an eighth.
const PART_OF_LIMIT: u64 = 8;
/// How often a lost place is asked for: each try writes until the disk is full.
const RETRY: Duration = Duration::from_secs(1);
/// What is written at once.
const BLOCK: usize = 64 << 10;

/// The room that is kept.
#[derive(Debug)]
pub(super) struct Reserve {
    path: PathBuf,
    bytes: u64,
    held: bool,
    next_try: Instant,
}

impl Reserve {
    /// How large it is for an outbox of `max_bytes`.
    pub(super) fn size(max_bytes: u64) -> u64 {
        (max_bytes / PART_OF_LIMIT).min(MAX_BYTES)
    }

    /// Takes its place, if there is one.
    pub(super) fn take(directory: &Path, max_bytes: u64) -> Self {
        let (path, bytes) = (directory.join(FILE), Self::size(max_bytes));
        let mut reserve = Self { path, bytes, held: false, next_try: Instant::now() };
        if !reserve.is_held() {
            tracing::warn!(
                bytes,
                directory = %directory.display(),
                "The outbox's disk is nearly full: there is no room for its reserve."
            );
        }
        reserve
    }

    /// Whether it has lost its place, and asks for it when it is looked at next.
    pub(super) fn asks_now(&self) -> bool {
        !self.held && Instant::now() >= self.next_try
    }

    /// Whether it has its place; asks for it now and then when it has not.
    pub(super) fn is_held(&mut self) -> bool {
        if self.asks_now() {
            self.next_try = Instant::now() + RETRY;
            self.held = self.write().is_ok();
            if !self.held {
                self.remove();
            }
        }
        self.held
    }

    /// Whether it had its place when that was looked at last.
    pub(super) fn has_place(&self) -> bool {
        self.held
    }

    /// Gives its place away. Says whether that made room.
    pub(super) fn release(&mut self) -> bool {
        self.next_try = Instant::now() + RETRY;
        self.remove();
        std::mem::replace(&mut self.held, false)
    }

    fn write(&self) -> io::Result<()> {
        let kept = fs::metadata(&self.path).map_or(0, |file| file.len());
        if kept == self.bytes {
            return Ok(());
        }
        let mut file = File::create(&self.path)?;
        // Bytes that no file system can leave out.
        let block: Vec<u8> = (0..=u8::MAX).cycle().take(BLOCK).collect();
        let mut left = self.bytes;
        while left > 0 {
            let count = usize::try_from(left).unwrap_or(BLOCK).min(BLOCK);
            file.write_all(block.get(..count).unwrap_or(&block))?;
            left -= count as u64;
        }
        file.sync_all()
    }

    fn remove(&self) {
        // What cannot be removed is no room; the next try finds out.
        let _missing = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn takes_its_place_and_gives_it_away() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE);
        let mut reserve = Reserve::take(directory.path(), 1 << 20);
        assert!(reserve.is_held());
        assert_eq!(fs::metadata(&path).unwrap().len(), 1 << 17);
        assert!(reserve.release());
        assert!(!path.exists());
        assert!(!reserve.asks_now() && !reserve.is_held(), "not at once");
        tokio::time::advance(RETRY).await;
        assert!(reserve.asks_now() && reserve.is_held());
        assert!(!reserve.asks_now());
        assert_eq!(Reserve::size(1 << 40), MAX_BYTES);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_place_it_asks_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE);
        fs::create_dir(&path).unwrap();
        let mut reserve = Reserve::take(directory.path(), 1 << 20);
        assert!(!reserve.is_held());
        assert!(!reserve.release());
        fs::remove_dir(&path).unwrap();
        tokio::time::advance(RETRY).await;
        assert!(reserve.is_held());
    }
}
