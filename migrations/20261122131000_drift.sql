-- When each prompt that serves production is looked after by itself.
create table drift_schedule (
    prompt_id uuid primary key references prompt,
    project_id uuid not null references project,
    cron text not null,
    time_zone text not null,
    jitter_minutes integer not null constraint drift_schedule_jitter_legal check (jitter_minutes between 0 and 1440),
    enabled boolean not null,
    -- Advanced in the transaction that launches, so a moment is taken once, by one server. Null: not enabled.
    next_due timestamptz,
    -- Who set it last; null: as it came.
    changed_by jsonb,
    changed_at timestamptz not null
);
create index drift_schedule_due on drift_schedule (next_due) where next_due is not null;

-- A check that was begun. Written with the run, in one transaction.
create table drift_launch (
    check_id uuid primary key,
    project_id uuid not null references project,
    prompt_id uuid not null references prompt,
    version_id uuid not null references version,
    -- The moment of the schedule; null: somebody asked.
    due_at timestamptz,
    -- Null: the suite could not be run.
    run_id uuid references run,
    by jsonb not null,
    launched_at timestamptz not null,
    constraint drift_launch_once unique (prompt_id, due_at),
    constraint drift_launch_one_run unique (run_id)
);
create trigger drift_launch_keep before update or delete on drift_launch for each row execute function refuse_change();

-- Checks whose verdict is still to come: taken away in the transaction that writes it.
create table drift_pending (
    check_id uuid primary key references drift_launch,
    prompt_id uuid not null,
    constraint drift_pending_one unique (prompt_id)
);

-- What a check came to.
create table drift_check (
    check_id uuid primary key references drift_launch,
    project_id uuid not null references project,
    prompt_id uuid not null references prompt,
    version_id uuid not null references version,
    -- The run at promotion; null where there is none.
    frozen_run_id uuid references run,
    state text not null constraint drift_check_state_known
        check (state in ('healthy', 'watch', 'drifted', 'cannot_tell')),
    finding jsonb not null,
    checked_at timestamptz not null
);
create index drift_check_by_prompt on drift_check (prompt_id, checked_at desc, check_id desc);
create trigger drift_check_keep before update or delete on drift_check for each row execute function refuse_change();
