//! What a run leaves behind for whoever looks closer: the figures of each round, one JSON object in
//! a line, and what the programs printed.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use integration_tests::programs::Running;
use serde_json::{Value, json};

use super::arguments::{Arguments, On, Which};
use super::figures::{Figures, Phase};

const FIGURES: &str = "writer.jsonl";

/// Adds the figures of a phase, when they are to be kept.
pub(crate) fn figures(
    arguments: &Arguments,
    on: On,
    round: usize,
    mix: Which,
    phase: Phase,
    figures: &Figures,
) {
    let Some(folder) = folder(arguments) else { return };
    let mut line = json!({ "broker": on.name(), "round": round, "mix": mix.name() });
    for part in [json!(phase), json!(figures)] {
        if let (Value::Object(line), Value::Object(part)) = (&mut line, part) {
            line.extend(part);
        }
    }
    let mut file = File::options().create(true).append(true).open(folder.join(FIGURES)).unwrap();
    writeln!(file, "{line}").unwrap();
}

/// Writes what programs printed, when it is to be kept.
pub(crate) fn printed(arguments: &Arguments, on: On, programs: &[Running]) {
    let Some(folder) = folder(arguments) else { return };
    for program in programs {
        let name = format!("{}-{}-{}.log", on.name(), program.name(), program.id());
        std::fs::write(folder.join(name), program.printed()).unwrap();
    }
}

fn folder(arguments: &Arguments) -> Option<&Path> {
    let folder = arguments.keep.as_deref()?;
    std::fs::create_dir_all(folder).unwrap();
    Some(folder)
}
