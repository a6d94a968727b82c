-- Jobs: the live ones, and those that have ended.

-- Pending and running jobs only, so that the table stays small whatever the history.
create table larder.jobs (
    id uuid primary key,
    lane text collate "C" not null,
    kind text not null,
    endpoint text collate "C",
    resource_key text collate "C",
    -- Jobs of a lane with the same batch key can be answered by one call.
    batch_key text collate "C",
    item text,
    args jsonb not null default '{}',
    class text not null default 'operator',
    priority smallint not null default 20,
    status larder.job_status not null default 'pending',
    run_at timestamptz not null default clock_timestamp(),
    -- An answer that was asked for after this instant satisfies the job.
    satisfied_after timestamptz not null default '-infinity',
    attempt integer not null default 0,
    max_attempts integer not null default 5,
    -- Leases that ran out. Counted apart from attempts, and capped, so that a job that kills
    -- its worker ends as failed.
    rescues integer not null default 0,
    lease_token uuid,
    leased_by text,
    leased_until timestamptz,
    call_id bigint,
    cancel_requested boolean not null default false,
    -- One object for each attempt that failed: attempt, at, error.
    errors jsonb not null default '[]',
    created_at timestamptz not null default clock_timestamp(),
    started_at timestamptz
) with (
    -- A job is written when it comes and, wider, when it is claimed: its second version stays in the
    -- page of the first, so that one page is dirtied, and cleared, for both.
    fillfactor = 70,
    -- A queue's table turns over many times a minute: vacuum by count, not by share.
    autovacuum_vacuum_scale_factor = 0.01,
    autovacuum_vacuum_threshold = 1000,
    -- A vacuum that pauses to spare the disk is overtaken by the queue: its dead rows are what claims
    -- step over, and the table is small and in memory.
    autovacuum_vacuum_cost_delay = 0,
    -- Plans follow what the statistics say, and a queue is another one a minute later.
    autovacuum_analyze_scale_factor = 0.05
);

-- What no statement may do to a job, whoever writes it: lose or make up an attempt, change the
-- holder of a lease that runs, be another job. A condition of the trigger, not a body, so that the
-- changes that are allowed call no function.
create function larder.refuse_change() returns trigger
language plpgsql
as $$
begin
    raise exception 'larder: a job of table % must not be changed like this', tg_table_name
        using errcode = 'restrict_violation',
              detail = format('job %s, from %s (attempt %s) to %s (attempt %s)',
                              old.id, old.status, old.attempt, new.status, new.attempt);
end
$$;
create trigger jobs_change_as_drawn before update on larder.jobs
    for each row when (
        new.id <> old.id
        or case
            when old.status = new.status
                then new.attempt <> old.attempt or new.lease_token is distinct from old.lease_token
            when new.status = 'running' then new.attempt <> old.attempt + 1
            -- A release and a rescue give the attempt back, a retry does not.
            else new.attempt not in (old.attempt, old.attempt - 1)
        end
    )
    execute function larder.refuse_change();

-- What no job may be, whoever writes it: who runs is leased and has made an attempt, who waits is not
-- leased, what has ended is not here, and a refresh, and nothing else, names a resource. A row like that
-- would be in this index, and what the index is of refuses it. Nothing ever reads it: do not drop it.
--
-- A CHECK says the same, but each statement reads it from its text and plans it anew, which took an
-- insert of one job a tenth longer; an index's predicate is kept by the session.
create function larder.refuse_job(p_id uuid) returns boolean
language plpgsql immutable
as $$
begin
    raise exception 'larder: a job must not be like this: %', p_id
        using errcode = 'check_violation', constraint = 'jobs_refused_idx',
              hint = 'It waits or is leased, and names a resource or does not, as its status and kind say: see the index jobs_refused_idx.';
end
$$;
create index jobs_refused_idx on larder.jobs (larder.refuse_job(id)) where not (
    num_nonnulls(lease_token, leased_by, leased_until)
        = case status when 'pending' then 0 when 'running' then 3 else -1 end
    and (status = 'pending' or started_at is not null and attempt >= 1)
    and num_nonnulls(resource_key, batch_key, endpoint) = case kind when 'refresh' then 3 else 0 end
    and class in ('planned', 'reader', 'operator') and attempt >= 0 and max_attempts >= 1
);
comment on index larder.jobs_refused_idx is 'Refuses jobs that must not be; never read, always empty. Do not drop it.';

-- The claim order.
create index jobs_due_idx on larder.jobs (lane, priority, run_at, id) where status = 'pending';
-- The next due time of a lane, and every tenth claim, which goes by age alone.
create index jobs_run_at_idx on larder.jobs (lane, run_at) where status = 'pending';
-- Coalescing: what can share a call.
create index jobs_batch_idx on larder.jobs (lane, batch_key, priority, run_at, id)
    where status = 'pending' and batch_key is not null;
-- Rescue: leases that ran out.
create index jobs_lease_idx on larder.jobs (leased_until) where status = 'running';
-- One live refresh for a resource, however many ask.
create unique index jobs_one_refresh_idx on larder.jobs (resource_key) where resource_key is not null;

-- When the first job of a lane may run that is a refresh or of one of these kinds; none is looked for
-- before `p_since`. By its index whatever the statistics say: one that believes the lane to be short
-- would have it sorted, which reads a million rows where one is enough.
create function larder.first_due(p_lane text, p_kinds text[], p_since timestamptz) returns timestamptz
language plpgsql stable
set enable_sort = off
set enable_seqscan = off
set enable_bitmapscan = off
as $$
begin
    return (
        select run_at from larder.jobs
        where lane = p_lane and status = 'pending' and run_at >= p_since
          and (kind = 'refresh' or kind = any(p_kinds))
        order by run_at
        limit 1
    );
end
$$;

-- Ended jobs, by outcome and day: completed and cancelled ones are kept for a shorter time than
-- failed ones, and dropping a partition deletes a day at no cost.
create table larder.finished_jobs (
    id uuid not null,
    lane text collate "C" not null,
    kind text not null,
    endpoint text collate "C",
    resource_key text collate "C",
    batch_key text collate "C",
    item text,
    args jsonb not null,
    class text not null,
    priority smallint not null,
    status larder.job_status not null,
    run_at timestamptz not null,
    attempt integer not null,
    max_attempts integer not null,
    rescues integer not null,
    call_id bigint,
    errors jsonb not null,
    created_at timestamptz not null,
    started_at timestamptz,
    completed_at timestamptz not null,
    constraint finished_jobs_are_final check (status in ('completed', 'failed', 'cancelled')),
    -- Only a person ends a job that no worker has held.
    constraint finished_jobs_have_begun check (status = 'cancelled' or (attempt >= 1 and started_at is not null))
) partition by list (status);

create table larder.finished_jobs_done partition of larder.finished_jobs
    for values in ('completed', 'cancelled') partition by range (completed_at);
create table larder.finished_jobs_failed partition of larder.finished_jobs
    for values in ('failed') partition by range (completed_at);
create table larder.finished_jobs_done_default partition of larder.finished_jobs_done default;
create table larder.finished_jobs_failed_default partition of larder.finished_jobs_failed default;

-- What has ended is history: it is moved back (a retry) or pruned, never changed.
create trigger finished_jobs_stay before update on larder.finished_jobs
    for each row execute function larder.refuse_change();

create index finished_jobs_id_idx on larder.finished_jobs (id);
create index finished_jobs_created_idx on larder.finished_jobs (created_at);

-- Those of these jobs that have ended, and how. By the index whatever the statistics say: in a day's first
-- hour they can say that the day is empty, and a session would read it from end to end for each id.
create function larder.ended(p_ids uuid[]) returns table (id uuid, status larder.job_status, errors jsonb)
language plpgsql stable
set enable_seqscan = off
as $$
begin
    return query
    select f.id, f.status, f.errors
    from unnest(p_ids) as asked(id)
    cross join lateral (
        select j.id, j.status, j.errors from larder.finished_jobs j
        where j.id = asked.id
        order by j.completed_at desc
        limit 1
    ) f;
end
$$;

-- Makes the partitions of the days from today to `p_days_ahead` days ahead; answers how many it made.
-- A day whose rows already went to the default partition stays there until they are pruned.
--
-- Each is made by itself and attached then: `create table … partition of` would lock the parent
-- against everybody, and whoever asks for such a lock has everybody wait behind it, for as long as
-- one reader, or a backup, is at it. Attaching locks the default partition against readers; where
-- somebody reads that, the day is left for the next time.
create function larder.make_partitions(p_days_ahead integer default 8) returns integer
language plpgsql volatile
as $$
declare
    parent text;
    child text;
    day date;
    made integer := 0;
begin
    -- One at a time, over all processes; who comes second need not wait. It goes with the transaction.
    if not pg_try_advisory_xact_lock(hashtextextended('larder.make_partitions', 0)) then
        return 0;
    end if;
    perform set_config('lock_timeout', '100ms', true);
    foreach parent in array array['finished_jobs_done', 'finished_jobs_failed'] loop
        for offset_days in 0 .. p_days_ahead loop
            day := (clock_timestamp() at time zone 'UTC')::date + offset_days;
            child := parent || '_' || to_char(day, 'YYYYMMDD');
            continue when to_regclass('larder.' || child) is not null;
            begin
                execute format('create table larder.%I (like larder.%I including defaults including constraints)',
                               child, parent);
                execute format('alter table larder.%I enable row level security', child);
                execute format(
                    'alter table larder.%I attach partition larder.%I for values from (%L) to (%L)',
                    parent, child, day::timestamp at time zone 'UTC', (day + 1)::timestamp at time zone 'UTC'
                );
                made := made + 1;
            exception
                when check_violation then
                    raise warning 'larder: rows of % stand in the default partition of %', day, parent;
                when lock_not_available then
                    -- The days after it would meet the same reader.
                    exit;
            end;
        end loop;
    end loop;
    return made;
end
$$;

-- Drops the days that are over: completed and cancelled jobs after `p_finished`, failed ones after
-- `p_failed`; answers how many days. Dropping needs day and parent alone for a moment: while either
-- is being read, the day is left for the next time, and nobody waits behind us for longer than
-- a tenth of a second. Rows of the default partitions are deleted.
create function larder.drop_partitions(p_finished interval, p_failed interval) returns integer
language plpgsql volatile
as $$
declare
    parent text;
    kept interval;
    child text;
    parent_is_locked boolean;
    dropped integer := 0;
begin
    if not pg_try_advisory_xact_lock(hashtextextended('larder.make_partitions', 0)) then
        return 0;
    end if;
    perform set_config('lock_timeout', '100ms', true);
    -- Before anything is locked, since what is locked stays so to the end.
    delete from larder.finished_jobs_done_default where completed_at < clock_timestamp() - p_finished;
    delete from larder.finished_jobs_failed_default where completed_at < clock_timestamp() - p_failed;
    for parent, kept in values ('finished_jobs_done', p_finished), ('finished_jobs_failed', p_failed) loop
        for child in
            select c.relname from pg_inherits i
            join pg_class c on c.oid = i.inhrelid
            where i.inhparent = ('larder.' || parent)::regclass
              and c.relname ~ (parent || '_[0-9]{8}$')
              and to_date(right(c.relname, 8), 'YYYYMMDD') + 1
                  <= ((clock_timestamp() - kept) at time zone 'UTC')::date
            order by c.relname
        loop
            parent_is_locked := false;
            begin
                execute format('lock table only larder.%I in access exclusive mode', parent);
                parent_is_locked := true;
                -- Not waited for with the parent in our hands.
                execute format('lock table larder.%I in access exclusive mode nowait', child);
                execute format('drop table larder.%I', child);
                dropped := dropped + 1;
            exception when lock_not_available then
                -- The other days have the same parent.
                exit when not parent_is_locked;
            end;
        end loop;
    end loop;
    return dropped;
end
$$;

select larder.make_partitions();

-- Analyzes the tables that have grown ten times since the statistics knew them; answers how many.
--
-- A session keeps the plans that it made while a table was empty, when every index looks as good as
-- any other: a claim then reads a million jobs by the wrong one, or by none. New statistics have all
-- sessions plan anew. Autovacuum brings them too, but looks once a minute at the earliest; a queue
-- fills in a second. A table that vacuum, or another of us, is at is left for the next time.
create function larder.analyze_grown() returns integer
language plpgsql volatile
as $$
declare
    name text;
    analyzed integer := 0;
begin
    perform set_config('lock_timeout', '100ms', true);
    for name in
        select c.relname from pg_class c
        where c.relnamespace = 'larder'::regnamespace and c.relkind = 'r'
          and pg_stat_get_live_tuples(c.oid) > 10 * greatest(c.reltuples, 500)
        order by c.relname
    loop
        begin
            execute format('analyze larder.%I', name);
            analyzed := analyzed + 1;
        exception when lock_not_available then
            null;
        end;
    end loop;
    return analyzed;
end
$$;

-- Processes say that they are alive; readiness asks whether a worker was seen lately.
create table larder.workers (
    worker text primary key,
    started_at timestamptz not null default clock_timestamp(),
    seen_at timestamptz not null default clock_timestamp(),
    version text not null
)
-- A row for each process, changed four times a minute: as for lanes.
with (fillfactor = 50);
