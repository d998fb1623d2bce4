//! Grafana's expressions, as far as the rules use them: reduce, math, threshold.

use std::collections::BTreeMap;

use serde_json::Value;

/// A number for each combination of labels.
pub(crate) type Numbers = BTreeMap<String, f64>;

/// The last number of each series; rows are in the order of time.
pub(crate) fn reduced(rows: &[Value]) -> Numbers {
    let mut last = Numbers::new();
    for row in rows {
        let (mut labels, mut number) = (Vec::new(), None);
        for (name, value) in row.as_object().unwrap() {
            match value {
                Value::String(tag) => labels.push(format!("{name}={tag}")),
                Value::Number(value) if name != "time" => number = value.as_f64(),
                _ => {}
            }
        }
        labels.retain(|label| !label.ends_with('='));
        if let Some(number) = number {
            last.insert(labels.join(" "), number);
        }
    }
    last
}

/// `left / right`, `left > right`, and several of them with `&&`; labels are matched.
pub(crate) fn math(expression: &str, known: &BTreeMap<String, Numbers>) -> Numbers {
    let parts: Vec<Numbers> =
        expression.split("&&").map(|part| binary(part.trim(), known)).collect();
    let (first, others) = parts.split_first().unwrap();
    let all = |labels: &String, number: f64| {
        others.iter().try_fold(number, |all, other| {
            let other = other.get(labels)?;
            Some(if all != 0.0 && *other != 0.0 { 1.0 } else { 0.0 })
        })
    };
    let numbers = first.iter().filter_map(|(labels, number)| {
        let number = if others.is_empty() { *number } else { all(labels, *number)? };
        Some((labels.clone(), number))
    });
    numbers.collect()
}

fn binary(expression: &str, known: &BTreeMap<String, Numbers>) -> Numbers {
    let [left, operator, right] = *expression.split(' ').collect::<Vec<_>>() else {
        panic!("{expression}")
    };
    let left = &known[left.strip_prefix('$').unwrap()];
    let right_of = |labels: &String| match right.strip_prefix('$') {
        Some(reference) => known[reference].get(labels).copied(),
        None => Some(right.parse().unwrap()),
    };
    let numbers = left.iter().filter_map(|(labels, left)| {
        let right = right_of(labels)?;
        let number = match operator {
            "/" => left / right,
            ">" => f64::from(u8::from(*left > right)),
            _ => panic!("{operator}"),
        };
        Some((labels.clone(), number))
    });
    numbers.collect()
}

/// The labels for which a threshold is passed.
pub(crate) fn passed(model: &Value, numbers: &Numbers) -> Vec<String> {
    let evaluator = &model["conditions"][0]["evaluator"];
    let limit = evaluator["params"][0].as_f64().unwrap();
    let passes = |number: f64| match evaluator["type"].as_str().unwrap() {
        "gt" => number > limit,
        "lt" => number < limit,
        other => panic!("{other}"),
    };
    let passing = numbers.iter().filter(|(_, number)| passes(**number));
    passing.map(|(labels, _)| labels.clone()).collect()
}
