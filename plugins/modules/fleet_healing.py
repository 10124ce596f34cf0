#!/usr/bin/python
# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation only: the work is done on the controller, by the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fleet_healing
short_description: Decide when clouds are healed because of events
version_added: 1.0.0
description:
  - With O(step=begin), notes which documents of which clouds have changed, and returns the clouds that
    are to be converged now. With O(step=finish), notes which of them had to be changed, and keeps those
    that failed.
  - A burst of events is one run, because a cloud is due only after it has been quiet. A cloud is
    converged by one run at a time. The task waits for a run that has the same cloud, for
    O(longest_wait_seconds) at most. A later run takes what it left then, which is a warning.
  - With O(step=onboarded), notes the clouds that a run of the playbook onboard has converged, if it ran
    with all tags, each with a digest of its settings. What was pending of them before that run is
    done. Clouds that O(step=forget) or O(step=forgotten) has forgotten since that run began are not
    noted, which is a warning. If the state cannot be used, this is a warning too.
  - With O(step=forget), nothing that is pending of O(hosts) is done later, and no event heals them,
    because they are going to be offboarded, or documents of them restored. A run of heal that has
    taken one of them fails for it before its next write. With O(step=forgotten), the same at the end of
    such a run, for what a run of onboard has noted meanwhile. If the state cannot be used, this is a
    warning.
  - With O(only_onboarded=true), clouds that are not noted as onboarded are left, and named. Those whose
    settings were changed since are left with a warning, and what is pending of them stays so. Those whose
    variables have an error are taken, so that the run fails for them with it.
  - Clouds with the variable C(heal_excluded=true) are left, and what is pending of them stays so.
  - If more than O(max_clouds) of an account are due at once, none of them is taken, or only those that
    events are of, if these are not more. That is a warning. If there are no others, the task fails.
  - A cloud is left as it is if a document of it has changed again that was put back O(most_heals) times
    within O(window_seconds), or if the cloud was put back three times as often, whichever documents
    changed. It is due once the oldest of these times is long enough ago, and is in RV(refused) until
    then. All of it is left, since a run converges all of a cloud. Runs that find nothing to change do
    not count.
  - A cloud that failed, or that the run did not reach, is due again five minutes later, and after each
    further failure twice as long later, at most a day. An event of it makes it due at once. Any run
    takes the clouds that are due, whichever clouds its own events are of. A cloud that needs tasks of
    its own is not kept, since no such run can converge it.
  - What it remembers is in the file C(healing.json) in O(state_dir), which only its owner can read.
  - In check mode, the clouds of O(clouds) are returned that a run may take, and nothing is noted.
  - The task requires C(run_once=true), which also gives its result to all hosts.
options:
  step:
    description: Whether a run begins or has ended, a run of onboard has converged clouds, or the operator
      decides otherwise, or has.
    type: str
    choices: [begin, finish, onboarded, forget, forgotten]
    required: true
  clouds:
    description: The RV(rayfleet.anyscale.event_clouds_info#module:clouds) of the events, for
      O(step=begin).
    type: list
    elements: dict
    default: []
  hosts:
    description: The clouds, for O(step=forget) and O(step=forgotten).
    type: list
    elements: str
    default: []
  run:
    description: The RV(run) that O(step=begin) returned, for O(step=finish), or that of
      M(rayfleet.anyscale.fleet_selection_info), for O(step=onboarded).
    type: str
  state_dir:
    description:
      - An absolute path of a directory that runs share. It is created if it does not exist.
      - By default, C(anyscale_healing) in C(ANSIBLE_HOME).
    type: path
  mode:
    description: With V(check), the task acts as in check mode.
    type: str
    choices: [check, apply]
    default: apply
  quiet_seconds:
    description: For how long nothing of a cloud has to have changed before it is converged.
    type: float
    default: 5.0
  longest_wait_seconds:
    description: After how long a cloud of which something keeps changing is converged all the same, and
      for how long the task waits for another run that has it.
    type: float
    default: 60.0
  run_seconds:
    description: After how long a run that has not ended is taken for lost, so that another one may
      converge its clouds. Set it to more than the longest run takes.
    type: float
    default: 3600.0
  most_heals:
    description: How often a document is put back within O(window_seconds), and a third of how often a
      cloud is, whichever of its documents changed.
    type: int
    default: 3
  window_seconds:
    description: The time in which O(most_heals) counts. For what M(rayfleet.anyscale.audit_report) has
      noted, it is a day at least.
    type: float
    default: 3600.0
  max_clouds:
    description: How many clouds of an AWS account a run takes.
    type: int
    default: 100
  only_onboarded:
    description: Whether only the clouds that O(step=onboarded) has noted, and O(step=forget) has not
      forgotten since, are converged, and only while their settings are the ones that were noted.
    type: bool
    default: true
  paused:
    description: Whether O(step=begin) notes what has changed, and takes no cloud.
    type: bool
    default: false
extends_documentation_fragment:
  - rayfleet.anyscale._attributes.run_once
attributes:
  check_mode:
    support: full
    description: Can run in C(check_mode) and notes nothing then.
  diff_mode:
    support: none
    description: Returns what has changed (or will, in C(check_mode)) when in diff mode.
  idempotent:
    support: none
    description: When run twice in a row with the same arguments, the second run changes nothing.
seealso:
  - module: rayfleet.anyscale.event_clouds_info
  - module: rayfleet.anyscale.audit_report
  - module: rayfleet.anyscale.fleet_converge
author:
  - Rayfleet contributors (@rayfleet)
"""

EXAMPLES = r"""
- name: Take the clouds that are due
  rayfleet.anyscale.fleet_healing:
    step: begin
    clouds: "{{ event_clouds.clouds }}"
    state_dir: /var/lib/anyscale/healing
  run_once: true
  register: healing

- name: Note which clouds had to be changed, or failed
  rayfleet.anyscale.fleet_healing:
    step: finish
    run: "{{ healing.run }}"
    state_dir: /var/lib/anyscale/healing
  run_once: true
"""

RETURN = r"""
run:
  description: The token of the run, for the tasks that converge the clouds.
  returned: O(step=begin)
  type: str
  sample: 0f5bc05f
hosts:
  description: The clouds that are to be converged now, and those in RV(refused).
  returned: O(step=begin)
  type: list
  elements: str
  sample: [vision-prod]
refused:
  description:
    - The clouds that are to be left as they are, since they change again and again, and those whose
      variables have an error, each with the message, for
      O(rayfleet.anyscale.fleet_converge#module:refused).
  returned: O(step=begin)
  type: dict
  sample: {}
retried:
  description: The clouds among RV(hosts) that an earlier run failed for.
  returned: O(step=begin)
  type: list
  elements: str
  sample: []
stopped:
  description: What changed too often of the clouds of the events, a document or V(the cloud), and until
    when the cloud is left as it is.
  returned: O(step=begin)
  type: list
  elements: dict
  sample: [{"cloud": "vision-prod", "document": "role ray in 222222222222", "until": "2026-11-29T10:00:00Z"}]
left:
  description: The clouds among O(clouds) that another run has, or has taken.
  returned: O(step=begin)
  type: list
  elements: str
  sample: []
pending:
  description: The clouds that are due after the pause.
  returned: O(step=begin) with O(paused=true)
  type: list
  elements: str
  sample: [vision-prod]
not_onboarded:
  description: The clouds among O(clouds) that are left, since they are not noted as onboarded.
  returned: O(step=begin)
  type: list
  elements: str
  sample: []
not_rolled_out:
  description:
    - The onboarded clouds that are left, among O(clouds) and those of which something is pending, since
      their settings are not those that onboard has converged them with.
  returned: O(step=begin)
  type: list
  elements: str
  sample: []
forgotten:
  description: The clouds among O(hosts) of which something was remembered, and is no longer.
  returned: O(step=forget) and O(step=forgotten)
  type: list
  elements: str
  sample: [vision-prod]
healed:
  description: The clouds that had to be changed.
  returned: O(step=finish)
  type: list
  elements: str
  sample: [vision-prod]
retries:
  description: The clouds that failed or were not reached, and the time after which a run takes them again.
  returned: O(step=finish)
  type: list
  elements: dict
  sample: [{"cloud": "vision-prod", "at": "2026-11-29T10:05:00Z"}]
"""
