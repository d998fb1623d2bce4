//! The outbox's disk: at its limit, full, not writable, and a file cut short.

use std::path::{Path, PathBuf};
use std::process::Command;

use integration_tests::patience::eventually;
use rusqlite::Connection;

use crate::books::{Known, balance};
use crate::rig::{On, Rig, outbox_of};
use crate::table::conclude;

/// As little as the configuration allows: some hundred events.
const LITTLE: &str = "1MiB";
/// The disk of a test, and an outbox that is larger and has a reserve of 1 MiB there.
const SMALL_DISK: &str = "size=3m";
const LARGER: &str = "8MiB";

/// Some ten seconds.
const ANSWERS_TO_A_FULL_DISK: u64 = 250;
/// Events that wait in an outbox which is forwarded as fast as they come.
const HARDLY_ANY: f64 = 20.0;

/// Waits until the outbox takes no more, then for some answers that are not recorded.
async fn fills(rig: &Rig) {
    eventually("a full outbox", || rig.collector.missing("outbox")).await;
    rig.serves(20).await;
}

/// The books of a run in which some ticks were not taken: the outbox must have told of each.
async fn settled(mut rig: Rig, fault: &str) {
    // Ready for a moment it is as soon as there is room for one event; this is for good.
    eventually("an outbox with room", || async {
        rig.collector
            .metric("collector_outbox_events")
            .await
            .filter(|waiting| *waiting < HARDLY_ANY)
    })
    .await;
    // Every endpoint tells with its next outcome, which comes within an interval.
    rig.is_ready().await;
    rig.serves(20).await;
    rig.settle().await;
    let books = balance(&rig, Known { outbox_was_full: true }).await;
    assert!(books.unrecorded > 0, "the outbox was never full");
    conclude(&rig, fault, 1, &books).await;
}

/// Limits the outbox, or the queue.
fn limit(size: &'static str) -> [(&'static str, &'static str); 2] {
    [
        ("FOOTMAN__COLLECTOR__OUTBOX__MAX_BYTES", size),
        ("FOOTMAN__BROKER__EMBEDDED__MAX_BYTES", size),
    ]
}

async fn start_with(rig: &mut Rig, variables: &[(&'static str, &str)]) {
    for writer in &mut rig.writers {
        writer.start().await;
    }
    rig.collector.start_with(variables).await;
    rig.is_ready().await;
}

/// Whatever stands behind the outbox takes nothing.
fn blocks(rig: &Rig, blocked: bool) {
    let joint = match rig.on {
        On::embedded => &rig.influxdb_side,
        On::nats | On::mqtt => &rig.collector_side,
    };
    joint.refuse(blocked);
    joint.cut();
}

pub(crate) async fn at_its_limit(on: On) {
    let mut rig = Rig::prepare(on, "").await;
    start_with(&mut rig, &limit(LITTLE)).await;
    blocks(&rig, true);
    fills(&rig).await;
    blocks(&rig, false);
    settled(rig, "outbox at its limit").await;
}

/// A file system of its own, which even root cannot overfill.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// None where the test may not mount one.
    fn mount(at: &Path) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", SMALL_DISK, "tmpfs"]).arg(at);
        mount.status().unwrap().success().then(|| Self(at.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _gone = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

pub(crate) async fn full_disk(on: On) {
    let mut rig = Rig::prepare(on, "").await;
    let directory = outbox_of(&rig).parent().unwrap().to_owned();
    let Some(_disk) = SmallDisk::mount(&directory) else {
        println!("Not root: a small disk cannot be mounted here, and this test shows nothing.");
        return;
    };
    start_with(&mut rig, &limit(LARGER)).await;
    blocks(&rig, true);
    fills(&rig).await;
    // The reserve comes and goes, and the database grows a little each time.
    rig.serves(ANSWERS_TO_A_FULL_DISK).await;
    blocks(&rig, false);
    settled(rig, "full disk").await;
}

/// Another process holds the database, as a backup program might.
pub(crate) async fn cannot_be_written(on: On) {
    let mut rig = Rig::start(on).await;
    rig.flows().await;
    let other = Connection::open(outbox_of(&rig)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    fills(&rig).await;
    other.execute_batch("ROLLBACK").unwrap();
    drop(other);
    settled(rig, "outbox cannot be written").await;
}

/// What a cut file held is gone, and the program must not begin anew without a word.
pub(crate) async fn cut_short(on: On) {
    let mut rig = Rig::start(on).await;
    blocks(&rig, true);
    rig.serves(30).await;
    let ended = rig.collector.process().terminate().await;
    assert_eq!(ended.code(), Some(0), "{}", rig.collector.printed());
    let path = outbox_of(&rig);
    // Everything into the one file that is cut.
    let outbox = Connection::open(&path).unwrap();
    outbox.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_row| Ok(())).unwrap();
    drop(outbox);
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(file.metadata().unwrap().len() / 2).unwrap();
    rig.collector.launch();
    let ended = rig.collector.process().ended().await;
    let printed = rig.collector.printed();
    assert_eq!(ended.code(), Some(1), "{printed}");
    let advice = format!("{} cannot be used as an outbox: move the file away", path.display());
    assert!(printed.contains(&advice), "{printed}");
    std::fs::rename(&path, path.with_extension("damaged")).unwrap();
    blocks(&rig, false);
    rig.collector.start().await;
    rig.is_ready().await;
}

/// The directory's place is taken by a file.
pub(crate) async fn no_directory(on: On) {
    let mut rig = Rig::prepare(on, "").await;
    let directory = outbox_of(&rig).parent().unwrap().to_owned();
    std::fs::write(&directory, "in the way").unwrap();
    rig.collector.launch();
    let ended = rig.collector.process().ended().await;
    let printed = rig.collector.printed();
    assert_eq!(ended.code(), Some(1), "{printed}");
    assert!(printed.contains(&format!("{} cannot be used", directory.display())), "{printed}");
}

crate::on! {
    embedded:
        super::at_its_limit => outbox_at_its_limit,
        super::full_disk => disk_is_full,
        super::cannot_be_written => outbox_cannot_be_written,
        super::cut_short => outbox_is_cut_short,
        super::no_directory => outbox_has_no_directory;
    nats:
        super::at_its_limit => outbox_at_its_limit,
        super::full_disk => disk_is_full,
        super::cannot_be_written => outbox_cannot_be_written,
        super::cut_short => outbox_is_cut_short;
    mqtt:
        super::at_its_limit => outbox_at_its_limit;
}
