"""Settings: where values come from, and what is said of wrong ones."""

import logging
from pathlib import Path

import pytest

from contracts.errors import CroniumError
from worker.settings import (
    Settings,
    SettingsError,
    child_environment,
    load_settings,
    settings_reference,
)
from worker.settings_sources import keys_of
from worker.units import format_duration, format_size, parse_duration, parse_size


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in child_environment():
        if name.startswith("CRONIUM_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("512MB", 512 << 20),
        ("1GiB", 1 << 30),
        ("1.5g", 3 << 29),
        ("64 kb", 64 << 10),
        ("1000", 1000),
        (1000, 1000),
        ("0", 0),
    ],
)
def test_a_size_is_read_in_powers_of_1024(text: object, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MB", "12 parsecs", "-1", -1, True, None, 1.5])
def test_what_is_not_a_size_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="expected a size such as 512MB"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("5m", 300),
        ("1h30m", 5400),
        ("1h 30m 5s", 5405),
        ("250ms", 0.25),
        ("2d", 172_800),
        ("1.5", 1.5),
        (10, 10),
    ],
)
def test_a_duration_is_read_as_seconds(text: object, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "soon", "5x", "1h30", "-5s", -5, True, None, float("nan"), "inf"]
)
def test_what_is_not_a_duration_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="expected a duration such as 30s"):
        parse_duration(text)


def test_sizes_and_durations_are_written_as_people_write_them() -> None:
    assert [format_size(n) for n in (2 << 30, 512 << 20, 1000, 0)] == [
        "2GB",
        "512MB",
        "1000",
        "0",
    ]
    assert [format_duration(n) for n in (86_400, 300, 0.5, 0)] == [
        "24h",
        "5m",
        "0.5s",
        "0s",
    ]


def test_every_key_has_a_default() -> None:
    settings = load_settings()
    assert settings.docker.max_memory == 2 << 30
    assert settings.docker.pull_timeout == 300.0
    assert settings.worker.health_port == 9464
    assert settings.gateway.url == "http://127.0.0.1:8780"
    assert settings.temporal.task_queue == "cronium"


def test_paths_follow_the_state_directory(tmp_path: Path) -> None:
    settings = load_settings(state_dir=tmp_path)
    assert settings.gateway.secret_file == tmp_path / "gateway.secret"
    assert settings.gateway.database_url == f"sqlite+aiosqlite:///{tmp_path}/gateway.db"


def test_two_state_directories_have_two_run_directories(tmp_path: Path) -> None:
    one = load_settings(state_dir=tmp_path / "a").docker.run_dir
    two = load_settings(state_dir=tmp_path / "b").docker.run_dir
    assert one != two


def test_a_relative_state_directory_is_made_absolute(tmp_path: Path) -> None:
    assert load_settings(state_dir="state").state_dir == tmp_path / "state"


def test_the_environment_wins_over_the_file_and_arguments_over_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(
        tmp_path / "c.yaml", "docker: {slots: 3, max_memory: 1GB}\nlog_level: debug\n"
    )
    monkeypatch.setenv("CRONIUM_DOCKER_MAX_MEMORY", "256MB")
    monkeypatch.setenv("CRONIUM_LOG_LEVEL", "warning")
    settings = load_settings(file, log_level="error")
    assert settings.docker.slots == 3
    assert settings.docker.max_memory == 256 << 20
    assert settings.log_level == "error"


def test_the_file_is_found_by_variable_and_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "cronium.yaml", "instance: here")
    assert load_settings().instance == "here"
    named = write(tmp_path / "other.yaml", "instance: named")
    monkeypatch.setenv("CRONIUM_CONFIG", str(named))
    assert load_settings().instance == "named"


def test_lists_are_given_with_commas_or_as_json(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CRONIUM_SECRETS_ENV_ALLOW", "APP_*, TOKEN")
    monkeypatch.setenv("CRONIUM_GATEWAY_CORS_ORIGINS", '["https://a.example"]')
    settings = load_settings()
    assert settings.secrets.env_allow == ["APP_*", "TOKEN"]
    assert settings.gateway.cors_origins == ["https://a.example"]


def test_an_empty_variable_is_as_if_it_was_not_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CRONIUM_DOCKER_SLOTS", "")
    assert load_settings().docker.slots == 10


def test_a_bad_variable_is_named_without_its_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CRONIUM_DOCKER_MAX_MEMORY", "hunter2")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(caught.value).startswith("CRONIUM_DOCKER_MAX_MEMORY: expected a size")
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert isinstance(caught.value, CroniumError)


def test_every_bad_key_of_a_file_is_named_with_its_place(tmp_path: Path) -> None:
    file = write(
        tmp_path / "c.yaml",
        "docker: {slots: many, max_memry: 1GB}\ngatway: {}\nworker: {drain_timeout: x}",
    )
    with pytest.raises(SettingsError) as caught:
        load_settings(file)
    message = str(caught.value)
    assert f"{file}: docker.slots: " in message
    assert "docker.max_memry: unknown field (did you mean max_memory?)" in message
    assert "gatway: unknown field (did you mean gateway?)" in message
    assert "worker.drain_timeout: expected a duration" in message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("docker: [", ":1:10: "),
        ("- a\n- b", "expected keys"),
        ("1: 2", "expected keys"),
    ],
)
def test_a_file_that_is_no_settings_file_is_said_so(
    text: str, words: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(write(tmp_path / "c.yaml", text))
    assert words in str(caught.value)
    assert "c.yaml" in str(caught.value)


def test_the_directory_of_a_project_is_a_place_to_work_in(tmp_path: Path) -> None:
    file = write(tmp_path / "cronium.yaml", "project: example-backups\n")
    assert load_settings().role == "all"
    file.write_text("project: example-backups\nrole: gateway\n")
    assert load_settings().role == "gateway"


def test_a_missing_file_and_a_binary_file_are_said_so(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        load_settings(tmp_path / "nope.yaml")
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="not UTF-8"):
        load_settings(tmp_path / "b.yaml")


def test_an_empty_file_and_an_empty_group_change_nothing(tmp_path: Path) -> None:
    assert load_settings(write(tmp_path / "a.yaml", "")).docker.slots == 10
    assert load_settings(write(tmp_path / "b.yaml", "docker:\n")).docker.slots == 10


def test_an_unknown_variable_is_warned_of_with_the_nearest(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("CRONIUM_DOCKR_SLOTS", "3")
    monkeypatch.setenv("CRONIUM_DOCKER_SLOT", "3")
    with caplog.at_level(logging.WARNING):
        settings = load_settings()
    assert settings.docker.slots == 10
    assert [record.getMessage() for record in caplog.records] == [
        f"{name} is not a setting and was ignored: did you mean CRONIUM_DOCKER_SLOTS?"
        for name in ("CRONIUM_DOCKER_SLOT", "CRONIUM_DOCKR_SLOTS")
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CRONIUM_ROLE", "boss"),
        ("CRONIUM_DOCKER_BLOCKED_NETWORKS", "not-a-network"),
        ("CRONIUM_DOCKER_BLOCKED_NETWORKS", '["10.0.0.0/8"'),
        ("CRONIUM_DOCKER_EGRESS_POOL", "somewhere"),
        ("CRONIUM_DOCKER_EGRESS_POOL", "10.213.0.1/16"),
        ("CRONIUM_DOCKER_EGRESS_POOL", "10.213.0.0/27"),
        ("CRONIUM_DOCKER_EGRESS_POOL", "8.8.0.0/16"),
        ("CRONIUM_DOCKER_EGRESS_POOL", "127.0.0.0/16"),
        ("CRONIUM_DOCKER_EGRESS_POOL", "fd00::/64"),
        ("CRONIUM_DOCKER_EGRESS_POOL", "[]"),
        ("CRONIUM_DOCKER_SLOTS", "0"),
        ("CRONIUM_GATEWAY_PORT", "70000"),
        ("CRONIUM_INSTANCE", "a b"),
    ],
)
def test_values_out_of_range_are_refused(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"^{name}: "):
        load_settings()


def test_the_pool_of_the_egress_network_is_a_list_of_private_ranges(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CRONIUM_DOCKER_EGRESS_POOL", "10.9.0.0/16,100.64.4.0/26")
    assert load_settings().docker.egress_pool == ["10.9.0.0/16", "100.64.4.0/26"]
    monkeypatch.setenv("CRONIUM_DOCKER_EGRESS_POOL", "203.0.113.9")
    with pytest.raises(SettingsError, match=r"private IPv4 ranges of /8 to /26") as no:
        load_settings()
    assert "203.0.113.9" not in str(no.value)


def test_the_host_id_is_made_once_and_kept(tmp_path: Path) -> None:
    settings = load_settings(state_dir=tmp_path / "state")
    first = settings.resolve_host_id()
    assert first == load_settings(state_dir=tmp_path / "state").resolve_host_id()
    assert first != load_settings(state_dir=tmp_path / "other").resolve_host_id()
    assert load_settings(host_id="rack-7").resolve_host_id() == "rack-7"
    assert [file.name for file in (tmp_path / "state").iterdir()] == ["host-id"]


def test_the_reference_has_every_key_with_its_meaning() -> None:
    table = settings_reference()
    for key in keys_of(Settings):
        assert f"| `{key.dotted}` | `{key.variable}` |" in table
        assert key.field.description, key.dotted
    assert "| `docker.max_memory` | `CRONIUM_DOCKER_MAX_MEMORY` | `2GB` |" in table
    assert "| `docker.pull_timeout` | `CRONIUM_DOCKER_PULL_TIMEOUT` | `5m` |" in table
