-- A batch that cannot be added up is set aside, so that it holds up nobody else's. It stays, with
-- the reason: whoever has mended what was wrong clears the column, and it is tried again.
alter table event_batch add column set_aside text;
alter table monitor_batch add column set_aside text;
alter table input_batch add column set_aside text;
