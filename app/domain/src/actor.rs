//! Who acts, and what each may do. People have one role in a project; keys have scopes.
//! Every door asks here, so none can be more permissive than another.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::id::{KeyId, PersonId, ProjectId};

/// A person's role in one project; each role may do all that the ones before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "sqlx", derive(sqlx::Type))]
#[cfg_attr(feature = "sqlx", sqlx(type_name = "text", rename_all = "snake_case"))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads everything and comments.
    Viewer,
    /// Also drafts, suites, evals, experiments and rollback.
    Editor,
    /// Also approves promotions and breaks the glass.
    Approver,
    /// Also members, keys, environments and policies.
    Admin,
}

impl Role {
    /// All roles, weakest first.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Editor, Self::Approver, Self::Admin];

    /// The word used in JSON, in forms and in refusals.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Editor => "editor",
            Self::Approver => "approver",
            Self::Admin => "admin",
        }
    }

    /// What the role is for, in a line.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Viewer => "reads everything",
            Self::Editor => "also writes drafts and rolls back",
            Self::Approver => "also promotes to protected environments",
            Self::Admin => "also manages members, keys and environments",
        }
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

impl std::str::FromStr for Role {
    type Err = UnknownWord;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|role| role.word() == text)
            .ok_or(UnknownWord("viewer, editor, approver or admin"))
    }
}

/// What a key may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Scope {
    /// Resolve, render, stream and read prompts.
    #[serde(rename = "prompts:read")]
    PromptsRead,
    /// Report exposures, outcomes, generations and feedback.
    #[serde(rename = "events:write")]
    EventsWrite,
    /// Launch evals and gates.
    #[serde(rename = "evals:run")]
    EvalsRun,
    /// Create prompts and versions.
    #[serde(rename = "drafts:write")]
    DraftsWrite,
    /// Request promotions and roll back.
    #[serde(rename = "promotions:request")]
    PromotionsRequest,
    /// Everything.
    #[serde(rename = "admin")]
    Admin,
}

impl Scope {
    /// All scopes, weakest first.
    pub const ALL: [Self; 6] = [
        Self::PromptsRead,
        Self::EventsWrite,
        Self::EvalsRun,
        Self::DraftsWrite,
        Self::PromotionsRequest,
        Self::Admin,
    ];

    /// The word used in JSON, in forms and in refusals.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::PromptsRead => "prompts:read",
            Self::EventsWrite => "events:write",
            Self::EvalsRun => "evals:run",
            Self::DraftsWrite => "drafts:write",
            Self::PromotionsRequest => "promotions:request",
            Self::Admin => "admin",
        }
    }

    /// What the scope allows, in a line.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::PromptsRead => "resolve, render, stream and read prompts",
            Self::EventsWrite => "report exposures, outcomes and generations",
            Self::EvalsRun => "launch evals and gates",
            Self::DraftsWrite => "create prompts and versions",
            Self::PromotionsRequest => "request promotions and roll back",
            Self::Admin => "everything, members and keys included",
        }
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

impl std::str::FromStr for Scope {
    type Err = UnknownWord;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|scope| scope.word() == text)
            .ok_or(UnknownWord(
                "prompts:read, events:write, evals:run, drafts:write, promotions:request or admin",
            ))
    }
}

/// A role or scope nobody knows; holds the ones that exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be {0}")]
pub struct UnknownWord(pub &'static str);

/// Something that can be allowed or refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Permission {
    /// Read prompts, versions, deployments; resolve, render, stream.
    Read,
    /// Read the audit trail, the members and the keys' names.
    ReadPeople,
    /// Create prompts and versions, change a version's status by hand.
    WriteDrafts,
    /// Read suites, runs, gates and providers. Cases and outputs may hold what people wrote: a
    /// key that only fetches prompts does not see them.
    ReadEvals,
    /// Write suites, launch and cancel runs, ask the gate.
    RunEvals,
    /// Read experiments and their results: counts and shares, never what people wrote.
    ReadExperiments,
    /// Plan, start, ramp, stop and conclude experiments.
    RunExperiments,
    /// Ask for a version to serve an environment.
    RequestPromotion,
    /// Approve or reject a promotion that somebody else asked for.
    Approve,
    /// Report exposures, outcomes, calls and feedback.
    WriteEvents,
    /// Roll an environment back.
    RollBack,
    /// Deploy past the policy, with a reason.
    BreakGlass,
    /// Members, keys, environments, policies.
    Administer,
}

impl Permission {
    /// All permissions.
    pub const ALL: [Self; 13] = [
        Self::Read,
        Self::ReadPeople,
        Self::WriteDrafts,
        Self::ReadEvals,
        Self::RunEvals,
        Self::ReadExperiments,
        Self::RunExperiments,
        Self::RequestPromotion,
        Self::Approve,
        Self::WriteEvents,
        Self::RollBack,
        Self::BreakGlass,
        Self::Administer,
    ];

    /// The weakest role that has it.
    #[must_use]
    pub const fn role(self) -> Role {
        match self {
            Self::Read | Self::ReadPeople | Self::ReadEvals | Self::ReadExperiments => Role::Viewer,
            Self::WriteDrafts
            | Self::RunEvals
            | Self::RunExperiments
            | Self::RequestPromotion
            | Self::WriteEvents
            | Self::RollBack => Role::Editor,
            Self::Approve | Self::BreakGlass => Role::Approver,
            Self::Administer => Role::Admin,
        }
    }

    /// The scope that gives it to a key. A key that only reads prompts must not
    /// be a way to read who works here.
    #[must_use]
    pub const fn scope(self) -> Scope {
        match self {
            Self::Read | Self::ReadExperiments => Scope::PromptsRead,
            Self::WriteDrafts => Scope::DraftsWrite,
            Self::ReadEvals | Self::RunEvals => Scope::EvalsRun,
            Self::WriteEvents => Scope::EventsWrite,
            // An experiment changes what an environment serves, as a release does.
            Self::RequestPromotion | Self::RollBack | Self::RunExperiments => {
                Scope::PromotionsRequest
            }
            Self::ReadPeople | Self::Approve | Self::BreakGlass | Self::Administer => Scope::Admin,
        }
    }
}

/// Who acts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Who {
    /// A signed-in person.
    Person {
        /// The person.
        id: PersonId,
        /// As shown in the audit trail.
        name: String,
    },
    /// A machine with a key.
    Key {
        /// The key.
        id: KeyId,
        /// As shown in the audit trail.
        name: String,
    },
    /// The server itself, or its operator at the terminal.
    System {
        /// Which part of it, such as `command line`.
        name: String,
    },
}

impl Who {
    /// The name people read.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Person { name, .. } | Self::Key { name, .. } | Self::System { name } => name,
        }
    }

    /// `person`, `key` or `system`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Person { .. } => "person",
            Self::Key { .. } => "key",
            Self::System { .. } => "system",
        }
    }

    /// Whether it is the same person or key; the system is nobody.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.kind() == other.kind() && self.id().is_some() && self.id() == other.id()
    }

    /// The id behind the name, where there is one.
    #[must_use]
    pub const fn id(&self) -> Option<Uuid> {
        match self {
            Self::Person { id, .. } => Some(id.0),
            Self::Key { id, .. } => Some(id.0),
            Self::System { .. } => None,
        }
    }
}

/// What the one who acts was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grant {
    /// A person's role.
    Role(Role),
    /// A key's scopes, and the environments it is bound to (none: all).
    Scopes {
        /// The scopes.
        scopes: Vec<Scope>,
        /// The only environments the key may touch, if bound.
        environments: Option<Vec<String>>,
    },
    /// The operator at the terminal, who has the database anyway.
    Operator,
}

/// Someone acting in one project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// Who it is.
    pub who: Who,
    /// Where they act.
    pub project: ProjectId,
    /// What they were given there.
    pub grant: Grant,
}

/// A refusal that says what is missing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The person's role is too weak.
    #[error("this needs the {needed} role; yours is {held}")]
    Role {
        /// The weakest role that may.
        needed: Role,
        /// The role held.
        held: Role,
    },
    /// The key lacks a scope.
    #[error("this needs a key with the scope {0}")]
    Scope(Scope),
    /// The key is bound to other environments.
    #[error("this key is not bound to the environment {0}")]
    Environment(String),
    /// The key is bound to environments, and this reaches beyond them.
    #[error("this needs a key that is not bound to environments")]
    Bound,
    /// Machines may not do this at all.
    #[error("only a signed-in person may do this")]
    PersonsOnly,
}

impl Actor {
    /// Whether this may be done at all. What is administered here belongs to the whole project:
    /// a key bound to environments could otherwise make itself one that is not.
    pub fn may(&self, permission: Permission) -> Result<(), Denied> {
        self.holds(permission)?;
        match (&self.grant, permission) {
            (
                Grant::Scopes {
                    environments: Some(_),
                    ..
                },
                Permission::Administer,
            ) => Err(Denied::Bound),
            _ => Ok(()),
        }
    }

    fn holds(&self, permission: Permission) -> Result<(), Denied> {
        match &self.grant {
            Grant::Operator => Ok(()),
            Grant::Role(held) if *held >= permission.role() => Ok(()),
            Grant::Role(held) => Err(Denied::Role {
                needed: permission.role(),
                held: *held,
            }),
            Grant::Scopes { scopes, .. } => {
                let needed = permission.scope();
                if scopes.contains(&needed) || scopes.contains(&Scope::Admin) {
                    Ok(())
                } else {
                    Err(Denied::Scope(needed))
                }
            }
        }
    }

    /// Whether this may be done in that environment.
    pub fn may_in(&self, permission: Permission, environment: &str) -> Result<(), Denied> {
        self.holds(permission)?;
        match &self.grant {
            Grant::Scopes {
                environments: Some(bound),
                ..
            } if !bound.iter().any(|name| name == environment) => {
                Err(Denied::Environment(environment.to_owned()))
            }
            Grant::Scopes { .. } | Grant::Role(_) | Grant::Operator => Ok(()),
        }
    }

    /// The person's role; an operator counts as admin, a key has none.
    #[must_use]
    pub const fn role(&self) -> Option<Role> {
        match &self.grant {
            Grant::Role(role) => Some(*role),
            Grant::Operator => Some(Role::Admin),
            Grant::Scopes { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    fn key(scopes: &[Scope], environments: Option<&[&str]>) -> Actor {
        Actor {
            who: Who::Key {
                id: KeyId(Uuid::nil()),
                name: "ci".into(),
            },
            project: ProjectId(Uuid::nil()),
            grant: Grant::Scopes {
                scopes: scopes.to_vec(),
                environments: environments
                    .map(|names| names.iter().map(ToString::to_string).collect()),
            },
        }
    }

    #[test]
    fn a_stronger_role_may_all_that_a_weaker_may() {
        for permission in Permission::ALL {
            for (weak, strong) in Role::ALL.iter().zip(&Role::ALL[1..]) {
                if person(*weak).may(permission).is_ok() {
                    assert_eq!(person(*strong).may(permission), Ok(()), "{permission:?}");
                }
            }
        }
    }

    #[test]
    fn an_editor_rolls_back_but_does_not_break_the_glass() {
        assert_eq!(person(Role::Editor).may(Permission::RollBack), Ok(()));
        assert_eq!(
            person(Role::Editor).may(Permission::BreakGlass),
            Err(Denied::Role {
                needed: Role::Approver,
                held: Role::Editor
            })
        );
        assert!(person(Role::Viewer).may(Permission::RollBack).is_err());
    }

    #[test]
    fn a_key_needs_the_scope_and_the_environment() {
        let reader = key(&[Scope::PromptsRead], Some(&["staging"]));
        assert_eq!(reader.may_in(Permission::Read, "staging"), Ok(()));
        assert_eq!(
            reader.may_in(Permission::Read, "production"),
            Err(Denied::Environment("production".into()))
        );
        assert_eq!(
            reader.may(Permission::RollBack),
            Err(Denied::Scope(Scope::PromotionsRequest))
        );
    }

    #[test]
    fn a_bound_key_administers_its_environments_and_nothing_else() {
        let bound = key(&[Scope::Admin], Some(&["staging"]));
        assert_eq!(bound.may_in(Permission::Administer, "staging"), Ok(()));
        assert_eq!(bound.may(Permission::Administer), Err(Denied::Bound));
        assert_eq!(bound.may(Permission::WriteDrafts), Ok(()));
    }

    #[test]
    fn the_admin_scope_gives_everything() {
        for permission in Permission::ALL {
            assert_eq!(key(&[Scope::Admin], None).may(permission), Ok(()));
        }
    }

    #[test]
    fn words_read_back() {
        for role in Role::ALL {
            assert_eq!(role.word().parse(), Ok(role));
        }
        for scope in Scope::ALL {
            assert_eq!(scope.word().parse(), Ok(scope));
        }
        assert!("owner".parse::<Role>().is_err());
    }
}
