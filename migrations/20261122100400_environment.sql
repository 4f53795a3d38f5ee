create table environment (
    environment_id uuid primary key,
    project_id uuid not null references project,
    name text not null constraint environment_name_legal check (name ~ '^[a-z0-9][a-z0-9_-]{0,39}$' and name <> 'latest'),
    -- Order of columns on pages.
    position integer not null,
    -- What a promotion asks for: {"gate": bool, "approvals": n}.
    policy jsonb not null,
    created_at timestamptz not null,
    constraint environment_name_unique unique (project_id, name)
);
