-- Lanes, and the limits of those that spend money.

-- One row for each provider, and one for `local`. The row is also the provider's lock:
-- admissions take it first, so calls are numbered in the order in which they were admitted.
create table larder.lanes (
    lane text collate "C" primary key,
    -- Whether jobs of the lane call a priced API.
    is_provider boolean not null,
    -- Null: open. In the future: closed until then. Infinity: until an operator or a new key opens it.
    closed_until timestamptz,
    closed_reason text,
    closed_at timestamptz,
    -- Which key the lane was last used with: a digest, never the key. An answer that belongs to
    -- an earlier key does not close the lane of the new one.
    key_id text,
    -- By how much the clocks of the database and of the provider may differ.
    reset_grace interval not null default interval '5 seconds',
    -- How long a process may be frozen between its check and its send.
    max_freeze interval not null default interval '10 minutes',
    -- How long a request may travel after the one who sent it gave up.
    max_transit interval not null default interval '30 seconds',
    -- Share of each window of credits that planned calls leave to readers.
    readers_share double precision not null default 0 check (readers_share between 0 and 1),
    -- Planned calls wait until then: what is left is kept for readers.
    kept_until timestamptz,
    -- Where its calls go. Providers behind one address share what that address may do.
    host text,
    -- After so many failures in a row the lane closes: for `breaker_pause`, then for twice
    -- that, up to `breaker_max_pause`. 0 for never.
    breaker_failures integer not null default 0 check (breaker_failures >= 0),
    breaker_pause interval not null default interval '10 seconds',
    breaker_max_pause interval not null default interval '5 minutes',
    -- Whether the provider tells what was spent on the key.
    reports_usage boolean not null default false,
    -- Which database the ledger was last written in (larder.database_id), and since when it
    -- is another one than before: what that one had promised may be missing here.
    database_id text,
    database_changed_at timestamptz,
    -- `observe` counts and never blocks.
    mode text not null default 'enforce' check (mode in ('enforce', 'observe')),
    -- For jobs that the tick makes.
    max_attempts integer not null default 5 check (max_attempts >= 1),
    -- A lane that left the configuration keeps its history, and nothing runs in it.
    removed_at timestamptz,
    check ((closed_until is null) = (closed_reason is null))
)
-- Few rows, each changed at every call, and no index on what changes: with half of a page free the
-- new version goes into the same page (HOT), no index is touched, and the next reader of the page
-- clears the old ones away without waiting for a vacuum. The same for limits and their totals.
with (fillfactor = 50);

insert into larder.lanes (lane, is_provider) values ('local', false);

create table larder.limits (
    -- Locks are taken in the order of this id, over all providers.
    id bigint generated always as identity primary key,
    provider text collate "C" not null references larder.lanes (lane),
    name text not null,
    unit text not null check (unit in ('requests', 'credits')),
    kind text not null check (kind in ('rolling', 'calendar', 'discovered', 'concurrency')),
    cap bigint not null check (cap >= 0),
    -- rolling: no stretch of this length may hold more than the cap.
    width interval check (width >= interval '1 second'),
    -- calendar: how long a window is, and where it begins.
    period text check (period in ('minute', 'hour', 'day', 'month')),
    zone text,
    anchor_day smallint check (anchor_day between 1 and 31),
    anchor_time time,
    -- Counts and warns, never blocks.
    soft boolean not null default false,
    -- The highest level of use, in percent, that was told for the window that began then.
    alert_level smallint not null default 0,
    alert_window timestamptz,
    removed_at timestamptz,
    unique (provider, name),
    check ((kind = 'rolling') = (width is not null)),
    check ((kind = 'calendar') = (period is not null and zone is not null
                                  and anchor_day is not null and anchor_time is not null)),
    check (kind <> 'concurrency' or unit = 'requests')
) with (fillfactor = 50);

-- The windows of discovered limits: each ends where the provider said, and the next begins.
create table larder.discovered_windows (
    limit_id bigint not null references larder.limits (id),
    starts_at timestamptz not null,
    ends_at timestamptz not null check (ends_at > starts_at),
    primary key (limit_id, starts_at)
);

-- What a provider said of a window of a limit, and what follows from it. The newest call wins.
create table larder.limit_reports (
    limit_id bigint not null references larder.limits (id),
    -- Of a rolling limit: the calendar window that the figure counts over, or '-infinity'.
    window_starts_at timestamptz not null,
    -- The call that brought it, and when its figures were taken over.
    call_id bigint not null,
    read_at timestamptz not null,
    -- Until when it counts.
    expires_at timestamptz not null,
    used bigint check (used >= 0),
    cap bigint check (cap > 0),
    resets_at timestamptz,
    -- How much of `used` is ours for certain: what had ended before the provider was asked.
    ours bigint not null default 0,
    -- How much of that the provider may have counted in the window before; it is out of ours
    -- again after `unsure_after`.
    unsure bigint not null default 0,
    unsure_after timestamptz,
    -- The least that others must have spent, by any report of this window.
    certain bigint not null default 0 check (certain >= 0),
    -- What others have spent on the same key.
    others bigint not null generated always as (greatest(used - ours, certain, 0)) stored,
    primary key (limit_id, window_starts_at)
) with (fillfactor = 50);

-- What settled calls have taken from each calendar window, so that a month need not be added
-- up call by call. Always equal to the sum over the ledger's folded rows; `larder.fold` moves it.
create table larder.limit_windows (
    limit_id bigint not null references larder.limits (id),
    starts_at timestamptz not null,
    ends_at timestamptz not null check (ends_at > starts_at),
    spent bigint not null,
    -- How much of it readers caused.
    readers bigint not null,
    primary key (limit_id, starts_at)
) with (fillfactor = 50);

-- What Larder has learnt of an endpoint's price.
create table larder.endpoints (
    provider text collate "C" not null references larder.lanes (lane),
    endpoint text collate "C" not null,
    -- Credits that the provider charged beyond the rule; added to every later reservation.
    surcharge integer not null default 0 check (surcharge >= 0),
    -- Null until a reply has confirmed what a reservation assumed: until then one call at a time.
    confirmed_at timestamptz,
    -- The key that may not call it, and when that was said; asked again a day later.
    forbidden_key text,
    forbidden_at timestamptz,
    primary key (provider, endpoint)
);

-- The calendar window of `period` that contains `at`.
--
-- Windows begin at `anchor_time` on the wall clock of `zone`; those of a month on `anchor_day`,
-- or on the month's last day where it is shorter. The half-open result never overlaps its
-- neighbours and leaves no gap, also where daylight saving moves the clock.
create function larder.window_at(
    period text, zone text, anchor_day smallint, anchor_time time, at timestamptz,
    out starts_at timestamptz, out ends_at timestamptz
)
language plpgsql stable parallel safe
as $$
declare
    first_day date;
begin
    if period in ('minute', 'hour') then
        starts_at := date_trunc(period, at, zone);
        ends_at := starts_at + ('1 ' || period)::interval;
    elsif period = 'day' then
        first_day := (at at time zone zone)::date;
        starts_at := (first_day + anchor_time) at time zone zone;
        if starts_at > at then
            first_day := first_day - 1;
            starts_at := (first_day + anchor_time) at time zone zone;
        end if;
        ends_at := (first_day + 1 + anchor_time) at time zone zone;
    else
        first_day := date_trunc('month', at at time zone zone)::date;
        starts_at := larder.month_anchor(first_day, anchor_day, anchor_time, zone);
        if starts_at > at then
            first_day := (first_day - interval '1 month')::date;
            starts_at := larder.month_anchor(first_day, anchor_day, anchor_time, zone);
        end if;
        ends_at := larder.month_anchor((first_day + interval '1 month')::date, anchor_day, anchor_time, zone);
    end if;
end
$$;

-- When the billing period begins in the month whose first day is given.
create function larder.month_anchor(first_day date, anchor_day smallint, anchor_time time, zone text)
returns timestamptz
language sql stable parallel safe
as $$
    select (
        least(first_day + (anchor_day - 1), (first_day + interval '1 month' - interval '1 day')::date)
        + anchor_time
    ) at time zone zone
$$;

-- The calendar windows that the interval from `since` to `until` meets, both ends included.
create function larder.windows_met(
    period text, zone text, anchor_day smallint, anchor_time time, since timestamptz, until timestamptz
)
returns table (starts_at timestamptz, ends_at timestamptz)
language plpgsql stable parallel safe
rows 2
as $$
begin
    select w.starts_at, w.ends_at into starts_at, ends_at
    from larder.window_at(period, zone, anchor_day, anchor_time, since) w;
    loop
        return next;
        exit when ends_at > until;
        select w.starts_at, w.ends_at into starts_at, ends_at
        from larder.window_at(period, zone, anchor_day, anchor_time, ends_at) w;
    end loop;
end
$$;

-- The windows of a calendar or discovered limit that the interval from `since` to `until` meets.
-- After the last reset that is known, a discovered limit has a window without end.
create function larder.limit_windows_met(l larder.limits, since timestamptz, until timestamptz)
returns table (starts_at timestamptz, ends_at timestamptz)
language plpgsql stable
rows 2
as $$
#variable_conflict use_column
declare
    known_until timestamptz;
begin
    if l.kind = 'calendar' then
        return query select * from larder.windows_met(
            l.period, l.zone, l.anchor_day, l.anchor_time, since, until);
        return;
    end if;
    return query
    select d.starts_at, d.ends_at from larder.discovered_windows d
    where d.limit_id = l.id and d.starts_at <= until and d.ends_at > since;
    select coalesce(max(d.ends_at), '-infinity') into known_until
    from larder.discovered_windows d where d.limit_id = l.id;
    if known_until <= until then
        return query select known_until, 'infinity'::timestamptz;
    end if;
end
$$;

-- Which cluster this is, and how often it was promoted or restored to a point in time. Changes
-- when committed rows may be missing. Null where the role may not know.
create function larder.database_id() returns text
language plpgsql stable
as $$
begin
    return (select system_identifier from pg_control_system())
        || '/' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8);
exception when insufficient_privilege or undefined_function or object_not_in_prerequisite_state then
    return null;
end
$$;
