create table prompt (
    prompt_id uuid primary key,
    project_id uuid not null references project,
    -- "C": the order of pages must not depend on how the cluster was made.
    name text collate "C" not null,
    folder text collate "C" not null generated always as
        (case when strpos(name, '/') = 0 then '' else regexp_replace(name, '/[^/]*$', '') end) stored,
    description text not null,
    tags text[] not null,
    created_by jsonb not null,
    created_at timestamptz not null,
    -- The newest version and what its row says: lists read one table, however many versions there are.
    latest_number integer not null default 0,
    changed_at timestamptz not null,
    constraint prompt_name_unique unique (project_id, name)
);
-- Two names that differ only in case would be mistaken for each other.
create unique index prompt_name_unique_whatever_case on prompt (project_id, lower(name));
create index prompt_by_folder on prompt (project_id, folder);
create index prompt_by_change on prompt (project_id, changed_at desc, prompt_id);
create index prompt_by_tag on prompt using gin (tags);

create table version (
    version_id uuid primary key,
    prompt_id uuid not null references prompt,
    number integer not null constraint version_number_positive check (number > 0),
    -- `json`, not `jsonb`: exactly what was saved comes back, in the order it was written.
    content json not null,
    -- What was written, where snippets were expanded into `content`.
    source json,
    content_hash text not null constraint version_hash_legal check (content_hash ~ '^[0-9a-f]{64}$'),
    parent_number integer,
    status text not null constraint version_status_known check (status in ('draft', 'testing', 'active', 'deprecated')),
    author jsonb not null,
    change_description text not null,
    created_at timestamptz not null,
    constraint version_number_unique unique (prompt_id, number)
);
-- At most one version of a prompt serves production.
create unique index version_one_active on version (prompt_id) where status = 'active';

-- Snippets that were expanded into a version: where-used, and the way to a newer snippet.
create table version_include (
    version_id uuid not null references version,
    included_version_id uuid not null references version,
    primary key (version_id, included_version_id)
);
create index version_include_by_included on version_include (included_version_id);

-- Content never changes after saving; only the status does, along the legal moves.
create function version_keep() returns trigger language plpgsql as $$
begin
    if (new.version_id, new.prompt_id, new.number, new.content::text, new.source::text, new.content_hash,
        new.parent_number, new.author, new.change_description, new.created_at)
       is distinct from
       (old.version_id, old.prompt_id, old.number, old.content::text, old.source::text, old.content_hash,
        old.parent_number, old.author, old.change_description, old.created_at)
    then
        raise exception 'a saved version never changes'
            using errcode = 'restrict_violation', constraint = 'version_immutable';
    end if;
    if new.status <> old.status and (old.status, new.status) not in (
        ('draft', 'testing'), ('draft', 'deprecated'), ('testing', 'active'),
        ('testing', 'deprecated'), ('active', 'deprecated'), ('deprecated', 'active'))
    then
        raise exception 'a version does not go from % to %', old.status, new.status
            using errcode = 'restrict_violation', constraint = 'version_status_move';
    end if;
    return new;
end
$$;
create trigger version_keep before update on version for each row execute function version_keep();
create trigger version_stay before delete on version for each row execute function refuse_change();
create trigger version_include_keep before update or delete on version_include for each row execute function refuse_change();
