-- What changed, for everybody who follows: server processes refresh their snapshots from it,
-- streams resume from it. Numbered per project in the order of commit (see project_head).
create table change (
    project_id uuid not null references project,
    sequence bigint not null,
    kind text not null,
    payload jsonb not null,
    at timestamptz not null,
    constraint change_in_order primary key (project_id, sequence)
);
