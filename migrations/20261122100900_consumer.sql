-- Applications that hold a stream open. One row for each connection name and environment;
-- a server that dies without goodbye stops renewing `seen_at`.
create table consumer (
    project_id uuid not null references project,
    environment_id uuid not null references environment,
    consumer text not null constraint consumer_name_legal check (length(consumer) between 1 and 200),
    -- A second connection under the same name takes the row over; the first one's goodbye then changes nothing.
    connection_id uuid not null,
    connected_at timestamptz not null,
    seen_at timestamptz not null,
    -- Null while connected.
    left_at timestamptz,
    constraint consumer_once primary key (environment_id, consumer)
);
create index consumer_by_project on consumer (project_id, seen_at);

-- Who was connected when a deployment happened, and when each said that it applied it.
create table confirmation (
    deployment_id uuid not null references deployment,
    consumer text not null,
    -- Null until the client has confirmed.
    confirmed_at timestamptz,
    constraint confirmation_once primary key (deployment_id, consumer)
);
