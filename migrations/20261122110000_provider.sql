-- Where models answer: a project's own endpoints. The key is sealed (AEAD); the server's
-- configuration holds what opens it.
create table provider (
    provider_id uuid primary key,
    project_id uuid not null references project,
    name text not null constraint provider_name_legal check (name ~ '^[a-z0-9][a-z0-9_.-]{0,39}$'),
    kind text not null constraint provider_kind_known check (kind in ('openai', 'anthropic')),
    base_url text not null,
    sealed_key bytea,
    max_concurrency integer not null constraint provider_concurrency_sane check (max_concurrency between 1 and 1000),
    requests_per_minute integer constraint provider_rate_sane check (requests_per_minute > 0),
    created_by jsonb not null,
    created_at timestamptz not null,
    changed_at timestamptz not null,
    constraint provider_name_unique unique (project_id, name)
);

-- What tokens cost, effective-dated: a row holds from its day until the next one of its model.
-- USD per million tokens.
create table price (
    provider text not null,
    model text not null,
    valid_from date not null,
    input double precision not null,
    write_5m double precision,
    write_1h double precision,
    read double precision,
    output double precision not null,
    min_cacheable_tokens integer,
    source text not null,
    primary key (provider, model, valid_from),
    constraint price_not_negative check (
        input >= 0 and output >= 0 and coalesce(write_5m, 0) >= 0 and coalesce(write_1h, 0) >= 0
        and coalesce(read, 0) >= 0)
);
