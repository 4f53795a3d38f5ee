//! Typed ids. They are made outside (the store makes version-7 UUIDs) and passed in,
//! so that a rule never depends on chance.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[cfg_attr(feature = "sqlx", derive(sqlx::Type), sqlx(transparent))]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }
    )+};
}

ids! {
    /// A project: the team boundary that owns prompts, keys and members.
    ProjectId,
    /// A person who signs in.
    PersonId,
    /// A machine's API key.
    KeyId,
    /// A prompt.
    PromptId,
    /// One immutable version of a prompt.
    VersionId,
    /// An environment of a project.
    EnvironmentId,
    /// One deployment: a version serving an environment from a moment on.
    DeploymentId,
    /// A request to serve a version in an environment.
    PromotionId,
    /// An endpoint where models answer.
    ProviderId,
    /// A suite of golden cases.
    SuiteId,
    /// One golden case; it keeps its id when it is edited.
    CaseId,
    /// One run of a content on a suite's cases.
    RunId,
    /// An experiment: versions of a prompt side by side.
    ExperimentId,
    /// A rule that says when people are told.
    AlertRuleId,
    /// An alert: one incident, or several in quick succession.
    AlertId,
    /// An address where another system is told.
    WebhookId,
    /// Something told to a webhook, with all its attempts.
    DeliveryId,
    /// One check whether a prompt is still as good as when it was promoted.
    DriftCheckId,
}
