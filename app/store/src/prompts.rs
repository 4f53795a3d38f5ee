//! Prompts: lists, folders, tags; creating and describing them.

use chrono::{DateTime, Utc};
use domain::{
    actor::{Actor, Permission, Who},
    field::FieldError,
    id::PromptId,
    page::{Listing, PageError, PageRequest},
    prompt::{MAX_DESCRIPTION, Prompt, PromptName, Serving, check_prose, check_tags},
};
use serde_json::json;
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use crate::{Error, Result, Store, error::OnConstraint, new_id, tx::Command};

/// What to show of the prompts; everything is optional.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// A part of the name or description, whatever case.
    pub search: Option<String>,
    /// One tag.
    pub tag: Option<String>,
    /// A folder and what lies below it.
    pub folder: Option<String>,
}

/// The order of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// By name.
    #[default]
    Name,
    /// The last changed first.
    Changed,
}

/// A folder and how many prompts lie directly in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// The folder without a last `/`; empty at the top.
    pub folder: String,
    /// Prompts directly in it.
    pub n_prompts: i64,
}

/// A page of prompts.
pub async fn list(
    store: &Store,
    by: &Actor,
    filter: &Filter,
    order: Order,
    page: &PageRequest,
) -> Result<Listing<Prompt>> {
    by.may(Permission::Read)?;
    let ids = match order {
        Order::Name => ids_by_name(store, by, filter, page).await?,
        Order::Changed => ids_by_change(store, by, filter, page).await?,
    };
    let prompts = load(store, &ids).await?;
    Ok(Listing::of(prompts, page, |prompt| match order {
        Order::Name => prompt.name.to_string(),
        Order::Changed => format!("{} {}", prompt.changed_at.timestamp_micros(), prompt.name),
    }))
}

async fn ids_by_name(
    store: &Store,
    by: &Actor,
    filter: &Filter,
    page: &PageRequest,
) -> Result<Vec<Uuid>> {
    let ids = sqlx::query_scalar!(
        "select prompt_id
         from prompt
         where project_id = $1
           and ($2::text is null or name > $2)
           and ($3::text is null or strpos(lower(name), lower($3)) > 0 or strpos(lower(description), lower($3)) > 0)
           and ($4::text is null or tags @> array[$4])
           and ($5::text is null or folder = $5 or starts_with(folder, $5 || '/'))
         order by name
         limit $6",
        by.project.0,
        page.after(),
        filter.search,
        filter.tag,
        filter.folder,
        page.fetch(),
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(ids)
}

async fn ids_by_change(
    store: &Store,
    by: &Actor,
    filter: &Filter,
    page: &PageRequest,
) -> Result<Vec<Uuid>> {
    let after = page
        .after()
        .map(moment_and_name)
        .transpose()
        .map_err(|error| Error::invalid("cursor", error.to_string()))?;
    let (at, name) = after.unzip();
    let ids = sqlx::query_scalar!(
        "select prompt_id
         from prompt
         where project_id = $1
           and ($2::timestamptz is null or changed_at < $2 or (changed_at = $2 and name > $3))
           and ($4::text is null or strpos(lower(name), lower($4)) > 0 or strpos(lower(description), lower($4)) > 0)
           and ($5::text is null or tags @> array[$5])
           and ($6::text is null or folder = $6 or starts_with(folder, $6 || '/'))
         order by changed_at desc, name
         limit $7",
        by.project.0,
        at,
        name,
        filter.search,
        filter.tag,
        filter.folder,
        page.fetch(),
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(ids)
}

fn moment_and_name(key: &str) -> Result<(DateTime<Utc>, String), PageError> {
    let (micros, name) = key.split_once(' ').ok_or(PageError::Cursor)?;
    let at = micros
        .parse()
        .ok()
        .and_then(DateTime::from_timestamp_micros)
        .ok_or(PageError::Cursor)?;
    Ok((at, name.to_owned()))
}

/// Everything lists show of these prompts, in their order.
async fn load(store: &Store, ids: &[Uuid]) -> Result<Vec<Prompt>> {
    let rows = sqlx::query_as!(
        Row,
        r#"select prompt.name as "name: PromptName", description, tags, prompt.created_at,
                  nullif(latest_number, 0) as latest_version, changed_at,
                  newest.author as "author?: Json<Who>", newest.change_description as "change_description?",
                  active.number as "active_version?",
                  coalesce(places.serving, '[]') as "serving!: Json<Vec<Serving>>"
           from unnest($1::uuid[]) with ordinality as wanted (prompt_id, place)
           join prompt using (prompt_id)
           left join version as newest on newest.prompt_id = prompt.prompt_id and newest.number = latest_number
           left join version as active on active.prompt_id = prompt.prompt_id and active.status = 'active'
           left join lateral (
               select json_agg(json_build_object(
                          'environment', environment.name,
                          'version', version.number,
                          'deployed_at', deployment.deployed_at,
                          'by', deployment.by,
                          'kind', deployment.kind,
                          'previous', previous.number,
                          'deployment_id', deployment.deployment_id
                      ) order by environment.position, environment.name) as serving
               from serving
               join environment using (environment_id)
               join deployment using (deployment_id)
               join version on version.version_id = serving.version_id
               left join version as previous on previous.version_id = serving.previous_version_id
               where serving.prompt_id = prompt.prompt_id
           ) as places on true
           order by wanted.place"#,
        ids,
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(rows.into_iter().map(Row::prompt).collect())
}

struct Row {
    name: PromptName,
    description: String,
    tags: Vec<String>,
    created_at: DateTime<Utc>,
    latest_version: Option<i32>,
    changed_at: DateTime<Utc>,
    author: Option<Json<Who>>,
    change_description: Option<String>,
    active_version: Option<i32>,
    serving: Json<Vec<Serving>>,
}

impl Row {
    fn prompt(self) -> Prompt {
        Prompt {
            name: self.name,
            description: self.description,
            tags: self.tags,
            created_at: self.created_at,
            latest_version: self.latest_version,
            active_version: self.active_version,
            serving: self.serving.0,
            changed_by: self.author.map(|author| author.0),
            changed_at: self.changed_at,
            change_description: self.change_description,
        }
    }
}

/// One prompt.
pub async fn find(store: &Store, by: &Actor, name: &PromptName) -> Result<Option<Prompt>> {
    by.may(Permission::Read)?;
    let id = sqlx::query_scalar!(
        "select prompt_id from prompt where project_id = $1 and name = $2",
        by.project.0,
        name.as_str()
    )
    .fetch_optional(&store.pool)
    .await?;
    match id {
        None => Ok(None),
        Some(id) => Ok(load(store, &[id]).await?.pop()),
    }
}

/// All folders that hold prompts, in order.
pub async fn folders(store: &Store, by: &Actor) -> Result<Vec<Folder>> {
    by.may(Permission::Read)?;
    let folders = sqlx::query_as!(
        Folder,
        r#"select folder as "folder!", count(*) as "n_prompts!"
           from prompt
           where project_id = $1
           group by folder
           order by folder
           limit 2000"#,
        by.project.0,
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(folders)
}

/// All tags in use, the most used first.
pub async fn tags(store: &Store, by: &Actor) -> Result<Vec<String>> {
    by.may(Permission::Read)?;
    let tags = sqlx::query_scalar!(
        r#"select tag as "tag!"
           from prompt, unnest(tags) as tag
           where project_id = $1
           group by tag
           order by count(*) desc, tag
           limit 100"#,
        by.project.0,
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(tags)
}

fn check(description: &str, tags: &[String]) -> Result<()> {
    let mut errors = Vec::new();
    if let Err(message) = check_prose(description, MAX_DESCRIPTION) {
        errors.push(FieldError::new("description", message));
    }
    if let Err(message) = check_tags(tags) {
        errors.push(FieldError::new("tags", message));
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(Error::Invalid(errors))
    }
}

/// Creates a prompt without versions.
pub async fn create(
    store: &Store,
    by: &Actor,
    name: &PromptName,
    description: &str,
    tags: &[String],
    now: DateTime<Utc>,
) -> Result<Prompt> {
    by.may(Permission::WriteDrafts)?;
    check(description, tags)?;
    let id: PromptId = new_id();
    let mut command = Command::begin(store, "create_prompt", by, now).await?;
    let exists = || Error::conflict("prompt_exists", format!("there is a prompt {name} already"));
    sqlx::query!(
        "insert into prompt (prompt_id, project_id, name, description, tags, created_by, created_at, changed_at)
         values ($1, $2, $3, $4, $5, $6, $7, $7)",
        id.0,
        by.project.0,
        name.as_str(),
        description,
        tags,
        command.author(),
        now,
    )
    .execute(command.db())
    .await
    .on_constraint("prompt_name_unique", exists)
    .on_constraint("prompt_name_unique_whatever_case", || {
        Error::conflict(
            "prompt_exists",
            format!("there is a prompt whose name differs from {name} only in upper and lower case"),
        )
    })?;
    command.record(
        "prompt.create",
        name.as_str(),
        json!({ "after": { "description": description, "tags": tags } }),
    );
    command.tell("prompt", json!({ "prompt": name }));
    command.commit().await?;
    Ok(Prompt {
        name: name.clone(),
        description: description.to_owned(),
        tags: tags.to_vec(),
        created_at: now,
        latest_version: None,
        active_version: None,
        serving: Vec::new(),
        changed_by: None,
        changed_at: now,
        change_description: None,
    })
}

/// Changes what a prompt is described as; its versions stay as they are.
pub async fn describe(
    store: &Store,
    by: &Actor,
    name: &PromptName,
    description: &str,
    tags: &[String],
    now: DateTime<Utc>,
) -> Result<()> {
    amend(store, by, name, Some(description), Some(tags), now)
        .await
        .map(drop)
}

/// Changes what is given of a prompt's description; the rest stays. Answers the prompt as it is then.
pub async fn amend(
    store: &Store,
    by: &Actor,
    name: &PromptName,
    description: Option<&str>,
    tags: Option<&[String]>,
    now: DateTime<Utc>,
) -> Result<Prompt> {
    by.may(Permission::WriteDrafts)?;
    check(description.unwrap_or_default(), tags.unwrap_or_default())?;
    let mut command = Command::begin(store, "describe_prompt", by, now).await?;
    let id = lock(command.db(), by, name).await?;
    let before = sqlx::query!(
        "select description, tags from prompt where prompt_id = $1",
        id.0
    )
    .fetch_one(command.db())
    .await?;
    let description = description.unwrap_or(&before.description);
    let tags = tags.unwrap_or(&before.tags);
    sqlx::query!(
        "update prompt set description = $2, tags = $3 where prompt_id = $1",
        id.0,
        description,
        tags
    )
    .execute(command.db())
    .await?;
    command.record(
        "prompt.describe",
        name.as_str(),
        json!({
            "before": { "description": before.description, "tags": before.tags },
            "after": { "description": description, "tags": tags },
        }),
    );
    command.tell("prompt", json!({ "prompt": name }));
    command.commit().await?;
    load(store, &[id.0])
        .await?
        .pop()
        .ok_or(Error::NotFound("prompt"))
}

/// Locks a prompt: whoever saves a version or releases one waits here, so that two of them
/// cannot interleave on the same prompt.
pub(crate) async fn lock(db: &mut PgConnection, by: &Actor, name: &PromptName) -> Result<PromptId> {
    sqlx::query_scalar!(
        r#"select prompt_id as "id: PromptId"
           from prompt
           where project_id = $1 and name = $2
           for update"#,
        by.project.0,
        name.as_str(),
    )
    .fetch_optional(db)
    .await?
    .ok_or(Error::NotFound("prompt"))
}

#[cfg(test)]
mod tests {
    use domain::actor::Role;
    use sqlx::PgPool;

    use super::*;
    use crate::testing::{World, at, name};

    async fn names(world: &World, filter: Filter, order: Order, limit: &str) -> Vec<String> {
        let viewer = world.actor(Role::Viewer);
        let mut names = Vec::new();
        let mut page = PageRequest::parse(Some(limit), None).unwrap();
        loop {
            let listing = list(&world.store, &viewer, &filter, order, &page)
                .await
                .unwrap();
            names.extend(listing.items.iter().map(|prompt| prompt.name.to_string()));
            match listing.next_cursor {
                Some(cursor) => page = PageRequest::parse(Some(limit), Some(&cursor)).unwrap(),
                None => return names,
            }
        }
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn lists_page_without_gaps_in_either_order(pool: PgPool) {
        let world = World::new(pool).await;
        for prompt in ["b", "a/x", "a/y/z", "ab", "C"] {
            world.prompt_with_versions(prompt, 1).await;
        }
        let all = ["C", "a/x", "a/y/z", "ab", "b"];
        assert_eq!(
            names(&world, Filter::default(), Order::Name, "2").await,
            all
        );
        let mut changed = names(&world, Filter::default(), Order::Changed, "2").await;
        changed.sort_unstable();
        assert_eq!(changed, all);
        let folder = Filter {
            folder: Some("a".into()),
            ..Filter::default()
        };
        assert_eq!(
            names(&world, folder, Order::Name, "50").await,
            ["a/x", "a/y/z"]
        );
        let search = Filter {
            search: Some("Y/".into()),
            ..Filter::default()
        };
        assert_eq!(names(&world, search, Order::Name, "50").await, ["a/y/z"]);
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn a_list_says_what_serves_where(pool: PgPool) {
        let world = World::new(pool).await;
        world.prompt_with_versions("triage", 3).await;
        world.promote("triage", "production", 1, 10).await.unwrap();
        world.promote("triage", "production", 2, 11).await.unwrap();
        world.promote("triage", "staging", 3, 12).await.unwrap();
        let prompt = find(&world.store, &world.actor(Role::Viewer), &name("triage"))
            .await
            .unwrap()
            .unwrap();
        let serving: Vec<_> = prompt
            .serving
            .iter()
            .map(|serving| {
                (
                    serving.environment.as_str(),
                    serving.version,
                    serving.previous,
                )
            })
            .collect();
        assert_eq!(serving, [("production", 2, Some(1)), ("staging", 3, None)]);
        assert_eq!(
            (prompt.active_version, prompt.latest_version),
            (Some(2), Some(3))
        );
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn names_that_differ_only_in_case_are_refused(pool: PgPool) {
        let world = World::new(pool).await;
        world.prompt("Triage").await;
        let again = create(
            &world.store,
            &world.actor(Role::Editor),
            &name("triage"),
            "",
            &[],
            at(1),
        )
        .await;
        assert!(
            matches!(
                again,
                Err(Error::Conflict {
                    code: "prompt_exists",
                    ..
                })
            ),
            "{again:?}"
        );
    }
}
