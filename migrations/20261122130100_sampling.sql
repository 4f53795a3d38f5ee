-- What of calls' inputs and outputs a project keeps for people to read. No row: nothing.
create table sampling (
    project_id uuid primary key references project,
    share double precision not null constraint sampling_share_is_a_share check (share >= 0 and share <= 1),
    -- What is taken out of inputs and outputs before anything is stored: regular expressions.
    patterns text[] not null,
    changed_by jsonb not null,
    changed_at timestamptz not null
);

-- Calls that were kept to be read, already redacted. They go with the events of their day.
create table sample (
    sample_id uuid primary key,
    project_id uuid not null references project,
    prompt_id uuid not null,
    environment_id uuid,
    version integer,
    at timestamptz not null,
    variables jsonb,
    output text,
    error text,
    latency_ms double precision,
    model text
);
create index sample_by_prompt on sample (prompt_id, at desc);
create index sample_by_time on sample (at);
