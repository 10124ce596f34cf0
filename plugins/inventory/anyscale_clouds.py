# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The inventory plugin: documentation and wiring."""

from __future__ import annotations

DOCUMENTATION = r"""
name: anyscale_clouds
short_description: The clouds of an Anyscale organization as hosts
version_added: 0.2.0
author:
  - Rayfleet contributors (@rayfleet)
description:
  - Reads all clouds from the Anyscale API, and creates one host for each cloud resource that runs
    on virtual machines in AWS, with the variables of the role
    P(rayfleet.anyscale.cloud_iam#role).
  - What the API says describes a cloud, and permits nothing, because every member of the
    organization can register any role and any bucket. What may be written to is up to the operator,
    who says so in the section C(allow) of a fleet file (O(fleet_file)). Without it, clouds can be
    audited, and nothing is written.
  - Settings that the API does not have, such as the name of the compute config or a role to assume
    in the cloud's account, come from the fleet file as well.
  - The name of a configuration file must end in V(anyscale_clouds.yml) or V(anyscale_clouds.yaml).
  - "B(Authority): a cloud is covered if C(allow) permits its account, its role and its bucket, and
    if no other cloud claims the same role or bucket. The host of a cloud that is not covered has
    facts and no variables for the role, so that nothing is written for it; C(anyscale_authority)
    has the reason and the lines that would permit it, ready to paste. A role, bucket or account in
    the fleet file is the operator's word, and is not judged, and so are variables in host_vars,
    group_vars or C(-e): playbooks of this collection converge a cloud if everything that is not
    covered is set there."
  - "B(Host names): the name of the cloud for its primary (or only) resource,
    V(<cloud>.<resource>) for its other resources. Characters other than ASCII letters, digits,
    dots, dashes and underscores are replaced by an underscore, and a host name never begins with a
    dash or a dot. The ID of the cloud is appended if the name is taken: by a cloud that was
    registered before, or is listed by its ID in the fleet file, be it as the name of the cloud or
    as one that a resource of it may have (V(<cloud>.) and anything); by a host or group of another
    inventory source; by Ansible (such as V(all)) or by the groups of this plugin; or because it
    looks like an ID. So a cloud keeps its name whatever is registered later, and whatever can be
    read of other clouds. A host of another source that has the cloud's ID as C(cloud_iam_cloud_id)
    is that cloud."
  - "B(Missing clouds): a cloud that the fleet file lists and that the API does not return, or whose
    resources cannot be read, or that has none, has a host all the same, so that it is not passed
    over: audits and onboardings fail for it, with the reason in C(anyscale_not_read). Where the API
    does not return it, the host has the name that the fleet file lists, with C(-missing) appended
    where that name is taken. With C(skip), it has none. A name that several clouds have lists none of
    them, since anybody can register one: list them by their IDs."
  - "B(Groups): hosts are in C(anyscale_clouds), and those of clouds that are neither covered nor
    named in the fleet file in C(anyscale_uncovered) instead, which only audits look at. All are in
    C(account_<account id>), C(region_<region>), C(bucket_<bucket>) and C(ring_<ring>) if these are
    known. In group names, characters other than letters, digits and underscores are replaced by an
    underscore, for example C(region_us_west_2). A group that has hosts of another inventory source
    gets none."
  - "B(Variables for the role): C(cloud_iam_cloud_id), C(cloud_iam_account_id) (from the ARN of the
    clusters' role, else of the control-plane role), C(cloud_iam_region) (of the bucket),
    C(cloud_iam_bucket), C(cloud_iam_role) (from the fleet file, else the ARN of the registered
    role, else the name of the role that Anyscale creates), and those of the fleet file. Hosts of
    other than primary resources have C(cloud_iam_manage_compute_config=false), because a compute
    config belongs to the cloud and is converged by the host of the primary resource. They have
    C(cloud_iam_mapping_resource), because each resource has a Cloud IAM mapping of its own, which
    its host converges with C(cloud_iam_assign=iam_mapping)."
  - "B(Facts): C(anyscale_cloud_id), C(anyscale_cloud_name), C(anyscale_resource_id),
    C(anyscale_resource_name), C(anyscale_is_default_resource), C(anyscale_account_id),
    C(anyscale_region), C(anyscale_bucket), C(anyscale_bucket_region), C(anyscale_default_role_arn),
    C(anyscale_instance_profile_arn), C(anyscale_control_plane_role_arn), C(anyscale_compute_stack),
    C(anyscale_provider), C(anyscale_applicable), from the fleet file C(anyscale_ring) and
    C(anyscale_tags), and C(anyscale_authority) (C(covered) and C(listed); if covered is V(true)
    C(listed_by_id), else C(reason), C(lines), C(contested), C(uncovered) and C(inputs)). An unknown
    fact is V(null). Of a cloud that could not be read, only C(anyscale_not_read), its ID or name,
    its ring and its tags are known."
  - "B(Connection): no variable of the connection is set. The playbooks of this collection run on
    the controller; plays of your own need C(connection: local)."
  - "B(Other inventory sources) must be read before this one: put its C(-i) last, or give its file
    the last name in an inventory directory. Of hosts and groups that are added later, the plugin
    cannot know that they have the name of a cloud. The playbooks of this collection refuse a cloud
    with the name of a group of other hosts, and one to which another source has added connection
    variables (C(ansible_host), C(ansible_connection), and so on). Those that O(compose) sets are
    listed in C(anyscale_connection_variables)."
extends_documentation_fragment:
  - rayfleet.anyscale._anyscale
  - rayfleet.anyscale._anyscale.plugins
  - ansible.builtin.constructed
  - ansible.builtin.inventory_cache
options:
  plugin:
    description: The name of this plugin.
    type: str
    required: true
    choices: [rayfleet.anyscale.anyscale_clouds]
  validate_certs:
    description: Whether the TLS certificate of the Anyscale control plane is verified. To trust a
      private CA, set O(ca_path) instead of disabling this.
    type: bool
    default: true
  ca_path:
    description: A file of CA certificates to verify the TLS certificate with.
    type: path
    env:
      - name: ANYSCALE_SSL_CA_CERT
  fleet_file:
    description:
      - A YAML file with settings for the clouds. A relative path starts at the directory of the
        configuration file. The file may be encrypted with Ansible Vault, and so may each value in
        it (C(!vault)). Hosts have the decrypted values.
      - Where the file is in an inventory directory (C(-i inventory/)), give it the key C(plugin) with
        the value V(rayfleet.anyscale.fleet_file), so that Ansible does not take it for an inventory.
        See P(rayfleet.anyscale.fleet_file#inventory).
      - C(defaults) apply to all clouds. C(clouds) has settings for single clouds or resources,
        under their name, their ID, or V(<cloud>.<resource>); more specific settings take
        precedence. C(tags) and C(variables) are merged, other settings are replaced, and V(null)
        removes a default. IDs are safer than names, because members of the organization choose the
        names. Clouds that share a name in the fleet file are not covered. A key that looks like an
        ID matches IDs alone.
      - C(allow) says what may be written to. C(accounts) are the AWS accounts, twelve digits in
        quotes, as a list, or as a mapping with C(roles) and C(buckets) of each account. C(roles)
        and C(buckets) in C(allow) itself apply to all of these accounts. They are lists of names
        or shell patterns. A pattern of a role without a slash matches its name; one with a slash
        matches its path and name, such as V(ray/speech-*). What no pattern matches is not allowed.
      - C(allow.shared) has patterns (C(roles), C(buckets)) of what several clouds may use. Of
        anything else that several clouds claim, the one that is listed by its ID keeps it; if
        several are, or none is, none of them is covered.
      - A cloud whose clusters' role is a control-plane role is not covered, whatever the patterns
        are. Control-plane roles of clouds that are not listed by their IDs do not count against one
        that is. A role in the fleet file is only compared with the cloud's own control-plane role.
      - C(allow.unlisted) is V(skip) (the default) or V(include), for clouds that C(clouds) does not
        name. V(skip) covers none of them.
      - The keys are C(role) (name or ARN), C(compute_config) (name), C(compute_config_spec)
        (required content of the compute config), C(assume_role_arn), C(assume_role_external_id),
        C(instance_profile) (name), C(ring), C(tags) (a mapping), C(variables) (any other variables
        of the role, such as C(cloud_iam_publish)) and C(skip) (V(true) creates no host).
      - In strings, V({account_id}), V({cloud_id}), V({cloud}) (the name of the cloud) and
        V({region}) are replaced. A cloud for which that is not possible is not covered. A role or
        bucket with V({cloud}) or V({region}) in it is judged by C(allow), because members of the
        organization choose these, and C(assume_role_arn) and C(assume_role_external_id) cannot have
        V({cloud}). In the selectors of C(cloud_iam_mapping_rules), a name that would be more than one
        value of a label is not filled in. In patterns, the values match literally. Jinja templates are
        not evaluated; they are an error.
    type: str
  clouds:
    description:
      - The clouds to create hosts for, by name, ID, or shell pattern of either, such as V(*-prod).
        What looks like an ID (V(cld_...)) matches IDs alone. If not set, all clouds.
      - The resources of other clouds are not read, which saves one call per cloud.
      - A cloud that the fleet file lists and that the API does not return has a host whatever is set
        here.
    type: list
    elements: str
    default: []
  not_applicable:
    description:
      - How to handle clouds and resources on Kubernetes, on other providers, or hosted by Anyscale,
        whose clusters have no IAM role in the customer's AWS account. V(skip) creates no hosts for
        them.
      - V(mark) creates hosts in the group C(anyscale_not_applicable), outside of
        C(anyscale_clouds), with facts but without variables for the role.
    type: str
    choices: [skip, mark]
    default: skip
  threads:
    description: How many clouds are read at the same time, 1 to 100.
    type: int
    default: 16
  strict:
    description:
      - If V(true), problems that otherwise cause a warning are errors. These are a cloud that
        cannot be read, a role, a bucket or an account that the API does not return, a cloud in the
        fleet file or in O(clouds) that does not exist, a name that is taken, and a cloud that is
        listed in the fleet file and not covered. With V(false), a cloud that cannot be
        read has no host unless the fleet file lists it; a cloud with missing information has one.
requirements:
  - python >= 3.10
  - boto3 >= 1.34 (the API is called with urllib3, which comes with it)
notes:
  - O(anyscale_host) and O(anyscale_token) may be templates, for example a lookup in a vault. The
    token is neither cached nor displayed.
  - An API that cannot be reached or that rejects the token is always an error. After an inventory
    error, Ansible continues with the other inventory sources, or without hosts if there are none,
    unless E(ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED) is set.
  - The cache contains the responses of the API, separately for each O(anyscale_host),
    O(anyscale_token) and O(clouds). Changes of the fleet file and of the options that construct
    variables and groups take effect at once. Incomplete responses are not cached.
  - Values from the API, such as the names of clouds, are never evaluated as templates.
  - The plugin makes one API call per page of clouds, and one per cloud for its resources.
seealso:
  - name: Anyscale clouds
    description: Clouds and their resources.
    link: https://docs.anyscale.com/clouds
"""

EXAMPLES = r"""
# anyscale_clouds.yml: all clouds on AWS that the token can read. The token comes from
# ANYSCALE_CLI_TOKEN or from "anyscale login".
plugin: rayfleet.anyscale.anyscale_clouds

---
# prod.anyscale_clouds.yml: some clouds, with settings from a fleet file, cached for one hour
plugin: rayfleet.anyscale.anyscale_clouds
clouds: ["*-prod", cld_4fxb3wsbdcq2n1p9]
fleet_file: fleet_file.yml
strict: true
cache: true
cache_plugin: ansible.builtin.jsonfile
cache_connection: ~/.cache/anyscale-inventory
cache_timeout: 3600

---
# fleet_file.yml, in the same directory
allow:
  accounts: ["123456789012", "210987654321"]
  roles: [ray-*, ray/*, anyscale-cluster-node-*]
  buckets: [anyscale-*]
defaults:
  compute_config: default-with-role
  assume_role_arn: arn:aws:iam::{account_id}:role/anyscale-onboarding
  ring: late
clouds:
  cld_4fxb3wsbdcq2n1p9: # speech-prod
    role: ray-speech
    ring: canary
    tags: {team: speech}
  vision-prod:
    role: arn:aws:iam::{account_id}:role/ray/{cloud}
    variables:
      cloud_iam_prune_dangling_principals: true
  legacy-prod:
    skip: true

---
# team.anyscale_clouds.yml: a token from a file, and additional groups and variables
plugin: rayfleet.anyscale.anyscale_clouds
anyscale_token: "{{ lookup('ansible.builtin.file', '~/.anyscale/robot_token') }}"
not_applicable: mark
fleet_file: fleet_file.yml
keyed_groups:
  - key: anyscale_tags.team | default('unassigned')
    prefix: team
groups:
  production: anyscale_cloud_name.endswith('-prod')
compose:
  cloud_iam_dest: "'/srv/compute-configs/' ~ inventory_hostname ~ '.yml'"
"""

import contextlib
import hashlib
import json
import os
import typing as t

from ansible.errors import AnsibleError, AnsibleParserError
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.environment import (
    refuse_environment,
)

refuse_environment()

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.auth import (
    resolve_credentials,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.client import (
    AnyscaleClient,
    JsonObject,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    InputError,
    TaskError,
    for_options,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.plain_file import check_plain
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.environment import (
    with_environment,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.api import (
    Choice,
    read_rows,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.failures import (
    forget_failure,
    record_failure,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.fleet_file import (
    FleetFile,
    parse_fleet_file,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.host_names import (
    CLOUDS_GROUP,
    NOT_APPLICABLE_GROUP,
    UNCOVERED_GROUP,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.hosts import (
    Host,
    build_fleet,
    unmet_patterns,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.other_sources import (
    KNOWN_CONNECTION,
    OtherSources,
    connection_variables,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.problems import (
    Problem,
    summaries,
)

_SUFFIXES = ("anyscale_clouds.yml", "anyscale_clouds.yaml")
_MOST_THREADS = 100
# Of two sections allow, Ansible takes the last and only warns: one of them would permit nothing.
_KEYS_ONCE = {"ANSIBLE_DUPLICATE_YAML_DICT_KEY": "error"}


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """Clouds as hosts."""

    NAME = "rayfleet.anyscale.anyscale_clouds"

    def verify_file(self, path: str) -> bool:
        """Whether a file is a configuration of this plugin, by its name."""
        return super().verify_file(path) and path.endswith(_SUFFIXES)

    def parse(
        self, inventory: InventoryData, loader: DataLoader, path: str, cache: bool = True
    ) -> None:
        """Add the hosts. All of them are built before the first one is added, so that an error adds
        none.
        """
        super().parse(inventory, loader, path, cache)
        forget_failure(path)
        try:
            self._parse(inventory, path, cache)
        except AnsibleParserError as error:
            record_failure(path, str(error))
            raise

    def _parse(self, inventory: InventoryData, path: str, cache: bool) -> None:
        self._refuse_unknown_options(self._read_config_data(path))
        try:
            fleet_file = self._fleet_file(path)
            choice = Choice(self.get_option("clouds"))
            rows = self._rows(path, choice, cache)
            others = OtherSources(inventory)
            hosts, problems = build_fleet(
                rows,
                fleet_file,
                mark=self.get_option("not_applicable") == "mark",
                taken=others.names(),
            )
        except TaskError as error:
            raise AnsibleParserError(for_options(error.failure()["msg"])) from None
        problems += [*unmet_patterns(choice, rows), *others.refused_groups(hosts)]
        self._report(problems)
        self._add_groups()
        for host in hosts:
            self._add_host(host, others)

    def _report(self, problems: t.Iterable[Problem]) -> None:
        for text, is_error in summaries(problems):
            if is_error and self.get_option("strict"):
                raise AnsibleParserError(text)
            self.display.warning(text)

    def _refuse_unknown_options(self, config: t.Mapping[str, t.Any]) -> None:
        """Ansible ignores them, and with a misspelled fleet_file the wrong settings would be
        converged.
        """
        unknown = [key for key in config if key not in self._options]
        if unknown:
            raise AnsibleParserError(
                f"Unknown option {', '.join(map(repr, unknown))}. See: ansible-doc -t inventory "
                f"{self.NAME}"
            )

    def _fleet_file(self, config_path: str) -> FleetFile:
        name = self.get_option("fleet_file")
        if not name:
            return FleetFile()
        path = os.path.join(os.path.dirname(os.path.abspath(config_path)), os.path.expanduser(name))
        try:
            check_plain(path)
            with with_environment(_KEYS_ONCE):
                content = self.loader.load_from_file(path, cache="none")
            return parse_fleet_file(content)
        except InputError as error:
            raise InputError(f"In the fleet file {path}, {error.message}", error.remedy) from None
        except (AnsibleError, OSError, ValueError, RecursionError) as error:
            # ``obj`` has the position in the file if Ansible knows it; Ansible displays it itself.
            text = (
                f"The fleet file {path} cannot be read: {error} Fix the file or the option "
                "fleet_file."
            )
            raise AnsibleParserError(text, obj=getattr(error, "obj", None)) from None

    def _rows(self, path: str, choice: Choice, cache: bool) -> list[JsonObject]:
        """The rows of the API, from the cache if it is enabled and ``--flush-cache`` is not set."""
        host, token = self._credentials()
        if not self.get_option("cache"):
            return self._read(host, token, choice)
        identity = json.dumps([host, token, sorted(choice.patterns)])
        key = f"{self.get_cache_key(path)}_{hashlib.sha256(identity.encode()).hexdigest()[:16]}"
        if cache:
            with contextlib.suppress(KeyError):
                return self._cache[key]
        rows = self._read(host, token, choice)
        if not any(row["failure"] for row in rows):
            self._cache[key] = rows
        return rows

    def _read(self, host: str, token: str, choice: Choice) -> list[JsonObject]:
        threads = self.get_option("threads")
        if not 1 <= threads <= _MOST_THREADS:
            raise InputError(f"threads is {threads}.", f"Give a number from 1 to {_MOST_THREADS}.")
        client = AnyscaleClient(
            host,
            token,
            validate_certs=self.get_option("validate_certs"),
            ca_path=self.get_option("ca_path"),
            on_wait=self.display.warning,
        )
        return read_rows(client, choice, threads)

    def _credentials(self) -> tuple[str, str]:
        given = {}
        for option in ("anyscale_host", "anyscale_token"):
            given[option] = self.templar.template(self.get_option(option))
            if not isinstance(given[option], (str, type(None))):
                raise InputError(
                    f"{option} is not a string.", "Put it in quotes, or fix the template."
                )
        allow_http = self.get_option("anyscale_allow_http")
        return resolve_credentials(
            given["anyscale_host"], given["anyscale_token"], os.environ, allow_http=allow_http
        )

    def _add_groups(self) -> None:
        self.inventory.add_group(CLOUDS_GROUP)
        self.inventory.add_group(UNCOVERED_GROUP)
        if self.get_option("not_applicable") == "mark":
            self.inventory.add_group(NOT_APPLICABLE_GROUP)

    def _add_host(self, host: Host, others: OtherSources) -> None:
        for group in others.free_groups(host):
            self.inventory.add_host(host.name, group=self.inventory.add_group(group))
        # Not the inventory's set_variable(): if a constructed group has the name of the host, that
        # would set the variable of the group.
        added = self.inventory.get_host(host.name)
        for name, value in others.unset_variables(host).items():
            added.set_variable(name, value)
        strict = self.get_option("strict")
        variables = added.get_vars()
        self._set_composite_vars(self.get_option("compose"), variables, host.name, strict=strict)
        known = sorted(connection_variables(added.vars))
        if known:
            added.set_variable(KNOWN_CONNECTION, known)
        self._add_host_to_composed_groups(
            self.get_option("groups"), variables, host.name, strict=strict
        )
        self._add_host_to_keyed_groups(
            self.get_option("keyed_groups"), variables, host.name, strict=strict
        )
