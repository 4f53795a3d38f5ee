//! Which of a prompt's suites is its own.

use domain::{
    actor::{Actor, Permission},
    id::SuiteId,
    prompt::{PRODUCTION, PromptName},
};

use crate::{Result, Store};

/// The suite that a problem with a prompt belongs into: that of production's gate, else the
/// largest; none where the prompt has none.
pub async fn main_of(store: &Store, by: &Actor, prompt: &PromptName) -> Result<Option<SuiteId>> {
    by.may(Permission::ReadEvals)?;
    let found = sqlx::query_scalar!(
        r#"select suite.suite_id as "id: SuiteId"
           from suite
           join prompt using (prompt_id)
           left join (
               select gate_policy.prompt_id, gate_policy.suite_id
               from gate_policy
               join environment using (environment_id)
               where environment.name = $3
           ) as gate on gate.suite_id = suite.suite_id and gate.prompt_id = prompt.prompt_id
           where prompt.project_id = $1 and prompt.name = $2
           order by gate.suite_id is not null desc, suite.n_cases desc, suite.suite_id
           limit 1"#,
        by.project.0,
        prompt.as_str(),
        PRODUCTION,
    )
    .fetch_optional(&store.pool)
    .await?;
    Ok(found)
}
