//! Experiments to report events of, written straight into the tables: how they are planned and
//! started is what other tests are about.

use uuid::Uuid;

use super::TestProject;

/// One that runs on the prompt's first two versions in production: arms A and B, primary metric
/// `resolved`, guardrail `latency_ms`.
pub async fn running(project: &TestProject<'_>, prompt: &str) -> Uuid {
    let id = Uuid::new_v4();
    let now = project.app.now().to_rfc3339();
    let place = format!(
        "project_id = '{}' and prompt.name = '{prompt}'",
        project.id()
    );
    project
        .app
        .tamper(&format!(
            "insert into experiment (experiment_id, project_id, prompt_id, environment_id, name, hypothesis, status,
                 unit, traffic, salt, primary_metric, decision, alpha, power, baseline, minimum_effect,
                 planned_units, auto_stop_guardrail, auto_stop_srm, by, created_at)
             select '{id}', project_id, prompt_id, environment_id, 'x', '', 'draft', 'user', 1, 's', 'resolved',
                    'fixed', 0.05, 0.8, 0.5, 0.1, 1000, false, false, '{{\"kind\":\"system\",\"name\":\"test\"}}', '{now}'
             from prompt join environment using (project_id)
             where {place} and environment.name = 'production';
             insert into experiment_arm (experiment_id, position, name, version_id, weight)
             select '{id}', number - 1, case number when 1 then 'A' else 'B' end, version_id, 1
             from version join prompt using (prompt_id)
             where {place} and number <= 2;
             insert into experiment_guardrail values ('{id}', 0, 'latency_ms', 'lower', 50);
             update experiment set status = 'running', started_at = '{now}' where experiment_id = '{id}'"
        ))
        .await;
    id
}
