//! 10,000 prompts with 20 versions each, written straight into the tables: commands would take hours.

use sqlx::{Connection, PgConnection};

use crate::world::World;

/// Prompts seeded.
pub const PROMPTS: i32 = 10_000;
const VERSIONS: i32 = 20;

pub async fn many_prompts(url: &str, world: &World) -> anyhow::Result<()> {
    let mut db = PgConnection::connect(url).await?;
    let by = r#"{"kind":"system","name":"seed"}"#;
    let statements = [
        format!(
            "insert into prompt (prompt_id, project_id, name, description, tags, created_by, created_at, latest_number, changed_at)
             select gen_random_uuid(), $1, 'team-' || n % 50 || '/prompt-' || n, 'What it is for, in a line.', array['seed'],
                    '{by}', now(), {VERSIONS}, now() - n * interval '1 second'
             from generate_series(1, {PROMPTS}) as n"
        ),
        format!(
            "insert into version (version_id, prompt_id, number, content, content_hash, parent_number, status, author, change_description, created_at)
             select gen_random_uuid(), prompt_id, number, made.content, encode(sha256(made.content::text::bytea), 'hex'),
                    nullif(number - 1, 0), case when number = {VERSIONS} then 'active' else 'deprecated' end, '{by}', 'A change.', now()
             from prompt,
                  generate_series(1, {VERSIONS}) as number,
                  lateral (select json_build_object('type', 'text', 'messages', json_build_array(json_build_object(
                      'role', 'user', 'content', name || ' v' || number || repeat(' says something useful', 40)))) as content) as made
             where project_id = $1 and tags = array['seed']"
        ),
        format!(
            "insert into deployment (deployment_id, prompt_id, environment_id, version_id, kind, reason, by, deployed_at)
             select gen_random_uuid(), prompt_id, environment_id, version_id, 'promote', '', '{by}', now()
             from version join prompt using (prompt_id) join environment using (project_id)
             where project_id = $1 and status = 'active' and tags = array['seed'] and environment.name = 'production'"
        ),
        "insert into serving (prompt_id, environment_id, deployment_id, version_id)
         select prompt_id, environment_id, deployment_id, version_id
         from deployment join prompt using (prompt_id)
         where project_id = $1 and tags = array['seed']"
            .to_owned(),
    ];
    for statement in statements {
        sqlx::query(sqlx::AssertSqlSafe(statement))
            .bind(world.actor.project.0)
            .execute(&mut db)
            .await?;
    }
    sqlx::query("analyze").execute(&mut db).await?;
    Ok(())
}
