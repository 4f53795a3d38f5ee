-- What a batch of events says about the variables of production's calls, until it is rolled up:
-- written with the events, taken away with the transaction that adds it up.
create table input_batch (
    batch_id bigint generated always as identity primary key,
    -- [prompt, day, variable, feature, bin, n]
    counts jsonb not null
);

-- How often a feature of a variable fell into a bin on a day. Counts, never what people wrote.
create table input_day (
    prompt_id uuid not null,
    day date not null,
    variable text collate "C" not null,
    feature text collate "C" not null,
    bin text collate "C" not null,
    n bigint not null,
    constraint input_day_once primary key (prompt_id, day, variable, feature, bin)
) with (fillfactor = 60);
