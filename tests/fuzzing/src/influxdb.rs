//! InfluxDB's answers: whatever comes back, it is told what becomes of the lines.

use std::time::Duration;

use shared::timestamp::Timestamp;
use writer::Pace;
use writer::destination::Answer;
use writer::influxdb::{Response, answer};

use crate::draw::Draw;
use crate::reading::VERSIONS;

const STATUSES: [u16; 16] =
    [204, 400, 422, 401, 403, 404, 405, 408, 413, 429, 500, 503, 200, 302, 307, 418];
/// When it is asked.
const NOW: i64 = 1_795_248_930_000_000_000;
/// The longest that a writer waits because it was told to.
const LONGEST_WAIT: Duration = Duration::from_mins(5);

/// Draws a status and headers; the rest is the body.
pub fn influxdb(bytes: &[u8]) {
    let mut draw = Draw::new(bytes);
    let status = STATUSES[draw.below(STATUSES.len())];
    let headers = draw.byte();
    let mut header = |bit: u8| (headers & bit != 0).then(|| draw.text());
    let response = Response {
        status,
        retry_after: header(1),
        error: header(2),
        by_influxdb: headers & 4 != 0,
        version: None,
        date: None,
        body: draw.rest().to_vec(),
    };
    for version in VERSIONS {
        let answer = answer(version, "influxdb:8086", &response, Timestamp::from_nanos(NOW));
        assert_eq!(answer == Answer::Stored, status == 204, "{answer:?}");
        let words = match answer {
            Answer::Stored => continue,
            Answer::Refused(refusal) => {
                assert!([400, 422].contains(&status), "{refusal:?}");
                continue;
            }
            Answer::Trouble(trouble) => {
                let wait = Pace::default().wait(trouble.kind, 1);
                assert!(wait > Duration::ZERO && wait <= LONGEST_WAIT, "{wait:?}");
                trouble.why
            }
            Answer::TooLarge(words) | Answer::Missing(words) => words,
        };
        assert!(words.len() <= response.body.len() + 4_096);
    }
}
