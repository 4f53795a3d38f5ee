-- When people are told. A rule raises at one value and clears at a lower one, so that what lies
-- between does not flap; yes-or-no kinds read 1 or 0.
create table alert_rule (
    rule_id uuid primary key,
    project_id uuid not null references project,
    name text not null constraint alert_rule_name_legal check (length(name) between 1 and 100),
    kind text not null constraint alert_rule_kind_known check (kind in (
        'drifted', 'gate_failed', 'guardrail', 'srm', 'propagation_stuck', 'approval_waiting',
        'error_rate', 'latency_p95', 'cost_per_day')),
    is_on boolean not null,
    -- None: all of the project's.
    prompt_id uuid references prompt,
    environment_id uuid references environment,
    raise_at double precision not null,
    clear_at double precision not null,
    raise_after_seconds integer not null constraint alert_rule_raise_after_legal check (raise_after_seconds >= 0),
    clear_after_seconds integer not null constraint alert_rule_clear_after_legal check (clear_after_seconds >= 0),
    -- Over how long is measured, and how many calls that takes to mean anything.
    window_minutes integer not null constraint alert_rule_window_positive check (window_minutes > 0),
    min_requests integer not null constraint alert_rule_min_requests_positive check (min_requests > 0),
    -- The rule speaks at most once in so long, and of the same alert again only after so long.
    group_seconds integer not null constraint alert_rule_group_legal check (group_seconds >= 0),
    repeat_minutes integer not null constraint alert_rule_repeat_positive check (repeat_minutes > 0),
    rolls_back boolean not null default false,
    last_told_at timestamptz,
    by jsonb not null,
    created_at timestamptz not null,
    changed_at timestamptz not null,
    removed_at timestamptz,
    constraint alert_rule_clears_below check (clear_at <= raise_at),
    constraint alert_rule_rolls_back_somewhere check (not rolls_back or environment_id is not null)
);
create unique index alert_rule_name_unique on alert_rule (project_id, name) where removed_at is null;

create table alert (
    alert_id uuid primary key,
    project_id uuid not null references project,
    rule_id uuid not null references alert_rule,
    -- What it is about, as the judge names it.
    subject text not null,
    prompt_id uuid references prompt,
    environment_id uuid references environment,
    title text not null,
    sentence text not null,
    -- The page where something can be done about it, within the project.
    href text not null,
    value double precision not null,
    first_raised_at timestamptz not null,
    raised_at timestamptz not null,
    n_raised integer not null default 1,
    -- Since when it reads below what clears it.
    below_since timestamptz,
    resolved_at timestamptz,
    acknowledged_by jsonb,
    acknowledged_at timestamptz,
    -- When people were last told that it fires, and whether they still believe it.
    told_at timestamptz,
    is_believed boolean not null default false
);
create unique index alert_one_open on alert (rule_id, subject) where resolved_at is null;
create index alert_by_subject on alert (rule_id, subject, raised_at desc);
create index alert_by_project on alert (project_id, raised_at desc, alert_id desc);
create index alert_at_work on alert (rule_id) where resolved_at is null or is_believed;

-- What reads too high, but not for long enough yet.
create table alert_pending (
    rule_id uuid not null references alert_rule,
    subject text not null,
    since timestamptz not null,
    primary key (rule_id, subject)
);

create table alert_event (
    alert_id uuid not null references alert,
    sequence integer not null,
    at timestamptz not null,
    by jsonb not null,
    what jsonb not null,
    primary key (alert_id, sequence)
);
create trigger alert_event_keep before update or delete on alert_event
    for each row execute function refuse_change();

-- Up to when each person has read the inbox.
create table alert_inbox (
    project_id uuid not null references project,
    person_id uuid not null references person,
    read_until timestamptz not null,
    primary key (project_id, person_id)
);

-- The key is the promise: a deployment is taken back by itself at most once.
create table automatic_rollback (
    deployment_id uuid primary key references deployment,
    alert_id uuid not null references alert,
    at timestamptz not null
);
create trigger automatic_rollback_keep before update or delete on automatic_rollback
    for each row execute function refuse_change();

-- What every project watches unless told otherwise: `domain::alert::defaults` holds the same.
create function default_alert_rules(project uuid, at timestamptz) returns void language sql as $$
    insert into alert_rule (rule_id, project_id, name, kind, is_on, raise_at, clear_at, raise_after_seconds,
                            clear_after_seconds, window_minutes, min_requests, group_seconds, repeat_minutes, by,
                            created_at, changed_at)
    select gen_random_uuid(), project, name, kind, true, raise_at, clear_at, raise_after, clear_after, window_minutes,
           min_requests, 300, 240, '{"kind": "system", "name": "defaults"}', at, at
    from (values
        ('Drifted from its promotion', 'drifted', 1::double precision, 1::double precision, 0, 0, 15, 50),
        ('Gate failed', 'gate_failed', 1, 1, 0, 0, 15, 50),
        ('Guardrail broken', 'guardrail', 1, 1, 0, 0, 15, 50),
        ('Sample ratio mismatch', 'srm', 1, 1, 0, 0, 15, 50),
        ('Propagation stuck', 'propagation_stuck', 60, 60, 0, 0, 15, 50),
        ('Approval waiting', 'approval_waiting', 24, 24, 0, 0, 15, 50),
        ('Error rate', 'error_rate', 0.05, 0.02, 120, 300, 15, 50),
        ('Latency p95', 'latency_p95', 10000, 8000, 300, 600, 15, 50),
        ('Cost per day', 'cost_per_day', 100, 80, 0, 600, 1440, 1)
    ) as usual (name, kind, raise_at, clear_at, raise_after, clear_after, window_minutes, min_requests)
$$;
create function project_watch() returns trigger language plpgsql as $$
begin
    perform default_alert_rules(new.project_id, new.created_at);
    return new;
end
$$;
create trigger project_watch after insert on project for each row execute function project_watch();
select default_alert_rules(project_id, now()) from project;
