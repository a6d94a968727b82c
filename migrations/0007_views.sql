-- What users may read. Everything else in the schema is private.

create view larder.cache with (security_invoker = true) as
select e.resource_key, e.provider, e.endpoint, r.params, e.body, e.fetched_at, e.fresh_until,
       clock_timestamp() - e.fetched_at as age,
       e.fresh_until > clock_timestamp() as is_fresh
from larder.entries e
left join larder.resources r using (resource_key);

-- One row for each limit of each provider, as it stands now.
create view larder.budget with (security_invoker = true) as
select n.lane as provider, u.name as "limit", u.unit, u.kind, u.cap, u.spent, u.reserved,
       u.others as "foreign",
       greatest(u.cap - u.spent - u.reserved - u.others, 0) as remaining,
       case when isfinite(u.ends_at) then u.ends_at end as resets_at,
       n.closed_until is null or n.closed_until <= clock_timestamp() as open,
       case when n.closed_until > clock_timestamp() then n.closed_until end as closed_until,
       case when n.closed_until > clock_timestamp() then n.closed_reason end as closed_reason
from larder.lanes n
cross join lateral (select clock_timestamp() as at) t
cross join lateral larder.limit_usage(n.lane, t.at) u
where n.is_provider and n.removed_at is null
  and (u.starts_at is null or u.starts_at <= t.at and t.at < u.ends_at);

-- Live and finished jobs in one place, under the name that the old scheduler gave them: makes the
-- view if the name is free, and answers whether it is there. An existing relation of that name is
-- left alone: `larder doctor` tells about it, and `larder init` calls this each time, so that the
-- view comes once the other one was renamed.
create function larder.make_jobs_view() returns boolean
language plpgsql volatile
as $$
declare
    someone text;
begin
    if to_regclass('public.background_jobs') is null then
        create view public.background_jobs with (security_invoker = true) as
        select id,
               case kind when 'refresh' then lane || '.' || endpoint else kind end as job_type,
               status, priority, attempt, errors #>> '{-1,error}' as error,
               created_at, started_at, null::timestamptz as completed_at,
               max_attempts, rescues, run_at, lane, kind, resource_key, args, errors
        from larder.jobs
        union all
        select id,
               case kind when 'refresh' then lane || '.' || endpoint else kind end,
               status, priority, attempt, errors #>> '{-1,error}',
               created_at, started_at, completed_at,
               max_attempts, rescues, run_at, lane, kind, resource_key, args, errors
        from larder.finished_jobs;

        revoke all on public.background_jobs from public;
        foreach someone in array array['anon', 'authenticated'] loop
            if exists (select from pg_roles where rolname = someone) then
                execute format('revoke all on public.background_jobs from %I', someone);
            end if;
        end loop;
        foreach someone in array array['larder_app', 'larder_reader'] loop
            if exists (select from pg_roles where rolname = someone) then
                execute format('grant select on public.background_jobs to %I', someone);
            end if;
        end loop;
    end if;
    return larder.has_jobs_view();
end
$$;

-- Whether public.background_jobs is Larder's, and not a table or a view of somebody else: a view
-- that reads the queue.
create function larder.has_jobs_view() returns boolean
language sql stable
as $$
    select exists (
        select from pg_depend d
        join pg_rewrite r on d.classid = 'pg_rewrite'::regclass and r.oid = d.objid
        where r.ev_class = to_regclass('public.background_jobs')
          and d.refclassid = 'pg_class'::regclass and d.refobjid = 'larder.finished_jobs'::regclass
    )
$$;

do $do$
begin
    if not larder.make_jobs_view() then
        raise warning 'larder: public.background_jobs exists already and was left as it is';
    end if;
end
$do$;
