//! A schedule text as words and signs.
//!
//! Blanks between tokens carry meaning in the syntax: phrases like `day of the week` want exactly
//! one space, so every token remembers the gap before it.

/// What stands between a token and the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gap {
    /// Nothing.
    None,
    /// One space.
    Space,
    /// One tab, line break or other blank.
    OtherBlank,
    /// Two blanks or more.
    Wide,
}

/// A run of letters, digits and underscores in lower case, or one other character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    /// Index of its first character in the text.
    pub(super) index: usize,
    pub(super) gap: Gap,
    /// Empty at the end of the text.
    pub(super) text: String,
}

impl Token {
    /// Whether it is a word rather than a sign or the end.
    pub(super) fn is_word(&self) -> bool {
        self.text.starts_with(is_word_character)
    }
}

/// The tokens of a text and a place among them.
#[derive(Debug)]
pub(super) struct Tokens {
    list: Vec<Token>,
    end: Token,
    next: usize,
}

impl Tokens {
    pub(super) fn new(text: &str) -> Self {
        let mut list: Vec<Token> = Vec::new();
        let mut gap = Gap::None;
        let mut in_word = false;
        let mut length = 0;
        for (index, character) in text.chars().enumerate() {
            length = index + 1;
            let character = character.to_ascii_lowercase();
            if is_blank(character) {
                gap = wider(gap, character);
                in_word = false;
                continue;
            }
            let of_word = is_word_character(character);
            match list.last_mut() {
                Some(word) if in_word && of_word => word.text.push(character),
                _ => {
                    list.push(Token { index, gap, text: character.to_string() });
                    gap = Gap::None;
                }
            }
            in_word = of_word;
        }
        let end = Token { index: length, gap, text: String::new() };
        Self { list, end, next: 0 }
    }

    /// The token that comes next; the end of the text comes again and again.
    pub(super) fn peek(&self) -> &Token {
        self.peek_after(0)
    }

    /// The token that comes after `skipped` others.
    pub(super) fn peek_after(&self, skipped: usize) -> &Token {
        self.list.get(self.next + skipped).unwrap_or(&self.end)
    }

    /// Whether all tokens were taken.
    pub(super) fn at_end(&self) -> bool {
        self.next >= self.list.len()
    }

    /// Goes past `count` tokens.
    pub(super) fn take(&mut self, count: usize) {
        self.next += count;
    }

    /// Whether these words come next, one space between them.
    pub(super) fn comes(&self, phrase: &[&str]) -> bool {
        self.comes_after(0, phrase)
    }

    /// Whether these words come after `skipped` tokens, one space between them.
    pub(super) fn comes_after(&self, skipped: usize, phrase: &[&str]) -> bool {
        phrase.iter().enumerate().all(|(place, word)| {
            let token = self.peek_after(skipped + place);
            token.text == *word && (place == 0 || token.gap == Gap::Space)
        })
    }
}

fn is_word_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

/// What JavaScript takes for a blank: nearly what Unicode does.
fn is_blank(character: char) -> bool {
    const NEXT_LINE: char = '\u{85}';
    const BYTE_ORDER_MARK: char = '\u{feff}';
    (character.is_whitespace() && character != NEXT_LINE) || character == BYTE_ORDER_MARK
}

fn wider(gap: Gap, blank: char) -> Gap {
    match (gap, blank) {
        (Gap::None, ' ') => Gap::Space,
        (Gap::None, _) => Gap::OtherBlank,
        _ => Gap::Wide,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        Tokens::new(text).list.into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn words_and_signs() {
        assert_eq!(texts("At 10:15am, mon-fri"), ["at", "10", ":", "15am", ",", "mon", "-", "fri"]);
        assert_eq!(texts("*/5 é_1"), ["*", "/", "5", "é", "_1"]);
        assert!(texts(" \t\n").is_empty());
    }

    #[test]
    fn gaps_and_places() {
        let tokens = Tokens::new("a b\tc  d,é f ");
        let found: Vec<_> = tokens.list.iter().map(|token| (token.index, token.gap)).collect();
        let expected = [
            (0, Gap::None),
            (2, Gap::Space),
            (4, Gap::OtherBlank),
            (7, Gap::Wide),
            (8, Gap::None),
            (9, Gap::None),
            (11, Gap::Space),
        ];
        assert_eq!(found, expected);
        assert_eq!((tokens.end.index, tokens.end.gap), (13, Gap::Space));
    }

    #[test]
    fn phrases_want_one_space() {
        let mut tokens = Tokens::new("day of the week day  of the week");
        assert!(tokens.comes(&["day", "of", "the", "week"]) && tokens.comes(&["day"]));
        assert!(tokens.comes_after(1, &["of", "the"]));
        tokens.take(4);
        assert!(!tokens.comes(&["day", "of"]) && tokens.comes(&["day"]));
        tokens.take(4);
        assert!(tokens.at_end() && !tokens.comes(&["week"]) && !tokens.peek().is_word());
    }
}
