-- What running the evals taught about the tables that were laid out for them; nobody wrote to
-- these columns yet, so nothing is lost.

-- Prices change at a moment, not at midnight of somebody's time zone.
alter table price alter column valid_from type timestamptz using valid_from::timestamptz;

-- From which weighted score a case passes; none: every scorer must.
alter table suite_revision add column threshold double precision;

-- An approval counts for exactly the evidence it was given on: when the evidence becomes another,
-- so does its hash, and the approval no longer counts. A moment says less.
alter table promotion drop column evidence_at;
alter table approval
    drop constraint approval_once,
    drop column evidence_at,
    add column evidence jsonb not null,
    add column evidence_hash text not null,
    add constraint approval_once primary key (promotion_id, by_id, evidence_hash);

alter table promotion_comment
    add constraint promotion_comment_says_something check (length(text) > 0);
