create table project (
    project_id uuid primary key,
    slug text not null constraint project_slug_unique unique
        constraint project_slug_legal check (slug ~ '^[a-z0-9][a-z0-9_-]{0,39}$'),
    name text not null constraint project_name_legal check (length(name) between 1 and 100),
    created_at timestamptz not null
);

-- The end of the project's audit chain and of its change feed. Every command locks this row as
-- its last step, so both are numbered in the order of commit, without gaps.
create table project_head (
    project_id uuid primary key references project,
    audit_sequence bigint not null default 0,
    audit_hash text not null default repeat('0', 64),
    change_sequence bigint not null default 0
);
