create table audit_entry (
    project_id uuid not null references project,
    sequence bigint not null,
    at timestamptz not null,
    actor jsonb not null,
    action text not null,
    subject text not null,
    detail jsonb not null,
    previous_hash text not null,
    hash text not null,
    constraint audit_entry_in_order primary key (project_id, sequence)
);
create index audit_entry_by_subject on audit_entry (project_id, subject, sequence desc);
create index audit_entry_by_action on audit_entry (project_id, action, sequence desc);
create index audit_entry_by_actor on audit_entry (project_id, (actor ->> 'name'), sequence desc);
create index audit_entry_by_time on audit_entry (project_id, at);
create trigger audit_entry_keep before update or delete on audit_entry for each row execute function refuse_change();
create trigger audit_entry_stay before truncate on audit_entry for each statement execute function refuse_change();
