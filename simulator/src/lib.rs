#![doc = include_str!("../README.md")]

mod answers;
mod butler_sos;
mod certificates;
mod control;
mod endpoint;
mod error;
mod fault;
mod ledger;
mod oddity;
mod serve;
mod site;
pub mod world;

pub use butler_sos::ButlerSosOptions;
pub use certificates::CertificateFiles;
pub use endpoint::{Endpoint, UnknownName};
pub use error::SiteError;
pub use fault::Fault;
pub use ledger::{
    DEFAULT_LEDGER_ENTRIES, Facts, HealthFacts, Ledger, LedgerEntry, MAX_LEDGER_BODY_BYTES,
    RecordedBody, Session,
};
pub use oddity::{Oddities, Oddity};
pub use serve::{HUGE_ANSWER_BYTES, MAX_CONNECTIONS, SLOW_DRIP_PAUSE, Traffic};
pub use site::{
    Addresses, BodyRecord, ListedHosts, ListedNode, MAX_APPS, MAX_SERVERS, MAX_SESSIONS, PORT_STEP,
    Ports, Server, Site, SiteConfig,
};
