-- History is only ever added to. These two functions are what tables that hold history hang
-- on their triggers; the application's own mistakes are stopped here, not only in code.

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only', tg_table_name
        using errcode = 'restrict_violation', constraint = tg_table_name || '_append_only';
end
$$;
