-- The end of a load, in its transaction: prove the rows, fill the materialized view, and leave the marker by which the
-- next run recognises a complete load.
--
-- psql variables: database, source, scale, release, and expected, a JSON object of table names and row counts.

SELECT pg_catalog.set_config('pgfleet.expected', :'expected', true) \g /dev/null

DO $$
DECLARE
    wanted record;
    found  bigint;
BEGIN
    FOR wanted IN SELECT key AS name, value::bigint AS rows
                  FROM pg_catalog.jsonb_each_text(pg_catalog.current_setting('pgfleet.expected')::jsonb)
    LOOP
        EXECUTE pg_catalog.format('SELECT pg_catalog.count(*) FROM public.%I', wanted.name) INTO found;
        IF found <> wanted.rows THEN
            RAISE EXCEPTION 'Table % would hold % rows, but a complete load has %; nothing was loaded.',
                wanted.name, found, wanted.rows;
        END IF;
    END LOOP;
END
$$;

REFRESH MATERIALIZED VIEW public.rental_by_category;

\set marker 'pgfleet pagila: source=' :source ' scale=' :scale ' release=' :release
COMMENT ON DATABASE :"database" IS :'marker';
