-- What applications report, as it came: exposures, outcomes, calls of models, feedback. A partition
-- for each day, so that what is old goes with one statement. Without foreign keys, without indexes:
-- rows come by the million, the writer looks the names up, and pages read what was rolled up.
create table event (
    project_id uuid not null,
    event_id uuid not null,
    at timestamptz not null,
    received_at timestamptz not null,
    type text not null,
    prompt_id uuid,
    version integer,
    environment_id uuid,
    unit text,
    experiment_id uuid,
    -- The arm's position in the experiment.
    arm smallint,
    metric text,
    value double precision,
    latency_ms double precision,
    ttft_ms double precision,
    input_tokens bigint,
    output_tokens bigint,
    cache_read_tokens bigint,
    cache_write_tokens bigint,
    cost_usd double precision,
    model text,
    error text,
    variables jsonb,
    output text
) partition by range (at);

-- The ids that were taken: what makes a retry count once, also one that was given a new time. A
-- key on `event` could not promise that: it would have to hold the partition's time. Ids are kept
-- for longer than an event may be late.
create table event_id (
    -- Half of the SHA-256 of project and id: as unlikely to meet twice as the ids themselves, and
    -- half as long, for an index that takes most of the time it takes to write an event.
    event_key uuid not null constraint event_id_once primary key,
    received_at timestamptz not null
);
create index event_id_by_time on event_id using brin (received_at);

-- What a batch of events says about the units of an experiment, until it is rolled up: written in the
-- same transaction as the events, and taken away in the same transaction that adds it up.
create table event_batch (
    batch_id bigint generated always as identity primary key,
    project_id uuid not null,
    experiment_id uuid not null,
    -- Parallel lists, one place for each fact.
    units text[] not null,
    times timestamptz[] not null,
    -- The position of the arm it was exposed to; -1: a success, -2: a measurement.
    arms smallint[] not null,
    -- Of a measurement; empty otherwise.
    metrics text[] not null,
    measurements double precision[] not null
);
-- Read once and gone: compressing costs more than it saves.
alter table event_batch alter column units set storage external;
alter table event_batch alter column times set storage external;
alter table event_batch alter column arms set storage external;
alter table event_batch alter column metrics set storage external;
alter table event_batch alter column measurements set storage external;
