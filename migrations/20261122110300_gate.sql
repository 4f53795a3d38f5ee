-- What a prompt's way into an environment is measured by.
create table gate_policy (
    prompt_id uuid not null references prompt,
    environment_id uuid not null references environment,
    suite_id uuid not null references suite,
    policy jsonb not null,
    by jsonb not null,
    at timestamptz not null,
    primary key (prompt_id, environment_id)
);

-- A candidate's run held against a baseline's.
create table gate (
    run_id uuid primary key references run,
    baseline_run_id uuid references run,
    baseline_version_id uuid references version,
    policy jsonb not null,
    -- Written once, when both runs are there.
    verdict jsonb,
    decided_at timestamptz
);
create index gate_by_baseline on gate (baseline_run_id);
