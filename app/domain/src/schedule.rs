//! When a prompt is looked after by itself: a cron expression in a time zone, and a delay that is
//! the same for a prompt each time, so that a hundred prompts do not all start at three o'clock.
//! The time table itself is the server's (feature `watch`); pages only carry the words.

use serde::{Deserialize, Serialize};

use crate::field::{FieldError, Fields};

#[cfg(feature = "watch")]
mod timetable;
#[cfg(feature = "watch")]
pub use timetable::Timetable;

/// The longest delay: a day.
pub const MAX_JITTER_MINUTES: u32 = 24 * 60;

/// When to look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Schedule {
    /// Five fields: minute, hour, day of the month, month, day of the week.
    pub cron: String,
    /// An IANA time zone, such as `Europe/Berlin`.
    pub time_zone: String,
    /// A start is put off by up to so many minutes; by how many, the prompt's id decides.
    pub jitter_minutes: u32,
    /// Whether it looks by itself at all.
    pub enabled: bool,
}

impl Default for Schedule {
    /// Mondays at three in the morning, give or take two hours.
    fn default() -> Self {
        Self {
            cron: "0 3 * * 1".to_owned(),
            time_zone: "UTC".to_owned(),
            jitter_minutes: 120,
            enabled: true,
        }
    }
}

impl Schedule {
    /// Reads one; what is left out is as in the default.
    pub fn read(mut fields: Fields) -> Result<Self, Vec<FieldError>> {
        let usual = Self::default();
        let cron = fields.text("cron").unwrap_or(usual.cron);
        let time_zone = fields.text("time_zone").unwrap_or(usual.time_zone);
        let enabled = fields.boolean("enabled").unwrap_or(usual.enabled);
        let jitter_minutes = match fields.integer("jitter_minutes") {
            None => usual.jitter_minutes,
            Some(minutes) => u32::try_from(minutes)
                .ok()
                .filter(|minutes| *minutes <= MAX_JITTER_MINUTES)
                .unwrap_or_else(|| {
                    let words = format!("must be from 0 to {MAX_JITTER_MINUTES} minutes");
                    fields.refuse("jitter_minutes", words);
                    0
                }),
        };
        fields.finish(|| Self {
            cron: cron.trim().to_owned(),
            time_zone: time_zone.trim().to_owned(),
            jitter_minutes,
            enabled,
        })
    }
}
