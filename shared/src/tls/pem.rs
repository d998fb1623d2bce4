//! PEM files: labelled blocks of base64, with any line ends and any text between them.
//!
//! Qlik Sense exports CRLF files; bundles hold several blocks. The headers of a block are kept
//! (`Proc-Type`, `DEK-Info`), since they say how a traditional key is encrypted.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::TlsError;

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";
/// No certificate or key file is this large; a wrong path may name anything.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// One block of a file.
pub(super) struct Block {
    pub(super) label: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) der: Vec<u8>,
}

impl Block {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        Some(&found.1)
    }
}

/// Reads a file of certificates or keys.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let unreadable = |source| TlsError::Unreadable { path: path.to_owned(), source };
    let size = fs::metadata(path).map_err(unreadable)?.len();
    if size > MAX_FILE_BYTES {
        return Err(TlsError::Malformed {
            path: path.to_owned(),
            why: format!("it has {size} bytes, which no certificate or key has"),
        });
    }
    fs::read(path).map_err(unreadable)
}

/// All blocks of what the file at `path` holds.
pub(super) fn blocks(bytes: &[u8], path: &Path) -> Result<Vec<Block>, TlsError> {
    parse(&String::from_utf8_lossy(bytes))
        .map_err(|why| TlsError::Malformed { path: path.to_owned(), why })
}

/// What a file holds in place of what was looked for, in words for an operator.
pub(super) fn describe(blocks: &[Block], path: &Path) -> String {
    let binary = path.extension().is_some_and(|extension| {
        ["pfx", "p12"].iter().any(|known| extension.eq_ignore_ascii_case(known))
    });
    if blocks.is_empty() && binary {
        return format!(
            "a Windows key store: convert it with `openssl pkcs12 -in {} -out client.pem -nodes`",
            path.display()
        );
    }
    if blocks.is_empty() {
        return "nothing of that form: export it from the QMC as platform independent PEM files"
            .to_owned();
    }
    let labels: Vec<&str> = blocks.iter().map(|block| block.label.as_str()).collect();
    format!("{}: are two files mixed up?", labels.join(", "))
}

fn parse(text: &str) -> Result<Vec<Block>, String> {
    let mut blocks = Vec::new();
    let mut lines = text.lines().map(str::trim);
    while let Some(line) = lines.next() {
        let Some(label) = label_of(line, BEGIN) else {
            continue;
        };
        let mut headers: Vec<(String, String)> = Vec::new();
        let mut base64 = String::new();
        let mut ended = false;
        for line in lines.by_ref() {
            if let Some(end) = label_of(line, END) {
                ended = end == label;
                break;
            }
            // Base64 has no colon.
            match line.split_once(':') {
                Some((key, value)) => headers.push((key.trim().into(), value.trim().into())),
                None => base64.push_str(line),
            }
        }
        if !ended {
            return Err(format!("the end of its {label} is missing"));
        }
        let der = STANDARD
            .decode(base64.as_bytes())
            .map_err(|error| format!("its {label} is no base64: {error}"))?;
        blocks.push(Block { label: label.to_owned(), headers, der });
    }
    Ok(blocks)
}

fn label_of<'a>(line: &'a str, edge: &str) -> Option<&'a str> {
    line.strip_prefix(edge)?.strip_suffix(DASHES)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn blocks_with_headers_crlf_and_text_between() {
        let text = "Bag Attributes\r\n-----BEGIN A B-----\r\nProc-Type: 4,ENCRYPTED\r\n\
                    DEK-Info: AES-256-CBC,00FF\r\n\r\nAAEC\r\nAw==\r\n-----END A B-----\r\n\
                    text\n-----BEGIN C-----\nAQ==\n-----END C-----";
        let blocks = parse(text).unwrap();
        assert_eq!(blocks.len(), 2);
        assert_eq!(blocks[0].label, "A B");
        assert_eq!(blocks[0].der, [0, 1, 2, 3]);
        assert_eq!(blocks[0].header("dek-info"), Some("AES-256-CBC,00FF"));
        assert_eq!(blocks[1].der, [1]);
    }

    #[test]
    fn damaged_blocks_are_named() {
        let cut = parse("-----BEGIN CERTIFICATE-----\nAAEC\n").err().unwrap();
        assert_eq!(cut, "the end of its CERTIFICATE is missing");
        let garbled = parse("-----BEGIN X-----\n!!\n-----END X-----").err().unwrap();
        assert!(garbled.starts_with("its X is no base64"), "{garbled}");
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(text in "(-----BEGIN |-----END |A|-----|:|\r|\n|.){0,60}") {
            let _either = parse(&text);
        }
    }
}
