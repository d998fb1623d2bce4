//! No text and no environment makes the reader panic.

use std::path::Path;

use proptest::prelude::*;

use crate::config::from_text;
use crate::config::load::known_keys;

/// Texts that look like a configuration, with keys that exist and values that need not fit.
fn configurations() -> impl Strategy<Value = String> {
    let keys: Vec<String> =
        known_keys().into_keys().filter(|key| !key.contains(['[', '*'])).collect();
    let value = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("[]".to_owned()),
        Just("{}".to_owned()),
        Just("[{}, [], 1, ~]".to_owned()),
        Just("{a: {b: [c]}, '': 1, '.': ~}".to_owned()),
        Just("[{host: a, serverName: b, userSessions: {virtualProxies: [{}]}}]".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| format!("{number:?}")),
        "[ -~]{0,12}".prop_map(|text| format!("{text:?}")),
        "\\PC{0,6}".prop_map(|text| format!("{text:?}")),
    ];
    proptest::collection::vec((proptest::sample::select(keys), value), 0..12).prop_map(|pairs| {
        let mut text = "Butler-SOS:\n".to_owned();
        for (key, value) in pairs {
            let steps: Vec<&str> = key.split('.').collect();
            for (depth, step) in steps.iter().enumerate() {
                text += &"  ".repeat(depth + 1);
                text += step;
                text += if depth + 1 == steps.len() { ": " } else { ":\n" };
            }
            text += &value;
            text += "\n";
        }
        text
    })
}

proptest! {
    #[test]
    fn any_text(text in "\\PC*") {
        let _read = from_text(&text, Path::new("f.yaml"), []);
    }

    #[test]
    fn any_text_of_yaml_signs(text in "[-a:&*!|>'\"{}\\[\\], \n?#%@`<~.0]{0,60}") {
        let _read = from_text(&text, Path::new("f.yaml"), []);
        let _read = from_text(&format!("Butler-SOS:\n  a: {text}"), Path::new("f.yaml"), []);
    }

    #[test]
    fn any_value_under_a_known_key(text in configurations()) {
        if let Err(error) = from_text(&text, Path::new("f.yaml"), []) {
            prop_assert!(!error.problems.is_empty());
        }
    }

    #[test]
    fn any_variable(name in "[A-Z_a-z.é]{0,20}", value in "\\PC*") {
        let variables = [(format!("FOOTMAN__{name}"), value.clone()), (name, value)];
        let _read = from_text("Butler-SOS: {}\n", Path::new("f.yaml"), variables);
    }
}
