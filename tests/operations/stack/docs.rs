//! `docs/install.md`: what its commands name is there, and what they call understands them.

use std::collections::BTreeSet;
use std::process::Command;

use integration_tests::programs::program;

use super::yaml::{document, keys, texts};
use super::{PROGRAMS, compose, repository, text};

const GUIDE: &str = "docs/install.md";
/// Folders of the repository; what the guide names in them must be there.
const FOLDERS: [&str; 2] = ["config/", "docs/"];
/// What an operator makes by following the guide.
const MADE: [&str; 1] = ["config/compose/site.yaml"];

/// The lines of the guide's blocks of commands.
fn commands() -> Vec<String> {
    let text = text(GUIDE);
    let blocks = text.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let lines = blocks.flat_map(str::lines).map(|line| {
        let line = line.split(" #").next().unwrap();
        line.trim().to_owned()
    });
    lines.filter(|line| !line.is_empty()).collect()
}

#[test]
fn the_files_that_it_names_are_there() {
    let text = text(GUIDE);
    let words = text.split(|c: char| c.is_whitespace() || "`()[],;:\"'=".contains(c));
    let mut named = 0;
    for word in words.map(|word| word.trim_end_matches('.').trim_start_matches("./")) {
        let is_ours = FOLDERS.iter().any(|folder| word.starts_with(folder));
        if !is_ours || MADE.contains(&word) || word.contains('*') {
            continue;
        }
        named += 1;
        assert!(repository(word).exists(), "{GUIDE} names {word}");
    }
    assert!(named > 5, "it names {named} files");
}

#[test]
fn its_profiles_services_and_settings_are_those_of_the_stack() {
    let stack = document(compose::FILE);
    let services = keys(&stack["services"]);
    let profiles: BTreeSet<&str> =
        services.iter().flat_map(|name| texts(&stack["services"][*name]["profiles"])).collect();
    let mut composed = 0;
    for line in commands().iter().filter(|line| line.contains("docker compose")) {
        composed += 1;
        let words: Vec<&str> = line.split_whitespace().collect();
        for pair in words.windows(2) {
            match pair[0] {
                "--profile" => assert!(profiles.contains(pair[1]), "{line}"),
                "--scale" => {
                    assert!(services.contains(&pair[1].split('=').next().unwrap()), "{line}");
                }
                "exec" | "--rm" => assert!(services.contains(&pair[1]), "{line}"),
                _ => {}
            }
        }
    }
    assert!(composed > 5, "{composed} lines");
    let example = text(".env.example");
    let stack = text(compose::FILE);
    for line in example.lines() {
        let Some((name, _)) = line.trim_start_matches('#').split_once('=') else { continue };
        if name.starts_with("FOOTMAN_") {
            assert!(stack.contains(&format!("${{{name}")), ".env.example: {name} sets nothing");
        }
    }
}

/// Every option of a command is one that its help tells of.
#[test]
fn its_commands_are_understood() {
    let mut understood = BTreeSet::new();
    for line in commands() {
        let words: Vec<&str> = line.split_whitespace().skip_while(|word| *word == "sudo").collect();
        let arguments = match words.as_slice() {
            ["docker", "run", .., "footman/footman:0.1.0", command, option, _] => {
                &[*command, *option]
            }
            ["docker", "compose", "run", "--rm", "footman", rest @ ..] | ["footman", rest @ ..] => {
                rest
            }
            ["docker", "build", rest @ ..] => {
                let target = rest.windows(2).find(|pair| pair[0] == "--target").unwrap()[1];
                assert!(PROGRAMS.contains(&target), "{line}");
                continue;
            }
            _ => continue,
        };
        let help =
            Command::new(program("footman")).args([arguments[0], "--help"]).output().unwrap();
        // What another part of the product brings is understood once it is there.
        if !help.status.success() {
            continue;
        }
        let help = String::from_utf8(help.stdout).unwrap();
        for option in arguments.iter().filter(|word| word.starts_with("--")) {
            assert!(help.split_whitespace().any(|word| word == *option), "{line}: {option}");
        }
        understood.insert(arguments[0].to_owned());
    }
    assert!(understood.contains("check"), "{understood:?}");
}
