# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation shared by the modules that replace documents: how they keep what was there before."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of the backups."""

    DOCUMENTATION = r"""
options:
  backup:
    description:
      - Whether the document that is replaced is kept in a file first, so that
        M(rayfleet.anyscale.backup_restore) can put it back. The file is written before anything
        else is; where that is not possible, nothing is changed. Check mode writes none.
    type: bool
    default: false
  backup_dir:
    description:
      - The folder for the files, on the machine that the module runs on. One that does not exist is
        made, for its owner alone; one that others own or can write to is refused, and so is a
        relative path.
      - The files can be read by their owner alone. Their names begin with the time (UTC), the run,
        and the kind of the document, so that they sort.
    type: path
    default: ~/.ansible/anyscale_backups
  run_id:
    description:
      - What to call the run that the files belong to, 1 to 64 letters, digits, V(_) and V(-), so
        that all of them can be put back at once. P(rayfleet.anyscale.run_id#lookup) has one that is
        the same for all hosts and tasks.
      - Without it, each file is a run of its own, called by its time.
    type: str
"""
