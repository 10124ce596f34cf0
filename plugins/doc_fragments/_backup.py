# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation shared by the modules that replace documents: how they back them up."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of the backups."""

    DOCUMENTATION = r"""
notes:
  - Use C(group/rayfleet.anyscale.backup) in C(module_defaults) to set the options of backups for all
    modules that have them at once.
options:
  backup:
    description:
      - Whether the document that is replaced is saved to a file first, so that
        M(rayfleet.anyscale.backup_restore) can restore it. The file is written before anything else
        is. If it cannot be written, nothing is changed. In check mode no file is written.
    type: bool
    default: true
  backup_dir:
    description:
      - The directory for the files, on the machine that the module runs on. It is created with mode
        V(0700) if it does not exist. A relative path is refused, and so is a directory that belongs
        to another user or that other users can write to.
      - By default, the directory C(anyscale_backups) in E(ANSIBLE_HOME), which is V(~/.ansible) if
        not set.
      - The files have mode V(0600). Their names begin with the time (UTC), the run and the kind of
        the document, so that they sort by time.
    type: path
  backup_key:
    description:
      - The key that the files are signed with (HMAC with SHA-256), at least 16 characters.
        M(rayfleet.anyscale.backup_restore) needs the same key, so that it does not restore a file
        that another user or another tool has made or changed.
      - If not set, the environment variable E(RAYFLEET_BACKUP_KEY) is used. If that is not set
        either, it is a random key in the file C(anyscale_backup.key) in E(ANSIBLE_HOME), which is
        made once, with mode V(0600). Set the option, or the environment variable, if several
        machines or containers share the files.
      - The key is never written to O(backup_dir), and a directory that contains the file with the
        key is refused.
    version_added: 0.8.0
    type: str
  run_id:
    description:
      - The id of the run that the files belong to, 1 to 64 letters, digits, V(_) and V(-), so that
        all files of a run can be restored together. P(rayfleet.anyscale.run_id#lookup) returns an
        id that is the same for all hosts and tasks of a run.
      - If not set in a task of a playbook, it is that id. Where the module is called in another way,
        each file is a run of its own, whose id is its time.
    type: str
  run_name:
    description:
      - What the run does, in a word or two such as V(onboard), at most 80 characters. The list of runs
        that the playbook rollback shows has it. If not set in a task of a playbook, it is the name of
        the play.
    version_added: 1.0.0
    type: str
"""
