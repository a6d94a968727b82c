-- The ledger: one row for each request to a provider.

create table larder.api_calls (
    -- The call's number. Drawn under the provider's lock, so that of two calls of one provider
    -- the one with the higher number was admitted later.
    id bigint generated always as identity primary key,
    provider text collate "C" not null references larder.lanes (lane),
    endpoint text collate "C" not null,
    batch_key text collate "C" not null,
    -- planned: the plan asked; reader: a reader did; operator: a person did; usage: Larder
    -- itself, for what the provider has counted.
    class text not null check (class in ('planned', 'reader', 'operator', 'usage')),
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
) with (
    -- A call is written twice: reserved, then settled, which makes its row wider. The second version
    -- finds its place in the same page, where one vacuum serves both.
    fillfactor = 70,
    -- Calls come and end many times a second: vacuum by count, as for jobs.
    autovacuum_vacuum_scale_factor = 0.01,
    autovacuum_vacuum_threshold = 1000
);

-- What admission reads one by one: calls that are in flight, or not yet in the totals.
create index api_calls_open_idx on larder.api_calls (provider, id) where settled_at is null or needs_fold;
-- Calls by their end: the edge of a window that moves.
create index api_calls_end_idx on larder.api_calls (provider, end_at) where settled_at is not null;
-- When a provider was last asked what it has counted, and what its latest calls came to.
create index api_calls_usage_idx on larder.api_calls (provider, id) where class = 'usage';
create index api_calls_latest_idx on larder.api_calls (provider, id);
-- People read the newest first.
create index api_calls_reserved_idx on larder.api_calls (reserved_at);

-- What is folded is out of date as soon as what it was folded from is changed, by whomever.
create function larder.unfold() returns trigger
language plpgsql
as $$
begin
    new.needs_fold := true;
    return new;
end
$$;
create trigger api_calls_stay_folded before update on larder.api_calls
    for each row when (
        not new.needs_fold and old.folded_end_at is not null
        and (new.end_at, new.requests, new.credits)
            is distinct from (new.folded_end_at, new.folded_requests, new.folded_credits)
    )
    execute function larder.unfold();

-- What folded calls came to, by the second, the minute and the hour (UTC) in which they ended, so
-- that a window that moves is counted call by call at its edge only: larder.ended_since.
create table larder.ended_calls (
    provider text collate "C" not null references larder.lanes (lane),
    grain text collate "C" not null check (grain in ('second', 'minute', 'hour')),
    starts_at timestamptz not null,
    requests bigint not null,
    credits bigint not null,
    -- How much of it readers caused.
    reader_requests bigint not null,
    reader_credits bigint not null,
    primary key (provider, grain, starts_at)
)
-- Every settled call adds to the newest rows of each grain, and no index is on what changes.
with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);

-- What the settled calls of a provider came to that ended at `p_since` or later, or will: the same
-- as their sum over the ledger, whatever was folded of it. Its settings are its caller's,
-- larder.limit_usage.
create function larder.ended_since(
    p_provider text, p_since timestamptz,
    out requests bigint, out credits bigint, out reader_requests bigint, out reader_credits bigint
)
language plpgsql stable
as $$
declare
    -- Whole seconds from here on; whole minutes; whole hours.
    s timestamptz := date_trunc('second', p_since, 'UTC') + interval '1 second';
    m timestamptz := date_trunc('minute', s + interval '59 seconds', 'UTC');
    h timestamptz := date_trunc('hour', m + interval '59 minutes', 'UTC');
begin
    select coalesce(sum(a.r), 0), coalesce(sum(a.c), 0), coalesce(sum(a.rr), 0), coalesce(sum(a.rc), 0)
    into requests, credits, reader_requests, reader_credits
    from (
        select e.requests as r, e.credits as c, e.reader_requests as rr, e.reader_credits as rc
        from larder.ended_calls e
        where e.provider = p_provider and e.grain = 'hour' and e.starts_at >= h
        union all
        select e.requests, e.credits, e.reader_requests, e.reader_credits
        from larder.ended_calls e
        where e.provider = p_provider and e.grain = 'minute' and e.starts_at >= m and e.starts_at < h
        union all
        select e.requests, e.credits, e.reader_requests, e.reader_credits
        from larder.ended_calls e
        where e.provider = p_provider and e.grain = 'second' and e.starts_at >= s and e.starts_at < m
        union all
        -- The second that the window begins in, call by call.
        select c.requests, c.credits, case when c.class = 'reader' then c.requests else 0 end,
               case when c.class = 'reader' then c.credits else 0 end
        from larder.api_calls c
        where c.provider = p_provider and c.settled_at is not null and not c.needs_fold
          and c.end_at >= p_since and c.end_at < s
        union all
        -- What is not folded yet, less what stands in the sums above for it.
        select f.r, f.c, case when f.reader then f.r else 0 end, case when f.reader then f.c else 0 end
        from (
            select c.class = 'reader' as reader,
                   case when c.end_at >= p_since then c.requests else 0 end
                   - case when c.folded_end_at >= s then c.folded_requests else 0 end as r,
                   case when c.end_at >= p_since then c.credits else 0 end
                   - case when c.folded_end_at >= s then c.folded_credits else 0 end as c
            from larder.api_calls c
            where c.provider = p_provider and (c.settled_at is null or c.needs_fold) and c.needs_fold
        ) f
    ) a;
end
$$;

-- What stands against each limit of a provider at `at`.
--
-- A call occupies a rolling window while `at <= end + width`, a concurrency limit until its end,
-- and every calendar window that its interval meets, widened by `reset_grace` on both sides;
-- a call without an end occupies each window as soon as that opens. So a calendar limit has two
-- rows just after a window began: a call sent now may still be counted into the one before.
--
-- `reserved` is what may still come back; `spent` is not coming back; `others` is what the
-- provider counted beyond ours, held apart and added: taking the larger of both counts would
-- overspend. `kept` is what planned calls must leave to readers; it shrinks to nothing towards
-- the window's end. `cap` is the lower one of ours and the provider's.
create function larder.limit_usage(p_provider text, p_at timestamptz)
returns table (
    limit_id bigint, name text, unit text, kind text, cap bigint, soft boolean,
    width interval, starts_at timestamptz, ends_at timestamptz,
    spent bigint, reserved bigint, others bigint, readers bigint, kept bigint, alerted smallint
)
-- PL/pgSQL, so that its plan is kept; and no plan that reads the whole ledger, whatever the
-- statistics say: the rows that count are few, and each has an index of its own. No plan is
-- compiled either: with a long ledger its estimate passes `jit_above_cost`, and compiling takes
-- 300 ms each time, under the provider's lock. Nor is any planned anew each time, since planning
-- takes longer than counting.
language plpgsql stable
rows 10
set jit = off
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
begin
    return query
    -- Read once for all limits: what is in flight, and what is not folded yet.
    with open as materialized (
        select * from larder.api_calls c
        where c.provider = p_provider and (c.settled_at is null or c.needs_fold)
    )
    select l.id, l.name, l.unit, l.kind, least(l.cap, m.cap), l.soft, l.width, u.starts_at, u.ends_at,
           u.spent, u.reserved, u.others, u.readers,
           case when l.unit = 'credits' and not l.soft then greatest(0, ceil(
                n.readers_share * least(l.cap, m.cap)
                * case when isfinite(u.starts_at) and isfinite(u.ends_at)
                       then extract(epoch from u.ends_at - p_at) / extract(epoch from u.ends_at - u.starts_at)
                       else 1 end
           )::bigint - u.readers) else 0 end,
           case when l.alert_window is not distinct from u.starts_at then l.alert_level else 0::smallint end
    from larder.limits l
    join larder.lanes n on n.lane = l.provider
    left join lateral (
        -- What the provider said last, of whichever window.
        select r.cap from larder.limit_reports r
        where r.limit_id = l.id and r.cap is not null
        order by r.call_id desc limit 1
    ) m on true
    cross join lateral (
        select w.starts_at, w.ends_at,
               coalesce(t.spent, 0) + c.spent as spent, c.reserved,
               coalesce(r.others, 0) as others, coalesce(t.readers, 0) + c.readers as readers
        from larder.limit_windows_met(l, p_at - n.reset_grace, p_at) w
        left join larder.limit_windows t on t.limit_id = l.id and t.starts_at = w.starts_at
        left join larder.limit_reports r
            on r.limit_id = l.id and r.window_starts_at = w.starts_at
        cross join lateral (
            select coalesce(sum(a.now - a.before), 0)::bigint as spent,
                   coalesce(sum(a.maybe), 0)::bigint as reserved,
                   coalesce(sum(a.now - a.before + a.maybe) filter (where a.reader), 0)::bigint as readers
            from (
                select c.class = 'reader' as reader,
                       case when c.settled_at is not null and w.starts_at <= c.end_at + n.reset_grace
                            then case l.unit when 'requests' then c.requests else c.credits end else 0 end as now,
                       case when c.settled_at is not null and c.folded_end_at is not null
                             and w.starts_at <= c.folded_end_at + n.reset_grace
                            then case l.unit when 'requests' then c.folded_requests else c.folded_credits end
                            else 0 end as before,
                       case when c.settled_at is null
                            then case l.unit when 'requests' then 1 else c.reserved_credits end else 0 end as maybe
                from open c
                where c.reserved_at - n.reset_grace < w.ends_at
            ) a
        ) c
        where l.kind in ('calendar', 'discovered')
        union all
        select null, null, ended.spent, flying.reserved, told.others, ended.readers + flying.readers
        from (
            select case l.unit when 'requests' then e.requests else e.credits end as spent,
                   case l.unit when 'requests' then e.reader_requests else e.reader_credits end as readers
            from larder.ended_since(l.provider, p_at - coalesce(l.width, interval '0')) e
        ) ended
        cross join (
            select coalesce(sum(a.amount), 0)::bigint as reserved,
                   coalesce(sum(a.amount) filter (where a.reader), 0)::bigint as readers
            from (
                select case l.unit when 'requests' then 1 else c.reserved_credits end as amount,
                       c.class = 'reader' as reader
                from open c
                where c.settled_at is null
            ) a
        ) flying
        cross join (
            select coalesce(sum(case when p_at <= r.unsure_after then r.others
                                     else greatest(r.used - r.ours + r.unsure, r.others) end), 0)::bigint as others
            from larder.limit_reports r
            where r.limit_id = l.id and l.kind = 'rolling' and p_at <= r.expires_at
        ) told
        where l.kind in ('rolling', 'concurrency')
    ) u
    where l.provider = p_provider and l.removed_at is null;
end
$$;

-- Moves settled calls of a provider into the totals of their calendar windows, and of the hour, the
-- minute and the second in which they ended; answers how many. Corrections go to exactly what was
-- charged. The caller holds the provider's lock. PL/pgSQL, so that its plan is kept.
create function larder.fold(p_provider text) returns bigint
language plpgsql volatile
set jit = off
as $$
#variable_conflict use_column
declare
    folded bigint;
begin
    with due as (
        select * from larder.api_calls
        -- The first condition says nothing new; it lets the planner use api_calls_open_idx.
        where provider = p_provider and (settled_at is null or needs_fold) and needs_fold
        order by id
        for update
    ),
    parts as (
        select id, class, reserved_at, end_at as ended, requests, credits, 1 as sign from due
        union all
        select id, class, reserved_at, folded_end_at, folded_requests, folded_credits, -1 from due
        where folded_end_at is not null
    ),
    delta as (
        select l.id as limit_id, w.starts_at, w.ends_at,
               sum(p.sign * a.amount) as amount,
               coalesce(sum(p.sign * a.amount) filter (where p.class = 'reader'), 0) as readers
        from parts p
        cross join larder.limits l
        join larder.lanes n on n.lane = l.provider
        cross join lateral larder.limit_windows_met(
            l, p.reserved_at - n.reset_grace, p.ended + n.reset_grace
        ) w
        cross join lateral (
            select case l.unit when 'requests' then p.requests else p.credits end as amount
        ) a
        where l.provider = p_provider and l.kind in ('calendar', 'discovered')
        group by l.id, w.starts_at, w.ends_at
    ),
    added as (
        insert into larder.limit_windows as lw (limit_id, starts_at, ends_at, spent, readers)
        select limit_id, starts_at, ends_at, amount, readers from delta order by limit_id, starts_at
        on conflict (limit_id, starts_at)
            do update set spent = lw.spent + excluded.spent, readers = lw.readers + excluded.readers
    ),
    ended as (
        insert into larder.ended_calls as e (
            provider, grain, starts_at, requests, credits, reader_requests, reader_credits
        )
        select p_provider, g.grain, date_trunc(g.grain, p.ended, 'UTC'),
               sum(p.sign * p.requests), sum(p.sign * p.credits),
               coalesce(sum(p.sign * p.requests) filter (where p.class = 'reader'), 0),
               coalesce(sum(p.sign * p.credits) filter (where p.class = 'reader'), 0)
        from parts p
        cross join (values ('second'), ('minute'), ('hour')) g (grain)
        group by 2, 3
        order by 2, 3
        on conflict (provider, grain, starts_at) do update set
            requests = e.requests + excluded.requests, credits = e.credits + excluded.credits,
            reader_requests = e.reader_requests + excluded.reader_requests,
            reader_credits = e.reader_credits + excluded.reader_credits
    ),
    marked as (
        update larder.api_calls c
        set needs_fold = false,
            folded_requests = c.requests, folded_credits = c.credits, folded_end_at = c.end_at
        from due
        where c.id = due.id
        returning c.id
    )
    select count(*) into folded from marked;
    return folded;
end
$$;

-- Adds up a limit's totals anew from the ledger, after its windows changed.
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
    if l.kind not in ('calendar', 'discovered') then
        return;
    end if;
    select min(w.starts_at) into since
    from larder.limit_windows_met(l, clock_timestamp() - grace, clock_timestamp()) w;
    insert into larder.limit_windows (limit_id, starts_at, ends_at, spent, readers)
    select l.id, w.starts_at, w.ends_at, sum(a.amount),
           coalesce(sum(a.amount) filter (where c.class = 'reader'), 0)
    from larder.api_calls c
    cross join lateral larder.limit_windows_met(
        l, greatest(c.reserved_at - grace, since), c.folded_end_at + grace
    ) w
    cross join lateral (
        select case l.unit when 'requests' then c.folded_requests else c.folded_credits end as amount
    ) a
    where c.provider = l.provider and c.folded_end_at is not null and c.folded_end_at + grace >= since
    group by w.starts_at, w.ends_at;
end
$$;

-- Takes over what a provider said of one of its limits in the reply to a call; answers whether
-- it was new, what others have spent by it, and by how much the provider's count differs from
-- ours. The caller holds the provider's lock.
--
-- `p_period` is the calendar window, in UTC, that the figures count over where that is not the
-- limit's own. A figure that was read so near to a boundary that it may belong to either window
-- is dropped, unless its reset tells which one. Whatever is said, no cap rises by it and no
-- window ends sooner. `p_itself`: the figures count the call that brought them.
create function larder.take_report(
    p_call bigint, p_limit bigint, p_used bigint, p_cap bigint, p_resets timestamptz, p_period text,
    p_itself boolean,
    out taken boolean, out others bigint, out drift bigint
)
language plpgsql volatile
as $$
declare
    c larder.api_calls;
    l larder.limits;
    n larder.lanes;
    w record;
    d record;
    u record;
    now timestamptz := clock_timestamp();
    met integer;
    since timestamptz;
    until timestamptz;
    ended bigint;
    everything bigint;
    doubtful bigint := 0;
    doubtful_until timestamptz;
begin
    taken := false;
    select * into strict l from larder.limits where id = p_limit;
    select * into strict n from larder.lanes where lane = l.provider;
    select * into c from larder.api_calls where id = p_call;
    if not found or exists (select from larder.limit_reports r where r.limit_id = l.id and r.call_id >= p_call) then
        return;
    end if;
    if l.kind = 'discovered' and p_resets > now and isfinite(p_resets) then
        select * into d from larder.discovered_windows x
        where x.limit_id = l.id order by x.ends_at desc limit 1;
        if d.ends_at is null or d.ends_at + n.reset_grace < p_resets then
            perform larder.fold(l.provider);
            if d.ends_at > now then
                update larder.discovered_windows x set ends_at = p_resets
                where x.limit_id = l.id and x.starts_at = d.starts_at;
            else
                insert into larder.discovered_windows (limit_id, starts_at, ends_at)
                values (l.id, coalesce(d.ends_at, '-infinity'), p_resets);
            end if;
            perform larder.rebuild_windows(l.id);
        end if;
    end if;
    if l.kind in ('calendar', 'discovered') then
        select * into w from larder.limit_windows_met(l, now, now);
        select count(*) into met
        from larder.limit_windows_met(l, c.reserved_at - n.reset_grace, now + n.reset_grace);
        if p_resets is not null and isfinite(w.ends_at) then
            -- The window is told by its reset: this one, or not one of ours.
            met := case when abs(extract(epoch from p_resets - w.ends_at)) <= 60
                             + extract(epoch from n.reset_grace) then 1 else 2 end;
        end if;
        if met = 1 and (p_period is null or p_period = l.period) then
            since := w.starts_at - n.reset_grace;
        elsif p_resets is not null and p_resets > now then
            -- Another window than ours: what is ours beyond doubt began within both.
            since := greatest(w.starts_at, p_resets - make_interval(months => (l.period = 'month')::int,
                days => (l.period = 'day')::int, hours => (l.period = 'hour')::int)) + n.reset_grace;
        else
            return;
        end if;
        until := w.ends_at;
    elsif l.kind = 'rolling' and p_period is not null then
        select * into w from larder.window_at(p_period, 'UTC', 1::smallint, time '00:00', now);
        if c.reserved_at - n.reset_grace < w.starts_at or now + n.reset_grace >= w.ends_at then
            return;
        end if;
        since := w.starts_at - n.reset_grace;
        until := now + l.width;
    elsif l.kind = 'rolling' then
        select '-infinity'::timestamptz as starts_at, null::timestamptz as ends_at into w;
        since := c.reserved_at - l.width + n.reset_grace;
        until := now + l.width;
    else
        return;
    end if;
    select coalesce(sum(x.spent + x.reserved), 0) into everything
    from larder.limit_usage(l.provider, now) x
    where x.limit_id = l.id and (x.starts_at is null or x.starts_at = w.starts_at);
    if l.kind <> 'rolling' and since <= w.starts_at then
        -- All that the window holds, but for what had not ended when the provider was asked.
        select everything - coalesce(sum(
            case when a.settled_at is null
                 then case l.unit when 'requests' then 1 else a.reserved_credits end
                 else case l.unit when 'requests' then a.requests else a.credits end end), 0)
        into ended
        from larder.api_calls a
        where a.provider = l.provider and a.reserved_at - n.reset_grace < w.ends_at
          and (a.settled_at is null or a.end_at >= c.reserved_at);
    else
        -- Of a rolling limit, ours near the beginning of the provider's window may be in it or
        -- not: taken for ours as long as they stand in ours anyway.
        select coalesce(sum(x.amount), 0),
               coalesce(sum(x.amount) filter (where x.doubtful), 0),
               min(x.end_at) filter (where x.doubtful) + l.width
        into ended, doubtful, doubtful_until
        from (
            select case l.unit when 'requests' then a.requests else a.credits end as amount, a.end_at,
                   l.kind = 'rolling' and p_period is not null
                     and a.reserved_at < w.starts_at + n.reset_grace as doubtful
            from larder.api_calls a
            where a.provider = l.provider and a.settled_at is not null
              and a.end_at >= since and a.end_at < c.reserved_at
              and (p_period is not null and l.kind = 'rolling' or a.reserved_at >= since)
        ) x;
    end if;
    if p_itself then
        ended := ended + case l.unit when 'requests' then c.requests else coalesce(c.credits, 0) end;
    end if;
    insert into larder.limit_reports as r (
        limit_id, window_starts_at, call_id, read_at, expires_at, used, cap, resets_at,
        ours, unsure, unsure_after, certain
    )
    values (l.id, w.starts_at, p_call, now, until, p_used, p_cap, p_resets,
            ended, doubtful, coalesce(doubtful_until, 'infinity'),
            greatest(coalesce(p_used, 0) - everything, 0))
    on conflict (limit_id, window_starts_at) do update set
        call_id = excluded.call_id, read_at = excluded.read_at, expires_at = excluded.expires_at,
        used = coalesce(excluded.used, r.used),
        cap = coalesce(excluded.cap, r.cap), resets_at = coalesce(excluded.resets_at, r.resets_at),
        ours = case when excluded.used is null then r.ours else excluded.ours end,
        unsure = case when excluded.used is null then r.unsure else excluded.unsure end,
        unsure_after = case when excluded.used is null then r.unsure_after else excluded.unsure_after end,
        -- A rolling limit's figure without a window of its own says nothing of earlier ones.
        certain = case when isfinite(r.window_starts_at) then greatest(r.certain, excluded.certain)
                       else excluded.certain end
    returning r.others into others;
    delete from larder.limit_reports r
    where r.limit_id = l.id and r.expires_at < now - interval '1 day';
    taken := true;
    drift := p_used - ended;
end
$$;
