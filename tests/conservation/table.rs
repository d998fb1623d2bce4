//! A row of the table, and the verdict.

use std::fs::File;
use std::io::Write as _;

use crate::books::Books;
use crate::rig::Rig;

/// The columns, as `docs/conservation.md` explains them.
const HEAD: &str = "| fault | broker | rounds | served | in hand | polled | stored | sent twice | \
                    visible twice | dead letters | unrecorded | lost | longest gap | seed |";

/// Prints the row, and fails on what is lost or doubled.
pub(crate) async fn conclude(rig: &Rig, fault: &str, rounds: u64, books: &Books) {
    let Books { served, in_hand, polled, stored, sent_twice, .. } = books;
    rig.says("until the dead letters are read");
    let dead_lettered = rig.dead_letters().await;
    let Books { visible_twice, unrecorded, lost, longest_gap, wrong, .. } = books;
    let row = format!(
        "| {fault} | {:?} | {rounds} | {served} | {in_hand} | {polled} | {stored} | {sent_twice} | \
         {visible_twice} | {dead_lettered} | {unrecorded} | {lost} | {:.1} s | {} |",
        rig.on,
        longest_gap.as_secs_f64(),
        rig.chance.seed(),
    );
    println!("{HEAD}\n{row}");
    if let Some(path) = std::env::var_os("FOOTMAN_TABLE") {
        let file = File::options().create(true).append(true).open(path);
        writeln!(file.unwrap(), "{row}").unwrap();
    }
    if !wrong.is_empty() {
        for program in rig.writers.iter().chain([&rig.collector]) {
            println!("{} has printed:\n{}", program.name(), program.printed());
        }
    }
    let shown: Vec<&String> = wrong.iter().take(20).collect();
    assert!(*lost == 0 && *visible_twice == 0, "{} are wrong: {shown:#?}", wrong.len());
    assert!(*served > 0 && *stored > 0, "nothing was compared");
}
