-- Where other systems are told. The secret is sealed (AEAD) for this id; the lease is what keeps
-- a receiver from being asked twice at a time, whatever it takes.
create table webhook (
    webhook_id uuid primary key,
    project_id uuid not null references project,
    name text not null constraint webhook_name_legal check (length(name) between 1 and 100),
    url text not null,
    format text not null constraint webhook_format_known check (format in ('json', 'slack')),
    -- What it hears of: kinds of alerts, and beginnings of actions in the audit trail.
    alert_kinds text[] not null,
    audit_actions text[] not null,
    is_on boolean not null,
    sealed_secret bytea not null,
    lease uuid,
    lease_until timestamptz,
    by jsonb not null,
    created_at timestamptz not null,
    changed_at timestamptz not null,
    removed_at timestamptz
);
create unique index webhook_name_unique on webhook (project_id, name) where removed_at is null;
create index webhook_listening on webhook (project_id) where removed_at is null and is_on;

-- Something to be told, and what became of it.
create table delivery (
    delivery_id uuid primary key,
    webhook_id uuid not null references webhook,
    happening jsonb not null,
    state text not null constraint delivery_state_known check (state in ('waiting', 'delivered', 'given_up')),
    n_attempts integer not null default 0,
    due_at timestamptz not null,
    created_at timestamptz not null,
    finished_at timestamptz,
    -- Why it was given up, in words.
    reason text,
    redelivers uuid references delivery,
    constraint delivery_accounted_for check ((state = 'waiting') = (finished_at is null))
);
create index delivery_due on delivery (webhook_id, due_at) where state = 'waiting';
create index delivery_by_webhook on delivery (webhook_id, created_at desc, delivery_id desc);

create table delivery_attempt (
    delivery_id uuid not null references delivery,
    number integer not null,
    at timestamptz not null,
    duration_ms bigint not null,
    status integer,
    error text,
    -- The beginning of the answer.
    answer text,
    primary key (delivery_id, number)
);
create trigger delivery_attempt_keep before update or delete on delivery_attempt
    for each row execute function refuse_change();
