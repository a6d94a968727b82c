-- The ledger: one row for each request to a provider.

create table larder.api_calls (
    -- The call's number. Drawn under the provider's lock, so that of two calls of one provider
    -- the one with the higher number was admitted later.
    id bigint generated always as identity primary key,
    provider text collate "C" not null references larder.lanes (lane),
    endpoint text collate "C" not null,
    batch_key text collate "C" not null,
    -- planned: the plan asked; reader: a reader did; operator: a person did.
    class text not null check (class in ('planned', 'reader', 'operator')),
    items integer not null,
    lease_token uuid not null,
    worker text not null,
    key_id text,
    reserved_at timestamptz not null,
    -- The most that the call can cost, set aside before it is sent.
    reserved_credits integer not null check (reserved_credits >= 0),
    leased_until timestamptz not null,
    -- When the cost became final: by an answer, or because nobody settled it in time.
    settled_at timestamptz,
    -- From when on the request can no longer reach the provider. May lie in the future.
    end_at timestamptz,
    credits integer check (credits >= 0),
    -- 1, or 0 for a call that provably was never sent.
    requests smallint not null default 1 check (requests in (0, 1)),
    outcome text,
    http_status smallint,
    duration interval,
    -- What stands in larder.limit_windows for this call, and whether that is out of date.
    needs_fold boolean not null default false,
    folded_requests smallint,
    folded_credits integer,
    folded_end_at timestamptz,
    check ((settled_at is null) = (end_at is null)),
    check ((settled_at is null) = (credits is null)),
    check ((settled_at is null) = (outcome is null)),
    check (not needs_fold or settled_at is not null)
) with (fillfactor = 70);

-- What admission reads one by one: calls that are in flight, or not yet in the totals.
create index api_calls_open_idx on larder.api_calls (provider, id) where settled_at is null or needs_fold;
-- Rolling windows and concurrency: calls that ended not long ago, or will end.
create index api_calls_end_idx on larder.api_calls (provider, end_at, requests, credits) where settled_at is not null;
-- People read the newest first.
create index api_calls_reserved_idx on larder.api_calls (reserved_at);

-- What stands against each limit of a provider at `at`.
--
-- A call occupies a rolling window while `at <= end + width`, a concurrency limit until its end,
-- and every calendar window that its interval meets, widened by `reset_grace` on both sides;
-- a call without an end occupies each window as soon as that opens. So a calendar limit has two
-- rows just after a window began: a call sent now may still be counted into the one before.
--
-- `reserved` is what may still come back; `spent` is not coming back.
create function larder.limit_usage(p_provider text, p_at timestamptz)
returns table (
    limit_id bigint, name text, unit text, kind text, cap bigint, soft boolean,
    width interval, starts_at timestamptz, ends_at timestamptz, spent bigint, reserved bigint
)
-- PL/pgSQL, so that its plan is kept; and no plan that reads the whole ledger, whatever the
-- statistics say: the rows that count are few, and each has an index of its own.
language plpgsql stable
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
begin
    return query
    select l.id, l.name, l.unit, l.kind, l.cap, l.soft, l.width, w.starts_at, w.ends_at,
           coalesce((select lw.spent from larder.limit_windows lw
                     where lw.limit_id = l.id and lw.starts_at = w.starts_at), 0)
             + coalesce(sum(
                 case when c.settled_at is not null and w.starts_at <= c.end_at + n.reset_grace
                      then case l.unit when 'requests' then c.requests else c.credits end else 0 end
               - case when c.settled_at is not null and c.folded_end_at is not null
                       and w.starts_at <= c.folded_end_at + n.reset_grace
                      then case l.unit when 'requests' then c.folded_requests else c.folded_credits end else 0 end
             ), 0)::bigint,
           coalesce(sum(case when c.settled_at is null
                             then case l.unit when 'requests' then 1 else c.reserved_credits end end), 0)::bigint
    from larder.limits l
    join larder.lanes n on n.lane = l.provider
    cross join lateral larder.windows_met(
        l.period, l.zone, l.anchor_day, l.anchor_time, p_at - n.reset_grace, p_at
    ) w
    left join larder.api_calls c
        on c.provider = l.provider
       and (c.settled_at is null or c.needs_fold)
       and c.reserved_at - n.reset_grace < w.ends_at
    where l.provider = p_provider and l.kind = 'calendar' and l.removed_at is null
    group by l.id, w.starts_at, w.ends_at
    union all
    select l.id, l.name, l.unit, l.kind, l.cap, l.soft, l.width, null, null, u.spent, u.reserved
    from larder.limits l
    cross join lateral (
        select
            coalesce((
                select sum(case l.unit when 'requests' then c.requests else c.credits end)
                from larder.api_calls c
                where c.provider = l.provider and c.settled_at is not null
                  and c.end_at >= p_at - coalesce(l.width, interval '0')
            ), 0)::bigint as spent,
            coalesce((
                select sum(case l.unit when 'requests' then 1 else c.reserved_credits end)
                from larder.api_calls c
                where c.provider = l.provider and (c.settled_at is null or c.needs_fold)
                  and c.settled_at is null
            ), 0)::bigint as reserved
    ) u
    where l.provider = p_provider and l.kind <> 'calendar' and l.removed_at is null;
end
$$;

-- Moves settled calls of a provider into the totals of their calendar windows; answers how many.
-- Corrections go to exactly the windows that were charged. The caller holds the provider's lock.
create function larder.fold(p_provider text) returns bigint
language sql volatile
as $$
    with due as (
        select * from larder.api_calls
        -- The first condition says nothing new; it lets the planner use api_calls_open_idx.
        where provider = p_provider and (settled_at is null or needs_fold) and needs_fold
        order by id
        for update
    ),
    parts as (
        select id, reserved_at, end_at as ended, requests, credits, 1 as sign from due
        union all
        select id, reserved_at, folded_end_at, folded_requests, folded_credits, -1 from due
        where folded_end_at is not null
    ),
    delta as (
        select l.id as limit_id, w.starts_at, w.ends_at,
               sum(p.sign * case l.unit when 'requests' then p.requests else p.credits end) as amount
        from parts p
        cross join larder.limits l
        join larder.lanes n on n.lane = l.provider
        cross join lateral larder.windows_met(
            l.period, l.zone, l.anchor_day, l.anchor_time,
            p.reserved_at - n.reset_grace, p.ended + n.reset_grace
        ) w
        where l.provider = p_provider and l.kind = 'calendar'
        group by l.id, w.starts_at, w.ends_at
    ),
    added as (
        insert into larder.limit_windows as lw (limit_id, starts_at, ends_at, spent)
        select limit_id, starts_at, ends_at, amount from delta order by limit_id, starts_at
        on conflict (limit_id, starts_at) do update set spent = lw.spent + excluded.spent
    ),
    marked as (
        update larder.api_calls c
        set needs_fold = false,
            folded_requests = c.requests, folded_credits = c.credits, folded_end_at = c.end_at
        from due
        where c.id = due.id
        returning c.id
    )
    select count(*) from marked
$$;

-- Adds up a calendar limit's totals anew from the ledger, after its definition changed.
-- The caller holds the provider's lock.
create function larder.rebuild_windows(p_limit_id bigint) returns void
language plpgsql volatile
as $$
declare
    l larder.limits;
    grace interval;
    since timestamptz;
begin
    select * into strict l from larder.limits where id = p_limit_id;
    select reset_grace into strict grace from larder.lanes where lane = l.provider;
    delete from larder.limit_windows where limit_id = p_limit_id;
    if l.kind <> 'calendar' then
        return;
    end if;
    select w.starts_at into since
    from larder.window_at(l.period, l.zone, l.anchor_day, l.anchor_time, clock_timestamp() - grace) w;
    insert into larder.limit_windows (limit_id, starts_at, ends_at, spent)
    select l.id, w.starts_at, w.ends_at,
           sum(case l.unit when 'requests' then c.folded_requests else c.folded_credits end)
    from larder.api_calls c
    cross join lateral larder.windows_met(
        l.period, l.zone, l.anchor_day, l.anchor_time,
        greatest(c.reserved_at - grace, since), c.folded_end_at + grace
    ) w
    where c.provider = l.provider and c.folded_end_at is not null and c.folded_end_at + grace >= since
    group by w.starts_at, w.ends_at;
end
$$;
