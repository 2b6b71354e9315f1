"""The operator's keys for requests reach the engine, and wrong ones are named."""

from pathlib import Path

import pytest

from engines.http import AddressPolicy, HttpConfig
from worker.compose import http_config
from worker.settings import SettingsError, load_settings


def test_by_default_nothing_private_may_be_reached() -> None:
    config = http_config(load_settings())
    assert config == HttpConfig()
    assert config.addresses.refusal("h", "127.0.0.1") == "loopback"


def test_the_operator_s_keys_reach_the_engine(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text("")
    settings = load_settings(
        http={
            "private_addresses": "allow",
            "allowed_hosts": ["10.0.0.0/8", "*.example.org", "::1"],
            "proxy": "http://proxy:3128",
            "ca_bundle": bundle,
            "allow_unverified_tls": False,
            "max_body": "64KB",
            "max_timeout": "5m",
        }
    )
    assert http_config(settings) == HttpConfig(
        addresses=AddressPolicy("allow", ("10.0.0.0/8", "*.example.org", "::1")),
        proxy="http://proxy:3128",
        ca_bundle=bundle,
        allow_unverified_tls=False,
        max_body=65_536,
        max_timeout=300.0,
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("allowed_hosts", ["10.0.0.1/8"]),
        ("allowed_hosts", ["a b"]),
        ("proxy", "socks5://secret-proxy"),
        ("ca_bundle", "/no/such/file"),
        ("max_body", "1MB"),
        ("private_addresses", "maybe"),
    ],
)
def test_a_wrong_key_is_named_without_its_value(key: str, value: object) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(http={key: value})
    assert f"http.{key}" in str(caught.value)
    assert "secret-proxy" not in str(caught.value)
