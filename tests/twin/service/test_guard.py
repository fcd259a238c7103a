import pytest

from geometry import InputError
from tests.twin.service.clients import TestClient
from tests.twin.service.conftest import bearer, settings_for
from twin.service.app import create_app
from twin.service.keys import Keys
from twin.service.server import require_key


def test_each_scope_opens_its_own(guarded):
    client, keys = guarded
    assert client.get("/v1/twins", headers=bearer(keys["query"])).status_code == 200
    assert client.get("/v1/audit", headers=bearer(keys["admin"])).status_code == 200
    for scope, method, path in (
        ("query", "POST", "/v1/twins/site/detections"),
        ("ingest", "GET", "/v1/twins"),
        ("query", "GET", "/v1/audit"),
        ("ingest", "POST", "/v1/twins/site/rollback"),
    ):
        got = client.request(method, path, headers=bearer(keys[scope]))
        assert got.status_code == 403, (scope, path)


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer x", "Basic YTpi", "Bearer tp_0123456789ab_" + "A" * 43])
def test_without_a_right_key_nothing_is_told(guarded, header):
    client, _ = guarded
    got = client.get("/v1/twins", headers={} if header is None else {"authorization": header})
    assert got.status_code == 401
    assert got.headers["www-authenticate"].startswith("Bearer")


def test_a_key_is_asked_for_before_a_body_is_read(guarded):
    client, _ = guarded

    def body():
        raise AssertionError("the body was read")
        yield b""

    got = client.post("/v1/twins/site/detections", content=body(), headers={"content-type": "application/json"})
    assert got.status_code == 401


def test_health_needs_no_key(guarded):
    client, _ = guarded
    assert client.get("/v1/health").status_code == 200


def test_a_revoked_key_is_none(guarded):
    client, keys = guarded
    service = client.app.state.service
    service.keys.revoke(keys["query"].split("_")[1])
    assert client.get("/v1/twins", headers=bearer(keys["query"])).status_code == 401
    with pytest.raises(InputError):
        service.keys.revoke(keys["query"].split("_")[1])


def test_the_last_key_revoked_opens_nothing(guarded):
    client, keys = guarded
    for key in keys.values():
        client.app.state.service.keys.revoke(key.split("_")[1])
    assert client.get("/v1/twins").status_code == 401


def test_too_many_requests_of_a_key(guarded):
    client, keys = guarded
    got = [client.get("/v1/twins", headers=bearer(keys["query"])) for _ in range(6)]
    assert [each.status_code for each in got] == [200] * 5 + [429]
    assert 1 <= int(got[-1].headers["retry-after"]) <= 60


def test_too_many_wrong_keys_of_an_address(guarded):
    client, keys = guarded
    got = [client.get("/v1/twins", headers=bearer("wrong")).status_code for _ in range(6)]
    assert got == [401] * 4 + [429] * 2
    assert client.get("/v1/twins", headers=bearer(keys["query"])).status_code == 429


def test_the_refused_are_written_down(guarded):
    client, keys = guarded
    client.get("/v1/audit", headers=bearer(keys["query"]))
    rows = client.get("/v1/audit", headers=bearer(keys["admin"])).json()["rows"]
    assert rows[0]["outcome"].startswith("403")
    assert rows[0]["key"] == keys["query"].split("_")[1]


def test_keys_are_kept_as_hashes_alone(guarded):
    client, keys = guarded
    service = client.app.state.service
    content = (service.settings.data / "tiepoint.db").read_bytes()
    wal = service.settings.data / "tiepoint.db-wal"
    content += wal.read_bytes() if wal.exists() else b""
    for key in keys.values():
        assert key.encode() not in content
        assert key.split("_", 2)[2].encode() not in content


def test_another_service_of_the_database_knows_the_keys(database):
    key = Keys(database).make("one", ["query", "ingest"])
    principal = Keys(database).principal(key)
    assert principal is not None
    assert principal.scopes == {"query", "ingest"}
    assert Keys(database).principal(key[:-1] + ("A" if key[-1] != "A" else "B")) is None


@pytest.mark.parametrize(("name", "scopes"), [("", ["query"]), ("a", []), ("a", ["root"]), ("a\n", ["query"])])
def test_keys_without_sense_are_refused(database, name, scopes):
    with pytest.raises(InputError):
        Keys(database).make(name, scopes)


def test_beyond_this_machine_only_with_a_key(tmp_path, site):
    settings = settings_for(tmp_path, site, host="0.0.0.0")
    app = create_app(settings)
    with pytest.raises(InputError, match="key"):
        require_key(settings, app.state.service)
    app.state.service.keys.make("first", ["query"])
    require_key(settings, app.state.service)
    app.state.service.stop()


@pytest.fixture
def open_client(tmp_path, site):
    app = create_app(settings_for(tmp_path, site))
    yield TestClient(app, base_url="http://127.0.0.1")
    app.state.service.stop()


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "evil.example:8080", "", "a/b"])
def test_without_a_key_only_this_machines_names_are_answered(open_client, host):
    assert open_client.get("/v1/twins", headers={"host": host}).status_code == 403


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8080", "[::1]:8080", "LOCALHOST"])
def test_this_machines_names(open_client, host):
    assert open_client.get("/v1/twins", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    ("origin", "status"), [("https://evil.example", 403), ("null", 403), ("http://127.0.0.1", 409), (None, 409)]
)
def test_other_sites_pages_may_change_nothing(open_client, origin, status):
    headers = {} if origin is None else {"origin": origin}
    assert open_client.post("/v1/twins/site/rollback", headers=headers).status_code == status
