-- The beginning of a load, in its transaction: refuse a database that somebody else has filled in the meantime.

DO $$
BEGIN
    IF EXISTS (
        SELECT FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    ) THEN
        RAISE EXCEPTION 'Database % is not empty; nothing was loaded.', pg_catalog.current_database();
    END IF;
END
$$;
