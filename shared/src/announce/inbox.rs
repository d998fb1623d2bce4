//! What was heard, until somebody asks for it.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

/// Messages that wait at most; beyond that the oldest are dropped. More than a broker retains for
/// a large site.
const MAX_WAITING: usize = 4_096;
/// Their payloads together at most: others may publish anything where we listen.
const MAX_WAITING_BYTES: usize = 16 << 20;

/// A queue with one reader.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    waiting: Mutex<Waiting>,
    news: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    messages: VecDeque<(String, Bytes)>,
    bytes: usize,
    is_closed: bool,
}

impl Waiting {
    fn pop(&mut self) -> Option<(String, Bytes)> {
        let (topic, payload) = self.messages.pop_front()?;
        self.bytes = self.bytes.saturating_sub(topic.len() + payload.len());
        Some((topic, payload))
    }
}

impl Inbox {
    /// Something was heard.
    pub(super) fn push(&self, topic: String, payload: Bytes) {
        {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.bytes += topic.len() + payload.len();
            waiting.messages.push_back((topic, payload));
            while waiting.messages.len() > MAX_WAITING || waiting.bytes > MAX_WAITING_BYTES {
                waiting.pop();
            }
        }
        self.news.notify_one();
    }

    /// Nothing comes any more.
    pub(super) fn close(&self) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).is_closed = true;
        self.news.notify_one();
    }

    /// The oldest message.
    pub(super) async fn next(&self) -> Option<(String, Bytes)> {
        loop {
            {
                let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(message) = waiting.pop() {
                    return Some(message);
                }
                if waiting.is_closed {
                    return None;
                }
            }
            self.news.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bounded_in_number_and_bytes() {
        let inbox = Inbox::default();
        for number in 0..=MAX_WAITING {
            inbox.push(number.to_string(), Bytes::from_static(b"x"));
        }
        assert_eq!(inbox.next().await.unwrap().0, "1");
        inbox.push("large".to_owned(), vec![0; MAX_WAITING_BYTES - 10].into());
        assert_eq!(inbox.next().await.unwrap().0, MAX_WAITING.to_string());
        assert_eq!(inbox.next().await.unwrap().0, "large");
        inbox.close();
        assert_eq!(inbox.next().await, None);
    }
}
