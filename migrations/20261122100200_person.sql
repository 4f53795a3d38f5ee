create table person (
    person_id uuid primary key,
    email text not null constraint person_email_legal check (email = lower(email) and length(email) between 3 and 254),
    name text not null constraint person_name_legal check (length(name) between 1 and 100),
    -- Argon2id in PHC form; null until the person has chosen a password.
    password_hash text,
    -- May create projects.
    is_operator boolean not null default false,
    created_at timestamptz not null,
    constraint person_email_unique unique (email)
);

create table member (
    project_id uuid not null references project,
    person_id uuid not null references person,
    role text not null constraint member_role_known check (role in ('viewer', 'editor', 'approver', 'admin')),
    created_at timestamptz not null,
    constraint member_once primary key (project_id, person_id)
);
create index member_by_person on member (person_id);

-- A one-time link with which somebody chooses a password: the first admin's from the terminal,
-- everybody else's from the members page. Only the token's hash is kept.
create table set_up_link (
    token_hash bytea primary key,
    -- Null for the link that creates the first admin.
    person_id uuid references person,
    expires_at timestamptz not null,
    used_at timestamptz
);

create table session (
    session_id text primary key,
    record jsonb not null,
    -- Kept beside the record so that a changed password can end a person's other sessions.
    person_id uuid references person,
    expires_at timestamptz not null
);
create index session_by_expiry on session (expires_at);
create index session_by_person on session (person_id);

-- Failed sign-ins, for throttling by account and by address, across all server processes.
create table failed_sign_in (
    failed_sign_in_id bigint generated always as identity primary key,
    email text not null,
    address text not null,
    at timestamptz not null
);
create index failed_sign_in_by_email on failed_sign_in (email, at);
create index failed_sign_in_by_address on failed_sign_in (address, at);
