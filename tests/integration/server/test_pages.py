import pytest
from sqlalchemy import event

from tests.integration.server.jobs import EMPTY_CONTRACT, Job, put_contract


@pytest.fixture
def statements(services):
    """Return the list that every SQL statement goes into, with its parameters."""
    seen = []

    @event.listens_for(services.database.engine, "before_cursor_execute")
    def note(_connection, _cursor, statement, parameters, *_):
        seen.append((statement, parameters))

    return seen


def read_all(reader, path, separator="?"):
    names, cursor = [], None
    for _ in range(100):
        answer = reader.get(f"{path}{separator}limit=2" + (f"&cursor={cursor}" if cursor else "")).json
        names += [item["name"] for item in answer["items"]]
        cursor = answer.get("nextCursor")
        if cursor is None:
            return names
    raise AssertionError("the list does not end")


def make_workflows(api, acme, clock, count):
    for number in range(count):
        clock.advance(seconds=number % 2)  # some share their time of creation
        api(acme.token("operate")).post("/workflows", json={"name": f"w{number}", "project": "pages"})


def test_pages_together_are_the_whole_list_each_item_once(api, acme, clock):
    make_workflows(api, acme, clock, 7)

    names = read_all(api(acme.token("read")), "/workflows?project=pages", "&")

    assert sorted(names) == [f"w{number}" for number in range(7)]


def test_what_is_added_while_reading_neither_repeats_nor_hides_items(api, acme, clock):
    make_workflows(api, acme, clock, 4)
    reader = api(acme.token("read"))

    first = reader.get("/workflows?project=pages&limit=2").json
    clock.advance(seconds=1)
    api(acme.token("operate")).post("/workflows", json={"name": "late", "project": "pages"})
    second = reader.get(f"/workflows?project=pages&limit=2&cursor={first['nextCursor']}").json

    names = [item["name"] for item in (*first["items"], *second["items"])]
    assert sorted(names) == ["w0", "w1", "w2", "w3"]


def test_a_cursor_is_refused_with_other_filters_and_in_other_organizations(api, acme, rival, clock):
    make_workflows(api, acme, clock, 3)
    cursor = api(acme.token("read")).get("/workflows?project=pages&limit=1").json["nextCursor"]

    for secret, path in (
        (acme.token("read"), f"/workflows?cursor={cursor}"),
        (acme.token("read"), f"/workflows?project=app&cursor={cursor}"),
        (acme.token("read"), f"/projects?cursor={cursor}"),
        (acme.token("read", "project"), f"/workflows?project=pages&cursor={cursor}"),
        (rival.token("read"), f"/workflows?project=pages&cursor={cursor}"),
    ):
        answer = api(secret).get(path)
        assert answer.status_code == 422, path
        assert answer.json["findings"][0]["path"] == "?cursor"


def test_no_list_skips_rows_by_offset(api, acme, clock, statements):
    make_workflows(api, acme, clock, 3)

    for path in ("/workflows?project=pages", "/projects?", "/contracts?"):
        read_all(api(acme.token("admin")), path, "&")

    # SQLAlchemy writes `OFFSET 0` for SQLite wherever there is a limit.
    offsets = [parameters[-1] for text, parameters in statements if text.endswith("LIMIT ? OFFSET ?")]
    limits = [text for text, _ in statements if " LIMIT " in text]
    assert len(limits) > 6
    assert set(offsets) <= {0}
    assert len(offsets) == len([text for text in limits if "OFFSET" in text])


@pytest.mark.parametrize("path", ["/projects", "/contracts", "/organizations"])
def test_lists_by_name_go_up(api, acme, clock, path):
    make_workflows(api, acme, clock, 3)

    names = read_all(api(acme.token("admin")), path)

    assert names == sorted(names)


def test_a_page_of_runs_asks_the_database_as_often_for_many_contracts_as_for_one(api, acme, key, statements):
    def begin(workflow, name):
        contract = EMPTY_CONTRACT.replace(b"app-build", name.encode())
        put_contract(api, acme, contract, name)
        job = Job(api(acme.token("attest")), acme, key, contract=contract, workflow=workflow)
        assert job.begin().status_code == 201

    def ask():
        statements.clear()
        listed = api(acme.token("read")).get("/workflow-runs").json["items"]
        return len(listed), len(statements)

    begin("app/build", "app-build")
    ask()  # the first request of a token writes down that it was used
    one = ask()
    begin("app/deploy", "app-deploy")
    begin("other/build", "other-build")

    assert (one[0], ask()) == (1, (3, one[1]))
