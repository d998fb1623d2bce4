//! The Kubernetes example: what holds of every pod, and that its references meet.

use std::collections::BTreeSet;

use yaml_rust2::Yaml;

use super::starts::container;
use super::yaml::{document, documents, items, keys, scalar, texts};
use super::{SECRETS, repository};

const FOLDER: &str = "config/kubernetes";
const PODS: [&str; 2] = ["collector.yaml", "writer.yaml"];
/// The user of the images.
const NOBODY: i64 = 65532;
/// The default of `shutdownGrace`, in seconds.
const SHUTDOWN_GRACE: i64 = 20;

fn pod(file: &str) -> Yaml {
    documents(&format!("{FOLDER}/{file}"))[0]["spec"]["template"].clone()
}

#[test]
fn the_list_of_resources_is_the_folder() {
    let list = document(&format!("{FOLDER}/kustomization.yaml"));
    let mut named: BTreeSet<String> =
        texts(&list["resources"]).into_iter().map(str::to_owned).collect();
    for generated in items(&list["configMapGenerator"]) {
        named.extend(texts(&generated["files"]).into_iter().map(str::to_owned));
    }
    named.insert("kustomization.yaml".to_owned());
    let entries = std::fs::read_dir(repository(FOLDER)).unwrap();
    let there = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(named, there.collect());
    for resource in texts(&list["resources"]) {
        for document in documents(&format!("{FOLDER}/{resource}")) {
            assert!(document["apiVersion"].as_str().is_some(), "{resource}");
            assert!(document["kind"].as_str().is_some(), "{resource}");
            assert!(document["metadata"]["name"].as_str().is_some(), "{resource}");
        }
    }
}

#[test]
fn pods_are_what_the_restricted_standard_demands() {
    let namespace = document(&format!("{FOLDER}/namespace.yaml"));
    let enforced = &namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"];
    assert_eq!(enforced.as_str(), Some("restricted"));
    for file in PODS {
        let spec = &pod(file)["spec"];
        assert_eq!(spec["automountServiceAccountToken"].as_bool(), Some(false), "{file}");
        assert!(spec["terminationGracePeriodSeconds"].as_i64() > Some(SHUTDOWN_GRACE), "{file}");
        let context = &spec["securityContext"];
        assert_eq!(context["runAsNonRoot"].as_bool(), Some(true), "{file}");
        for user in ["runAsUser", "runAsGroup", "fsGroup"] {
            assert_eq!(context[user].as_i64(), Some(NOBODY), "{file}: {user}");
        }
        assert_eq!(context["seccompProfile"]["type"].as_str(), Some("RuntimeDefault"), "{file}");
        let container = container(&format!("{FOLDER}/{file}"));
        let own = &container["securityContext"];
        assert_eq!(own["allowPrivilegeEscalation"].as_bool(), Some(false), "{file}");
        assert_eq!(own["readOnlyRootFilesystem"].as_bool(), Some(true), "{file}");
        assert_eq!(texts(&own["capabilities"]["drop"]), ["ALL"], "{file}");
        for probe in ["startupProbe", "livenessProbe"] {
            assert!(!keys(&container[probe]).is_empty(), "{file}: {probe}");
        }
        assert!(!keys(&container["resources"]["limits"]).is_empty(), "{file}");
    }
}

#[test]
fn volumes_secrets_and_ports_meet() {
    for file in PODS {
        let spec = &pod(file)["spec"];
        let claims = &documents(&format!("{FOLDER}/{file}"))[0]["spec"]["volumeClaimTemplates"];
        let mut volumes: BTreeSet<String> =
            items(&spec["volumes"]).iter().map(|volume| scalar(&volume["name"])).collect();
        volumes.extend(items(claims).iter().map(|claim| scalar(&claim["metadata"]["name"])));
        let container = container(&format!("{FOLDER}/{file}"));
        let mounts = items(&container["volumeMounts"]);
        let mounted = mounts.iter().map(|mount| scalar(&mount["name"])).collect();
        assert_eq!(volumes, mounted, "{file}");
        for volume in items(&spec["volumes"]) {
            for item in items(&volume["secret"]["items"]) {
                let key = scalar(&item["key"]);
                assert!(SECRETS.contains(&key.as_str()), "{file}: {key} is made by nobody");
            }
        }
        let ports: Vec<_> =
            items(&container["ports"]).iter().map(|port| scalar(&port["name"])).collect();
        for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
            let asked = &container[probe]["httpGet"];
            let known = asked.is_badvalue() || ports.contains(&scalar(&asked["port"]));
            assert!(known, "{file}: {probe}");
        }
    }
}

#[test]
fn every_pod_has_a_network_policy_and_the_service_its_pods() {
    let labels = |file| pod(file)["metadata"]["labels"].clone();
    let policies = documents(&format!("{FOLDER}/network-policy.yaml"));
    for file in PODS {
        let own = labels(file);
        let policy = policies
            .iter()
            .find(|policy| policy["spec"]["podSelector"]["matchLabels"] == own)
            .unwrap_or_else(|| panic!("{file} has no policy"));
        assert_eq!(texts(&policy["spec"]["policyTypes"]), ["Ingress", "Egress"]);
        let selector = documents(&format!("{FOLDER}/{file}"))[0]["spec"]["selector"].clone();
        assert_eq!(selector["matchLabels"], own, "{file}");
    }
    let service = &documents(&format!("{FOLDER}/collector.yaml"))[1];
    assert_eq!(service["spec"]["selector"], labels("collector.yaml"));
}
