-- What can be cached, and what is.

-- Cron expressions that resources are refreshed by, each with its time zone.
create table larder.schedules (
    id bigint generated always as identity primary key,
    expression text not null,
    zone text not null,
    -- Ticks up to here are over, whether they were made or missed.
    last_tick_at timestamptz not null default clock_timestamp(),
    next_tick_at timestamptz,
    unique (expression, zone)
);

-- One row for each tick of a schedule: whoever inserts it makes the tick, over all processes.
create table larder.schedule_ticks (
    schedule_id bigint not null references larder.schedules (id),
    tick_at timestamptz not null,
    made_at timestamptz not null default clock_timestamp(),
    primary key (schedule_id, tick_at)
);

create table larder.resources (
    resource_key text collate "C" primary key,
    provider text collate "C" not null references larder.lanes (lane),
    endpoint text collate "C" not null,
    batch_key text collate "C" not null,
    item text,
    params jsonb not null,
    -- Refreshed ahead of need.
    tracked boolean not null default false,
    -- config: the configuration tracks it; api: a person does; read: somebody asked for it.
    origin text not null check (origin in ('config', 'api', 'read')),
    tracked_group text,
    -- Refreshed at this pace, or by that schedule.
    every interval check (every > interval '0'),
    schedule_id bigint references larder.schedules (id),
    -- The pace is the planner's: it rewrites `every` as demand and budget move.
    planned boolean not null default false,
    -- Null between the ticks of a schedule.
    next_refresh_at timestamptz,
    -- Past this age a reader waits for a refresh; null: never.
    max_age interval check (max_age > interval '0'),
    -- For how long an answer counts as fresh; null: until the next refresh is overdue.
    fresh_for interval check (fresh_for > interval '0'),
    -- How much a read counts against one of another resource.
    weight double precision not null default 1 check (weight >= 0),
    -- When the last answer came, and how many refreshes have failed for good since.
    fetched_at timestamptz,
    failures integer not null default 0,
    created_at timestamptz not null default clock_timestamp(),
    last_read_at timestamptz,
    -- How much it is read, as of last_read_at: reads, each of which has faded to 1/e after half
    -- an hour, and after the memory of its provider's plan. Divided by that time they are reads
    -- a second.
    reads_recent double precision not null default 0 check (reads_recent >= 0),
    reads_long double precision not null default 0 check (reads_long >= 0),
    -- What refreshes found, of a planned resource: changes, and the seconds of intervals with
    -- and without one, where each refresh makes the earlier ones count 1 % less. Where the
    -- provider dates its data there are no seconds with a change: those without one are exact.
    changes double precision not null default 0,
    changed_secs double precision not null default 0,
    same_secs double precision not null default 0,
    -- What the pace was planned for: reads and changes a second, and credits for one refresh.
    planned_reads double precision,
    planned_changes double precision,
    planned_cost double precision,
    -- The age that the plan keeps instead of max_age, where the budget does not suffice for it.
    kept_age interval,
    constraint resources_tracked_have_a_pace check (
        not tracked or (every is not null and next_refresh_at is not null and schedule_id is null)
        or (every is null and schedule_id is not null)
    )
)
-- A refresh changes some columns of a row that is there for years; a fifth of a page takes the
-- changes between two vacuums. More would be read for nothing: a plan reads all resources.
with (fillfactor = 80);

-- A tick of a schedule.
create index resources_schedule_idx on larder.resources (schedule_id) where schedule_id is not null;
-- Dropping what was asked for once, least recently read first.
create index resources_untracked_idx on larder.resources (provider, last_read_at nulls first) where not tracked;
-- The tick: what is due.
create index resources_due_idx on larder.resources (provider, next_refresh_at) where tracked;
-- Ride-along: what is due soonest among those that share a call.
create index resources_batch_idx on larder.resources (provider, batch_key, next_refresh_at) where tracked;
-- Whether there is something to plan, and whether what was read a moment ago outgrew its plan.
create index resources_planned_idx on larder.resources (provider, last_read_at) where tracked and planned;

-- One row for each provider with planned resources. Who holds the lease plans.
create table larder.plans (
    provider text collate "C" primary key references larder.lanes (lane),
    leased_by uuid,
    leased_until timestamptz,
    planned_at timestamptz,
    -- What the last credit bought, to start the next plan from.
    price double precision,
    status text check (status in ('ok', 'saturated', 'infeasible')),
    -- Credits a day, and what bounds were multiplied by to fit.
    credits_a_day double precision,
    bounds_scale double precision,
    -- After which time reads_long fades: the thinner the demand, the longer.
    memory interval not null default '7 days',
    -- Where reads may wait for calls (shared/src/plan/trigger.rs): planned calls a second, and as
    -- of bucket_at how many may be made, and the age in seconds past which a read causes one.
    calls_a_sec double precision,
    tokens double precision not null default 10,
    threshold double precision not null default 3600,
    bucket_at timestamptz not null default clock_timestamp()
);

-- A plan's tokens and threshold as of now.
create function larder.plan_bucket(p larder.plans, out tokens double precision, out threshold double precision)
language sql volatile
as $$
    select least(10, p.tokens + s.calls), greatest(1, p.threshold * exp(-0.0375 * least(s.calls, 1000)))
    from (select coalesce(p.calls_a_sec, 0)
                 * greatest(0, extract(epoch from clock_timestamp() - p.bucket_at))::double precision as calls) s
$$;

-- The calls that planned resources share: how many a full one holds, how many due ones make
-- one, its price in calls of mean price, and how soon asking again buys nothing.
create table larder.plan_calls (
    provider text collate "C" not null references larder.lanes (lane),
    batch_key text collate "C" not null,
    items integer not null check (items >= 1),
    enough integer not null check (enough >= 1),
    price double precision not null,
    min_interval interval not null,
    primary key (provider, batch_key)
);

-- Which configuration says what is tracked: that of the process that started last.
create table larder.configuration (
    -- There is one row.
    id boolean primary key default true check (id),
    -- Of what it tracks. A process with another one follows no list.
    digest text not null,
    -- The call that each followed list was last read from, by resource key.
    lists jsonb not null default '{}'
);
insert into larder.configuration (digest) values ('');

-- Numbers for changes of entries: drawn under the row's lock, so the later change has the higher.
create sequence larder.entry_revisions;

-- No foreign key to resources: an answer that was paid for is stored even if its resource
-- was dropped in the meantime.
create table larder.entries (
    resource_key text collate "C" primary key,
    provider text collate "C" not null,
    endpoint text collate "C" not null,
    -- As the provider wrote it: `json` keeps the digits and the order of keys.
    body json not null,
    -- The reply around the body, for composing the provider's own answer again.
    envelope json,
    -- When the provider says that the data is from, where it says so.
    provider_time timestamptz,
    call_id bigint not null,
    -- The highest call number drawn when this was recorded: a call with a higher one was
    -- admitted later, so its answer is newer.
    recorded_call bigint not null,
    requested_at timestamptz not null,
    fetched_at timestamptz not null,
    fresh_until timestamptz not null,
    -- Of what the answer says, without what changes by itself.
    content_hash bytea,
    -- When it last began to say something else; the refreshes since then found it unchanged.
    changed_at timestamptz not null default clock_timestamp(),
    -- The header by which a next call for the same asks whether it is still so, and a digest of
    -- what the call asked for.
    validator text,
    validator_of text,
    -- Of two copies of this row the one with the higher number is the newer.
    revision bigint not null default nextval('larder.entry_revisions'),
    -- The transaction that wrote the row, for processes that keep copies.
    written_in xid8 not null default pg_current_xact_id()
)
-- Each refresh writes the whole answer anew; nearly a third of a page, so that the new one need not
-- go to the table's end. Long answers are not kept in the row.
with (fillfactor = 70);

-- What was written since somebody looked.
create index entries_written_idx on larder.entries (written_in);

-- Whoever changes an entry by hand is seen by those who keep copies, too.
create function larder.note_entry_change() returns trigger
language plpgsql
as $$
begin
    new.revision := nextval('larder.entry_revisions');
    new.written_in := pg_current_xact_id();
    perform pg_notify('larder_cache_changed', '');
    return new;
end
$$;
create trigger entries_changed_by_hand before update on larder.entries
for each row when (new.revision = old.revision)
execute function larder.note_entry_change();

-- What a provider said that it does not know: readers are told at once, and it is not paid for
-- again, until then.
create table larder.absences (
    resource_key text collate "C" primary key,
    provider text collate "C" not null,
    until timestamptz not null
);
create index absences_until_idx on larder.absences (until);
