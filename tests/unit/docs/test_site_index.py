# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The website: how the first page is changed for its theme."""

from __future__ import annotations

from ansible_collections.rayfleet.anyscale.docs.docsite.conf import with_captions

INDEX = """\
Rayfleet.Anyscale
=================

.. contents::
   :local:
   :depth: 1

Guide
-----

.. toctree::
    :maxdepth: 1

    docsite/fleet

Modules
~~~~~~~

.. toctree::
    :maxdepth: 1
    :hidden:

    iam_trust_ec2_module
"""
FOR_THE_THEME = """\
Rayfleet.Anyscale
=================

Guide
-----

.. toctree::
    :caption: Guide
    :maxdepth: 1

    docsite/fleet

Modules
~~~~~~~

.. toctree::
    :caption: Modules
    :maxdepth: 1
    :hidden:

    iam_trust_ec2 <iam_trust_ec2_module>
"""


def test_the_first_page_for_the_theme() -> None:
    assert with_captions(INDEX) == FOR_THE_THEME
