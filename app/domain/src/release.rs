//! Deployments: how a version comes to serve an environment, and what a rollback goes back to.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

mod evidence;
pub mod window;

pub use evidence::{
    Approval, Comment, Evidence, ExperimentEvidence, GateEvidence, MAX_AGE_HOURS, missing,
    open_status,
};

use crate::{
    actor::{Actor, Denied, Grant, Permission, Who},
    id::{DeploymentId, PromotionId},
    prompt::PromptName,
};

/// The longest reason, in characters.
pub const MAX_REASON: usize = 1_000;

/// How a version came to serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "sqlx", derive(sqlx::Type))]
#[cfg_attr(feature = "sqlx", sqlx(type_name = "text", rename_all = "snake_case"))]
#[serde(rename_all = "snake_case")]
pub enum DeploymentKind {
    /// By a promotion, as the environment's policy asks.
    Promote,
    /// Back to a version that served before.
    Rollback,
    /// Past the policy, with a reason; loud everywhere.
    BreakGlass,
}

impl DeploymentKind {
    /// The word used in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Promote => "promote",
            Self::Rollback => "rollback",
            Self::BreakGlass => "break_glass",
        }
    }

    /// What it is called on a page.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Promote => "promoted",
            Self::Rollback => "rolled back",
            Self::BreakGlass => "break-glass",
        }
    }
}

/// What an environment asks of a promotion.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Policy {
    /// A passed gate run on the same content.
    #[serde(default)]
    pub gate: bool,
    /// How many people other than the author must approve.
    #[serde(default)]
    pub approvals: u16,
    /// Whether experiments there are started and ramped by approvers, unless every arm was
    /// approved for the environment or served it before.
    #[serde(default)]
    pub experiments_need_approver: bool,
}

impl Policy {
    /// What production asks for unless told otherwise: a passed gate and one approval.
    #[must_use]
    pub const fn guarded() -> Self {
        Self {
            gate: true,
            approvals: 1,
            experiments_need_approver: false,
        }
    }

    /// Whether promotions execute at once.
    #[must_use]
    pub const fn asks_for_nothing(&self) -> bool {
        !self.gate && self.approvals == 0
    }
}

/// One deployment, as history shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Deployment {
    /// The deployment.
    pub deployment_id: DeploymentId,
    /// The prompt.
    pub prompt: PromptName,
    /// Where it serves.
    pub environment: String,
    /// What serves from then on.
    pub version: i32,
    /// What served until then.
    pub from_version: Option<i32>,
    /// The content that serves.
    pub content_hash: crate::content::ContentHash,
    /// How it came to serve.
    pub kind: DeploymentKind,
    /// Why, in the words of the one who did it.
    pub reason: String,
    /// Who did it.
    pub by: Who,
    /// From when.
    pub deployed_at: DateTime<Utc>,
    /// Clients connected to the environment at that moment.
    pub n_clients: i32,
}

/// How far a promotion has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "sqlx", derive(sqlx::Type))]
#[cfg_attr(feature = "sqlx", sqlx(type_name = "text", rename_all = "snake_case"))]
#[serde(rename_all = "snake_case")]
pub enum PromotionStatus {
    /// Something is still missing.
    Waiting,
    /// Everything is there; it can be executed.
    Approved,
    /// It serves.
    Executed,
    /// Somebody said no.
    Rejected,
    /// The requester took it back.
    Cancelled,
}

impl PromotionStatus {
    /// The word used in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Approved => "approved",
            Self::Executed => "executed",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether it can still become something.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Waiting | Self::Approved)
    }
}

/// A request to serve a version in an environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Promotion {
    /// The request.
    pub id: PromotionId,
    /// How far it has come.
    pub status: PromotionStatus,
    /// What it still waits for, in words.
    pub missing: Vec<String>,
    /// The prompt.
    pub prompt: PromptName,
    /// Where it is to serve.
    pub environment: String,
    /// What is to serve.
    pub version: i32,
    /// Why.
    pub reason: String,
    /// Who asks.
    pub requested_by: Who,
    /// When.
    pub requested_at: DateTime<Utc>,
    /// What came of it.
    pub deployment_id: Option<DeploymentId>,
    /// When it is to be executed by itself, once nothing is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execute_at: Option<DateTime<Utc>>,
    /// Why then, such as `03:00–04:00 UTC, 2 % of daily traffic`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execute_note: Option<String>,
}

/// A promotion with what it is decided on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FullPromotion {
    /// The request.
    #[serde(flatten)]
    pub promotion: Promotion,
    /// Who wrote the version.
    pub author: Who,
    /// The evidence: as it is now while the promotion is open, as it was when it ended.
    pub evidence: Evidence,
    /// Names the evidence; an approval that carries it is refused when it has changed since.
    pub evidence_hash: String,
    /// The approvals, oldest first; those on other evidence no longer count.
    pub approvals: Vec<Approval>,
    /// What was said, oldest first.
    pub comments: Vec<Comment>,
    /// Who ended it.
    pub settled_by: Option<Who>,
    /// When.
    pub settled_at: Option<DateTime<Utc>>,
    /// Why.
    pub settled_reason: Option<String>,
}

/// Why a release was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The actor may not.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The environment's policy asks for more.
    #[error("{environment} is protected; still missing: {}", .missing.join("; "))]
    Missing {
        /// The environment.
        environment: String,
        /// What is missing.
        missing: Vec<String>,
    },
    /// Nobody approves their own work.
    #[error("nobody approves what they {0} themselves: another approver has to")]
    OwnWork(&'static str),
    /// Approvals are given by people.
    #[error("approvals are given by people: a key can request, comment and execute")]
    NotAPerson,
    /// An experiment would serve what nobody let serve there.
    #[error(
        "{} {} never approved for {environment} and never served it: {needed}",
        versions_in_words(.versions), if .versions.len() == 1 { "was" } else { "were" }
    )]
    Unapproved {
        /// The environment.
        environment: String,
        /// The arms' versions that were neither approved nor served.
        versions: Vec<i32>,
        /// What would do, in words.
        needed: String,
    },
    /// It is over.
    #[error("this promotion is {} already", .0.word())]
    Over(PromotionStatus),
    /// What was looked at is no longer so.
    #[error("the evidence changed since it was looked at: look again before you decide")]
    OtherEvidence,
    /// It serves already.
    #[error("version {version} already serves {environment}")]
    AlreadyServing {
        /// The version.
        version: i32,
        /// The environment.
        environment: String,
    },
    /// Nothing serves, so there is nothing to go back from.
    #[error("nothing serves {environment} yet, so there is nothing to roll back")]
    NothingServes {
        /// The environment.
        environment: String,
    },
    /// Only one version ever served.
    #[error(
        "version {version} is the first that served {environment}: there is nothing to go back to"
    )]
    NothingBefore {
        /// The version that serves.
        version: i32,
        /// The environment.
        environment: String,
    },
    /// A rollback goes only where production has been.
    #[error("version {version} never served {environment}: request a promotion instead")]
    NeverServed {
        /// The version asked for.
        version: i32,
        /// The environment.
        environment: String,
    },
    /// Somebody was faster.
    #[error(
        "{environment} changed meanwhile: it now serves version {serves}; look again before you decide"
    )]
    Overtaken {
        /// What serves now.
        serves: i32,
        /// The environment.
        environment: String,
    },
    /// Breaking the glass without saying why.
    #[error("breaking the glass needs a reason")]
    ReasonMissing,
}

/// Whether `by` may approve what `requesters` asked for and `authors` wrote. Whoever made a key
/// stands among them with it: a key is no second person.
pub fn may_approve(
    by: &Actor,
    environment: &str,
    requesters: &[Who],
    authors: &[Who],
) -> Result<(), Refusal> {
    // First, so that a key with every scope hears why it cannot.
    if !matches!(by.grant, Grant::Role(_)) {
        return Err(Refusal::NotAPerson);
    }
    by.may_in(Permission::Approve, environment)?;
    let is_among = |whos: &[Who]| whos.iter().any(|who| who.is_same(&by.who));
    if is_among(authors) {
        return Err(Refusal::OwnWork("wrote"));
    }
    if is_among(requesters) {
        return Err(Refusal::OwnWork("asked for"));
    }
    Ok(())
}

/// Whether `by` may let an experiment serve `unapproved` versions, where the environment's policy
/// asks for an approver: those of its arms that were neither approved for it nor served it.
pub fn may_expose(by: &Actor, environment: &str, unapproved: &[i32]) -> Result<(), Refusal> {
    let needed = match &by.grant {
        _ if unapproved.is_empty() => return Ok(()),
        Grant::Operator => return Ok(()),
        Grant::Role(held) if *held >= Permission::Approve.role() => return Ok(()),
        Grant::Role(held) => format!("this needs the approver role; yours is {held}"),
        Grant::Scopes { .. } => "this needs a signed-in approver, and a key is none".to_owned(),
    };
    Err(Refusal::Unapproved {
        environment: environment.to_owned(),
        versions: unapproved.to_vec(),
        needed,
    })
}

/// `v3`, `v3 and v5`.
fn versions_in_words(versions: &[i32]) -> String {
    let words: Vec<String> = versions.iter().map(|number| format!("v{number}")).collect();
    match words.split_last() {
        Some((last, before)) if !before.is_empty() => format!("{} and {last}", before.join(", ")),
        _ => words.concat(),
    }
}

/// What served, oldest first, as far as a rollback needs to know.
pub struct History<'a> {
    /// The environment.
    pub environment: &'a str,
    /// The version that serves now and the one it replaced.
    pub current: Option<(i32, Option<i32>)>,
    /// Whether the version asked for ever served here.
    pub wanted_served: bool,
}

impl History<'_> {
    /// The version a rollback goes to: the one asked for, or the one served before.
    pub fn rollback_target(&self, wanted: Option<i32>) -> Result<i32, Refusal> {
        let environment = || self.environment.to_owned();
        let (serves, before) = self.current.ok_or_else(|| Refusal::NothingServes {
            environment: environment(),
        })?;
        match wanted {
            Some(version) if version == serves => Err(Refusal::AlreadyServing {
                version,
                environment: environment(),
            }),
            Some(version) if !self.wanted_served => Err(Refusal::NeverServed {
                version,
                environment: environment(),
            }),
            Some(version) => Ok(version),
            None => before.ok_or_else(|| Refusal::NothingBefore {
                version: serves,
                environment: environment(),
            }),
        }
    }
}

/// A connected client: an application that holds a stream open, and what it said it serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Consumer {
    /// The name it gave itself.
    pub consumer: String,
    /// The environment it follows.
    pub environment: String,
    /// Since when it has been connected.
    pub connected_at: DateTime<Utc>,
    /// When it was last heard of.
    pub seen_at: DateTime<Utc>,
    /// Of the prompts that serve the environment, those whose version it has not confirmed.
    pub n_behind: i64,
}

/// How far a deployment has reached the clients that were connected when it happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Propagation {
    /// The deployment.
    pub deployment: Deployment,
    /// One row for every client that was connected at the moment, or confirmed since.
    pub clients: Vec<Confirmation>,
}

/// One client's confirmation of a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Confirmation {
    /// The client.
    pub consumer: String,
    /// When it said that it applied the deployment; none while it has not.
    pub confirmed_at: Option<DateTime<Utc>>,
    /// Whether it is still connected.
    pub connected: bool,
}

impl Propagation {
    /// Clients that confirmed.
    #[must_use]
    pub fn n_confirmed(&self) -> usize {
        self.clients
            .iter()
            .filter(|client| client.confirmed_at.is_some())
            .count()
    }

    /// Whether every client that can still answer has confirmed.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.clients
            .iter()
            .all(|client| client.confirmed_at.is_some() || !client.connected)
    }

    /// The slowest confirmation so far, in milliseconds after the commit.
    #[must_use]
    pub fn slowest_ms(&self) -> Option<i64> {
        self.clients
            .iter()
            .filter_map(|client| client.confirmed_at)
            .map(|at| (at - self.deployment.deployed_at).num_milliseconds().max(0))
            .max()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{
        actor::{Grant, Role},
        id::{PersonId, ProjectId},
    };

    fn person(role: Role) -> Actor {
        Actor {
            who: Who::Person {
                id: PersonId(Uuid::nil()),
                name: "Ada".into(),
            },
            project: ProjectId(Uuid::nil()),
            grant: Grant::Role(role),
        }
    }

    fn history(current: Option<(i32, Option<i32>)>, wanted_served: bool) -> History<'static> {
        History {
            environment: "production",
            current,
            wanted_served,
        }
    }

    #[test]
    fn where_approvers_start_experiments_others_do_with_what_was_approved_or_served() {
        let key = Actor {
            grant: Grant::Scopes {
                scopes: vec![crate::actor::Scope::Admin],
                environments: None,
            },
            ..person(Role::Viewer)
        };
        let operator = Actor {
            grant: Grant::Operator,
            ..person(Role::Viewer)
        };
        let may = |by: &Actor, unapproved: &[i32]| may_expose(by, "production", unapproved);
        for by in [&person(Role::Editor), &key, &operator] {
            assert_eq!(may(by, &[]), Ok(()));
        }
        for by in [&person(Role::Approver), &person(Role::Admin), &operator] {
            assert_eq!(may(by, &[3]), Ok(()));
        }
        assert_eq!(
            may(&person(Role::Editor), &[3]).unwrap_err().to_string(),
            "v3 was never approved for production and never served it: this needs the approver role; yours is editor"
        );
        assert_eq!(
            may(&key, &[3, 4, 5]).unwrap_err().to_string(),
            "v3, v4 and v5 were never approved for production and never served it: this needs a signed-in approver, \
             and a key is none"
        );
    }

    #[test]
    fn a_rollback_goes_to_the_version_served_before() {
        assert_eq!(
            history(Some((41, Some(40))), false).rollback_target(None),
            Ok(40)
        );
        // Undo is a rollback too.
        assert_eq!(
            history(Some((40, Some(41))), false).rollback_target(None),
            Ok(41)
        );
        assert_eq!(
            history(Some((41, Some(40))), true).rollback_target(Some(12)),
            Ok(12)
        );
    }

    #[test]
    fn a_rollback_needs_somewhere_to_go() {
        let environment = || "production".to_owned();
        assert_eq!(
            history(None, false).rollback_target(None),
            Err(Refusal::NothingServes {
                environment: environment()
            })
        );
        assert_eq!(
            history(Some((1, None)), false).rollback_target(None),
            Err(Refusal::NothingBefore {
                version: 1,
                environment: environment()
            })
        );
        assert_eq!(
            history(Some((2, Some(1))), true).rollback_target(Some(2)),
            Err(Refusal::AlreadyServing {
                version: 2,
                environment: environment()
            })
        );
        assert_eq!(
            history(Some((2, Some(1))), false).rollback_target(Some(3)),
            Err(Refusal::NeverServed {
                version: 3,
                environment: environment()
            })
        );
    }

    #[test]
    fn nobody_approves_their_own_work() {
        let someone = |n: u128| Who::Person {
            id: PersonId(Uuid::from_u128(n)),
            name: format!("person {n}"),
        };
        let lead = person(Role::Approver);
        let own = std::slice::from_ref(&lead.who);
        let check = |by: &Actor, requesters: &[Who], authors: &[Who]| {
            may_approve(by, "production", requesters, authors)
                .map_err(|refusal| refusal.to_string())
        };
        assert_eq!(check(&lead, &[someone(1)], &[someone(2)]), Ok(()));
        assert_eq!(
            check(&lead, own, &[someone(2)]).unwrap_err(),
            "nobody approves what they asked for themselves: another approver has to"
        );
        assert_eq!(
            check(&lead, &[someone(1)], &[someone(2), lead.who.clone()]).unwrap_err(),
            "nobody approves what they wrote themselves: another approver has to"
        );
        assert_eq!(
            check(&person(Role::Editor), &[someone(1)], &[someone(2)]).unwrap_err(),
            "this needs the approver role; yours is editor"
        );
        let key = Actor {
            who: Who::Key {
                id: crate::id::KeyId(Uuid::nil()),
                name: "ci".into(),
            },
            grant: Grant::Scopes {
                scopes: vec![crate::actor::Scope::Admin],
                environments: None,
            },
            ..lead.clone()
        };
        assert_eq!(
            check(&key, &[someone(1)], &[someone(2)]),
            Err(Refusal::NotAPerson.to_string())
        );
    }
}
