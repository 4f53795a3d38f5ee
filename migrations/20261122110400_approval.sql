-- A promotion's evidence, as it was when it was asked for or last renewed, and when to execute.
alter table promotion
    add column evidence jsonb,
    add column evidence_at timestamptz,
    add column execute_at timestamptz,
    add column settled_by jsonb,
    add column settled_at timestamptz,
    add column settled_reason text;
create index promotion_open on promotion (requested_at) where status in ('waiting', 'approved');
-- One open request for a version in an environment: a second one adds nothing.
create unique index promotion_one_open on promotion (environment_id, version_id)
    where status in ('waiting', 'approved');

-- An approval counts for the evidence it was given on; new evidence leaves it behind.
create table approval (
    promotion_id uuid not null references promotion,
    by_id uuid not null,
    by jsonb not null,
    evidence_at timestamptz not null,
    comment text not null,
    at timestamptz not null,
    constraint approval_once primary key (promotion_id, by_id, evidence_at)
);
create trigger approval_keep before update or delete on approval
    for each row execute function refuse_change();

create table promotion_comment (
    comment_id uuid primary key,
    promotion_id uuid not null references promotion,
    by jsonb not null,
    text text not null,
    at timestamptz not null
);
create index promotion_comment_by_promotion on promotion_comment (promotion_id, at);
create trigger promotion_comment_keep before update or delete on promotion_comment
    for each row execute function refuse_change();
