//! The environment over the file: `FOOTMAN__APP_NAMES__HOST_IP` sets `appNames.hostIP`.

/// Reads the environment of the process; the only place that does.
///
/// Names and values that are no Unicode are none of ours and are left out.
pub fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}
