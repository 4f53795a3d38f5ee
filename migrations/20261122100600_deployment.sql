create table deployment (
    deployment_id uuid primary key,
    prompt_id uuid not null references prompt,
    environment_id uuid not null references environment,
    version_id uuid not null references version,
    from_version_id uuid references version,
    kind text not null constraint deployment_kind_known check (kind in ('promote', 'rollback', 'break_glass')),
    reason text not null,
    by jsonb not null,
    deployed_at timestamptz not null,
    -- Clients connected to the environment at that moment.
    n_clients integer not null default 0,
    constraint deployment_break_glass_has_reason check (kind <> 'break_glass' or length(reason) > 0)
);
create index deployment_by_prompt on deployment (prompt_id, deployed_at desc, deployment_id desc);
create index deployment_by_place on deployment (environment_id, prompt_id, version_id);
create trigger deployment_keep before update or delete on deployment for each row execute function refuse_change();

-- What serves now: one row for each prompt and environment, locked by every release.
create table serving (
    prompt_id uuid not null references prompt,
    environment_id uuid not null references environment,
    deployment_id uuid not null references deployment,
    version_id uuid not null references version,
    previous_version_id uuid references version,
    constraint serving_one_version primary key (prompt_id, environment_id)
);

create table promotion (
    promotion_id uuid primary key,
    prompt_id uuid not null references prompt,
    environment_id uuid not null references environment,
    version_id uuid not null references version,
    reason text not null,
    status text not null constraint promotion_status_known
        check (status in ('waiting', 'approved', 'executed', 'rejected', 'cancelled')),
    requested_by jsonb not null,
    requested_at timestamptz not null,
    deployment_id uuid references deployment
);
create index promotion_by_prompt on promotion (prompt_id, requested_at desc);
