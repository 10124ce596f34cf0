# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reduce events to what they say was changed. ansible-rulebook loads this file by its path."""

from __future__ import annotations

import hashlib
import importlib
import json
import logging
import os
import sys
import typing as t
from collections import Counter
from pathlib import Path

DOCUMENTATION = r"""
---
author:
  - Rayfleet contributors (@rayfleet)
short_description: Reduce events of AWS CloudTrail to what they say was changed
version_added: 1.0.0
description:
  - An event filter of ansible-rulebook 1.2 and newer. Of each message, alone or wrapped by Amazon
    EventBridge, SNS or SQS, it passes on one event for each change of an IAM role, an instance
    profile, a managed policy or a bucket, and nothing else.
  - Such an event has the record of CloudTrail in C(detail), reduced to the fields eventSource,
    eventName, eventTime, requestID, recipientAccountId, userIdentity.arn and the names in
    requestParameters, and in C(key) a text that differs for different records, for the throttle of a
    rule.
  - Messages that are anything else are counted by the reason in the log, and not passed on. No value
    of a message is passed on unless it has the form of a name, an ARN, an ID or a time.
  - It needs the rest of this collection beside it, and neither ansible-core nor boto3.
"""

EXAMPLES = r"""
- amazon.aws.aws_sqs_queue:
    name: anyscale-changes
    region: us-east-1
  filters:
    - rayfleet.anyscale.cloudtrail_changes:
"""

_NAME = "ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.cloudtrail"
_LOGGER = logging.getLogger("rayfleet.anyscale.cloudtrail_changes")
# What a queue has besides changes is no sign of anything.
_ORDINARY = ("other_call", "read_only", "failed_call")
_left_out: Counter[str] = Counter()

Json = dict[str, t.Any]


def _load() -> t.Any:
    """The collection's own module, from where this file is: ansible-rulebook knows no collections."""
    collections = Path(os.path.abspath(__file__)).parents[6]
    if collections.name == "ansible_collections":  # which a clone is not in
        sys.path.append(str(collections.parent))
        package = importlib.import_module(collections.name)
        if str(collections) not in package.__path__:
            package.__path__.append(str(collections))
    return importlib.import_module(_NAME)


_cloudtrail = _load()


def main(event: Json, **_options: t.Any) -> Json | list[Json]:
    """The changes of an event, each as an event."""
    found = _cloudtrail.changes_in(event)
    _left_out.update(found.dropped)
    unexpected = [reason for reason in found.dropped if reason not in _ORDINARY]
    _LOGGER.log(
        logging.WARNING if unexpected else logging.DEBUG,
        "%d changes; left out so far: %s",
        len(found.changes),
        dict(_left_out),
    )
    changes = [_event_of(change.record()) for change in dict.fromkeys(found.changes)]
    # As it is where it is one: all releases know that
    return changes[0] if len(changes) == 1 else changes


def _event_of(record: Json) -> Json:
    text = json.dumps(record, sort_keys=True)
    return {"detail": record, "key": hashlib.sha256(text.encode()).hexdigest()[:32]}
