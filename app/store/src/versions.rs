//! Versions: reading them, saving a new one, moving one along its life by hand.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use domain::{
    actor::{Actor, Permission, Who},
    content::{Content, ContentHash},
    id::{PromptId, VersionId},
    lifecycle::Status,
    page::{Listing, PageRequest},
    prompt::{FullVersion, MAX_DESCRIPTION, PromptName, Version, check_prose},
    template::{self, Include, Snippets},
};
use serde_json::json;
use sqlx::{PgConnection, types::Json};

use crate::{
    Error, Result, Store, error::OnConstraint, new_id, place, prompts, releases, tx::Command,
};

/// How many snippets one save may load, however they are nested.
const MAX_SNIPPETS: usize = 200;

/// A page of a prompt's versions, newest first.
pub async fn list(
    store: &Store,
    by: &Actor,
    prompt: &PromptName,
    page: &PageRequest,
) -> Result<Listing<Version>> {
    by.may(Permission::Read)?;
    let before = page
        .after_number()
        .ok()
        .and_then(|number| number.map(i32::try_from).transpose().ok())
        .ok_or_else(|| Error::invalid("cursor", "is not one that an earlier page gave"))?;
    let rows = sqlx::query_as!(
        Row,
        r#"select number, content_hash as "content_hash: ContentHash", status as "status: Status",
                  parent_number as parent, author as "author: Json<Who>", change_description, version.created_at
           from version
           join prompt using (prompt_id)
           where project_id = $1 and name = $2 and ($3::integer is null or number < $3)
           order by number desc
           limit $4"#,
        by.project.0,
        prompt.as_str(),
        before,
        page.fetch(),
    )
    .fetch_all(&store.pool)
    .await?;
    if rows.is_empty() && prompts::find(store, by, prompt).await?.is_none() {
        return Err(Error::NotFound("prompt"));
    }
    Ok(Listing::of(rows, page, |row| row.number.to_string()).map(Row::version))
}

/// One version with what it holds.
pub async fn find(
    store: &Store,
    by: &Actor,
    prompt: &PromptName,
    number: i32,
) -> Result<Option<FullVersion>> {
    by.may(Permission::Read)?;
    let row = sqlx::query!(
        r#"select number, content_hash as "content_hash: ContentHash", status as "status: Status",
                  parent_number as parent, author as "author: Json<Who>", change_description, version.created_at,
                  content as "content: Json<Content>", source as "source: Json<Content>"
           from version
           join prompt using (prompt_id)
           where project_id = $1 and name = $2 and number = $3"#,
        by.project.0,
        prompt.as_str(),
        number,
    )
    .fetch_optional(&store.pool)
    .await?;
    Ok(row.map(|row| FullVersion {
        version: Version {
            number: row.number,
            content_hash: row.content_hash,
            status: row.status,
            parent: row.parent,
            author: row.author.0,
            change_description: row.change_description,
            created_at: row.created_at,
        },
        content: row.content.0,
        source: row.source.map(|source| source.0),
    }))
}

struct Row {
    number: i32,
    content_hash: ContentHash,
    status: Status,
    parent: Option<i32>,
    author: Json<Who>,
    change_description: String,
    created_at: DateTime<Utc>,
}

impl Row {
    fn version(self) -> Version {
        Version {
            number: self.number,
            content_hash: self.content_hash,
            status: self.status,
            parent: self.parent,
            author: self.author.0,
            change_description: self.change_description,
            created_at: self.created_at,
        }
    }
}

/// A version that holds a snippet, for where-used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// The prompt that uses it.
    pub prompt: PromptName,
    /// Its version that does.
    pub number: i32,
    /// The snippet's version it is pinned to.
    pub snippet_number: i32,
    /// Whether that prompt's newest version is the one.
    pub is_latest: bool,
}

/// Where a prompt is used as a snippet, newest uses first.
pub async fn uses(store: &Store, by: &Actor, snippet: &PromptName) -> Result<Vec<Use>> {
    by.may(Permission::Read)?;
    let uses = sqlx::query_as!(
        Use,
        r#"select prompt.name as "prompt: PromptName", version.number, snippet_version.number as snippet_number,
                  version.number = prompt.latest_number as "is_latest!"
           from prompt as snippet
           join version as snippet_version on snippet_version.prompt_id = snippet.prompt_id
           join version_include on included_version_id = snippet_version.version_id
           join version on version.version_id = version_include.version_id
           join prompt on prompt.prompt_id = version.prompt_id
           where snippet.project_id = $1 and snippet.name = $2
           order by prompt.name, version.number desc
           limit 200"#,
        by.project.0,
        snippet.as_str(),
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(uses)
}

/// Saves a new version as a draft. `parent` is the version it was made from: when somebody saved
/// another one meanwhile, that is a conflict; left out, it is whatever is newest on arrival.
pub async fn create(
    store: &Store,
    by: &Actor,
    prompt: &PromptName,
    content: Content,
    change_description: &str,
    parent: Option<i32>,
    now: DateTime<Utc>,
) -> Result<FullVersion> {
    by.may(Permission::WriteDrafts)?;
    check_prose(change_description, MAX_DESCRIPTION)
        .map_err(|message| Error::invalid("change_description", message))?;
    let seen = match parent {
        Some(parent) => parent,
        None => latest_number(store, by, prompt).await?,
    };
    let mut command = Command::begin(store, "save_version", by, now).await?;
    let prompt_id = prompts::lock(command.db(), by, prompt).await?;
    let newest = newest(command.db(), prompt_id).await?;
    check_parent(newest.as_ref(), seen)?;

    let Loaded { snippets, direct } = load_snippets(command.db(), by, &content).await?;
    let composed = template::compose("content", prompt.as_str(), &content, &snippets)
        .map_err(Error::Invalid)?;
    let content_hash = composed.hash();
    if let Some(newest) = &newest
        && newest.content_hash == content_hash
    {
        return Err(Error::conflict(
            "same_content",
            format!(
                "version {} already holds exactly this content",
                newest.number
            ),
        ));
    }

    let id: VersionId = new_id();
    let number = newest.as_ref().map_or(1, |newest| newest.number + 1);
    let source = (!snippets.is_empty()).then_some(content);
    sqlx::query!(
        "insert into version
             (version_id, prompt_id, number, content, source, content_hash, parent_number, status, author,
              change_description, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, 'draft', $8, $9, $10)",
        id.0,
        prompt_id.0,
        number,
        Json(&composed) as _,
        source.as_ref().map(Json) as _,
        content_hash.as_str(),
        newest.as_ref().map(|newest| newest.number),
        command.author(),
        change_description,
        now,
    )
    .execute(command.db())
    .await
    .on_constraint("version_number_unique", || overtaken(number))?;
    for snippet in direct {
        sqlx::query!(
            "insert into version_include (version_id, included_version_id) values ($1, $2)",
            id.0,
            snippet.0,
        )
        .execute(command.db())
        .await?;
    }
    sqlx::query!(
        "update prompt set latest_number = $2, changed_at = $3 where prompt_id = $1",
        prompt_id.0,
        number,
        now
    )
    .execute(command.db())
    .await?;
    command.record(
        "version.create",
        prompt.as_str(),
        json!({
            "after": { "version": number, "content_hash": content_hash },
            "before": newest.as_ref().map(|newest| json!({
                "version": newest.number,
                "content_hash": newest.content_hash,
            })),
            "change_description": change_description,
        }),
    );
    command.tell("version", json!({ "prompt": prompt, "version": number }));
    command.commit().await?;
    Ok(FullVersion {
        version: Version {
            number,
            content_hash,
            status: Status::Draft,
            parent: newest.map(|newest| newest.number),
            author: by.who.clone(),
            change_description: change_description.to_owned(),
            created_at: now,
        },
        content: composed,
        source,
    })
}

/// The newest version's number, 0 while there is none.
async fn latest_number(store: &Store, by: &Actor, prompt: &PromptName) -> Result<i32> {
    sqlx::query_scalar!(
        "select latest_number from prompt where project_id = $1 and name = $2",
        by.project.0,
        prompt.as_str()
    )
    .fetch_optional(&store.pool)
    .await?
    .ok_or(Error::NotFound("prompt"))
}

struct Newest {
    number: i32,
    content_hash: ContentHash,
}

async fn newest(db: &mut PgConnection, prompt: PromptId) -> Result<Option<Newest>> {
    let newest = sqlx::query_as!(
        Newest,
        r#"select number, content_hash as "content_hash: ContentHash"
           from version
           where prompt_id = $1
           order by number desc
           limit 1"#,
        prompt.0,
    )
    .fetch_optional(db)
    .await?;
    Ok(newest)
}

fn check_parent(newest: Option<&Newest>, seen: i32) -> Result<()> {
    let number = newest.map_or(0, |newest| newest.number);
    if seen > number || seen < 0 {
        return Err(Error::invalid(
            "parent",
            format!("there is no version {seen}"),
        ));
    }
    if seen < number {
        return Err(overtaken(number));
    }
    Ok(())
}

fn overtaken(number: i32) -> Error {
    Error::conflict(
        "version_conflict",
        format!("version {number} was saved meanwhile: look at it, then save yours on top of it"),
    )
}

/// Snippets as they were written, and the versions that the content itself names.
struct Loaded {
    snippets: Snippets,
    direct: Vec<VersionId>,
}

/// The content with its snippets expanded, as saving it would.
pub(crate) async fn compose(
    db: &mut PgConnection,
    by: &Actor,
    prompt: &PromptName,
    content: &Content,
) -> Result<Content> {
    let Loaded { snippets, .. } = load_snippets(db, by, content).await?;
    template::compose("content", prompt.as_str(), content, &snippets).map_err(Error::Invalid)
}

/// Every snippet the content includes, and those they include.
async fn load_snippets(db: &mut PgConnection, by: &Actor, content: &Content) -> Result<Loaded> {
    let named: HashSet<Include> = content.includes().into_iter().collect();
    let mut loaded = Loaded {
        snippets: Snippets::new(),
        direct: Vec::new(),
    };
    let mut wanted: Vec<Include> = named.iter().cloned().collect();
    while let Some(include) = wanted.pop() {
        if loaded.snippets.contains_key(&include) {
            continue;
        }
        if loaded.snippets.len() >= MAX_SNIPPETS {
            return Err(Error::invalid(
                "content.messages",
                format!("include more than {MAX_SNIPPETS} snippets"),
            ));
        }
        // What is not there, composing refuses by name and place.
        let Ok(number) = i32::try_from(include.version) else {
            continue;
        };
        let row = sqlx::query!(
            r#"select version_id as "id: VersionId", coalesce(source, content) as "source!: Json<Content>"
               from version
               join prompt using (prompt_id)
               where project_id = $1 and name = $2 and number = $3"#,
            by.project.0,
            include.name,
            number,
        )
        .fetch_optional(&mut *db)
        .await?;
        if let Some(row) = row {
            wanted.extend(row.source.0.includes());
            if named.contains(&include) {
                loaded.direct.push(row.id);
            }
            loaded.snippets.insert(include, row.source.0);
        }
    }
    Ok(loaded)
}

/// Moves a version along its life by hand: a draft to testing, or giving one up.
pub async fn set_status(
    store: &Store,
    by: &Actor,
    prompt: &PromptName,
    number: i32,
    to: Status,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<Version> {
    by.may(Permission::WriteDrafts)?;
    releases::check_reason(reason)?;
    let mut command = Command::begin(store, "set_status", by, now).await?;
    let prompt_id = prompts::lock(command.db(), by, prompt).await?;
    let row = sqlx::query!(
        r#"select version_id as "id: VersionId", number, content_hash as "content_hash: ContentHash",
                  status as "status: Status", parent_number as parent, author as "author: Json<Who>",
                  change_description, created_at
           from version
           where prompt_id = $1 and number = $2"#,
        prompt_id.0,
        number,
    )
    .fetch_optional(command.db())
    .await?
    .ok_or(Error::NotFound("version"))?;
    let status = row.status.set_by_hand(to)?;
    place::set_status(&mut command, row.id, status).await?;
    command.record(
        "version.status",
        prompt.as_str(),
        json!({
            "version": number,
            "before": { "status": row.status },
            "after": { "status": status },
            "reason": reason,
        }),
    );
    command.tell("version", json!({ "prompt": prompt, "version": number }));
    command.commit().await?;
    Ok(Version {
        number,
        content_hash: row.content_hash,
        status,
        parent: row.parent,
        author: row.author.0,
        change_description: row.change_description,
        created_at: row.created_at,
    })
}

#[cfg(test)]
mod tests {
    use domain::actor::Role;
    use sqlx::PgPool;

    use super::*;
    use crate::testing::{World, at, name, text};

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn content_equal_to_its_parents_is_refused_by_name(pool: PgPool) {
        let world = World::new(pool).await;
        world.prompt("triage").await;
        assert_eq!(world.save("triage", "one").await.unwrap().version.number, 1);
        let refusal = world.save("triage", "one").await.unwrap_err();
        assert!(
            matches!(
                &refusal,
                Error::Conflict {
                    code: "same_content",
                    ..
                }
            ),
            "{refusal}"
        );
        assert!(refusal.to_string().contains("version 1"), "{refusal}");
        assert_eq!(world.save("triage", "two").await.unwrap().version.number, 2);
        // Going back to older words is a change.
        assert_eq!(world.save("triage", "one").await.unwrap().version.number, 3);
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn of_two_saves_on_the_same_parent_one_succeeds(pool: PgPool) {
        let world = World::new(pool).await;
        world.prompt("triage").await;
        let (editor, prompt) = (world.actor(Role::Editor), name("triage"));
        for round in 0..20 {
            let save = |words: String| {
                create(
                    &world.store,
                    &editor,
                    &prompt,
                    text(&words),
                    "",
                    Some(round),
                    at(i64::from(round)),
                )
            };
            let save = &save;
            let (one, two) = tokio::join!(save(format!("a{round}")), save(format!("b{round}")));
            assert_eq!(
                u8::from(one.is_ok()) + u8::from(two.is_ok()),
                1,
                "round {round}"
            );
            let refused = one.err().or(two.err()).unwrap();
            assert!(
                matches!(
                    refused,
                    Error::Conflict {
                        code: "version_conflict",
                        ..
                    }
                ),
                "{refused}"
            );
        }
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn snippets_are_expanded_when_saved_and_their_uses_are_known(pool: PgPool) {
        let world = World::new(pool).await;
        world.prompt_with_versions("tone", 1).await;
        world.prompt("triage").await;
        let saved = world
            .save("triage", "Begin. {{> tone@1}} End.")
            .await
            .unwrap();
        assert_eq!(saved.content.text(), Some("Begin. version 1 End."));
        assert!(saved.source.is_some());
        let uses = uses(&world.store, &world.actor(Role::Viewer), &name("tone"))
            .await
            .unwrap();
        assert_eq!(
            (
                uses[0].prompt.as_str(),
                uses[0].number,
                uses[0].snippet_number
            ),
            ("triage", 1, 1)
        );
        let refusal = world.save("triage", "{{> tone@9}}").await.unwrap_err();
        assert!(refusal.to_string().contains("tone@9"), "{refusal}");
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn a_saved_version_comes_back_as_it_was_written(pool: PgPool) {
        let world = World::new(pool).await;
        world.prompt("triage").await;
        let words = "Größe „ß“ \u{1F600} \\ \" {{{{ {}";
        let saved = world.save("triage", words).await.unwrap();
        let found = find(&world.store, &world.actor(Role::Viewer), &name("triage"), 1)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(found, saved);
        assert_eq!(found.content.hash(), saved.version.content_hash);
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn a_version_moves_by_hand_only_along_its_life(pool: PgPool) {
        let world = World::new(pool).await;
        world.prompt_with_versions("triage", 1).await;
        let (editor, prompt) = (world.actor(Role::Editor), name("triage"));
        let store = &world.store;
        let refusal = set_status(store, &editor, &prompt, 1, Status::Active, "", at(5))
            .await
            .unwrap_err();
        assert!(
            matches!(
                refusal,
                Error::Conflict {
                    code: "illegal_status_move",
                    ..
                }
            ),
            "{refusal}"
        );
        let tested = set_status(store, &editor, &prompt, 1, Status::Testing, "", at(6))
            .await
            .unwrap();
        assert_eq!(tested.status, Status::Testing);
        let retired = set_status(store, &editor, &prompt, 1, Status::Deprecated, "", at(7))
            .await
            .unwrap();
        assert_eq!(retired.status, Status::Deprecated);
    }
}
