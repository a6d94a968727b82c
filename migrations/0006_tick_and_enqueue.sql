-- Putting jobs in: what is due, and what a transaction of the user's asks for.

-- When somebody made due resources into jobs last, to ten seconds; null if nobody has yet.
create table larder.last_tick (
    -- There is one row.
    id boolean primary key default true check (id),
    at timestamptz
) with (fillfactor = 50);
insert into larder.last_tick default values;

-- Makes due tracked resources of open lanes into jobs, at most `p_most` at once.
-- due = enqueued + already_waiting. The caller notifies after its commit.
create function larder.enqueue_due(p_most integer default 20000, p_keys boolean default false)
returns table (due bigint, enqueued bigint, already_waiting bigint, keys text[])
language sql volatile
as $$
    with open_lanes as (
        select lane, max_attempts from larder.lanes
        where is_provider and removed_at is null
          and (closed_until is null or closed_until <= clock_timestamp())
    ),
    over as materialized (
        select r.*, l.max_attempts,
               exists (select from larder.jobs j
                       where j.resource_key = r.resource_key and j.kind = 'refresh') as waiting
        from open_lanes l
        join larder.resources r on r.provider = l.lane
        where r.tracked and r.next_refresh_at <= (select clock_timestamp())
    ),
    -- Planned resources wait for their call to be worth its price: until enough of them are
    -- due, or one has waited too long (shared/src/plan/pace.rs says how long that is). Where
    -- reads cause calls, what can wait leaves them tokens (shared/src/plan/trigger.rs).
    asked as materialized (
        select o.provider, o.batch_key,
               count(*) >= coalesce(c.enough, 1) as worth, bool_or(l.late) as late,
               bool_or(o.fetched_at is null or o.failures > 0 or o.waiting
                       or (l.late and o.max_age is not null)) as now
        from over o
        cross join lateral (
            select o.next_refresh_at + o.every * case when o.max_age is null then 0.25 else 0.1 end
                   <= (select clock_timestamp()) as late
        ) l
        left join larder.plan_calls c on (c.provider, c.batch_key) = (o.provider, o.batch_key)
        where o.planned
        group by o.provider, o.batch_key, c.enough
    ),
    ready as materialized (
        select a.provider, a.batch_key
        from asked a
        where a.now or (a.worth or a.late) and not exists (
            select from larder.plans p cross join larder.plan_bucket(p) b
            where p.provider = a.provider and p.calls_a_sec is not null
              and b.tokens < case when a.late then 1 else 5 end)
    ),
    due as materialized (
        select o.* from over o
        where not o.planned or exists (
            select from ready r where (r.provider, r.batch_key) = (o.provider, o.batch_key))
    ),
    -- In key order, so that two ticks that insert the same keys wait for each other in one order.
    made as (
        insert into larder.jobs (
            id, lane, kind, endpoint, resource_key, batch_key, item, class, priority, run_at,
            satisfied_after, max_attempts
        )
        select larder.uuid_v7(), chosen.provider, 'refresh', chosen.endpoint, chosen.resource_key,
               chosen.batch_key, chosen.item, 'planned', 20, chosen.next_refresh_at,
               coalesce(chosen.fetched_at, '-infinity'), chosen.max_attempts
        from (
            select * from due where not waiting order by next_refresh_at limit p_most
        ) chosen
        order by chosen.resource_key
        on conflict (resource_key) where resource_key is not null do nothing
        returning resource_key
    ),
    charged as (
        update larder.plans p
        set (tokens, threshold, bucket_at) =
            (select greatest(b.tokens - m.price, -10), b.threshold, clock_timestamp()
             from larder.plan_bucket(p) b)
        from (
            select n.provider, sum(ceil(n.made / c.items::float8) * c.price) as price
            from (
                select d.provider, d.batch_key, count(*) as made
                from made join due d using (resource_key)
                where d.planned
                group by d.provider, d.batch_key
            ) n
            join larder.plan_calls c on (c.provider, c.batch_key) = (n.provider, n.batch_key)
            group by n.provider
        ) m
        where p.provider = m.provider and p.calls_a_sec is not null
    ),
    -- Seldom, since an idle system should write little; and never waited for: a transaction that
    -- keeps the row has ticked itself.
    noted as (
        update larder.last_tick set at = clock_timestamp()
        where id in (
            select id from larder.last_tick
            where at is null or at < (select clock_timestamp()) - interval '10 seconds'
            for update skip locked
        )
    ),
    counted as (
        select (select count(*) from made) as made, (select count(*) from due where waiting) as waiting
    )
    select made + waiting, made, waiting,
           case when p_keys then (select array_agg(resource_key order by resource_key) from made) end
    from counted
$$;

-- What cron may call in SQL: the same as POST /api/jobs/process-pending.
create function larder.tick()
returns table (due bigint, enqueued bigint, already_waiting bigint)
language plpgsql volatile
as $$
begin
    select d.due, d.enqueued, d.already_waiting into due, enqueued, already_waiting
    from larder.enqueue_due() d;
    if enqueued > 0 then
        perform pg_notify('larder_jobs', '');
    end if;
    return next;
end
$$;

-- Enqueues a job inside the caller's own transaction; answers its id.
--
-- Kind `refresh` takes args {"resource": "coinmarketcap:/v3/...?id=1"}, a key that stands in
-- larder.resources; while a job for it is live, that job's id is answered. Other kinds run in
-- the lane `local`. The notification is sent by the transaction's commit.
create function larder.enqueue(
    kind text,
    args jsonb default '{}',
    run_at timestamptz default null,
    priority integer default 20,
    max_attempts integer default 5
) returns uuid
language plpgsql volatile
as $$
#variable_conflict use_column
declare
    job uuid := larder.uuid_v7();
    due timestamptz := coalesce(enqueue.run_at, clock_timestamp());
    wanted text := enqueue.args ->> 'resource';
    found_id uuid;
begin
    if enqueue.kind is null or enqueue.kind !~ '^[a-z][a-z0-9_]{0,47}$' then
        raise exception 'larder.enqueue: % is not a job kind', coalesce(quote_literal(enqueue.kind), 'null')
            using errcode = 'invalid_parameter_value';
    end if;
    if enqueue.args is null or jsonb_typeof(enqueue.args) <> 'object' then
        raise exception 'larder.enqueue: args must be a JSON object'
            using errcode = 'invalid_parameter_value';
    end if;
    -- As text, since a value that comes from a table may be compressed.
    if octet_length(enqueue.args::text) > 65536 then
        raise exception 'larder.enqueue: args has more than 64 KiB'
            using errcode = 'invalid_parameter_value';
    end if;
    -- Four digits: not everybody who reads a later year can hold it.
    if due not between '0001-01-01 00:00:00 UTC' and '9999-12-31 23:59:59.999999 UTC' then
        raise exception 'larder.enqueue: run_at must be a moment before the year 10000'
            using errcode = 'invalid_parameter_value';
    end if;
    if enqueue.priority is null or enqueue.priority not between 0 and 32767 then
        raise exception 'larder.enqueue: priority must be 0 to 32767'
            using errcode = 'invalid_parameter_value';
    end if;
    if enqueue.max_attempts is null or enqueue.max_attempts not between 1 and 1000 then
        raise exception 'larder.enqueue: max_attempts must be 1 to 1000'
            using errcode = 'invalid_parameter_value';
    end if;
    if enqueue.kind = 'refresh' then
        loop
            insert into larder.jobs (
                id, lane, kind, endpoint, resource_key, batch_key, item, args, priority, run_at,
                satisfied_after, max_attempts
            )
            select job, r.provider, 'refresh', r.endpoint, r.resource_key, r.batch_key, r.item,
                   enqueue.args, enqueue.priority, due, clock_timestamp(), enqueue.max_attempts
            from larder.resources r
            where r.resource_key = wanted
            on conflict (resource_key) where resource_key is not null do nothing
            returning id into found_id;
            exit when found_id is not null;
            -- A statement of its own, since the insert above could not see the row it met.
            select j.id into found_id
            from larder.jobs j where j.resource_key = wanted and j.kind = 'refresh';
            exit when found_id is not null;
            if not exists (select from larder.resources r where r.resource_key = wanted) then
                raise exception 'larder.enqueue: no resource %', coalesce(quote_literal(wanted), 'is named in args')
                    using errcode = 'invalid_parameter_value',
                          hint = 'args must be {"resource": "<key>"} with a key of larder.resources; '
                                 'track a new one with: larder track KEY';
            end if;
        end loop;
        job := found_id;
    else
        insert into larder.jobs (id, lane, kind, args, priority, run_at, max_attempts)
        values (job, 'local', enqueue.kind, enqueue.args, enqueue.priority, due, enqueue.max_attempts);
    end if;
    if due <= clock_timestamp() then
        perform pg_notify('larder_jobs', '');
    end if;
    return job;
end
$$;
