create table api_key (
    key_id uuid primary key,
    project_id uuid not null references project,
    name text not null constraint api_key_name_legal check (length(name) between 1 and 100),
    -- The first characters, so that people can tell keys apart.
    prefix text not null,
    -- SHA-256 of the whole key: the key has 256 random bits, so a slow hash would add nothing.
    key_hash bytea not null constraint api_key_hash_unique unique,
    scopes text[] not null constraint api_key_has_scopes check (cardinality(scopes) > 0),
    -- Null: all environments.
    environments text[],
    created_by jsonb not null,
    created_at timestamptz not null,
    last_used_at timestamptz,
    revoked_at timestamptz
);
create index api_key_by_project on api_key (project_id, created_at);
