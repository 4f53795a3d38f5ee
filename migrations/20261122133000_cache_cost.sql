-- What a prompt's changes may cost a day through cache misses, and what is assumed of its traffic
-- as long as applications report none. Empty: no limit, nothing assumed for this prompt.
alter table prompt
    add column cache_budget_usd double precision
        constraint prompt_cache_budget_sane check (cache_budget_usd between 0 and 1000000),
    add column cache_requests_per_hour double precision
        constraint prompt_cache_requests_sane check (cache_requests_per_hour between 0 and 1000000000),
    add column cache_distinct_keys double precision
        constraint prompt_cache_keys_sane check (cache_distinct_keys between 1 and 1000000000);

-- The cost as it was reckoned when the promotion was asked for, and what it waits for: the quietest
-- hour is worked out once everything else is there; the note says in words which one it is.
alter table promotion
    add column cache_cost jsonb,
    add column execute_window text constraint promotion_window_known check (execute_window in ('quietest')),
    add column execute_note text;
-- What a prompt's changes cost in the last 24 hours is added up when the next one is asked for.
create index promotion_executed on promotion (prompt_id, settled_at) where status = 'executed';

-- A project's own prices go before the ones everybody has. Past rows never change: what holds from
-- a later moment is another row.
alter table price
    add column project_id uuid references project,
    add column created_by jsonb,
    add column created_at timestamptz;
alter table price drop constraint price_pkey;
alter table price
    add constraint price_one_row unique nulls not distinct (project_id, provider, model, valid_from);
create trigger price_keep before update or delete on price
    for each row execute function refuse_change();
