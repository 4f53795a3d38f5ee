-- A run: one content on some cases of a suite's revision.
create table run (
    run_id uuid primary key,
    project_id uuid not null references project,
    prompt_id uuid not null references prompt,
    -- None for a candidate that is not saved.
    version_id uuid references version,
    content json not null,
    content_hash text not null,
    suite_id uuid not null,
    revision integer not null,
    provider_id uuid not null references provider,
    -- Tags, limit, seed, repeats, budget: what was asked for.
    options jsonb not null,
    status text not null constraint run_status_known
        check (status in ('queued', 'running', 'completed', 'failed', 'cancelled')),
    total integer not null,
    done integer not null default 0,
    passed integer not null default 0,
    failed integer not null default 0,
    errors integer not null default 0,
    cost_usd double precision,
    -- Why it failed, in words.
    failure text,
    by jsonb not null,
    created_at timestamptz not null,
    started_at timestamptz,
    finished_at timestamptz,
    foreign key (suite_id, revision) references suite_revision (suite_id, revision)
);
create index run_by_project on run (project_id, created_at desc, run_id desc);
create index run_by_prompt on run (prompt_id, created_at desc);
create index run_by_evidence on run (prompt_id, content_hash, suite_id, revision);
create index run_to_do on run (created_at) where status in ('queued', 'running');

-- One call to make, and its result once it is there. The key is the promise that no case has
-- two results. A worker holds a lease, not a transaction.
create table run_result (
    run_id uuid not null references run,
    case_id uuid not null,
    repeat integer not null,
    position integer not null,
    lease uuid,
    lease_until timestamptz,
    finished_at timestamptz,
    passed boolean,
    score double precision,
    output text,
    tool_calls jsonb,
    finish_reason text,
    scores jsonb,
    error text,
    -- Model as the provider named it, fingerprint, parameters left out.
    answered_by jsonb,
    latency_ms double precision,
    ttft_ms double precision,
    input_tokens integer,
    output_tokens integer,
    cache_read_tokens integer,
    cache_write_tokens integer,
    cost_usd double precision,
    constraint run_result_once primary key (run_id, case_id, repeat)
);
create index run_result_to_do on run_result (run_id, position) where finished_at is null;

-- What was found stays as it was found.
create function run_result_keep() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' and old.finished_at is null then
        return new;
    end if;
    raise exception 'a result never changes'
        using errcode = 'restrict_violation', constraint = 'run_result_append_only';
end
$$;
create trigger run_result_keep before update or delete on run_result
    for each row execute function run_result_keep();
