-- What was told stays for 90 days (`store::webhooks::queue::KEEP_DAYS`). The log of attempts is never
-- changed and never shortened before; a day less here, because two clocks may differ.
create function refuse_early_delete() returns trigger language plpgsql as $$
begin
    if old.at > now() - interval '89 days' then
        raise exception '% is append-only', tg_table_name
            using errcode = 'restrict_violation', constraint = tg_table_name || '_append_only';
    end if;
    return old;
end
$$;
drop trigger delivery_attempt_keep on delivery_attempt;
create trigger delivery_attempt_keep before update on delivery_attempt
    for each row execute function refuse_change();
create trigger delivery_attempt_stay before delete on delivery_attempt
    for each row execute function refuse_early_delete();

-- What repeats a delivery stays when that one goes.
alter table delivery drop constraint delivery_redelivers_fkey;
alter table delivery add constraint delivery_redelivers_fkey
    foreign key (redelivers) references delivery on delete set null;
create index delivery_by_repeated on delivery (redelivers) where redelivers is not null;
create index delivery_by_end on delivery (finished_at) where finished_at is not null;
