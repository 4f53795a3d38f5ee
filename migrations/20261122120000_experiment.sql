-- An experiment: several versions of a prompt side by side in one environment.
create table experiment (
    experiment_id uuid primary key,
    project_id uuid not null references project,
    prompt_id uuid not null references prompt,
    environment_id uuid not null references environment,
    name text not null,
    hypothesis text not null,
    status text not null constraint experiment_status_known
        check (status in ('draft', 'running', 'stopped', 'concluded')),
    unit text not null constraint experiment_unit_known check (unit in ('user', 'conversation', 'request')),
    traffic double precision not null constraint experiment_traffic_is_a_share check (traffic > 0 and traffic <= 1),
    -- What is hashed with the unit; experiments with the same salt leave out the same units.
    salt text not null,
    primary_metric text not null,
    decision text not null constraint experiment_decision_known check (decision in ('fixed', 'sequential')),
    alpha double precision not null,
    power double precision not null,
    baseline double precision not null,
    minimum_effect double precision not null,
    -- What the planner expects, and how long it may take; what starting warns by.
    units_per_day double precision,
    days integer,
    planned_units bigint not null constraint experiment_planned_units_positive check (planned_units > 0),
    auto_stop_guardrail boolean not null,
    auto_stop_srm boolean not null,
    by jsonb not null,
    created_at timestamptz not null,
    started_at timestamptz,
    stopped_at timestamptz,
    concluded_at timestamptz,
    conclusion text,
    -- The counts at the moment the planned sample was reached: what the fixed rule decides on.
    frozen jsonb,
    -- The alarm that was raised, so that it is raised once.
    alarm text
);
create index experiment_by_project on experiment (project_id, created_at desc, experiment_id desc);
create index experiment_by_prompt on experiment (prompt_id, created_at desc);
create unique index experiment_one_running on experiment (prompt_id, environment_id) where status = 'running';

-- What compares is fixed once it has started: only the traffic may go up.
create function experiment_keep() returns trigger language plpgsql as $$
begin
    if old.status <> 'draft'
        and (new.project_id, new.prompt_id, new.environment_id, new.unit, new.salt, new.primary_metric, new.decision,
             new.alpha, new.power, new.baseline, new.minimum_effect, new.planned_units, new.started_at)
            is distinct from
            (old.project_id, old.prompt_id, old.environment_id, old.unit, old.salt, old.primary_metric, old.decision,
             old.alpha, old.power, old.baseline, old.minimum_effect, old.planned_units, old.started_at)
    then
        raise exception 'an experiment that has started never changes'
            using errcode = 'restrict_violation', constraint = 'experiment_frozen';
    end if;
    if old.status <> 'draft' and new.traffic < old.traffic then
        raise exception 'traffic only goes up'
            using errcode = 'restrict_violation', constraint = 'experiment_traffic_only_up';
    end if;
    if old.frozen is not null and new.frozen is distinct from old.frozen then
        raise exception 'frozen counts never change'
            using errcode = 'restrict_violation', constraint = 'experiment_counts_frozen';
    end if;
    if new.status <> old.status and (old.status, new.status) not in (
        ('draft', 'running'), ('running', 'stopped'), ('stopped', 'concluded'))
    then
        raise exception 'an experiment does not go from % to %', old.status, new.status
            using errcode = 'restrict_violation', constraint = 'experiment_status_move';
    end if;
    return new;
end
$$;
create trigger experiment_keep before update on experiment for each row execute function experiment_keep();
create trigger experiment_stay before delete on experiment for each row execute function refuse_change();

-- Position 0 is the control.
create table experiment_arm (
    experiment_id uuid not null references experiment,
    position smallint not null,
    name text not null,
    version_id uuid not null references version,
    weight double precision not null constraint experiment_arm_weight_positive check (weight > 0),
    primary key (experiment_id, position),
    constraint experiment_arm_name_unique unique (experiment_id, name)
);
create index experiment_arm_by_version on experiment_arm (version_id);

create table experiment_guardrail (
    experiment_id uuid not null references experiment,
    position smallint not null,
    metric text not null,
    -- Which way is better.
    direction text not null constraint experiment_guardrail_direction_known check (direction in ('lower', 'higher')),
    margin double precision not null constraint experiment_guardrail_margin_legal check (margin >= 0),
    primary key (experiment_id, position),
    constraint experiment_guardrail_metric_unique unique (experiment_id, metric)
);

create function experiment_part_keep() returns trigger language plpgsql as $$
begin
    if exists (select from experiment
               where experiment_id = coalesce(new.experiment_id, old.experiment_id) and status <> 'draft')
    then
        raise exception 'arms and guardrails are fixed once an experiment has started'
            using errcode = 'restrict_violation', constraint = 'experiment_frozen';
    end if;
    return coalesce(new, old);
end
$$;
create trigger experiment_arm_keep before insert or update or delete on experiment_arm
    for each row execute function experiment_part_keep();
create trigger experiment_guardrail_keep before insert or update or delete on experiment_guardrail
    for each row execute function experiment_part_keep();

-- What happened to it, in order.
create table experiment_event (
    experiment_id uuid not null references experiment,
    sequence integer not null,
    at timestamptz not null,
    by jsonb not null,
    what jsonb not null,
    primary key (experiment_id, sequence)
);
create trigger experiment_event_keep before update or delete on experiment_event
    for each row execute function refuse_change();
