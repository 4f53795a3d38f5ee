-- The run that a deployment's version is held against by drift checks, on each suite: written with
-- the deployment, or by the first check that found one. What is run later never moves it.
create table drift_baseline (
    deployment_id uuid not null references deployment,
    suite_id uuid not null references suite,
    run_id uuid not null references run,
    constraint drift_baseline_one primary key (deployment_id, suite_id)
);
create trigger drift_baseline_keep before update or delete on drift_baseline for each row execute function refuse_change();

-- What checks were held against until now stays what it was. Versions that were never checked get
-- theirs with their first check.
insert into drift_baseline (deployment_id, suite_id, run_id)
select released.deployment_id, used.suite_id, used.run_id
from (
    select distinct on (drift_check.version_id, run.suite_id) drift_check.version_id, run.suite_id, run.run_id
    from drift_check
    join run on run.run_id = drift_check.frozen_run_id
    order by drift_check.version_id, run.suite_id, drift_check.checked_at desc, drift_check.check_id desc
) as used
cross join lateral (
    select deployment_id
    from deployment
    join environment using (environment_id)
    where deployment.version_id = used.version_id and environment.name = 'production'
    order by deployment.kind = 'rollback', deployed_at desc, deployment_id desc
    limit 1
) as released;
