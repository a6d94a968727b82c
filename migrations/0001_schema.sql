-- The schema that holds everything of Larder.
--
-- Migrations only go forward, and each only adds (expand first, contract in a later
-- release): workers of the previous release keep running while a new one is rolled out.

create schema if not exists larder;

-- Number of the migration that a process must know at least to work with this schema. A migration
-- that takes away what earlier releases use, and so does more than add, replaces this function.
create function larder.least_version() returns bigint
language sql stable parallel safe
as $$ select 1::bigint $$;

create type larder.job_status as enum ('pending', 'running', 'completed', 'failed', 'cancelled');

-- A uuid of version 7: 48 bits of milliseconds, then random bits (RFC 9562).
-- Postgres has its own only from version 18 on.
create function larder.uuid_v7() returns uuid
language sql volatile parallel safe
as $$
    select encode(
        set_byte(
            set_byte(
                overlay(
                    uuid_send(gen_random_uuid())
                    placing substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3)
                    from 1 for 6
                ),
                6, (get_byte(uuid_send(gen_random_uuid()), 6) & 15) | 112
            ),
            8, (get_byte(uuid_send(gen_random_uuid()), 8) & 63) | 128
        ),
        'hex'
    )::uuid
$$;
