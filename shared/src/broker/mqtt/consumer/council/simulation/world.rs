//! Programs, a broker and the messages between them, all in simulated time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::super::{Command, Moment};
use super::broker::{Broker, ClientId, ConnectionId, Effect, Publication, Record, Topic};
use super::program::{Link, Program, tenure};

/// Half as often as the real program looks at its council: it is enough, and quicker.
const TICK: Duration = Duration::from_millis(500);
/// When a broker gives up on a client that says nothing.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// The first and the longest wait between two attempts.
const BACKOFF_MS: (u64, u64) = (200, 15_000);
/// What a caller needs at most until it has acked what it holds.
const LONGEST_SETTLE_MS: u64 = 14_000;

type ProgramId = usize;

#[derive(Debug)]
enum Event {
    Tick(ProgramId),
    /// From a program to the broker.
    Connect {
        program: ProgramId,
        connection: ConnectionId,
        client: ClientId,
        will: Publication,
    },
    Publish {
        program: ProgramId,
        connection: ConnectionId,
        publication: Publication,
    },
    Disconnect {
        program: ProgramId,
        connection: ConnectionId,
    },
    Delete {
        program: ProgramId,
        slot: u16,
    },
    /// At the broker.
    Noticed(ConnectionId),
    /// From the broker to a program.
    Accepted {
        program: ProgramId,
        connection: ConnectionId,
    },
    Told {
        program: ProgramId,
        connection: ConnectionId,
        publication: Publication,
    },
    AllTold {
        program: ProgramId,
        connection: ConnectionId,
    },
    Confirmed {
        program: ProgramId,
        connection: ConnectionId,
    },
    Ended {
        program: ProgramId,
        connection: ConnectionId,
    },
    Deleted {
        program: ProgramId,
        slot: u16,
    },
    /// Of a program's own.
    Drained {
        program: ProgramId,
        slot: u16,
        opening: u64,
    },
}

/// Everything.
#[derive(Debug)]
pub(super) struct World {
    pub(super) now: Moment,
    pub(super) random: StdRng,
    pub(super) broker: Broker,
    pub(super) programs: BTreeMap<ProgramId, Program>,
    owners: BTreeMap<ConnectionId, ProgramId>,
    events: BinaryHeap<Reverse<(Moment, u64)>>,
    bodies: BTreeMap<u64, Event>,
    /// Until when each connection's messages are on their way, in each direction.
    order: BTreeMap<(ConnectionId, bool), Moment>,
    numbers: u64,
    pub(super) longest_delay_ms: u64,
    /// What any program so far was configured for: all of them may have to be retired.
    pub(super) most_slots: u16,
    /// Print what happens.
    pub(super) is_told: bool,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let wills_at_takeover = random.random_bool(0.5);
        let longest_delay_ms = if random.random_bool(0.2) { 1_500 } else { 30 };
        let mut broker = Broker::default();
        broker.wills_at_takeover = wills_at_takeover;
        Self {
            now: Moment::ZERO,
            random,
            broker,
            programs: BTreeMap::new(),
            owners: BTreeMap::new(),
            events: BinaryHeap::new(),
            bodies: BTreeMap::new(),
            order: BTreeMap::new(),
            numbers: 0,
            longest_delay_ms,
            most_slots: 0,
            is_told: false,
        }
    }

    pub(super) fn start(&mut self, instance: &str, slots: u16) {
        self.most_slots = self.most_slots.max(slots);
        let id = self.number();
        let program = Program::new(instance, id, slots);
        let id = usize::try_from(id).unwrap();
        self.programs.insert(id, program);
        self.at(self.now, Event::Tick(id));
    }

    /// Without a word; the broker notices at once, or after its patience.
    pub(super) fn kill(&mut self, id: ProgramId) {
        self.programs.remove(&id);
        let quick = self.random.random_bool(0.7);
        let connections: Vec<ConnectionId> =
            self.owners.iter().filter(|(_, owner)| **owner == id).map(|(&c, _)| c).collect();
        for connection in connections {
            let notice = if quick { Duration::from_millis(5) } else { KEEP_ALIVE };
            self.at(self.now + notice, Event::Noticed(connection));
        }
    }

    pub(super) fn leave(&mut self, id: ProgramId) {
        let program = self.programs.get_mut(&id).unwrap();
        program.is_leaving = true;
        if let Some(connection) = program.control {
            let publication = (Topic::Member(program.name.clone()), None);
            self.forth(connection, Event::Publish { program: id, connection, publication });
            self.forth(connection, Event::Disconnect { program: id, connection });
        }
    }

    pub(super) fn cut(&mut self, id: ProgramId, lasts: Duration) {
        self.programs.get_mut(&id).unwrap().cut_until = self.now + lasts;
        if lasts > KEEP_ALIVE {
            let connections: Vec<ConnectionId> =
                self.owners.iter().filter(|(_, owner)| **owner == id).map(|(&c, _)| c).collect();
            for connection in connections {
                self.at(self.now + KEEP_ALIVE, Event::Noticed(connection));
            }
        }
    }

    pub(super) fn break_connection(&mut self, connection: ConnectionId) {
        let effects = self.broker.lose(connection);
        self.spread(effects);
    }

    pub(super) fn connections(&self) -> Vec<ConnectionId> {
        self.owners.keys().copied().filter(|&id| self.broker.is_connected(id)).collect()
    }

    pub(super) fn restart_broker(&mut self) {
        let effects = self.broker.restart();
        self.spread(effects);
    }

    pub(super) fn kill_broker(&mut self) {
        let effects = self.broker.kill();
        self.spread(effects);
    }

    pub(super) fn run_until(&mut self, end: Moment) {
        while let Some(&Reverse((at, number))) = self.events.peek() {
            if at > end {
                break;
            }
            self.events.pop();
            self.now = at;
            let event = self.bodies.remove(&number).unwrap();
            self.happen(event);
        }
        self.now = end;
    }

    /// The program that is connected as each slot.
    pub(super) fn owners(&self) -> BTreeMap<u16, ProgramId> {
        let owners = self.broker.owners().into_iter();
        owners.map(|(slot, connection)| (slot, self.owners[&connection])).collect()
    }

    fn happen(&mut self, event: Event) {
        if let Some(until) = self.held_up(&event) {
            self.at(until, event);
            return;
        }
        match event {
            Event::Tick(id) => {
                if self.programs.contains_key(&id) {
                    self.at(self.now + TICK, Event::Tick(id));
                    self.step(id);
                }
            }
            Event::Connect { program, connection, client, will } => {
                if !self.programs.contains_key(&program) {
                    return;
                }
                self.owners.insert(connection, program);
                let is_control = matches!(client, ClientId::Control(_));
                self.back(connection, Event::Accepted { program, connection });
                if self.is_told {
                    println!("{:?} {program} connects as {client:?}, {connection}", self.now);
                }
                let effects = self.broker.connect(connection, client, will);
                self.spread(effects);
                if is_control {
                    self.back(connection, Event::AllTold { program, connection });
                }
            }
            Event::Publish { program, connection, publication } => {
                if self.broker.is_connected(connection) {
                    let effects = self.broker.publish(&publication);
                    self.spread(effects);
                    self.back(connection, Event::Confirmed { program, connection });
                }
            }
            Event::Disconnect { connection, .. } => {
                if self.broker.is_connected(connection) {
                    let effects = self.broker.disconnect(connection);
                    self.spread(effects);
                }
            }
            Event::Delete { program, slot } => {
                let effects = self.broker.delete(slot);
                self.spread(effects);
                let delay = self.delay();
                self.at(self.now + delay, Event::Deleted { program, slot });
            }
            Event::Noticed(connection) => self.break_connection(connection),
            Event::Accepted { program, .. }
            | Event::Told { program, .. }
            | Event::AllTold { program, .. }
            | Event::Confirmed { program, .. }
            | Event::Ended { program, .. }
            | Event::Deleted { program, .. }
            | Event::Drained { program, .. } => {
                if self.programs.contains_key(&program) {
                    self.arrive(program, event);
                    self.step(program);
                }
            }
        }
    }

    fn arrive(&mut self, id: ProgramId, event: Event) {
        let now = self.now;
        let program = self.programs.get_mut(&id).unwrap();
        match event {
            Event::Accepted { connection, .. } => {
                if program.control == Some(connection) {
                    program.control_failures = 0;
                    program.council.connected(now);
                } else if let Some((slot, link)) = program.link_of(connection) {
                    let opening = link.opening.clone();
                    let publication = tenure(&program.name, &opening, true, false);
                    self.forth(connection, Event::Publish { program: id, connection, publication });
                    if opening.retiring {
                        let drained = Event::Drained { program: id, slot, opening: opening.number };
                        let delay = self.up_to(3_000);
                        self.at(now + delay, drained);
                    }
                }
            }
            Event::Told { connection, publication, .. } if program.control == Some(connection) => {
                program.heard(now, &publication);
            }
            Event::AllTold { connection, .. } if program.control == Some(connection) => {
                program.council.read(now);
            }
            Event::Confirmed { connection, .. } => {
                if let Some((slot, link)) = program.link_of(connection) {
                    let opening = link.opening.number;
                    program.council.up(slot, opening);
                }
            }
            Event::Ended { connection, .. } => self.ended(id, connection),
            Event::Deleted { slot, .. } => program.council.deleted(now, slot, true),
            Event::Drained { slot, opening, .. } => program.council.drained(slot, opening),
            _ => {}
        }
    }

    fn ended(&mut self, id: ProgramId, connection: ConnectionId) {
        let now = self.now;
        if self.is_told {
            println!("{now:?} {id} lost {connection}");
        }
        let jitter = self.random.random_range(0.5..=1.0);
        let wait = |failures: u32| {
            let ms = (BACKOFF_MS.0 << failures.min(10)).min(BACKOFF_MS.1);
            Duration::from_millis(ms).mul_f64(jitter)
        };
        let program = self.programs.get_mut(&id).unwrap();
        if program.control == Some(connection) {
            program.control = None;
            program.council.disconnected();
            program.next_control_try = now + wait(program.control_failures);
            program.control_failures += 1;
        } else if let Some((slot, link)) = program.link_of(connection) {
            link.connection = None;
            link.next_try = now + wait(link.failures);
            link.failures += 1;
            let opening = link.opening.number;
            program.council.down(now, slot, opening);
        }
    }

    fn step(&mut self, id: ProgramId) {
        let now = self.now;
        let program = self.programs.get_mut(&id).unwrap();
        if now < program.stopped_until {
            return;
        }
        if program.is_leaving && program.control.is_none() {
            program.council.close();
        }
        let commands = program.step(now);
        for command in commands {
            if self.is_told && !matches!(command, Command::Beat(_)) {
                println!("{now:?} {id} {command:?}");
            }
            self.execute(id, command);
        }
        self.connect(id);
        if self.programs[&id].council.is_over() {
            self.programs.remove(&id);
        }
    }

    fn execute(&mut self, id: ProgramId, command: Command) {
        let now = self.now;
        let settles = now + self.up_to(LONGEST_SETTLE_MS);
        let program = self.programs.get_mut(&id).unwrap();
        match command {
            Command::Beat(beat) => {
                program.record.beat = beat;
                let record = Some(Record::Member(program.record.clone()));
                let publication = (Topic::Member(program.name.clone()), record);
                if let Some(connection) = program.control {
                    self.forth(connection, Event::Publish { program: id, connection, publication });
                }
            }
            Command::Open(opening) => {
                if opening.retiring {
                    program.settles.insert(opening.slot, settles);
                }
                let slot = opening.slot;
                let link = Link { opening, connection: None, failures: 0, next_try: now };
                assert!(program.links.insert(slot, link).is_none(), "slot {slot} is open already");
            }
            Command::Stop(slot) => {
                program.settles.insert(slot, settles);
            }
            Command::Assert(slot) => {
                let link = &program.links[&slot];
                let publication = tenure(&program.name, &link.opening, true, false);
                if let Some(connection) = link.connection {
                    self.forth(connection, Event::Publish { program: id, connection, publication });
                }
            }
            Command::Release(slot) | Command::Leave(slot) => {
                let link = program.links.remove(&slot).unwrap();
                if let Some(connection) = link.connection {
                    if matches!(command, Command::Release(_)) {
                        let publication = tenure(&program.name, &link.opening, false, true);
                        self.forth(
                            connection,
                            Event::Publish { program: id, connection, publication },
                        );
                    }
                    self.forth(connection, Event::Disconnect { program: id, connection });
                }
                self.programs.get_mut(&id).unwrap().council.closed(now, slot);
            }
            Command::Yield(slot) => {
                if let Some(connection) = program.links.remove(&slot).and_then(|l| l.connection) {
                    // Its request may be on its way still.
                    self.forth(connection, Event::Noticed(connection));
                }
            }
            Command::Delete(slot) => {
                program.links.remove(&slot);
                let delay = self.delay();
                self.at(now + delay, Event::Delete { program: id, slot });
            }
        }
    }

    /// Makes the connections that are due.
    fn connect(&mut self, id: ProgramId) {
        let now = self.now;
        let mut due = Vec::new();
        let connection = self.number();
        let mut numbers = self.numbers;
        let program = self.programs.get_mut(&id).unwrap();
        if program.control.is_none() && now >= program.next_control_try && !program.is_leaving {
            program.control = Some(connection);
            let will = (Topic::Member(program.name.clone()), None);
            due.push((connection, ClientId::Control(program.name.clone()), will));
        }
        for (&slot, link) in &mut program.links {
            if link.connection.is_none()
                && now >= link.next_try
                && program.council.may_connect(now, slot)
            {
                numbers += 1;
                link.connection = Some(numbers);
                let will = tenure(&program.name, &link.opening, false, false);
                due.push((numbers, ClientId::Slot(slot), will));
            }
        }
        self.numbers = numbers;
        for (connection, client, will) in due {
            self.owners.insert(connection, id);
            self.forth(connection, Event::Connect { program: id, connection, client, will });
        }
    }

    fn spread(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Tell(connection, publication) => {
                    let program = self.owners[&connection];
                    self.back(connection, Event::Told { program, connection, publication });
                }
                Effect::End(connection) => {
                    let program = self.owners[&connection];
                    self.back(connection, Event::Ended { program, connection });
                }
            }
        }
    }

    /// Until when something that leaves or reaches a program cannot.
    fn held_up(&self, event: &Event) -> Option<Moment> {
        let (Event::Connect { program, .. }
        | Event::Publish { program, .. }
        | Event::Disconnect { program, .. }
        | Event::Delete { program, .. }
        | Event::Accepted { program, .. }
        | Event::Told { program, .. }
        | Event::AllTold { program, .. }
        | Event::Confirmed { program, .. }
        | Event::Ended { program, .. }
        | Event::Deleted { program, .. }) = event
        else {
            return None;
        };
        let program = self.programs.get(program)?;
        let until = program.cut_until.max(program.stopped_until);
        (self.now < until).then_some(until)
    }

    fn forth(&mut self, connection: ConnectionId, event: Event) {
        self.in_order(connection, true, event);
    }

    fn back(&mut self, connection: ConnectionId, event: Event) {
        self.in_order(connection, false, event);
    }

    fn in_order(&mut self, connection: ConnectionId, forth: bool, event: Event) {
        let arrives = self.now + self.delay();
        let last = self.order.entry((connection, forth)).or_default();
        *last = arrives.max(*last);
        let at = *last;
        self.at(at, event);
    }

    fn at(&mut self, at: Moment, event: Event) {
        let number = self.number();
        self.events.push(Reverse((at, number)));
        self.bodies.insert(number, event);
    }

    fn delay(&mut self) -> Duration {
        Duration::from_millis(1) + self.up_to(self.longest_delay_ms)
    }

    fn up_to(&mut self, ms: u64) -> Duration {
        Duration::from_millis(self.random.random_range(0..=ms))
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }
}
