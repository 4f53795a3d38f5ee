//! What the tests at the bottom of the files build on: a project with people in every role, a fixed clock.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    actor::{Actor, Grant, Role, Who},
    content::Content,
    id::{PersonId, ProjectId},
    prompt::{FullVersion, PromptName},
    release::{Deployment, Promotion},
};
use serde_json::json;
use sqlx::PgPool;

use crate::{
    Result, Store, members, people, promotions, prompts,
    releases::{self, Release, Seen},
    versions,
};

/// The moment at which tests begin, plus so many seconds.
pub fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap() + TimeDelta::seconds(seconds)
}

/// A project to act in.
pub struct World {
    pub store: Store,
    pub project: ProjectId,
}

/// A text prompt that says just this.
pub fn text(words: &str) -> Content {
    Content::parse(
        "content",
        json!({ "type": "text", "messages": [{ "role": "user", "content": words }] }),
    )
    .unwrap()
}

pub fn name(text: &str) -> PromptName {
    PromptName::parse(text).unwrap()
}

impl World {
    /// A fresh project `acme` in a fresh database.
    pub async fn new(pool: PgPool) -> Self {
        let store = Store::new(pool);
        let project = people::create_project_as_system(&store, "acme", "Acme", at(0))
            .await
            .unwrap();
        // Not what these tests are about, and nothing that belongs into the trail they read.
        sqlx::query("update environment set policy = '{}' where project_id = $1")
            .bind(project.0)
            .execute(&store.pool)
            .await
            .unwrap();
        Self { store, project }
    }

    /// Somebody with that role, who need not exist as a person.
    pub fn actor(&self, role: Role) -> Actor {
        Actor {
            who: Who::Person {
                id: PersonId(uuid::Uuid::from_u128(role as u128 + 1)),
                name: format!("the {role}"),
            },
            project: self.project,
            grant: Grant::Role(role),
        }
    }

    /// A real person who belongs to the project.
    pub async fn member(&self, email: &str, role: Role) -> PersonId {
        members::add(
            &self.store,
            &self.actor(Role::Admin),
            email,
            email,
            role,
            at(0),
        )
        .await
        .unwrap()
        .id
    }

    /// A prompt without versions.
    pub async fn prompt(&self, prompt: &str) {
        prompts::create(
            &self.store,
            &self.actor(Role::Editor),
            &name(prompt),
            "",
            &[],
            at(1),
        )
        .await
        .unwrap();
    }

    /// Saves a version on top of whatever is newest.
    pub async fn save(&self, prompt: &str, words: &str) -> Result<FullVersion> {
        versions::create(
            &self.store,
            &self.actor(Role::Editor),
            &name(prompt),
            text(words),
            "a change",
            None,
            at(2),
        )
        .await
    }

    /// A prompt with so many versions, none of them released.
    pub async fn prompt_with_versions(&self, prompt: &str, n_versions: i32) {
        self.prompt(prompt).await;
        for number in 1..=n_versions {
            self.save(prompt, &format!("version {number}"))
                .await
                .unwrap();
        }
    }

    /// Promotes as the approver.
    pub async fn promote(
        &self,
        prompt: &str,
        environment: &str,
        version: i32,
        seconds: i64,
    ) -> Result<Promotion> {
        let prompt = name(prompt);
        let release = Release {
            prompt: &prompt,
            environment,
            reason: "",
            seen: Seen::OnArrival,
        };
        promotions::request(
            &self.store,
            &self.actor(Role::Approver),
            &release,
            version,
            at(seconds),
        )
        .await
    }

    /// Rolls production back as the editor.
    pub async fn roll_back(
        &self,
        prompt: &str,
        to: Option<i32>,
        seen: Seen,
        seconds: i64,
    ) -> Result<Deployment> {
        let prompt = name(prompt);
        let release = Release {
            prompt: &prompt,
            environment: "production",
            reason: "",
            seen,
        };
        releases::roll_back(
            &self.store,
            &self.actor(Role::Editor),
            &release,
            to,
            at(seconds),
        )
        .await
    }

    /// The statuses of a prompt's versions, oldest first.
    pub async fn statuses(&self, prompt: &str) -> Vec<String> {
        sqlx::query_scalar(
            "select status from version join prompt using (prompt_id) where name = $1 order by number",
        )
        .bind(prompt)
        .fetch_all(&self.store.pool)
        .await
        .unwrap()
    }
}
