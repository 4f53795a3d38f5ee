-- A suite of golden cases. What it held at each revision stays readable, so that a run names
-- exactly what it ran.
create table suite (
    suite_id uuid primary key,
    project_id uuid not null references project,
    name text collate "C" not null,
    prompt_id uuid not null references prompt,
    revision integer not null constraint suite_revision_positive check (revision > 0),
    n_cases integer not null,
    created_by jsonb not null,
    created_at timestamptz not null,
    changed_at timestamptz not null,
    constraint suite_name_unique unique (project_id, name)
);
create index suite_by_prompt on suite (prompt_id);

create table suite_revision (
    suite_id uuid not null references suite,
    revision integer not null,
    -- The scorers that apply to every case, and how the score is judged.
    scorers jsonb not null,
    n_cases integer not null,
    what text not null,
    by jsonb not null,
    at timestamptz not null,
    primary key (suite_id, revision)
);
create trigger suite_revision_keep before update or delete on suite_revision
    for each row execute function refuse_change();

-- A case as it was from one revision until another. An edit ends one row and begins the next;
-- the case's id stays, so that runs of neighbouring revisions can be paired.
create table suite_case (
    case_id uuid not null,
    suite_id uuid not null references suite,
    since integer not null,
    until integer,
    position integer not null,
    body jsonb not null,
    primary key (case_id, since),
    constraint suite_case_ends_later check (until > since)
);
create index suite_case_by_suite on suite_case (suite_id, position);
create unique index suite_case_one_current on suite_case (case_id) where until is null;

create function suite_case_keep() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' and old.until is null
       and (new.case_id, new.suite_id, new.since, new.position, new.body)
           is not distinct from (old.case_id, old.suite_id, old.since, old.position, old.body)
    then
        return new;
    end if;
    raise exception 'a case of a revision never changes'
        using errcode = 'restrict_violation', constraint = 'suite_case_append_only';
end
$$;
create trigger suite_case_keep before update or delete on suite_case
    for each row execute function suite_case_keep();
