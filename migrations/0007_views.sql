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

-- Live and finished jobs in one place, under the name that the old scheduler gave them.
-- An existing relation of that name is left alone: `larder doctor` tells about it.
do $do$
begin
    if to_regclass('public.background_jobs') is not null then
        raise warning 'larder: public.background_jobs exists already and was left as it is';
    else
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
        if exists (select from pg_roles where rolname = 'anon') then
            revoke all on public.background_jobs from anon;
        end if;
        if exists (select from pg_roles where rolname = 'authenticated') then
            revoke all on public.background_jobs from authenticated;
        end if;
    end if;
end
$do$;
