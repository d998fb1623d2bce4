//! What a terminal can show.

use std::io::IsTerminal as _;

/// The columns of standard output; none when it is no terminal, or does not tell.
pub(crate) fn columns() -> Option<usize> {
    std::io::stdout().is_terminal().then(columns_of_terminal).flatten()
}

fn columns_of_terminal() -> Option<usize> {
    // Elsewhere the plain size is asked from the program tput when the terminal does not tell.
    #[cfg(not(windows))]
    let columns = crossterm::terminal::window_size().ok()?.columns;
    #[cfg(windows)]
    #[expect(clippy::disallowed_methods, reason = "on Windows nothing is started for it")]
    let (columns, _) = crossterm::terminal::size().ok()?;
    Some(usize::from(columns))
}
