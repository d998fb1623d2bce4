//! The certificates of the site, made at start as Qlik Sense makes them.
//!
//! Their shape is that of exported certificates of real sites: an authority of the site's own, RSA 2048 with SHA-256,
//! one host name as the only alternative name, no key usage of any kind, PKCS#1 keys, and CRLF at the end of each line.

mod keys;
mod tls;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rand::Rng;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, IsCa, Issuer,
    KeyPair, PublicKeyData, SanType, SerialNumber,
};
use rustls::{pki_types::CertificateDer, server::danger::ClientCertVerifier, sign::SigningKey};

pub(crate) use tls::ServerTls;

use crate::SiteError;

/// How long certificates are valid: five years and a week, as since 2023.
const VALIDITY: Duration = Duration::from_hours((5 * 365 + 7) * 24);

/// How long before the site's start they were made.
const AGE: Duration = Duration::from_hours(3 * 24);

/// When the expired certificate ended, before the site's start.
const EXPIRED_FOR: Duration = Duration::from_hours(24);

/// When the future certificate begins, after the site's start.
const FUTURE_IN: Duration = Duration::from_hours(24);

/// Qlik's mark of what a certificate is for; not critical.
const PURPOSE: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 13, 3];

/// Subject key identifier, which leaf certificates of Qlik Sense have too.
const SUBJECT_KEY_IDENTIFIER: &[u64] = &[2, 5, 29, 14];

const SERIAL_BYTES: usize = 16;

/// The certificate that a server shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum CertificateKind {
    /// For its host name, by the site's authority.
    Right,
    /// The same, expired.
    Expired,
    /// The same, not valid yet.
    Future,
    /// For its host name, by another site's authority.
    OtherAuthority,
    /// For its host name, by an authority with the name of the site's.
    SameNameAuthority,
    /// For a host name that is not its own.
    OtherName,
    /// For its short machine name.
    ShortName,
    /// Without alternative names.
    CommonNameOnly,
}

/// What the site needs to serve TLS, and what a client needs to call it.
pub(crate) struct Certificates {
    authority: Issuer<'static, KeyPair>,
    other_authority: Issuer<'static, KeyPair>,
    same_name_authority: Issuer<'static, KeyPair>,
    server_key: KeyPair,
    signing_key: Arc<dyn SigningKey>,
    client_verifier: Arc<dyn ClientCertVerifier>,
    made: Duration,
    root_pem: String,
    other_root_pem: String,
    client_pem: String,
    client_key_pem: String,
    encrypted_key_pem: Option<String>,
}

/// Where the exported files are.
#[derive(Clone, Debug)]
pub struct CertificateFiles {
    /// `root.pem`, the authority.
    pub root: PathBuf,
    /// `client.pem`, the certificate that a monitor shows.
    pub client: PathBuf,
    /// `client_key.pem`, its key in PKCS#1.
    pub client_key: PathBuf,
    /// `client_key_encrypted.pem`, the same key in PKCS#8 under the configured passphrase.
    pub client_key_encrypted: Option<PathBuf>,
}

impl Certificates {
    /// Makes keys and certificates; takes a second, so call it where blocking is allowed.
    pub(crate) fn make(central: &str, passphrase: Option<&str>) -> Result<Self, SiteError> {
        let [authority_key, server_key, client_key] = keys::generate_three()?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let made = now.saturating_sub(AGE);

        let short = central.split('.').next().unwrap_or(central);
        let root = authority_params(&format!("{short}-CA"), made);
        let same_name = Issuer::new(root.clone(), client_key.pair()?);
        let authority_pair = authority_key.pair()?;
        let root_certificate = root.self_signed(&authority_pair).map_err(making)?;
        let authority = Issuer::new(root, authority_pair);

        let other = authority_params("othersite-CA", made);
        let other_pair = client_key.pair()?;
        let other_root_certificate = other.self_signed(&other_pair).map_err(making)?;
        let other_authority = Issuer::new(other, other_pair);

        let client_pair = client_key.pair()?;
        let client = leaf_params("QlikClient", "Client", &client_pair, made)?;
        let client_certificate = client.signed_by(&client_pair, &authority).map_err(making)?;

        let server_pair = server_key.pair()?;
        let signing_key = tls::signing_key(server_key.pkcs8())?;
        let client_verifier = tls::client_verifier(root_certificate.der())?;
        Ok(Self {
            authority,
            other_authority,
            same_name_authority: same_name,
            server_key: server_pair,
            signing_key,
            client_verifier,
            made,
            root_pem: with_crlf(&root_certificate.pem()),
            other_root_pem: with_crlf(&other_root_certificate.pem()),
            client_pem: with_crlf(&client_certificate.pem()),
            client_key_pem: client_key.pkcs1_pem()?,
            encrypted_key_pem: passphrase.map(|word| client_key.encrypted_pem(word)).transpose()?,
        })
    }

    /// Writes what an administrator exports for a monitor.
    pub(crate) fn write(&self, directory: &Path) -> Result<CertificateFiles, SiteError> {
        let folder = Folder::make(directory)?;
        let encrypted = self.encrypted_key_pem.as_deref();
        Ok(CertificateFiles {
            root: folder.write("root.pem", &self.root_pem)?,
            client: folder.write("client.pem", &self.client_pem)?,
            client_key: folder.write_key("client_key.pem", &self.client_key_pem)?,
            client_key_encrypted: encrypted
                .map(|text| folder.write_key("client_key_encrypted.pem", text))
                .transpose()?,
        })
    }

    /// Writes what an administrator exports while the authority of the site is being exchanged: both authorities in one
    /// file, and a new certificate for the monitor, with another key.
    pub(crate) fn write_renewed(&self, directory: &Path) -> Result<CertificateFiles, SiteError> {
        let folder = Folder::make(directory)?;
        let client = leaf_params("QlikClient", "Client", &self.server_key, self.made)?;
        let client = client.signed_by(&self.server_key, &self.authority).map_err(making)?;
        Ok(CertificateFiles {
            root: folder.write("root.pem", &[&*self.root_pem, &self.other_root_pem].concat())?,
            client: folder.write("client.pem", &with_crlf(&client.pem()))?,
            client_key: folder
                .write_key("client_key.pem", &with_crlf(&self.server_key.serialize_pem()))?,
            client_key_encrypted: None,
        })
    }

    /// Makes the certificate that a server shows.
    fn server(
        &self,
        kind: CertificateKind,
        host_name: &str,
    ) -> Result<CertificateDer<'static>, SiteError> {
        let short = host_name.split('.').next().unwrap_or(host_name);
        let name = match kind {
            CertificateKind::OtherName => format!("other-{host_name}"),
            CertificateKind::ShortName => short.to_owned(),
            _ => host_name.to_owned(),
        };
        let mut params = leaf_params(&name, "Service", &self.server_key, self.made)?;
        if kind != CertificateKind::CommonNameOnly {
            let name = name.try_into().map_err(making)?;
            params.subject_alt_names = vec![SanType::DnsName(name)];
        }
        if kind == CertificateKind::Expired {
            set_end(&mut params, (self.made + AGE).saturating_sub(EXPIRED_FOR));
        }
        if kind == CertificateKind::Future {
            set_end(&mut params, self.made + AGE + FUTURE_IN + VALIDITY);
        }
        let issuer = match kind {
            CertificateKind::OtherAuthority => &self.other_authority,
            CertificateKind::SameNameAuthority => &self.same_name_authority,
            _ => &self.authority,
        };
        let certificate = params.signed_by(&self.server_key, issuer).map_err(making)?;
        Ok(certificate.der().clone())
    }
}

/// Where exported files are written.
struct Folder(PathBuf);

impl Folder {
    fn make(directory: &Path) -> Result<Self, SiteError> {
        fs::create_dir_all(directory).map_err(failed(directory))?;
        // Whoever reads a configuration that names the files may work elsewhere.
        std::path::absolute(directory).map_err(failed(directory)).map(Self)
    }

    fn write(&self, name: &str, text: &str) -> Result<PathBuf, SiteError> {
        let path = self.0.join(name);
        fs::write(&path, text).map_err(failed(&path)).map(|()| path)
    }

    fn write_key(&self, name: &str, text: &str) -> Result<PathBuf, SiteError> {
        let path = self.write(name, text)?;
        for_owner_alone(&path).map_err(failed(&path)).map(|()| path)
    }
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> SiteError {
    let path = path.to_owned();
    move |source| SiteError::Write { path, source }
}

impl std::fmt::Debug for Certificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificates").field("made", &self.made).finish_non_exhaustive()
    }
}

/// Keys are read by nobody else; elsewhere than on Unix, access lists say so.
fn for_owner_alone(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

fn authority_params(name: &str, made: Duration) -> CertificateParams {
    let mut params = base_params(name, "Root", made);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

fn leaf_params(
    name: &str,
    purpose: &str,
    key: &impl PublicKeyData,
    made: Duration,
) -> Result<CertificateParams, SiteError> {
    let mut params = base_params(name, purpose, made);
    let identifier = octet_string(&params.key_identifier(key))?;
    let extension = CustomExtension::from_oid_content(SUBJECT_KEY_IDENTIFIER, identifier);
    params.custom_extensions.insert(0, extension);
    Ok(params)
}

fn base_params(name: &str, purpose: &str, made: Duration) -> CertificateParams {
    let mut distinguished_name = DistinguishedName::new();
    distinguished_name.push(DnType::CommonName, name);
    let mut serial = [0_u8; SERIAL_BYTES];
    rand::rng().fill_bytes(&mut serial);
    // Positive and without leading zeros.
    serial[0] = serial[0] & 0x7f | 0x40;

    let mut params = CertificateParams::default();
    params.distinguished_name = distinguished_name;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    set_end(&mut params, made + VALIDITY);
    params.use_authority_key_identifier_extension = true;
    params.custom_extensions =
        vec![CustomExtension::from_oid_content(PURPOSE, utf8_string(purpose))];
    params
}

/// Lets the validity end at a time since 1970, in whole seconds.
fn set_end(params: &mut CertificateParams, end: Duration) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let end = Duration::from_secs(end.as_secs());
    params.not_before = epoch + end.saturating_sub(VALIDITY);
    params.not_after = epoch + end;
}

/// DER of a short text.
fn utf8_string(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).unwrap_or_default() & 0x7f;
    [&[0x0c, length], text.as_bytes()].concat()
}

/// DER of some bytes, up to 127.
fn octet_string(bytes: &[u8]) -> Result<Vec<u8>, SiteError> {
    match u8::try_from(bytes.len()) {
        Ok(length @ 0..=127) => Ok([&[0x04, length], bytes].concat()),
        _ => Err(SiteError::Certificates("the key identifier is too long".to_owned())),
    }
}

fn with_crlf(pem: &str) -> String {
    pem.lines().flat_map(|line| [line, "\r\n"]).collect()
}

fn making(error: impl std::fmt::Display) -> SiteError {
    SiteError::Certificates(error.to_string())
}

#[cfg(test)]
mod tests;
