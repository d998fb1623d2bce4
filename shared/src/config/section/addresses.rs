//! The getters of addresses: URLs, hosts, sockets, files.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use url::Url;

use super::Section;
use super::values::shown;
use crate::config::hosts::{
    BARE_HOST_FORM, HOST_FORM, HostPort, LISTEN_FORM, host_and_port, listen_address,
};

/// The form of a file that is read, for messages.
pub(super) const FILE_FORM: &str =
    "a file that can be read; a relative path starts at the working directory, or at this file's";
/// Keys of files that prove who we are, and so are nobody else's to read.
const SECRET_FILES: [&str; 3] = ["clientCertKey", "key", "credentialsFile"];

impl Section<'_> {
    /// A URL that may be left out. It holds no user and no password: these have their own keys.
    pub(in crate::config) fn optional_url(
        &self,
        key: &'static str,
        schemes: &[&str],
    ) -> Option<Url> {
        let text = self.optional_text(key)?;
        self.parsed_url(key, &text, schemes)
    }

    /// A URL with a default.
    pub(in crate::config) fn url(
        &self,
        key: &'static str,
        default: &str,
        schemes: &[&str],
    ) -> Option<Url> {
        let text = self.text(key, default);
        self.parsed_url(key, &text, schemes)
    }

    /// Parses a URL that stands under a key.
    pub(in crate::config) fn parsed_url(
        &self,
        key: &str,
        text: &str,
        schemes: &[&str],
    ) -> Option<Url> {
        let forms: Vec<String> = schemes.iter().map(|scheme| format!("{scheme}://host")).collect();
        let allowed = forms.join(" or ");
        // What stands before an @ may be a password.
        let hidden = text.contains('@');
        let value = if hidden { "the text".to_owned() } else { shown(text) };
        let Ok(url) = Url::parse(text) else {
            self.problem(key, format!("{value} is no URL"), Some(&allowed));
            return None;
        };
        if !schemes.contains(&url.scheme()) || url.host_str().is_none_or(str::is_empty) {
            self.problem(key, format!("{value} is no such URL"), Some(&allowed));
            return None;
        }
        if !url.username().is_empty() || url.password().is_some() {
            let wrong = "holds a user or a password, which have keys of their own";
            self.problem(key, wrong, Some(&allowed));
            return None;
        }
        Some(url)
    }

    /// A host that must be written, with or without a port.
    pub(in crate::config) fn required_host(&self, key: &'static str) -> Option<HostPort> {
        let text = self.required_text_of(key, HOST_FORM);
        if text.trim().is_empty() {
            return None;
        }
        let found = host_and_port(&text);
        if found.is_none() {
            self.problem(key, format!("{} is no host", shown(&text)), Some(HOST_FORM));
        }
        found
    }

    /// A host that must be written, without a port.
    pub(in crate::config) fn required_bare_host(&self, key: &'static str) -> Option<HostPort> {
        let text = self.required_text_of(key, BARE_HOST_FORM);
        if text.trim().is_empty() { None } else { self.bare_host(key, &text) }
    }

    /// A host with a default, without a port.
    pub(in crate::config) fn host(&self, key: &'static str, default: &str) -> Option<HostPort> {
        let text = self.text(key, default);
        self.bare_host(key, &text)
    }

    /// An address to listen on, with a default.
    pub(in crate::config) fn listen(&self, key: &'static str, default: SocketAddr) -> SocketAddr {
        let text = self.text(key, &default.to_string());
        self.address(key, &text).unwrap_or(default)
    }

    /// An address to listen on that may be left out.
    pub(in crate::config) fn optional_listen(&self, key: &'static str) -> Option<SocketAddr> {
        let text = self.optional_text(key)?;
        self.address(key, &text)
    }

    /// A directory or a file that will be made when it is missing.
    pub(in crate::config) fn path(&self, key: &'static str, default: &str) -> PathBuf {
        let text = self.text(key, default);
        if text.is_empty() {
            self.problem(key, "is empty", Some("a path"));
        }
        PathBuf::from(text)
    }

    /// A file that may be left out, and must be readable when it is named.
    pub(in crate::config) fn optional_file(&self, key: &'static str) -> Option<PathBuf> {
        let text = self.optional_text(key)?;
        Some(self.readable(key, &text))
    }

    /// A file that may be left out, must be readable when it is named, and by nobody else.
    pub(in crate::config) fn optional_private_file(&self, key: &'static str) -> Option<PathBuf> {
        let found = self.optional_file(key)?;
        self.warn_if_open(key, &found);
        Some(found)
    }

    /// A file that must be named and readable, and by nobody else.
    pub(in crate::config) fn required_private_file(&self, key: &'static str) -> PathBuf {
        let found = self.required_file(key);
        self.warn_if_open(key, &found);
        found
    }

    /// A file that must be named and readable.
    pub(in crate::config) fn required_file(&self, key: &'static str) -> PathBuf {
        let text = self.required_text_of(key, FILE_FORM);
        if text.trim().is_empty() { PathBuf::new() } else { self.readable(key, &text) }
    }

    fn bare_host(&self, key: &str, text: &str) -> Option<HostPort> {
        let found = host_and_port(text).filter(|found| found.port.is_none());
        if found.is_none() {
            self.problem(key, format!("{} is no host", shown(text)), Some(BARE_HOST_FORM));
        }
        found
    }

    fn address(&self, key: &str, text: &str) -> Option<SocketAddr> {
        let address = listen_address(text);
        if address.is_none() {
            let wrong = format!("{} is no address to listen on", shown(text));
            self.problem(key, wrong, Some(LISTEN_FORM));
        }
        address
    }

    fn readable(&self, key: &str, text: &str) -> PathBuf {
        let path = Path::new(text);
        if self.is_quiet() {
            return path.to_owned();
        }
        match self.reader.places.readable(path) {
            Ok(found) => {
                self.uses(key, &found, SECRET_FILES.contains(&key));
                found
            }
            Err(wrong) => {
                self.problem(key, wrong, Some(FILE_FORM));
                path.to_owned()
            }
        }
    }
}
