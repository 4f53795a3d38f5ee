//! Draft → testing → active → deprecated, and back to active by a rollback.
//! Content never changes after saving; only this does.

use serde::{Deserialize, Serialize};

/// Where a version is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "sqlx", derive(sqlx::Type))]
#[cfg_attr(feature = "sqlx", sqlx(type_name = "text", rename_all = "snake_case"))]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Saved, and nobody has tried it yet.
    Draft,
    /// Being evaluated, compared, or requested for promotion.
    Testing,
    /// Serves production; at most one version of a prompt does.
    Active,
    /// Served before, or was given up; still readable and runnable.
    Deprecated,
}

/// A move that is not part of a version's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Testing starts from a draft.
    #[error("only a draft can start testing; this version is {0}")]
    CannotTest(Status),
    /// Serving production starts from testing or deprecated.
    #[error("only a tested or deprecated version can become active; this version is {0}")]
    CannotActivate(Status),
    /// What serves production is replaced, not retired.
    #[error("an active version serves production: roll back or promote another version instead")]
    ServesProduction,
    /// Deprecated already.
    #[error("this version is already deprecated")]
    AlreadyDeprecated,
    /// Active is reached by a release, never by hand.
    #[error(
        "a version becomes active when it is promoted to production, not by setting its status"
    )]
    ActivatedByRelease,
    /// Nothing becomes a draft again.
    #[error("a version never becomes a draft again: save a new version instead")]
    NeverDraftAgain,
}

impl Status {
    /// All statuses, in the order of a life.
    pub const ALL: [Self; 4] = [Self::Draft, Self::Testing, Self::Active, Self::Deprecated];

    /// The word used in JSON and on pages.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Testing => "testing",
            Self::Active => "active",
            Self::Deprecated => "deprecated",
        }
    }

    /// An eval, an experiment or a promotion request starts testing.
    pub const fn test(self) -> Result<Self, Refusal> {
        match self {
            Self::Draft => Ok(Self::Testing),
            Self::Testing | Self::Active | Self::Deprecated => Err(Refusal::CannotTest(self)),
        }
    }

    /// A deprecated version can become active again: that is what a rollback is.
    pub const fn activate(self) -> Result<Self, Refusal> {
        match self {
            Self::Testing | Self::Deprecated => Ok(Self::Active),
            Self::Draft | Self::Active => Err(Refusal::CannotActivate(self)),
        }
    }

    /// Gives a version up by hand, or makes room for its successor (`superseded`).
    pub const fn retire(self) -> Result<Self, Refusal> {
        match self {
            Self::Draft | Self::Testing => Ok(Self::Deprecated),
            Self::Active => Err(Refusal::ServesProduction),
            Self::Deprecated => Err(Refusal::AlreadyDeprecated),
        }
    }

    /// What becomes of the version that served production when another takes over.
    #[must_use]
    pub const fn superseded(self) -> Self {
        match self {
            Self::Active => Self::Deprecated,
            Self::Draft | Self::Testing | Self::Deprecated => self,
        }
    }

    /// The moves a person may make by hand.
    pub const fn set_by_hand(self, to: Self) -> Result<Self, Refusal> {
        match to {
            Self::Draft => Err(Refusal::NeverDraftAgain),
            Self::Testing => self.test(),
            Self::Active => Err(Refusal::ActivatedByRelease),
            Self::Deprecated => self.retire(),
        }
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

impl std::str::FromStr for Status {
    type Err = crate::actor::UnknownWord;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|status| status.word() == text)
            .ok_or(crate::actor::UnknownWord(
                "draft, testing, active or deprecated",
            ))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(from: Status, expected: Result<Status, Refusal>) {
        assert_eq!(from.activate(), expected);
    }

    #[test]
    fn only_tested_or_deprecated_versions_become_active() {
        check(Status::Testing, Ok(Status::Active));
        check(Status::Deprecated, Ok(Status::Active));
        check(Status::Draft, Err(Refusal::CannotActivate(Status::Draft)));
        check(Status::Active, Err(Refusal::CannotActivate(Status::Active)));
    }

    #[test]
    fn what_serves_production_is_not_retired_by_hand() {
        assert_eq!(
            Status::Active.set_by_hand(Status::Deprecated),
            Err(Refusal::ServesProduction)
        );
        assert_eq!(
            Status::Testing.set_by_hand(Status::Active),
            Err(Refusal::ActivatedByRelease)
        );
    }

    proptest! {
        /// However moves are strung together, nothing becomes a draft again and
        /// active is only ever entered from testing or deprecated.
        #[test]
        fn no_path_leads_outside_the_life(moves in proptest::collection::vec(0_u8..5, 0..40)) {
            let mut status = Status::Draft;
            for step in moves {
                let next = match step {
                    0 => status.test(),
                    1 => status.activate(),
                    2 => status.retire(),
                    3 => status.set_by_hand(Status::Deprecated),
                    _ => Ok(status.superseded()),
                };
                if let Ok(next) = next {
                    let legal = next == status || matches!(
                        (status, next),
                        (Status::Draft, Status::Testing | Status::Deprecated)
                            | (Status::Testing, Status::Active | Status::Deprecated)
                            | (Status::Active, Status::Deprecated)
                            | (Status::Deprecated, Status::Active)
                    );
                    prop_assert!(legal, "{status} → {next}");
                    status = next;
                }
            }
        }
    }
}
