-- What the experiment came to that a promotion was asked for on, frozen with the request.
alter table promotion add column experiment jsonb;
