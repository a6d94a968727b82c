-- Roles for processes that should have no more rights than they need. Nothing calls this by
-- itself: `larder init --roles` does, and again after each upgrade, since it covers what stands in
-- the schema when it runs.

-- Makes larder_app and larder_reader, which cannot log in, and grants them what they need. To be
-- run by the owner of the schema, who must be allowed to make roles unless they are there.
create function larder.make_roles() returns void
language plpgsql volatile
as $$
declare
    relation regclass;
    name text;
begin
    foreach name in array array['larder_app', 'larder_reader'] loop
        if not exists (select from pg_roles where rolname = name) then
            execute format('create role %I nologin', name);
        end if;
    end loop;

    -- larder_app: rows and functions, but no table is made, changed or dropped.
    grant usage on schema larder to larder_app, larder_reader;
    grant select, insert, update, delete on all tables in schema larder to larder_app;
    grant usage, select on all sequences in schema larder to larder_app;
    grant execute on all functions in schema larder to larder_app;
    -- Not what makes roles and views.
    revoke all on function larder.make_roles(), larder.make_jobs_view() from larder_app;

    for relation in
        select c.oid::regclass from pg_class c
        where c.relnamespace = 'larder'::regnamespace and c.relkind in ('r', 'p')
    loop
        execute format('drop policy if exists larder_app on %s', relation);
        execute format('create policy larder_app on %s to larder_app using (true) with check (true)', relation);
    end loop;
    -- Partitions are made ahead and dropped by workers, and tables that grew are analyzed. Only their
    -- owner can, so these run with the owner's rights; what they do is fixed by their text, and they
    -- find nothing by a search path.
    alter function larder.make_partitions(integer) security definer set search_path = pg_catalog, pg_temp;
    alter function larder.drop_partitions(interval, interval) security definer set search_path = pg_catalog, pg_temp;
    alter function larder.analyze_grown() security definer set search_path = pg_catalog, pg_temp;
    -- Which migrations were applied is the owner's to say.
    if to_regclass('larder.migrations') is not null then
        revoke insert, update, delete on larder.migrations from larder_app;
    end if;

    -- larder_reader: the four views, and what they read with the rights of who asks.
    grant select on larder.cache, larder.budget, larder.api_calls to larder_reader;
    foreach name in array array[
        'entries', 'resources', 'lanes', 'limits', 'limit_windows', 'limit_reports',
        'discovered_windows', 'api_calls', 'ended_calls', 'jobs', 'finished_jobs'
    ] loop
        execute format('grant select on larder.%I to larder_reader', name);
        execute format('drop policy if exists larder_reader on larder.%I', name);
        execute format('create policy larder_reader on larder.%I for select to larder_reader using (true)', name);
    end loop;
    for name in
        select p.oid::regprocedure from pg_proc p
        where p.pronamespace = 'larder'::regnamespace and p.provolatile in ('i', 's')
    loop
        execute format('grant execute on function %s to larder_reader', name);
    end loop;
    if larder.has_jobs_view() then
        grant select on public.background_jobs to larder_app, larder_reader;
    end if;
end
$$;
revoke all on function larder.make_roles() from public;
