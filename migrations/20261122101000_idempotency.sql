-- The answer to a mutation that carried an Idempotency-Key, given again when it is retried.
create table idempotency (
    project_id uuid not null references project,
    -- The credential and the key together: two clients may choose the same words.
    actor text not null,
    idempotency_key text not null,
    -- Method, path and body: the same key with another request is a mistake.
    fingerprint bytea not null,
    -- Null while the first request is still running.
    status smallint,
    headers jsonb,
    body bytea,
    created_at timestamptz not null,
    constraint idempotency_once primary key (project_id, actor, idempotency_key)
);
create index idempotency_by_age on idempotency (created_at);
