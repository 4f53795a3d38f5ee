-- A cost is of a whole window and of all versions: it takes nothing back by itself any more.
update alert_rule set rolls_back = false where kind = 'cost_per_day';

-- What waited when its rule was turned off would fire at once when it is turned on again.
delete from alert_pending
using alert_rule
where alert_rule.rule_id = alert_pending.rule_id and (not is_on or removed_at is not null);

-- The judge asks for this week's gates every few seconds.
create index gate_by_time on gate (decided_at);
