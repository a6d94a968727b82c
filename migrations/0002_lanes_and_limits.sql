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
    -- `observe` counts and never blocks.
    mode text not null default 'enforce' check (mode in ('enforce', 'observe')),
    -- For jobs that the tick makes.
    max_attempts integer not null default 5 check (max_attempts >= 1),
    -- A lane that left the configuration keeps its history, and nothing runs in it.
    removed_at timestamptz,
    check ((closed_until is null) = (closed_reason is null))
) with (fillfactor = 50);

insert into larder.lanes (lane, is_provider) values ('local', false);

create table larder.limits (
    -- Locks are taken in the order of this id, over all providers.
    id bigint generated always as identity primary key,
    provider text collate "C" not null references larder.lanes (lane),
    name text not null,
    unit text not null check (unit in ('requests', 'credits')),
    kind text not null check (kind in ('rolling', 'calendar', 'concurrency')),
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
    removed_at timestamptz,
    unique (provider, name),
    check ((kind = 'rolling') = (width is not null)),
    check ((kind = 'calendar') = (period is not null and zone is not null
                                  and anchor_day is not null and anchor_time is not null)),
    check (kind <> 'concurrency' or unit = 'requests')
) with (fillfactor = 50);

-- What settled calls have taken from each calendar window, so that a month need not be added
-- up call by call. Always equal to the sum over the ledger's folded rows; `larder.fold` moves it.
create table larder.limit_windows (
    limit_id bigint not null references larder.limits (id),
    starts_at timestamptz not null,
    ends_at timestamptz not null check (ends_at > starts_at),
    spent bigint not null,
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
