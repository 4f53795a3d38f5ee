-- What serves, summed: calls, errors, tokens, cost and opinions, by prompt, environment and version,
-- for each minute, hour and day. Minutes go after a while, hours and days stay. Latencies are kept as
-- mergeable sketches, so that the 99th percentile of a month is as exact as that of a minute.
create table monitor_bucket (
    project_id uuid not null,
    prompt_id uuid not null,
    -- The nil UUID where the caller named no environment, 0 where it named no version: a key holds no nulls.
    environment_id uuid not null,
    version integer not null,
    resolution text not null constraint monitor_bucket_resolution_known check (resolution in ('minute', 'hour', 'day')),
    bucket timestamptz not null,
    requests bigint not null default 0,
    errors bigint not null default 0,
    -- How many errors of each kind: {"timeout": 3}. The kinds are few and fixed.
    errors_by_kind jsonb not null default '{}',
    -- Empty where nothing was measured.
    latency_sketch bytea not null default '',
    ttft_sketch bytea not null default '',
    input_tokens bigint not null default 0,
    output_tokens bigint not null default 0,
    cache_read_tokens bigint not null default 0,
    cache_write_tokens bigint not null default 0,
    cost_usd double precision not null default 0,
    -- How many calls the cost is known of.
    n_priced bigint not null default 0,
    feedback_n bigint not null default 0,
    feedback_sum double precision not null default 0,
    -- The pages' question: one prompt, one resolution, a stretch of time. Rows are locked in this order.
    primary key (prompt_id, resolution, bucket, environment_id, version)
) with (fillfactor = 70);
-- What is old is found by its place on disk: rows come in the order of time.
create index monitor_bucket_by_time on monitor_bucket using brin (bucket);
-- Sketches are small and change often: compressing them costs more than it saves.
alter table monitor_bucket alter column latency_sketch set storage external;
alter table monitor_bucket alter column ttft_sketch set storage external;

-- What a batch of events adds to the minutes, until it is rolled up: written in the same transaction
-- as the events, and taken away in the same transaction that adds it up.
create table monitor_batch (
    batch_id bigint generated always as identity primary key,
    project_id uuid not null,
    -- Sums by place and minute, as `store::monitor::sums` writes them.
    sums bytea not null
);
alter table monitor_batch alter column sums set storage external;
