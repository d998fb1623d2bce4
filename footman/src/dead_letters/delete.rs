//! `footman dead-letters delete`: the one way to lose an event, and only when told to.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::process::ExitCode;

use shared::lifecycle::EXIT_USAGE;

use super::places::Places;
use super::text::{count, short_reason};
use super::{Which, print, remark, select};

/// Letters that are named before somebody is asked.
const NAMED: usize = 10;

/// Deletes letters, after asking unless told not to.
pub(super) async fn delete(places: &Places, which: &Which, yes: bool) -> anyhow::Result<ExitCode> {
    let chosen = select::chosen(places.headers().await?, which)?;
    if chosen.is_empty() {
        print("There is nothing to delete.");
        return Ok(ExitCode::SUCCESS);
    }
    let letters = count(chosen.len(), "dead letter", "dead letters");
    if !yes {
        if !std::io::stdin().is_terminal() {
            remark("footman: nobody can be asked here whether to delete; --yes says so");
            return Ok(ExitCode::from(EXIT_USAGE));
        }
        for found in chosen.iter().take(NAMED) {
            print(&format!("{}  {}", found.header.event_id, short_reason(found)));
        }
        if chosen.len() > NAMED {
            print(&format!("and {} more", chosen.len() - NAMED));
        }
        if !is_meant(&letters)? {
            print("Nothing is deleted.");
            return Ok(ExitCode::SUCCESS);
        }
    }
    for found in &chosen {
        places.remove(found).await?;
    }
    print(&format!("{letters} deleted."));
    Ok(ExitCode::SUCCESS)
}

fn is_meant(letters: &str) -> anyhow::Result<bool> {
    let mut terminal = std::io::stderr().lock();
    write!(terminal, "Delete {letters} for good? What is in them will never be stored. [y/N] ")?;
    terminal.flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
