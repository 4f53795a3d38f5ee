//! When people hear of alerts. A rule's alerts are told together, at most once in a window; one
//! alert is said to fire at most once in the repeat interval, however often it comes and goes, and
//! whatever was said to fire is said to be over.

use chrono::{DateTime, TimeDelta, Utc};

/// How often may be spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Between two notifications of a group.
    pub window: TimeDelta,
    /// Between two times that the same alert is said to fire.
    pub repeat: TimeDelta,
}

/// An alert of a group, and what people believe of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing<K> {
    /// Which.
    pub key: K,
    /// Whether it fires.
    pub is_firing: bool,
    /// Whether somebody takes care of it: then it is not repeated.
    pub is_acknowledged: bool,
    /// When people were last told that it fires.
    pub told_at: Option<DateTime<Utc>>,
    /// Whether they still believe it.
    pub is_believed: bool,
}

/// What is to be said now, each list in the order of its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification<K> {
    /// These fire, and nobody knows.
    pub raised: Vec<K>,
    /// These still do.
    pub still: Vec<K>,
    /// These were said to fire, and are over.
    pub resolved: Vec<K>,
}

/// What is to be said of a group now, if anything; `last` is when something last was. The order of
/// the alerts does not matter.
#[must_use]
pub fn due<K: Ord + Clone>(
    last: Option<DateTime<Utc>>,
    pace: Pace,
    alerts: &[Standing<K>],
    now: DateTime<Utc>,
) -> Option<Notification<K>> {
    if last.is_some_and(|last| now - last < pace.window) {
        return None;
    }
    let mut found = Notification {
        raised: Vec::new(),
        still: Vec::new(),
        resolved: Vec::new(),
    };
    for alert in alerts {
        let may_repeat = alert.told_at.is_none_or(|told| now - told >= pace.repeat);
        let list = match (alert.is_firing, alert.is_believed) {
            (true, false) if may_repeat => &mut found.raised,
            (true, true) if may_repeat && !alert.is_acknowledged => &mut found.still,
            (false, true) => &mut found.resolved,
            (true, _) | (false, false) => continue,
        };
        list.push(alert.key.clone());
    }
    for list in [&mut found.raised, &mut found.still, &mut found.resolved] {
        list.sort();
    }
    let is_nothing = found.raised.is_empty() && found.still.is_empty() && found.resolved.is_empty();
    (!is_nothing).then_some(found)
}
