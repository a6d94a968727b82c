-- What can be cached, and what is.

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
    every interval check (every > interval '0'),
    next_refresh_at timestamptz,
    -- When the last answer came, and how many refreshes have failed for good since.
    fetched_at timestamptz,
    failures integer not null default 0,
    created_at timestamptz not null default clock_timestamp(),
    last_read_at timestamptz,
    check (not tracked or (every is not null and next_refresh_at is not null))
) with (fillfactor = 80);

-- The tick: what is due.
create index resources_due_idx on larder.resources (provider, next_refresh_at) where tracked;
-- Ride-along: what is due soonest among those that share a call.
create index resources_batch_idx on larder.resources (provider, batch_key, next_refresh_at) where tracked;

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
    fresh_until timestamptz not null
) with (fillfactor = 70);
