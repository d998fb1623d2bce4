//! The apps of the site: some hurt, some share their name, some come, go or are renamed.

use std::{sync::Arc, time::Duration};

use super::{
    Moment, World,
    chance::{APP_ID, APP_KIND, APP_PRESENT, Chance, STREAM},
    names,
};

/// One of so many apps has a name that hurts.
const PER_HURTING_NAME: usize = 7;

/// One of so many apps is renamed now and then, every [`RENAME_DAYS`].
const PER_RENAMED: usize = 11;
const RENAME_DAYS: f64 = 2.0;

/// One of so many apps is at times deleted and made again, looked at every [`PRESENCE_DAYS`].
const PER_PASSING: usize = 17;
const PRESENCE_DAYS: f64 = 0.5;
const ABSENT_ONE_OF: usize = 4;

/// One of so many apps lies in somebody's work, the others in a stream.
const PER_UNPUBLISHED: usize = 5;

const STREAMS: [&str; 5] =
    ["Everyone", "Monitoring apps", "Finance, internal", "Sales \"EMEA\"", "Ops\\"];

/// An app as the repository lists it.
#[derive(Clone, Debug, PartialEq)]
pub struct App {
    /// Its GUID.
    pub id: Arc<str>,
    /// Its name.
    pub name: String,
    /// The stream's id and name when it is published.
    pub stream: Option<(String, &'static str)>,
    /// When it was changed last, as time since 1970.
    pub modified: Duration,
    /// Its size in bytes.
    pub file_size: u64,
}

/// What never changes about an app.
#[derive(Debug)]
pub(super) struct AppSeed {
    pub(super) id: Arc<str>,
    name: String,
}

pub(super) fn make(chance: Chance, apps: usize) -> Vec<AppSeed> {
    (0..apps)
        .map(|number| {
            let name = if number % PER_HURTING_NAME == PER_HURTING_NAME - 1 {
                names::hurting_name(number / PER_HURTING_NAME)
            } else {
                names::plain_app_name(number)
            };
            AppSeed { id: chance.guid(&[APP_ID, number as u64]).into(), name }
        })
        .collect()
}

pub(super) fn at(world: &World, moment: Moment) -> Vec<App> {
    world
        .apps
        .iter()
        .enumerate()
        .filter(|(number, _)| is_present(world.chance, *number, moment))
        .map(|(number, seed)| app(world, number, seed, moment))
        .collect()
}

fn is_present(chance: Chance, number: usize, moment: Moment) -> bool {
    if number % PER_PASSING != PER_PASSING - 1 {
        return true;
    }
    let phase = chance.unit(&[APP_PRESENT, number as u64]);
    let span = moment.span(PRESENCE_DAYS, phase);
    chance.below(ABSENT_ONE_OF, &[APP_PRESENT, number as u64, span]) != 0
}

fn app(world: &World, number: usize, seed: &AppSeed, moment: Moment) -> App {
    let key = number as u64;
    let (name, modified) = if number % PER_RENAMED == PER_RENAMED - 1 {
        let phase = world.chance.unit(&[APP_KIND, key]);
        let span = moment.span(RENAME_DAYS, phase);
        let began = Moment((span as f64 - phase) * RENAME_DAYS);
        (format!("{} v{}", seed.name, span % 100), world.calendar.unix(began))
    } else {
        // 1 January 2024 and an hour more for each app.
        (seed.name.clone(), Duration::from_secs(1_704_067_200 + key * 3_600))
    };
    let stream = (number % PER_UNPUBLISHED != PER_UNPUBLISHED - 1).then(|| {
        let stream = number % STREAMS.len();
        let id = world.chance.guid(&[STREAM, stream as u64]);
        (id, STREAMS.get(stream).copied().unwrap_or_default())
    });
    let file_size = 1_000_000 + world.chance.number(&[APP_KIND, key, 1]) % 900_000_000;
    App { id: seed.id.clone(), name, stream, modified, file_size }
}
