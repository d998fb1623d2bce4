//! The recipes that can run here do what the page says; the page's own text is run.

use std::process::Command;

use integration_tests::mosquitto::Mosquitto;
use integration_tests::patience::eventually;
use integration_tests::process::Process;

use super::{document, page};

/// The block of code that follows a mark.
fn recipe(name: &str) -> String {
    let page = page();
    let (_, rest) = page.split_once(&format!("<!-- recipe: {name} -->\n")).ok_or(name).unwrap();
    let (_, rest) = rest.split_once('\n').unwrap();
    let (code, _) = rest.split_once("\n```").unwrap();
    code.to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lines_for_a_shell() {
    let mosquitto = Mosquitto::start().await;
    let event = document("examples/health.full.json").to_string();
    let topic = "qliksense/v1/health/sense1";
    let directory = tempfile::tempdir().unwrap();
    for (name, wanted) in [
        ("watch", "qliksense/v1/health/sense1 {"),
        ("readable", "    \"specversion\": \"1.0\""),
        ("load", "sense1 7\n"),
    ] {
        let code = recipe(name);
        assert!(code.contains("-h BROKER"), "{code}");
        // One event, and no client that outlives a test that fails.
        let here = format!("-h 127.0.0.1 -p {} -C 1 -W 60", mosquitto.port());
        let mut command = Command::new("sh");
        command.args(["-c", &code.replace("-h BROKER", &here)]);
        let running = Process::start(&mut command, &directory.path().join(name));
        eventually(&format!("{wanted:?} of the recipe {name}"), || async {
            // Again and again, until it has subscribed.
            assert!(mosquitto.publish(topic, event.as_bytes(), &[]));
            running.printed().contains(wanted).then_some(())
        })
        .await;
    }
}

#[test]
fn the_script_is_python() {
    let check = "import ast, sys; ast.parse(sys.argv[1])";
    let status = Command::new("python3").args(["-c", check, &recipe("paho")]).status().unwrap();
    assert!(status.success());
}
