# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fleet file: what is refused, and with which words. What its settings become is tested with
the hosts.
"""

from __future__ import annotations

import contextlib
import datetime
import re
import typing as t

import pytest
import yaml
from hypothesis import given, strategies as st

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.fleet_file import (
    FleetFile,
    parse_fleet_file,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.placeholders import (
    filled_in,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.vault import Decrypted

LOOP: list[t.Any] = []
LOOP.append(LOOP)
KEYS = st.sampled_from(
    ["defaults", "clouds", "role", "config", "tags", "variables", "skip", "ring", "x", 1, None]
)
TREE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner),
)


class TestRefused:
    @pytest.mark.parametrize(
        ("document", "message"),
        [
            pytest.param("text", "the document is 'text', which is not a mapping", id="a text"),
            pytest.param([{}], "the document is a list, which is not a mapping", id="a list"),
            pytest.param(
                {"default": {}},
                "an unknown key 'default' at the top.*defaults, clouds",
                id="unknown section",
            ),
            pytest.param(
                {1: {}},
                "the document has the key 1, which is not a string.*quotes",
                id="section that is a number",
            ),
            pytest.param({"clouds": ["speech"]}, "clouds is a list", id="list of clouds"),
            pytest.param(
                {"clouds": {123: {}}},
                "clouds has the key 123.*quotes",
                id="name of a cloud that is a number",
            ),
            pytest.param(
                {"clouds": {None: {}}}, "clouds has the key empty", id="no name of a cloud"
            ),
            pytest.param(
                {"clouds": {"speech": "ray"}},
                "clouds.speech is 'ray', which is not a mapping",
                id="settings that are a text",
            ),
            pytest.param(
                {"clouds": {"speech": {"rol": "x"}}},
                "an unknown key 'rol' in clouds.speech.*role, compute_config",
                id="unknown key",
            ),
            pytest.param(
                {"defaults": {"bucket": "x"}},
                "an unknown key 'bucket' in defaults",
                id="key of the role but not of the file",
            ),
            pytest.param(
                {"defaults": {"role": 5}},
                "defaults.role is 5, which is not a string",
                id="number for a text",
            ),
            pytest.param({"defaults": {"role": " "}}, "defaults.role is ' '", id="blank"),
            pytest.param(
                {"defaults": {"role": {"a": 1}}},
                "defaults.role is a mapping",
                id="mapping for a text",
            ),
            pytest.param(
                {"defaults": {"role": datetime.date(2026, 1, 1)}},
                "defaults.role is of the type date",
                id="date for a text",
            ),
            pytest.param(
                {"defaults": {"role": "x" * 99 + "{no}"}},
                r"has \{no\}.*\{account_id\}, \{cloud_id\}",
                id="unknown placeholder",
            ),
            pytest.param(
                {"defaults": {"role": "{account}"}},
                r"has \{account\}, which is not a placeholder",
                id="misspelled placeholder",
            ),
            pytest.param(
                {"defaults": {"role": "{{ x }}"}},
                "defaults.role has a template.*group_vars",
                id="template",
            ),
            pytest.param(
                {"defaults": {"compute_config_spec": {"a": ["{% x %}"]}}},
                r"defaults.compute_config_spec.a\[0\] has a template",
                id="template deep down",
            ),
            pytest.param(
                {"defaults": {"compute_config_spec": "x"}},
                "defaults.compute_config_spec is 'x', which is not a mapping",
                id="text for a mapping",
            ),
            pytest.param(
                {"defaults": {"compute_config_spec": {"a": {5: 1}}}},
                "defaults.compute_config_spec.a has the key 5",
                id="number as a key",
            ),
            pytest.param(
                {"defaults": {"compute_config_spec": {"a": {1}}}},
                "defaults.compute_config_spec.a is of the type set, which is neither",
                id="a set",
            ),
            pytest.param(
                {"defaults": {"compute_config_spec": {"a": LOOP}}},
                "nested too deeply.*alias",
                id="an alias to itself",
            ),
            pytest.param(
                {"defaults": {"ring": True}}, "defaults.ring is True", id="ring that is a boolean"
            ),
            pytest.param(
                {"defaults": {"tags": {"a": None}}}, "defaults.tags.a is empty", id="empty tag"
            ),
            pytest.param(
                {"defaults": {"tags": {"a": ["b"]}}},
                "defaults.tags.a is a list",
                id="list as a tag",
            ),
            pytest.param(
                {"defaults": {"skip": "yes"}},
                "defaults.skip is 'yes', which is neither true nor false",
                id="text for a flag",
            ),
            pytest.param({"defaults": {"skip": 1}}, "defaults.skip is 1", id="number for a flag"),
            pytest.param(
                {"defaults": {"variables": {"cloud_iam_role": "x"}}},
                "'cloud_iam_role'.*key role next to",
                id="key as a variable",
            ),
            pytest.param(
                {"defaults": {"variables": {"cloud_iam_cloud_id": "x"}}},
                "comes from the API",
                id="the cloud's id",
            ),
            pytest.param(
                {"defaults": {"variables": {"ansible_host": "x"}}},
                "'ansible_host'.*group_vars",
                id="any other variable",
            ),
            pytest.param(
                {"defaults": {"variables": {"cloud_iam_bukcet": "x"}}},
                "defaults.variables has cloud_iam_bukcet.*Did you mean cloud_iam_bucket",
                id="misspelt variable",
            ),
            pytest.param(
                {"defaults": {"assume_role_arn": "arn:aws:iam::{account_id}:role/{cloud}"}},
                r"assume_role_arn has \{cloud\}.*Use \{cloud_id\}",
                id="which role is assumed is up to whoever names the cloud",
            ),
            pytest.param(
                {"allow": {"acounts": []}},
                "unknown key 'acounts' in allow",
                id="unknown key of allow",
            ),
            pytest.param(
                {"allow": {"accounts": [123456789012]}},
                "allow.accounts is 123456789012, which is not a string.*in quotes",
                id="account that is a number",
            ),
            pytest.param(
                {"allow": {"accounts": {"12345": {}}}}, "not an AWS account id", id="no account"
            ),
            pytest.param(
                {"allow": {"roles": "ray-*"}}, "allow.roles is 'ray-.*not a list", id="no list"
            ),
            pytest.param(
                {"allow": {"roles": ["arn:aws:iam::123456789012:role/ray"]}},
                "allow.roles has 'arn:.*not ARNs",
                id="ARN for a pattern of roles",
            ),
            pytest.param(
                {"allow": {"accounts": {"123456789012": {"buckets": ["s3://data"]}}}},
                "allow.accounts.123456789012.buckets has 's3://data'.*not ARNs or URIs",
                id="URI for a pattern of buckets",
            ),
            pytest.param(
                {"allow": {"buckets": ["{acount}-data"]}},
                r"\{acount\}, which is not a placeholder",
                id="unknown placeholder in a pattern",
            ),
            pytest.param(
                {"allow": {"unlisted": True}}, "Set it to skip or include", id="unlisted is a flag"
            ),
        ],
    )
    def test_with_the_key_and_a_remedy(self, document: t.Any, message: str) -> None:
        with pytest.raises(InputError) as error:
            parse_fleet_file(document)
        text = error.value.failure()["msg"]
        assert re.search(message, text)
        assert error.value.remedy.endswith(".")

    def test_a_long_value_is_not_shown_whole(self) -> None:
        with pytest.raises(InputError) as error:
            parse_fleet_file({"defaults": {"compute_config_spec": "x" * 500}})
        assert len(error.value.message) < 140

    @pytest.mark.parametrize(
        ("document", "message"),
        [
            pytest.param(
                {"defaults": {"skip": Decrypted("hunter2")}},
                "defaults.skip is an encrypted value",
                id="of another type",
            ),
            pytest.param(
                {"defaults": {"role": Decrypted("ray-{hunter2}")}},
                "defaults.role has encrypted text in braces, which is not a placeholder",
                id="with a part in braces",
            ),
            pytest.param(
                {"defaults": {"role": Decrypted("{cloud_id}-{hunter2}")}},
                "defaults.role has encrypted text in braces, which is not a placeholder",
                id="with a part in braces, and a placeholder",
            ),
            pytest.param(
                {"clouds": {"speech": {"variables": {"x": Decrypted("{{hunter2}}")}}}},
                "clouds.speech.variables",
                id="with a template",
            ),
            pytest.param(
                {"allow": {"roles": [Decrypted("hunter2:x")]}}, "allow.roles", id="a pattern"
            ),
            pytest.param(
                {"allow": {"accounts": [Decrypted("hunter2")]}}, "allow.accounts", id="an account"
            ),
        ],
    )
    def test_an_encrypted_value_is_not_shown(self, document: t.Any, message: str) -> None:
        with pytest.raises(InputError, match=message) as error:
            parse_fleet_file(document)
        assert "hunter2" not in error.value.failure()["msg"]

    @given(TREE)
    def test_nothing_else_is_raised_whatever_is_in_it(self, document: t.Any) -> None:
        with contextlib.suppress(InputError):
            parse_fleet_file(document)


class TestAccepted:
    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("", id="empty"),
            pytest.param("defaults:\nclouds:\n", id="empty sections"),
            pytest.param("clouds:\n  speech:\n", id="cloud without settings"),
            pytest.param("defaults: {role: null}\n", id="nothing to take away"),
        ],
    )
    def test_nothing_is_something(self, text: str) -> None:
        assert parse_fleet_file(yaml.safe_load(text)).settings(["speech"]) == {}

    def test_a_ring_may_be_a_number(self) -> None:
        assert parse_fleet_file({"defaults": {"ring": 0}}).settings([]) == {"ring": "0"}

    def test_tags_may_be_numbers_and_flags(self) -> None:
        tags = {"cost": 17, "share": 0.5, "gpu": True, "team": "speech"}
        assert parse_fleet_file({"defaults": {"tags": tags}}).settings([]) == {"tags": tags}

    def test_braces_of_json_in_a_config_are_left_alone(self) -> None:
        config = {"note": '{"a": {cloud}, "b": {x}}', "empty": None, "zones": [1, 2.5]}
        settings = parse_fleet_file({"defaults": {"compute_config_spec": config}}).settings([])
        assert filled_in(settings["compute_config_spec"], {"cloud": "speech"}) == {
            **config,
            "note": '{"a": speech, "b": {x}}',
        }

    def test_a_mapping_that_was_taken_away_can_be_given_anew(self) -> None:
        file = FleetFile(
            {"tags": {"a": 1}}, {"speech": {"tags": None}, "cld_1": {"tags": {"b": 2}}}
        )
        assert file.settings(["speech"]) == {}
        assert file.settings(["speech", "cld_1"]) == {"tags": {"b": 2}}
