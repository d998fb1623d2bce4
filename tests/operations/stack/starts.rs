//! Services and pods with the real programs: their variables, command lines and configurations.

use std::path::{Path, PathBuf};
use std::process::Command;

use integration_tests::programs::program;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use simulator::{Site, SiteConfig};
use tempfile::TempDir;
use yaml_rust2::Yaml;

use super::yaml::{document, documents, interpolated, items, keys, scalar};
use super::{SECRETS, compose, text};

/// What stands in the file of a secret.
pub(crate) fn secret_text(name: &str) -> String {
    format!("the text of {name}")
}

/// A place for everything that a container finds at a path of its own.
pub(crate) struct Places {
    directory: TempDir,
    /// What stands in a file of the repository, and what stands for it here.
    replaced: Vec<(String, String)>,
}

impl Places {
    /// Folders with a file for every secret, and nothing else.
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut places = Self { directory, replaced: Vec::new() };
        for (container, name) in [
            ("/run/secrets", "secrets"),
            ("/run/influxdb", "influxdb"),
            ("/etc/footman/demo-certificates", "demo-certificates"),
            ("/etc/footman/certificates", "certificates"),
            ("/etc/footman/broker", "secrets"),
            ("/etc/footman/influxdb", "secrets"),
            ("/var/lib/footman", "state"),
        ] {
            let folder = places.path(name);
            std::fs::create_dir_all(&folder).unwrap();
            places.replace(container, &folder.display().to_string());
        }
        for secret in SECRETS {
            std::fs::write(places.path("secrets").join(secret), secret_text(secret)).unwrap();
        }
        broker_certificates(&places.path("secrets"));
        std::fs::write(places.path("influxdb").join("writer-token"), "of the writer").unwrap();
        places
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// From now on, `there` stands for `container`.
    pub(crate) fn replace(&mut self, container: &str, there: &str) {
        self.replaced.push((container.to_owned(), there.to_owned()));
    }

    /// A text of a file, as it is here.
    pub(crate) fn here(&self, text: &str) -> String {
        let replaced = self.replaced.iter();
        replaced.fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
    }

    /// The variables of a service of the stack.
    pub(crate) fn variables(&self, service: &str) -> Vec<(String, String)> {
        let file = document(compose::FILE);
        let environment = &file["services"][service]["environment"];
        let names = keys(environment).into_iter();
        let value = |name| self.here(&interpolated(&scalar(&environment[name])));
        names.map(|name| (name.to_owned(), value(name))).collect()
    }

    /// The variables of a pod of the example.
    fn variables_of_pod(&self, file: &str) -> Vec<(String, String)> {
        let pod = container(file);
        let variables = items(&pod["env"]).iter();
        variables.map(|one| (scalar(&one["name"]), self.here(&scalar(&one["value"])))).collect()
    }
}

/// An authority, and the broker's certificate for the name by which it is called here.
fn broker_certificates(secrets: &Path) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, "broker");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    std::fs::write(secrets.join("broker-ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = certificate.signed_by(&key, &issuer).unwrap();
    std::fs::write(secrets.join("broker-cert.pem"), certificate.pem()).unwrap();
    std::fs::write(secrets.join("broker-key.pem"), key.serialize_pem()).unwrap();
}

/// The container of the first document of a file.
pub(crate) fn container(file: &str) -> Yaml {
    let documents = documents(file);
    documents[0]["spec"]["template"]["spec"]["containers"][0].clone()
}

/// Checks a configuration as `footman check` does, with the variables of a container.
pub(crate) fn check(
    places: &Places,
    configuration: &str,
    variables: Vec<(String, String)>,
) -> String {
    let file = places.path("footman.yaml");
    std::fs::write(&file, places.here(&text(configuration))).unwrap();
    let output = Command::new(program("footman"))
        .args(["check", "--config"])
        .arg(&file)
        .envs(variables)
        .current_dir(places.path("state"))
        .output()
        .unwrap();
    let printed = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(output.status.code(), Some(0), "{configuration}:\n{printed}");
    printed
}

/// Certificates of a site, where the Qlik Management Console would have exported them.
pub(crate) async fn certificates(at: &Path) {
    let site = SiteConfig { directory: at.to_owned(), ..SiteConfig::for_test().unwrap() };
    let site = SiteConfig { remove_directory: false, ..site };
    Site::start(site).await.unwrap().stop().await;
}

#[tokio::test]
async fn what_each_container_is_told_is_a_right_configuration() {
    let places = Places::new();
    // The writers come first: they have no certificates of the site, and need none.
    for configuration in ["config/compose/footman.yaml", "config/compose/demo.yaml"] {
        let said = check(&places, configuration, places.variables("writer"));
        assert!(said.contains("0 servers"), "{said}");
    }
    let kubernetes = "config/kubernetes/footman.yaml";
    check(&places, kubernetes, places.variables_of_pod("config/kubernetes/writer.yaml"));

    certificates(&places.path("certificates")).await;
    certificates(&places.path("demo-certificates")).await;
    // The collector is given no secret of InfluxDB.
    std::fs::remove_file(places.path("secrets").join("influxdb-token")).unwrap();
    std::fs::remove_file(places.path("influxdb").join("writer-token")).unwrap();
    let site = "config/compose/footman.yaml";
    let said = check(&places, site, places.variables("collector"));
    assert!(said.contains("1 server"), "{said}");
    let said = check(&places, "config/compose/demo.yaml", places.variables("collector"));
    assert!(said.contains("3 servers"), "{said}");
    check(&places, kubernetes, places.variables_of_pod("config/kubernetes/collector.yaml"));
}

#[tokio::test]
async fn the_other_databases_and_the_other_broker_are_one_line_each() {
    let places = Places::new();
    let configuration = "config/compose/footman.yaml";
    for (version, changed) in [
        (
            1,
            vec![
                ("FOOTMAN__WRITER__INFLUXDB__TOKEN_FILE", String::new()),
                (
                    "FOOTMAN__WRITER__INFLUXDB__PASSWORD_FILE",
                    "/run/secrets/influxdb1-password".to_owned(),
                ),
            ],
        ),
        (
            3,
            vec![(
                "FOOTMAN__WRITER__INFLUXDB__TOKEN_FILE",
                "/run/secrets/influxdb-token".to_owned(),
            )],
        ),
    ] {
        let mut variables = places.variables("writer");
        variables.push(("FOOTMAN__INFLUXDB_CONFIG__VERSION".to_owned(), version.to_string()));
        variables.push(("FOOTMAN__BROKER__TYPE".to_owned(), "mqtt".to_owned()));
        for (name, value) in changed {
            variables.push((name.to_owned(), places.here(&value)));
        }
        let said = check(&places, configuration, variables);
        let useless = |line: &str| line.contains("writer.influxdb") && line.contains("no effect");
        assert!(!said.lines().any(useless), "{version}: {said}");
    }
}

#[tokio::test]
async fn hashed_users_need_their_key_in_the_collector_alone() {
    let mut places = Places::new();
    let key = places.path("secrets").join("user-id-key");
    places.replace("userIds: clear", "userIds: hmac");
    places.replace("userIdKeyFile: null", &format!("userIdKeyFile: {}", key.display()));
    certificates(&places.path("certificates")).await;
    let configuration = "config/compose/footman.yaml";
    check(&places, configuration, places.variables("collector"));
    std::fs::remove_file(key).unwrap();
    check(&places, configuration, places.variables("writer"));
}
