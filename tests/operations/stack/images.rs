//! The Dockerfile: its stages are built from files that are there, and start programs that exist.

use std::collections::BTreeMap;

use super::yaml::document;
use super::{PROGRAMS, repository, text};

/// Instructions by stage.
pub(crate) struct Dockerfile {
    stages: BTreeMap<String, Stage>,
}

/// One stage: where it begins, and its instructions.
#[derive(Clone, Default)]
pub(crate) struct Stage {
    from: String,
    instructions: Vec<(String, String)>,
}

impl Dockerfile {
    pub(crate) fn read() -> Self {
        let text = text("Dockerfile").replace("\\\n", " ");
        let mut stages = BTreeMap::new();
        let mut current = String::new();
        for line in text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
            let (word, rest) = line.split_once(' ').unwrap();
            if word == "FROM" {
                let (from, name) = rest.split_once(" AS ").expect("every stage has a name");
                name.clone_into(&mut current);
                let stage = Stage { from: from.to_owned(), ..Stage::default() };
                assert!(stages.insert(current.clone(), stage).is_none(), "two stages {name}");
            } else if let Some(stage) = stages.get_mut(&current) {
                stage.instructions.push((word.to_owned(), rest.trim().to_owned()));
            }
        }
        Self { stages }
    }

    pub(crate) fn stage(&self, name: &str) -> &Stage {
        self.stages.get(name).unwrap_or_else(|| panic!("there is no stage {name}"))
    }
}

impl Stage {
    fn all(&self, word: &str) -> Vec<&str> {
        let all = self.instructions.iter().filter(|(found, _)| found == word);
        all.map(|(_, rest)| rest.as_str()).collect()
    }

    /// The last instruction of a kind, as JSON.
    pub(crate) fn list(&self, word: &str) -> Vec<String> {
        let text = self.all(word).last().copied().unwrap_or_else(|| panic!("no {word}"));
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{word} {text}: {error}"))
    }

    /// The command that says whether it is healthy.
    pub(crate) fn health(&self) -> Vec<String> {
        let text = self.all("HEALTHCHECK").last().copied().unwrap();
        let (_, command) = text.split_once("CMD ").unwrap();
        serde_json::from_str(command).unwrap()
    }

    pub(crate) fn is_checked(&self) -> bool {
        self.all("HEALTHCHECK").iter().any(|check| check.contains("CMD"))
    }
}

#[test]
fn the_builder_builds_every_program_from_what_is_sent_to_it() {
    let builder = Dockerfile::read().stage("builder").clone();
    let sent = text(".dockerignore");
    assert!(sent.lines().any(|line| line == "*"), "everything else stays here");
    for copied in builder.all("COPY") {
        let (sources, _) = copied.rsplit_once(' ').unwrap();
        for source in sources.split(' ') {
            assert!(repository(source).exists(), "{source} is copied and missing");
            assert!(sent.lines().any(|line| line == format!("!{source}")), "{source} is not sent");
        }
    }
    let manifest = text("Cargo.toml");
    let (_, members) = manifest.split_once("members = [").unwrap();
    let (members, _) = members.split_once(']').unwrap();
    for member in members.split(", ").map(|member| member.trim_matches('"')) {
        let folder = member.split('/').next().unwrap();
        assert!(builder.all("COPY").contains(&format!("{folder} {folder}").as_str()), "{member}");
    }
    let run = builder.all("RUN").join(" ");
    assert!(run.contains("cargo build --locked --release"));
    for program in PROGRAMS {
        assert!(run.contains(&format!("-p {program}")), "{program} is not built");
        assert!(run.contains(&format!("target/release/{program}")), "{program} is not kept");
    }
    let rust = manifest.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap();
    let tag = format!("ARG BUILDER=rust:{}-", rust.trim_matches('"'));
    assert!(text("Dockerfile").contains(&tag), "{tag}");
}

#[test]
fn every_image_runs_its_own_program_as_nobody() {
    let file = Dockerfile::read();
    let base = file.stage("base");
    assert_eq!(base.from, "${RUNTIME}");
    assert!(text("Dockerfile").contains("ARG RUNTIME=gcr.io/distroless/cc-debian12:nonroot"));
    assert_eq!(base.all("USER"), ["65532:65532"]);
    assert_eq!(base.all("STOPSIGNAL"), ["SIGTERM"]);
    assert!(base.all("LABEL")[0].contains("org.opencontainers.image.licenses=\"MIT\""));
    for program in PROGRAMS {
        let stage = file.stage(program);
        assert_eq!(stage.from, "base", "{program}");
        assert_eq!(stage.list("ENTRYPOINT"), [program]);
        let copied = format!("--from=builder /out/bin/{program} /usr/local/bin/{program}");
        assert_eq!(stage.all("COPY")[0], copied);
        assert!(stage.all("RUN").is_empty(), "there is no shell to run anything");
        assert!(stage.all("LABEL")[0].contains("org.opencontainers.image.title="));
    }
    for program in ["collector", "writer"] {
        let asked = [program, "--health", "--config", "/etc/footman/footman.yaml"];
        assert_eq!(file.stage(program).health(), asked);
    }
}

#[test]
fn the_stack_builds_stages_that_exist() {
    let stack = document(super::compose::FILE);
    let version = text("Cargo.toml");
    let version = version.lines().find_map(|line| line.strip_prefix("version = ")).unwrap();
    let version = version.trim_matches('"');
    for program in PROGRAMS {
        let service = &stack["services"][program];
        assert_eq!(service["build"]["target"].as_str(), Some(program));
        let image = service["image"].as_str().unwrap();
        assert_eq!(image, format!("footman/{program}:${{FOOTMAN_VERSION:-{version}}}"));
    }
    assert!(text("Dockerfile").contains(&format!("ARG VERSION={version}\n")));
}
