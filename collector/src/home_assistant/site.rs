//! Everything that Home Assistant is to know: the devices of the servers and of the programs.

use std::collections::BTreeSet;

use shared::heartbeat::HeardProgram;
use shared::timestamp::Timestamp;

use super::device::{Availability, Device};
use super::{program, server};
use crate::latest::ServerState;
use crate::state_topics::{By, Topics};

/// Who tells, and under which topics.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    /// `broker.topicPrefix`.
    pub(super) prefix: &'a str,
    pub(super) topics: &'a Topics,
    pub(super) by: &'a By,
    /// The programs that were heard.
    programs: &'a [HeardProgram],
}

impl Place<'_> {
    /// Ourselves.
    pub(super) fn teller(&self) -> Availability {
        Availability::status(self.topics.status(&self.by.process, &self.by.instance))
    }

    /// Whoever tells of programs; each says the same, whoever says it last.
    pub(super) fn tellers(&self) -> Vec<Availability> {
        let heard = self.programs.iter().filter(|one| program::tells(one));
        let heard = heard.map(|one| self.topics.status(&one.beat.process, &one.beat.instance));
        let own = self.topics.status(&self.by.process, &self.by.instance);
        let topics: BTreeSet<String> = heard.chain([own]).collect();
        topics.into_iter().map(Availability::status).collect()
    }
}

/// What is there now.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Known {
    pub(super) device: Device,
    /// False for a server that nobody has polled yet; its device would change at once.
    pub(super) is_ready: bool,
    /// The newest beat of a program.
    pub(super) last_beat: Option<Timestamp>,
}

/// The devices of a site.
pub(super) fn known(
    prefix: &str,
    topics: &Topics,
    by: &By,
    servers: &[ServerState],
    programs: &[HeardProgram],
) -> Vec<Known> {
    let place = Place { prefix, topics, by, programs };
    let servers = servers.iter().map(|server| Known {
        device: server::device(server, &place),
        is_ready: server::was_polled(server),
        last_beat: None,
    });
    let programs = programs.iter().map(|program| Known {
        device: program::device(program, &place),
        is_ready: true,
        last_beat: Some(program.time),
    });
    servers.chain(programs).collect()
}
