"""The SQL of roles/pagila_load on a real server: generated rows, rows of the release, and the schema under both."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

FILES = Path(__file__).resolve().parents[3] / "roles/pagila_load/files"
TABLES = {
    "actor": 200, "address": 603, "category": 16, "city": 600, "country": 109, "customer": 599, "film": 1000,
    "film_actor": 5462, "film_category": 1000, "inventory": 4581, "language": 6, "payment": 16049, "rental": 16044,
    "staff": 2, "store": 2,
}  # fmt: skip
PARTITIONS = dict(
    zip((f"payment_p2022_{month:02}" for month in range(1, 8)), (723, 2401, 2713, 2547, 2677, 2654, 2334), strict=True)
)
SEQUENCES = {
    "actor_actor_id_seq": 200, "address_address_id_seq": 605, "category_category_id_seq": 16, "city_city_id_seq": 600,
    "country_country_id_seq": 109, "customer_customer_id_seq": 599, "film_film_id_seq": 1000,
    "inventory_inventory_id_seq": 4581, "language_language_id_seq": 6, "payment_payment_id_seq": 32098,
    "rental_rental_id_seq": 16049, "staff_staff_id_seq": 2, "store_store_id_seq": 2,
}  # fmt: skip
SCALED = ("customer", "rental", "payment")
VIEWS = {
    "actor_info": 200, "customer_list": 599, "film_list": None, "nicer_but_slower_film_list": None,
    "rental_by_category": 16, "sales_by_film_category": 16, "sales_by_store": 2, "staff_list": 2,
}  # fmt: skip

#: Sums over the generated rows of scale 1, so that a change of the generator does not go unseen. Without film, whose
#: fulltext depends on the word stems of the server's version.
KNOWN_SUMS = {
    "actor": "460561a42fad13d56ac3bafc8708e7d1",
    "address": "612025e02683862aacb8ad395072ebc1",
    "category": "4321134a8d3f7ca332b3393583bc5290",
    "city": "b237a1d738c2062d7addd766848df469",
    "country": "543b3f86d3a75e1784f677d365394107",
    "customer": "269f5c3a7a4e18da9e0da7bcda3e9b31",
    "film_actor": "d51993b56a693a18780edb53dbfc3396",
    "film_category": "269ae173853c58ec72f12aec897d5a35",
    "inventory": "ef88bf761c17914c55351a14fee5bb56",
    "language": "1f04eaab9142a52bdd64ff3da5f5ab93",
    "payment": "cf8b5bd57f49deb0dc0f934e28648e50",
    "rental": "7011fa19b3665f7cd4ca939617c4ccd7",
    "staff": "f13544ff618279a7a2f56bb5d9fbeb13",
    "store": "4d4ffc54c1719d370c865854b389ccdc",
}

CATALOGUE = """
SELECT json_build_object(
    'columns', (SELECT json_agg(json_build_array(c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
                                                 pg_get_expr(d.adbin, d.adrelid)) ORDER BY c.relname, a.attnum)
                FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
                LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
                WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm') AND a.attnum > 0),
    'constraints', (SELECT json_agg(json_build_array(conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated)
                                    ORDER BY conrelid::regclass::text, conname)
                    FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype IN ('p', 'f', 'c', 'u')),
    'indexes', (SELECT json_agg(indexdef ORDER BY indexname) FROM pg_indexes WHERE schemaname = 'public'),
    'triggers', (SELECT json_agg(pg_get_triggerdef(oid) ORDER BY pg_get_triggerdef(oid)) FROM pg_trigger WHERE NOT tgisinternal),
    'functions', (SELECT json_agg(oid::regprocedure::text || ' ' || pg_get_function_result(oid) ORDER BY oid::regprocedure::text)
                  FROM pg_proc WHERE pronamespace = 'public'::regnamespace),
    'sequences', (SELECT json_agg(sequencename ORDER BY sequencename) FROM pg_sequences WHERE schemaname = 'public'),
    'types', (SELECT json_agg(json_build_array(typname, typtype, format_type(typbasetype, NULL)) ORDER BY typname)
              FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typtype IN ('d', 'e')),
    'relations', (SELECT json_agg(json_build_array(relname, relkind, pg_get_expr(relpartbound, oid)) ORDER BY relname)
                  FROM pg_class WHERE relnamespace = 'public'::regnamespace))
"""


def expected(scale: int = 1) -> dict[str, int]:
    """Rows of every table and partition at a scale."""
    rows = {name: rows * scale if name in SCALED else rows for name, rows in TABLES.items()}
    return {**rows, **{name: rows * scale for name, rows in PARTITIONS.items()}}


def load(server: Any, database: str, rows: str, source: str = "generated", scale: int = 1) -> str:
    """Create a database and load it as the role does: all files in one transaction."""
    server.psql(f'CREATE DATABASE "{database}" TEMPLATE template0')
    parts = [
        f"\\set database {database}\nBEGIN;",
        (FILES / "schema.sql").read_text(),
        "\\o /dev/null",
        rows,
        "\\o",
        (FILES / "constraints.sql").read_text(),
        (FILES / "finish.sql").read_text(),
        "COMMIT;",
    ]
    variables = {"scale": str(scale), "source": source, "release": "v3.1.0", "expected": json.dumps(expected(scale))}
    return str(server.psql("\n".join(parts), database, **variables))


def generate(server: Any, database: str, scale: int = 1, before: str = "") -> str:
    return load(server, database, before + (FILES / "generate.sql").read_text(), scale=scale)


def counts(server: Any, database: str) -> dict[str, int]:
    query = " UNION ALL ".join(f"SELECT '{name}', count(*) FROM public.{name}" for name in expected())
    return {name: int(rows) for name, rows in (line.split("|") for line in server.psql(query, database).splitlines())}


def sequences(server: Any, database: str) -> dict[str, int]:
    lines = server.psql("SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'public'", database)
    return {name: int(value) for name, value in (line.split("|") for line in lines.splitlines())}


def sums(server: Any, database: str) -> dict[str, str]:
    """A checksum of the rows of each table, independent of their order."""
    query = " UNION ALL ".join(
        f"""SELECT '{name}', md5(string_agg(t::text, E'\\n' ORDER BY t::text COLLATE "C")) FROM public.{name} AS t"""
        for name in TABLES
    )
    return dict(line.split("|") for line in server.psql(f"SET TimeZone = 'UTC'; {query}", database).splitlines())


def catalogue(server: Any, database: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(server.psql(CATALOGUE, database))
    return found


def one(server: Any, database: str, query: str) -> str:
    return str(server.psql(query, database))


@pytest.fixture
def server(servers: Any) -> Any:
    return servers.primary()


@pytest.fixture(scope="module")
def generated(shared_servers: Any) -> Any:
    """A server with generated rows in the database pagila, for the tests that only read."""
    primary = shared_servers.primary("pagila")
    generate(primary, "pagila")
    return primary


def test_generated_rows_are_complete(server: Any) -> None:
    generate(server, "pagila")
    assert counts(server, "pagila") == expected()
    assert sequences(server, "pagila") == SEQUENCES
    comment = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = 'pagila'"
    assert one(server, "pagila", comment) == "pgfleet pagila: source=generated scale=1 release=v3.1.0"


#: Queries that count what must not be there.
VIOLATIONS = {
    "foreign keys are validated": "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND NOT convalidated",
    "July has no foreign keys": (
        "SELECT count(*) FROM payment_p2022_07 p LEFT JOIN rental r USING (rental_id)"
        " WHERE r.rental_id IS NULL OR r.customer_id <> p.customer_id OR r.staff_id <> p.staff_id"
    ),
    "payments are of the rental's customer": (
        "SELECT count(*) FROM payment p JOIN rental r USING (rental_id)"
        " WHERE p.customer_id <> r.customer_id"
    ),
    "payments follow their rental": (
        "SELECT count(*) FROM payment p JOIN rental r USING (rental_id)"
        " WHERE p.payment_date <= r.rental_date"
    ),
    "managers exist": "SELECT count(*) FROM store LEFT JOIN staff ON staff_id = manager_staff_id WHERE staff_id IS NULL",
    "every rental is paid": "SELECT count(*) FROM rental LEFT JOIN payment USING (rental_id) WHERE payment_id IS NULL",
    "every customer rents": "SELECT count(*) FROM customer c WHERE NOT EXISTS (SELECT FROM rental r WHERE r.customer_id = c.customer_id)",
    "nobody rents before joining": "SELECT count(*) FROM rental JOIN customer USING (customer_id) WHERE rental_date < create_date",
    "copies come back after they left": "SELECT count(*) FROM rental WHERE return_date <= rental_date",
    "a copy is out once at a time": (
        "SELECT count(*) FROM (SELECT return_date, lead(rental_date) OVER"
        " (PARTITION BY inventory_id ORDER BY rental_date) AS next FROM rental) r WHERE next < coalesce(return_date, 'infinity')"
    ),
    "amounts are plausible": "SELECT count(*) FROM payment WHERE amount NOT BETWEEN 0.99 AND 14.99",
    "balances are small": "SELECT count(*) FROM customer WHERE get_customer_balance(customer_id, '2023-01-01') NOT BETWEEN -25 AND 0",
    "a film is filed under its words": (
        "SELECT count(*) FROM film WHERE fulltext IS DISTINCT FROM"
        " to_tsvector('pg_catalog.english', title || ' ' || description)"
    ),
    "titles are unique": "SELECT count(*) - count(DISTINCT title) FROM film",
    "cities are unique": "SELECT count(*) - count(DISTINCT city) FROM city",
    "countries are unique": "SELECT count(*) - count(DISTINCT country) FROM country",
    "mail addresses are unique": "SELECT count(*) - count(DISTINCT email) FROM customer",
    "actors are unique": "SELECT count(*) - count(DISTINCT (first_name, last_name)) FROM actor",
    "every country has a city": "SELECT count(*) FROM country LEFT JOIN city USING (country_id) WHERE city_id IS NULL",
    "no word is missing": (
        "SELECT count(*) FROM (SELECT first_name FROM actor UNION ALL SELECT last_name FROM actor"
        " UNION ALL SELECT first_name FROM customer UNION ALL SELECT last_name FROM customer UNION ALL SELECT city FROM city"
        " UNION ALL SELECT address FROM address UNION ALL SELECT district FROM address UNION ALL SELECT title FROM film"
        " UNION ALL SELECT description FROM film) w (word) WHERE word = '' OR word <> trim(word) OR word LIKE '%  %'"
    ),
}  # fmt: skip


@pytest.mark.parametrize("violations", VIOLATIONS.values(), ids=VIOLATIONS)
def test_generated_rows_make_sense(generated: Any, violations: str) -> None:
    assert one(generated, "pagila", violations) == "0"


def test_same_rows_on_every_server(server: Any) -> None:
    generate(server, "first")
    generate(
        server,
        "second",
        before="SET TimeZone = 'Asia/Kathmandu'; SET DateStyle = 'German'; SET extra_float_digits = 0;\n",
    )
    first = sums(server, "first")
    assert first == sums(server, "second")
    assert {name: first[name] for name in KNOWN_SUMS} == KNOWN_SUMS
    assert set(KNOWN_SUMS) == set(TABLES) - {"film"}


@pytest.mark.parametrize("scale", [2, 7])
def test_scale_multiplies(server: Any, scale: int) -> None:
    generate(server, "pagila", scale)
    assert counts(server, "pagila") == expected(scale)
    grown = {"customer_customer_id_seq", "rental_rental_id_seq", "payment_payment_id_seq"}
    assert sequences(server, "pagila") == {
        name: value * scale if name in grown else value for name, value in SEQUENCES.items()
    }
    out_twice = (
        "SELECT count(*) FROM (SELECT return_date, lead(rental_date) OVER (PARTITION BY inventory_id ORDER BY rental_date)"
        " AS next FROM rental) r WHERE next < coalesce(return_date, 'infinity')"
    )
    assert one(server, "pagila", out_twice) == "0"
    assert one(server, "pagila", "SELECT count(DISTINCT customer_id) FROM rental") == str(599 * scale)


def test_rows_of_the_release(server: Any, pagila_data: Path) -> None:
    load(server, "pagila", pagila_data.read_text(), source="data")
    assert counts(server, "pagila") == expected()
    assert sequences(server, "pagila") == SEQUENCES
    views_answer(server)
    generate(server, "made_up")
    assert catalogue(server, "pagila") == catalogue(server, "made_up")
    assert sums(server, "pagila") != sums(server, "made_up")


def test_columns_are_those_of_the_release(generated: Any, pagila_data: Path) -> None:
    dumped = dict(re.findall(r"^COPY public\.(\w+) \((.*)\) FROM stdin;$", pagila_data.read_text(), re.MULTILINE))
    query = (
        "SELECT table_name, string_agg(column_name, ', ' ORDER BY ordinal_position) FROM information_schema.columns"
        " WHERE table_schema = 'public' GROUP BY table_name"
    )
    ours = dict(line.split("|") for line in generated.psql(query, "pagila").splitlines())
    assert {name: ours[name] for name in dumped} == dumped
    assert set(dumped) == set(TABLES) - {"payment"} | set(PARTITIONS)


def test_numbers_of_the_schema(generated: Any) -> None:
    found = catalogue(generated, "pagila")
    kinds = [constraint[2].split(" ")[0] for constraint in found["constraints"]]
    assert (kinds.count("PRIMARY"), kinds.count("FOREIGN")) == (15 + 7, 18 + 18)
    assert len(found["indexes"]) == 22 + 16 + 18
    assert len(found["triggers"]) == 15
    assert [name for name, *_rest in found["types"]] == ["bıgınt", "mpaa_rating", "year"]
    assert found["functions"] == [
        "_group_concat(text,text) text",
        "film_in_stock(integer,integer) SETOF integer",
        "film_not_in_stock(integer,integer) SETOF integer",
        "get_customer_balance(integer,timestamp with time zone) numeric",
        "group_concat(text) text",
        "inventory_held_by_customer(integer) integer",
        "inventory_in_stock(integer) boolean",
        "last_day(timestamp with time zone) date",
        "last_updated() trigger",
        "rewards_report(integer,numeric) SETOF customer",
    ]


def views_answer(server: Any) -> None:
    for view, rows in VIEWS.items():
        found = int(one(server, "pagila", f"SELECT count(*) FROM {view}"))
        assert found == rows if rows else found > 900, view
    assert one(server, "pagila", "SELECT count(*) FROM actor_info WHERE film_info ~ ': '") == "200"
    assert (
        one(server, "pagila", "SELECT sum(total_sales) = (SELECT sum(amount) FROM payment) FROM sales_by_store") == "t"
    )


def test_views_answer(generated: Any) -> None:
    views_answer(generated)
    names = one(generated, "pagila", "SELECT actors FROM nicer_but_slower_film_list ORDER BY fid LIMIT 1")
    assert re.fullmatch(r"([A-Z][a-z]+ [A-Z][a-z]+(, )?)+", names)


ANSWERS = {
    "group_concat": (
        "SELECT group_concat(name ORDER BY category_id) FROM category WHERE category_id < 4",
        "Action, Animation, Children",
    ),
    "last_day": (
        "SELECT last_day('2024-02-10 12:00+00'), last_day('2022-12-31 00:00+00')",
        "2024-02-29|2022-12-31",
    ),
    "film_in_stock and film_not_in_stock share the copies": (
        ("SELECT count(*) = (SELECT count(*) FROM inventory WHERE film_id = 1 AND store_id = 1)"
         " FROM (SELECT film_in_stock(1, 1) UNION ALL SELECT film_not_in_stock(1, 1)) s"), "t"),
    "a lent copy": (
        ("SELECT bool_and(i.inventory_id IN (SELECT film_not_in_stock(i.film_id, i.store_id)) AND NOT inventory_in_stock(i.inventory_id)"
         " AND inventory_held_by_customer(i.inventory_id) = r.customer_id)"
         " FROM rental r JOIN inventory i USING (inventory_id) WHERE return_date IS NULL"), "t"),
    "some copies are lent": (
        "SELECT count(*) > 100 FROM rental WHERE return_date IS NULL",
        "t",
    ),
    "a copy at home": (
        ("SELECT inventory_held_by_customer(inventory_id) IS NULL AND inventory_in_stock(inventory_id) FROM inventory"
         " WHERE inventory_id NOT IN (SELECT inventory_id FROM rental WHERE return_date IS NULL) LIMIT 1"), "t"),
    "no balance before the first rental": (
        "SELECT get_customer_balance(1, '2022-01-01')",
        "0",
    ),
    "a balance after the last": (
        "SELECT bool_or(get_customer_balance(customer_id, '2023-01-01') < 0) FROM customer",
        "t",
    ),
    "rewards_report finds nobody today": (
        "SELECT count(*) FROM rewards_report(1, 1.00)",
        "0",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("query", "answer"), ANSWERS.values(), ids=ANSWERS)
def test_functions_answer(generated: Any, query: str, answer: str) -> None:
    assert one(generated, "pagila", f"SET search_path = public; SET TimeZone = 'UTC'; {query}") == answer


def test_functions_work_without_search_path(generated: Any) -> None:
    query = "SELECT public.get_customer_balance(1, now()) IS NOT NULL AND count(*) >= 0 FROM public.film_in_stock(1, 1)"
    assert one(generated, "pagila", f"SET search_path = ''; {query}") == "t"


def test_rewards_report_finds_good_customers(generated: Any) -> None:
    script = """
        BEGIN;
        DO $$ BEGIN EXECUTE format('CREATE TABLE recent PARTITION OF payment FOR VALUES FROM (%L) TO (%L)',
            date_trunc('month', CURRENT_DATE - interval '3 months'), date_trunc('month', CURRENT_DATE - interval '2 months')); END $$;
        INSERT INTO payment (customer_id, staff_id, rental_id, amount, payment_date)
        SELECT customer, 1, 1, 5, date_trunc('month', CURRENT_DATE - interval '3 months') + nth * interval '1 day'
        FROM generate_series(1, 2) AS customer, generate_series(1, customer * 3) AS nth;
        SELECT string_agg(customer_id::text, ',') FROM rewards_report(4, 20.00);
        ROLLBACK;
    """
    assert one(generated, "pagila", script) == "2"
    with pytest.raises(AssertionError, match="must be above 0"):
        one(generated, "pagila", "SELECT rewards_report(0, 20.00)")


def test_triggers_keep_columns_current(generated: Any) -> None:
    script = """
        BEGIN;
        UPDATE film SET title = 'ZEPPELIN ZEBRA' WHERE film_id = 1;
        SELECT fulltext @@ 'zeppelin'::tsquery AND last_update = now() FROM film WHERE film_id = 1;
        ROLLBACK;
    """
    assert one(generated, "pagila", script) == "t"


def test_new_rows_continue_the_sequences(generated: Any) -> None:
    script = """
        BEGIN;
        INSERT INTO rental (rental_date, inventory_id, customer_id, staff_id) VALUES (now(), 1, 1, 1) RETURNING rental_id;
        INSERT INTO payment (customer_id, staff_id, rental_id, amount, payment_date) VALUES (1, 1, 1, 1, '2022-07-31') RETURNING payment_id;
        ROLLBACK;
    """
    # A rollback does not turn a sequence back, so only "beyond the load" holds however often this runs.
    rental, payment = map(int, one(generated, "pagila", script).split())
    assert rental > 16049 and payment > 32098


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("DELETE FROM public.payment_p2022_03 WHERE payment_id = (SELECT min(payment_id) FROM public.payment_p2022_03);",
         "payment would hold 16048 rows, but a complete load has 16049"),
        ("UPDATE public.payment_p2022_03 SET rental_id = 99999;", "payment_p2022_03_rental_id_fkey"),
    ],
    ids=["row missing", "reference broken"],
)  # fmt: skip
def test_damaged_rows_leave_nothing(server: Any, damage: str, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        load(server, "pagila", (FILES / "generate.sql").read_text() + damage)
    assert one(server, "pagila", "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace") == "0"
    assert one(server, "pagila", "SELECT count(*) FROM pg_shdescription WHERE description ~ 'pgfleet'") == "0"


def test_no_command_leaves_the_transaction() -> None:
    leaving = re.compile(r"^\s*(BEGIN|COMMIT|ROLLBACK|START TRANSACTION)\s*;", re.MULTILINE | re.IGNORECASE)
    assert [path.name for path in FILES.glob("*.sql") if leaving.search(path.read_text())] == []
