//! Names that hurt whoever joins, splits or quotes them carelessly, and plain ones.

/// Names of apps, users and servers as people really type them.
pub const HURTING_NAMES: [&str; 16] = [
    r#"Sales "North" 2026"#,
    "Costs, by region",
    "margin=high",
    r"ends with a backslash\",
    "two\nlines",
    "Umsätze 📈 café",
    "semi;colon; and | pipe",
    "  spaces around  ",
    "tab\there",
    r#"{"json":true}"#,
    "<b>bold</b> & more",
    "100% of a/b+c#d*e>f$g",
    "it's",
    r"C:\Reports\",
    "carriage\r\nreturn",
    "مبيعات 売上",
];

/// How long the longest name is, in characters.
const LONGEST: usize = 300;

/// One of the names that hurt; the last of each round has 300 characters.
pub fn hurting_name(number: usize) -> String {
    match HURTING_NAMES.get(number % (HURTING_NAMES.len() + 1)) {
        Some(name) => (*name).to_owned(),
        None => "Übersicht ".chars().cycle().take(LONGEST).collect(),
    }
}

const SUBJECTS: [&str; 12] = [
    "Sales",
    "Finance",
    "Logistics",
    "Quality",
    "Purchasing",
    "Service",
    "HR",
    "Production",
    "Marketing",
    "Warehouse",
    "Claims",
    "Energy",
];

const KINDS: [&str; 8] = [
    "Overview",
    "Dashboard",
    "Analysis",
    "Monthly report",
    "Forecast",
    "KPI",
    "Self service",
    "QVD generator",
];

const GIVEN: [&str; 16] = [
    "anna", "bjorn", "carla", "david", "elin", "farid", "goran", "hanna", "ivan", "julia", "karim",
    "lena", "maria", "nils", "olga", "pavel",
];

const FAMILY: [&str; 10] =
    ["andersson", "berg", "costa", "dahl", "engel", "fischer", "garcia", "holm", "ito", "jansen"];

/// The name of an app.
pub(super) fn plain_app_name(number: usize) -> String {
    let subject = pick(&SUBJECTS, number);
    let kind = pick(&KINDS, number / SUBJECTS.len());
    // Names are not unique: the same report exists for several streams.
    match number / (SUBJECTS.len() * KINDS.len()) {
        0 | 1 => format!("{subject} {kind}"),
        round => format!("{subject} {kind} {round}"),
    }
}

/// The name of a user.
pub(super) fn plain_user_name(number: usize) -> String {
    format!("{}.{}", pick(&GIVEN, number), pick(&FAMILY, number / GIVEN.len()))
}

/// How many users have names of their own.
pub(super) const PLAIN_USERS: usize = GIVEN.len() * FAMILY.len();

fn pick(list: &[&'static str], number: usize) -> &'static str {
    list.get(number % list.len().max(1)).copied().unwrap_or_default()
}
