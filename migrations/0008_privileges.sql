-- Nobody but the owner sees anything, until the operator grants it.
-- Row level security stands on every table: the owner passes it, others see no row, so that a
-- grant given by mistake (or by a platform's default privileges) shows nothing.

revoke all on schema larder from public;
revoke all on all tables in schema larder from public;
revoke all on all functions in schema larder from public;
revoke all on all sequences in schema larder from public;
alter default privileges in schema larder revoke execute on functions from public;

do $do$
declare
    relation regclass;
    someone text;
begin
    for relation in
        select c.oid::regclass from pg_class c
        where c.relnamespace = 'larder'::regnamespace and c.relkind in ('r', 'p')
    loop
        execute format('alter table %s enable row level security', relation);
    end loop;

    -- Supabase's and PostgREST's roles, where they exist.
    foreach someone in array array['anon', 'authenticated'] loop
        if exists (select from pg_roles where rolname = someone) then
            execute format('revoke all on schema larder from %I', someone);
            execute format('revoke all on all tables in schema larder from %I', someone);
            execute format('revoke all on all functions in schema larder from %I', someone);
            execute format('revoke all on all sequences in schema larder from %I', someone);
        end if;
    end loop;
end
$do$;
