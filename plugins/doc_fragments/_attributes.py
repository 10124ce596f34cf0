# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation that modules share: the attributes that each supports."""

from __future__ import annotations


class ModuleDocFragment:
    """The attributes of the modules that converge, and those of other kinds of modules."""

    DOCUMENTATION = r"""
attributes:
  check_mode:
    support: full
    description: Can run in C(check_mode) and returns the predicted result without changing
      anything.
  diff_mode:
    support: full
    description: Returns what has changed (or will, in C(check_mode)) when in diff mode.
  idempotent:
    support: full
    description: When run twice in a row with the same arguments, the second run changes nothing.
  platform:
    support: full
    platforms: posix
    description: The machines that the module can run on. It needs Python with boto3 there.
  action_group:
    support: full
    membership: [rayfleet.anyscale.all]
    description: Use C(group/rayfleet.anyscale.all) in C(module_defaults) to set options for all
      modules at once.
options: {}
"""

    # What runs once on the controller, for all hosts.
    RUN_ONCE = r"""
attributes:
  platform:
    support: full
    platforms: posix
    description: Runs on the controller.
  action:
    support: full
    description: Runs on the controller.
  bypass_host_loop:
    support: full
    description: Runs once for all hosts of the play, or of each batch of a play with C(serial). The
      strategies P(ansible.builtin.free#strategy) and P(ansible.builtin.host_pinned#strategy) refuse
      it.
options: {}
"""

    # What runs on the controller, for each host.
    CONTROLLER = r"""
attributes:
  platform:
    support: full
    platforms: posix
    description: Runs on the controller.
  action:
    support: full
    description: Runs on the controller.
options: {}
"""

    # What only reads.
    INFO = r"""
attributes:
  check_mode:
    support: full
    description: Changes nothing, with or without C(check_mode).
  diff_mode:
    support: none
    description: Changes nothing.
  idempotent:
    support: full
    description: Changes nothing.
options: {}
"""
