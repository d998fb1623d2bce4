//! Files of password hashes, line by line: those of our users are ours, all others stay as they are.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::Sha512;
use shared::secret::Secret;

use super::random;

/// A user of the broker.
#[derive(Debug)]
pub(super) struct Role {
    pub(super) user: &'static str,
    pub(super) password: Secret,
}

/// A file that a broker reads.
pub(super) trait HashFile: Hashes + Sized {
    /// Its name.
    const NAME: &'static str;

    /// Reads what it holds; nothing when it is new. An error says what to do.
    fn parse(text: &str) -> Result<Self, String>;
}

/// The hashes in it.
pub(super) trait Hashes {
    /// Whether the user's hash is that of the password.
    fn fits(&self, role: &Role) -> bool;

    /// Gives the user a hash of the password.
    fn set(&mut self, role: &Role) -> Result<(), String>;

    /// The whole file.
    fn text(&self) -> Result<String, String>;
}

/// PBKDF2-HMAC-SHA-512 as mosquitto has it. The password is random, so guessing it takes for ever
/// with few iterations too; mosquitto does nothing else while it counts through them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pbkdf2 {
    pub(super) salt: Vec<u8>,
    pub(super) hash: Vec<u8>,
    pub(super) iterations: u32,
}

const ITERATIONS: u32 = 1_000;
/// More would keep mosquitto, or this command, busy for minutes.
const MOST_ITERATIONS: u32 = 1_000_000;
const SALT_BYTES: usize = 12;
const HASH_BYTES: usize = 64;

impl Pbkdf2 {
    /// Of a password, with a new salt.
    pub(super) fn of(password: &Secret) -> Self {
        let salt = random::bytes::<SALT_BYTES>().to_vec();
        let hash = derive(password, &salt, ITERATIONS);
        Self { salt, hash, iterations: ITERATIONS }
    }

    /// Whether it is of this password.
    pub(super) fn is_of(&self, password: &Secret) -> bool {
        (1..=MOST_ITERATIONS).contains(&self.iterations)
            && derive(password, &self.salt, self.iterations) == self.hash
    }

    /// From the parts of a file.
    pub(super) fn parse(iterations: u32, salt: &str, hash: &str) -> Option<Self> {
        let (salt, hash) = (STANDARD.decode(salt).ok()?, STANDARD.decode(hash).ok()?);
        Some(Self { salt, hash, iterations })
    }
}

fn derive(password: &Secret, salt: &[u8], iterations: u32) -> Vec<u8> {
    let mut hash = vec![0; HASH_BYTES];
    pbkdf2::pbkdf2_hmac::<Sha512>(password.expose().as_bytes(), salt, iterations, &mut hash);
    hash
}

/// `mosquitto-passwords`: mosquitto's `password_file`.
#[derive(Debug)]
pub(super) struct Mosquitto(Lines);

impl Mosquitto {
    fn start_of(role: &Role) -> String {
        format!("{}:", role.user)
    }
}

impl HashFile for Mosquitto {
    const NAME: &'static str = "mosquitto-passwords";

    fn parse(text: &str) -> Result<Self, String> {
        Ok(Self(Lines::parse(text)))
    }
}

impl Hashes for Mosquitto {
    fn fits(&self, role: &Role) -> bool {
        let parse = |text: &str| {
            let mut parts = text.strip_prefix("$7$")?.split('$');
            let iterations = parts.next()?.parse().ok()?;
            Pbkdf2::parse(iterations, parts.next()?, parts.next()?)
        };
        let found = self.0.after(&Self::start_of(role)).and_then(parse);
        found.is_some_and(|hash| hash.is_of(&role.password))
    }

    fn set(&mut self, role: &Role) -> Result<(), String> {
        let Pbkdf2 { salt, hash, iterations } = Pbkdf2::of(&role.password);
        let (salt, hash) = (STANDARD.encode(salt), STANDARD.encode(hash));
        self.0.put(&Self::start_of(role), &format!("$7${iterations}${salt}${hash}"));
        Ok(())
    }

    fn text(&self) -> Result<String, String> {
        Ok(self.0.text())
    }
}

/// `nats-users.conf`: variables that `nats.conf` includes. Permissions are there, not here, so that
/// a new password changes nothing else.
#[derive(Debug)]
pub(super) struct Nats(Lines);

/// The cost of Go's own choice: the server hashes at each connection, and gives it two seconds.
const BCRYPT_COST: u32 = 10;
const NATS_HEAD: &str = "# The hashes of the passwords of nats.conf, made by `footman secrets`.";

impl Nats {
    fn start_of(role: &Role) -> String {
        format!("footman_{}_hash: ", role.user)
    }
}

impl HashFile for Nats {
    const NAME: &'static str = "nats-users.conf";

    fn parse(text: &str) -> Result<Self, String> {
        Ok(Self(Lines::parse(if text.is_empty() { NATS_HEAD } else { text })))
    }
}

impl Hashes for Nats {
    fn fits(&self, role: &Role) -> bool {
        let found = self.0.after(&Self::start_of(role));
        let hash = found.map(|text| text.trim().trim_matches('"'));
        hash.is_some_and(|hash| bcrypt::verify(role.password.expose(), hash).unwrap_or(false))
    }

    fn set(&mut self, role: &Role) -> Result<(), String> {
        let hash = bcrypt::non_truncating_hash_with_result(role.password.expose(), BCRYPT_COST)
            .map_err(|error| format!("the password of {} cannot be hashed: {error}", role.user))?;
        // Servers before 2.10 know no other version.
        let hash = hash.format_for_version(bcrypt::Version::TwoA);
        self.0.put(&Self::start_of(role), &format!("\"{hash}\""));
        Ok(())
    }

    fn text(&self) -> Result<String, String> {
        Ok(self.0.text())
    }
}

/// The lines of a file.
#[derive(Debug)]
struct Lines(Vec<String>);

impl Lines {
    fn parse(text: &str) -> Self {
        Self(text.lines().map(str::to_owned).collect())
    }

    /// What follows on the line that begins so.
    fn after(&self, start: &str) -> Option<&str> {
        self.0.iter().find_map(|line| line.strip_prefix(start))
    }

    /// Puts it in the place of the line that begins so, or at the end.
    fn put(&mut self, start: &str, rest: &str) {
        let line = format!("{start}{rest}");
        match self.0.iter_mut().find(|line| line.starts_with(start)) {
            Some(found) => *found = line,
            None => self.0.push(line),
        }
    }

    fn text(&self) -> String {
        let mut text = self.0.join("\n");
        text.push('\n');
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(password: &str) -> Role {
        Role { user: "writer", password: Secret::new(password) }
    }

    fn stays_and_is_renewed<F: HashFile>(others: &str) {
        let mut file = F::parse(others).unwrap();
        assert!(!file.fits(&role("first")));
        file.set(&role("first")).unwrap();
        let text = file.text().unwrap();
        let mut again = F::parse(&text).unwrap();
        assert!(again.fits(&role("first")), "{text}");
        assert!(!again.fits(&role("second")), "{text}");
        again.set(&role("second")).unwrap();
        assert!(again.fits(&role("second")));
        let text = again.text().unwrap();
        assert_eq!(text.matches("writer").count(), 1, "{text}");
        assert!(text.starts_with(others), "{text}");
    }

    #[test]
    fn hashes_follow_their_passwords_and_others_stay() {
        stays_and_is_renewed::<Mosquitto>("home-assistant:$7$101$AA==$AA==\n");
        stays_and_is_renewed::<Nats>("# mine\nother: \"x\"\n");
    }

    #[test]
    fn what_mosquitto_wrote_is_understood() {
        // By mosquitto_passwd 2.0.11, for the password `secret1234`.
        let text = "writer:$7$101$lVnscqsGJ0c7vhvS$hMOvjvJ/wcjQobsgvfxutgfe6Tr1tdAMe1x60JeY2Ng+\
                    GUZz/p/2iti2aWAITQ1j2knIZUa1Ahy+76pgXRhpJA==";
        let file = Mosquitto::parse(text).unwrap();
        assert!(file.fits(&role("secret1234")));
        assert!(!file.fits(&role("secret12345")));
    }
}
