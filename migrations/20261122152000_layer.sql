-- A layer: experiments that name the same one draw who takes part alike, so slices that do not
-- overlap share no unit. What was planned before has none and keeps its salt, shared or not.
alter table experiment
    add column layer text
        constraint experiment_layer_legal check (layer ~ '^[A-Za-z0-9._-]{1,64}$'),
    -- Where its slice begins; `traffic` is how long it is.
    add column traffic_from double precision not null default 0,
    -- A little more than 1: shares that add up to 1 may not do so in binary fractions.
    add constraint experiment_slice_fits check (traffic_from >= 0 and traffic_from + traffic <= 1.000000000001),
    add constraint experiment_slice_in_layer check (layer is not null or traffic_from = 0);
-- Starting asks who runs in the layer; the form asks which layers there are.
create index experiment_by_layer on experiment (project_id, layer) where layer is not null;

-- The same as before, and the layer is fixed with the salt.
create or replace function experiment_keep() returns trigger language plpgsql as $$
begin
    if old.status <> 'draft'
        and (new.project_id, new.prompt_id, new.environment_id, new.unit, new.salt, new.layer, new.traffic_from,
             new.primary_metric, new.decision, new.alpha, new.power, new.baseline, new.minimum_effect,
             new.planned_units, new.started_at)
            is distinct from
            (old.project_id, old.prompt_id, old.environment_id, old.unit, old.salt, old.layer, old.traffic_from,
             old.primary_metric, old.decision, old.alpha, old.power, old.baseline, old.minimum_effect,
             old.planned_units, old.started_at)
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
