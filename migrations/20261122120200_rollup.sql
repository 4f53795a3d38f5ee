-- What is known of each unit in an experiment. Minima, maxima, sets and sums only, so that the
-- order in which events arrive leaves no trace. Half of a page stays free: rows are updated in place.
create table experiment_unit (
    experiment_id uuid not null,
    unit text collate "C" not null,
    -- The arms it was seen in, a bit for each position; more than one: it counts in none.
    arms integer not null default 0,
    first_exposed_at timestamptz,
    -- Its latest success: it counts if it is not before the first exposure.
    succeeded_at timestamptz,
    -- By metric [how many, their sum], of what was measured at or after the first exposure.
    readings jsonb not null default '{}',
    primary key (experiment_id, unit)
) with (fillfactor = 60);

-- Measurements from before any exposure that is known. They count if an earlier exposure turns up,
-- and go when none can any more.
create table experiment_early (
    experiment_id uuid not null,
    unit text collate "C" not null,
    at timestamptz not null,
    metric text not null,
    value double precision not null
);
create index experiment_early_by_unit on experiment_early (experiment_id, unit);
create index experiment_early_by_time on experiment_early (at);

-- What results are made of: the units whose first exposure was in an hour, by arm. With an empty
-- metric, all of them and the successes of the primary metric; with a guardrail's, those that were
-- measured, and the sums of their means. Arm -1: units seen in several arms.
create table experiment_rollup (
    experiment_id uuid not null,
    arm smallint not null,
    metric text collate "C" not null,
    hour timestamptz not null,
    units bigint not null,
    successes bigint not null,
    sum double precision not null,
    sum_squares double precision not null,
    primary key (experiment_id, arm, metric, hour)
) with (fillfactor = 60);

-- How far an experiment's events have come.
create table experiment_activity (
    experiment_id uuid primary key,
    last_event_at timestamptz not null,
    rolled_up_at timestamptz not null
) with (fillfactor = 60);
