-- A promotion that waits: the evidence it was asked for with, when it is to be executed, and how
-- it ended.
alter table promotion
    add column evidence jsonb,
    add column execute_at timestamptz,
    add column settled_by jsonb,
    add column settled_at timestamptz,
    add column settled_reason text;
create index promotion_open on promotion (requested_at) where status in ('waiting', 'approved');
-- One open request for a version in an environment: a second one would split its approvals.
create unique index promotion_one_open on promotion (environment_id, version_id)
    where status in ('waiting', 'approved');

-- An approval counts for exactly the evidence it was given on: when the evidence becomes another,
-- so does its hash, and the approval no longer counts.
create table approval (
    promotion_id uuid not null references promotion,
    by_id uuid not null,
    by jsonb not null,
    evidence jsonb not null,
    evidence_hash text not null,
    comment text not null,
    at timestamptz not null,
    constraint approval_once primary key (promotion_id, by_id, evidence_hash)
);
create trigger approval_keep before update or delete on approval
    for each row execute function refuse_change();

create table promotion_comment (
    comment_id uuid primary key,
    promotion_id uuid not null references promotion,
    by jsonb not null,
    text text not null constraint promotion_comment_says_something check (length(text) > 0),
    at timestamptz not null
);
create index promotion_comment_by_promotion on promotion_comment (promotion_id, at);
create trigger promotion_comment_keep before update or delete on promotion_comment
    for each row execute function refuse_change();
