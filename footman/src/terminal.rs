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

/// A text that cannot move the cursor or change what a terminal shows, nor the order in which it
/// shows it.
pub(crate) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || turns_text_around(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Characters that have what follows shown from right to left, or that end this.
fn turns_text_around(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A text in at most so many characters.
pub(crate) fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let mut kept: String = text.chars().take(room.saturating_sub(1)).collect();
    kept.push('…');
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys() {
        let shown = printable("a\u{1b}[2Jb\u{9b}c\u{202e}d\n\u{7f}é…");
        assert_eq!(shown, "a\\u{1b}[2Jb\\u{9b}c\\u{202e}d\\n\\u{7f}é…");
    }

    #[test]
    fn long_texts_are_cut() {
        assert_eq!([cut("éééé", 4), cut("ééééé", 4), cut("a", 0)], ["éééé", "ééé…", "…"]);
    }
}
