# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is guaranteed and what is not, in the words of the documentation's page, and the tests that show it."""

from __future__ import annotations

import typing as t

_INTEGRATION = "tests/integration"
_UTILS = "tests/unit/plugins/module_utils"


class Guarantee(t.NamedTuple):
    """A section of the page. ``tests``: the files that show what holds."""

    title: str
    holds: tuple[str, ...]
    does_not: tuple[str, ...]
    tests: tuple[str, ...]


GUARANTEES = (
    Guarantee(
        "Several who write at once",
        (
            "On one controller, nothing that the collection writes is lost: whoever changes a policy or a compute config holds a lock of "
            "this machine, looks again once it is held, and only then writes.",
            "Of several controllers, each reads back what it wrote until it shows. Where something else shows, it decides anew, and "
            "puts back its own grant and the statements of others that went with it.",
            "The playbook ``onboard`` looks once more at the policies of the clouds that it changed, three seconds later, when what "
            "another controller had decided on before has been written. Where that took something out, the cloud is converged again, "
            "three times at the most. Then it fails, and says that the policy could not be settled.",
            "A policy that is overwritten again and again before it is read back ends the task with an error that says so, after eight "
            "rounds.",
            "No write is based on a look of more than two seconds ago, and none that AWS refused, or did not answer, is repeated "
            "without another look. What others added, changed or took out before that look is in the next decision.",
        ),
        (
            "IAM and S3 take whole policies and know no version of them: there is no ETag with which they could refuse a write that is "
            "based on an old state. What somebody else writes between a look and the write after it is replaced by it, and nothing "
            "tells. That is some tens of milliseconds as a rule, and at most two seconds and what the call itself takes. Another run of "
            "the collection finds out by its own read-back; a person or a program that does not look again does not. The figures "
            "below say how often this happened to an editor that kept writing to the same policies, and looked again.",
            "A write of somebody else that lands after the read-back is not seen by a single module, nor by the playbooks ``offboard`` and "
            "``rollback``, nor by ``onboard`` with ``onboard_confirm=false`` or after its last look. The next run sees it.",
            "Locks are for one user of one machine. The folder of the locks, ``lock_dir``, must belong to the user, and nobody else may "
            "write to it: it cannot be shared by several users, who are to one another as several controllers are. A folder on a network "
            "file system is no lock.",
        ),
        (f"{_INTEGRATION}/test_races.py", f"{_UTILS}/test__lock.py"),
    ),
    Guarantee(
        "Faults",
        (
            "Whatever call fails, and however: throttled, refused as one of two changes at once, a server's error, no connection, a "
            "connection that is reset before or after the server acted, no answer in time, half an answer, an old state in "
            "the answer. The task either comes to the same end as without the fault, or fails and says which call it was, what was "
            "written before it, and what to do next. The next run converges.",
            "No version of a compute config is made twice. Where the answer to its making is lost, it is looked for; where it may be "
            "made yet, the task fails and says so.",
            "No grant and no statement of others is gone in between, in no state of a policy that there ever was.",
            "No call is tried for more than ten minutes, and pauses grow, with full jitter. ``Retry-After`` is heeded.",
            "What an audit cannot read is unknown, never right and never wrong. The inventory has all of a cloud or leaves it out "
            "with a warning.",
            "The calls are counted for every module, so that a new one that no fault was tried on fails the tests.",
        ),
        (
            "A fault that lasts longer than the retries ends the task. It is not tried again by itself: run again.",
            "How AWS fails is simulated. Its real outages can be of other kinds.",
        ),
        (
            f"{_INTEGRATION}/test_faults.py",
            f"{_INTEGRATION}/test_faults_of_uses.py",
            f"{_UTILS}/test__anyscale.py",
            f"{_UTILS}/test__patience.py",
        ),
    ),
    Guarantee(
        "Interruption",
        (
            "A run may be ended at any moment, by Ctrl-C or killed outright: the next run converges every cloud, and the one after "
            "that finds nothing to do.",
            "Locks of processes that are gone block nobody: the kernel gives them up with the process.",
            "Backups and other files are complete under their names or not there at all. None is readable by others.",
        ),
        (
            "A cloud whose turn it was can be left between two steps until the next run, such as trusted by EC2 and without its bucket.",
            "A file under a temporary name can be left by a process that was killed while it wrote it.",
            "Where the controller alone is killed, ansible-core may leave a worker that waits for it for ever. It does nothing any more "
            "and holds no lock; end it by its process id.",
        ),
        (f"{_INTEGRATION}/test_interruption.py", f"{_UTILS}/test__lock.py", f"{_UTILS}/test__backup.py"),
    ),
    Guarantee(
        "Limits",
        (
            "A trust policy that would be longer than the quota (``quota_chars``, 2,048 by default), a bucket policy of more than "
            "20 KB, and a second role for an instance profile are refused before anything is written, in check mode too, with the "
            "numbers in the message.",
            "All steps of a cloud are decided before the first one writes.",
            "Calls of AWS go through botocore's adaptive mode, which slows down where it is throttled.",
        ),
        (
            "What several clouds of a run add to one policy, a shared bucket's or a shared role's, is not added up beforehand: check mode "
            "judges each cloud as if it were alone. Where there is not room for all, the last ones are refused when it is their turn, with "
            "the same message, and keep what an earlier step of theirs wrote.",
            "Quotas that only AWS knows, such as a raised one, are not asked for: tell them in ``quota_chars``.",
            "Each worker process slows down for itself, and nobody counts how many write to IAM at a time. Where ten or more do, of all "
            "forks and controllers together, an account may be throttled for longer than is waited: keep it below by "
            "``onboard_throttle``, or by fewer forks.",
        ),
        (
            f"{_INTEGRATION}/test_iam_trust_ec2.py",
            f"{_INTEGRATION}/test_s3_cloud_access.py",
            f"{_INTEGRATION}/test_compute_config_profile.py",
            f"{_UTILS}/test__ec2_trust.py",
            f"{_UTILS}/test__bucket_access.py",
        ),
    ),
    Guarantee(
        "Call budget",
        (
            "A cloud that is right costs four reads, and a changed one what :ref:`the page on calls "
            "<ansible_collections.rayfleet.anyscale.docsite.calls>` says: not one call more or less.",
            "Check mode makes no call that writes.",
        ),
        ("Repeated calls, and looks at what shows late or was changed by others meanwhile, come on top.",),
        (f"{_INTEGRATION}/test_call_budget.py",),
    ),
    Guarantee(
        "Hostile input",
        (
            "An option of a module or a variable of the role of a wrong kind, empty, too long, or with anything in it that means "
            "something to a shell, to Jinja or in a path ends in a clear error or in a right result: without a traceback, and without a "
            "write where it is an error.",
            "So does a policy that is not what it should be, whoever put it into AWS. Where the result is right, every statement of "
            "others is in its place as it was; one that is for EC2 alone, with an ``Action`` that is a list of one, has it as a text. "
            "What AWS itself does not take back, such as the same Sid twice in a trust policy, ends in AWS's own error.",
            "Texts of the APIs are never evaluated as templates. Names in them never lead to another folder.",
        ),
        ("What Ansible itself makes of a bad playbook or inventory, before a task of the collection begins, is Ansible's.",),
        (
            f"{_INTEGRATION}/test_hostile_input.py",
            f"{_INTEGRATION}/test_hostile_policies.py",
            f"{_INTEGRATION}/test_onboard.py",
            f"{_INTEGRATION}/test_options.py",
            f"{_UTILS}/test__policy.py",
            f"{_UTILS}/test__ec2_trust.py",
            f"{_UTILS}/test__bucket_access.py",
        ),
    ),
    Guarantee(
        "Secrets",
        (
            "No token, secret key or session token is in what is printed, at any verbosity, in logs, results, backups, the arguments "
            "of processes, or the texts of errors.",
            "Certificates are verified unless ``validate_certs`` is false. Plain http to an Anyscale that is not on this machine is "
            "refused unless ``anyscale_allow_http`` is true.",
            "Credentials of assumed roles are kept for one run, in Ansible's temporary folder of the run, readable by its user alone.",
        ),
        (
            "What the user prints with ``debug``, or writes into a playbook in plain text, is the user's to hide.",
            "Some programs that start Ansible keep the environment of a run. Give credentials by a profile or a role of the machine there.",
        ),
        (
            f"{_INTEGRATION}/test_secrets.py",
            f"{_INTEGRATION}/test_runner.py",
            f"{_INTEGRATION}/test_options.py",
            f"{_UTILS}/test__session_cache.py",
        ),
    ),
    Guarantee(
        "Least privilege",
        (
            "Each playbook works with exactly the policy that :ref:`the page on permissions "
            "<ansible_collections.rayfleet.anyscale.docsite.permissions>` shows, and each statement that is taken away breaks "
            "something, or what the page says of it is true.",
        ),
        ("What an organization's service control policies and permissions boundaries deny is not foreseen. The error names the action.",),
        (f"{_INTEGRATION}/test_permissions.py",),
    ),
    Guarantee(
        "Neighbours",
        (
            "A cloud that fails does no harm to others: they are converged as without it, and nothing of it is half written that could "
            "have been refused before.",
            "A role that cannot be assumed is asked for once in a run, for all clouds that are reached by it. Each of them fails at "
            "once with the same message of one line.",
            "The same holds where STS does not answer: those who wait share one answer.",
        ),
        (
            "Where modules do not run in Ansible's worker, each task asks for itself.",
            "A refusal is remembered for a minute, an answer that failed to come for ten seconds, and then asked for once more. A task "
            "with ``retries`` or ``until`` asks anew each time.",
        ),
        (f"{_INTEGRATION}/test_neighbours.py", f"{_UTILS}/test__session_cache.py"),
    ),
)
