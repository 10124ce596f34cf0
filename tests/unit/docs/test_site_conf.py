# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The website: how pages are changed for its theme."""

from __future__ import annotations

import pytest

from ansible_collections.rayfleet.anyscale.docs.docsite.conf import (
    with_captions,
    with_front_page,
    without_contents,
)

INDEX = """\
Rayfleet.Anyscale
=================

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

MODULE = """\
New in rayfleet.anyscale 0.1.0

.. contents::
   :local:
   :depth: 1

.. Deprecated
"""
MODULE_FOR_THE_THEME = """\
New in rayfleet.anyscale 0.1.0

.. Deprecated
"""


def test_a_page_of_a_module_for_the_theme() -> None:
    assert without_contents(MODULE) == MODULE_FOR_THE_THEME


def test_the_first_page_for_the_theme() -> None:
    assert with_captions(INDEX) == FOR_THE_THEME


BEGINNING = """\
Rayfleet.Anyscale
=================

Collection version 0.9.0

Description
-----------

Converge the AWS IAM set\\-up of Anyscale clouds, one cloud or a whole fleet

**Author:**
"""
OUR_BEGINNING = """\
rayfleet.anyscale
=================

Collection version 0.9.0

What it is. \\1

The collection
--------------

**Author:**
"""


def test_the_first_page_begins_with_ours() -> None:
    """Whatever is written there is no pattern."""
    front_page = "What it is. \\1\n\nThe collection\n--------------\n"
    assert with_front_page(BEGINNING, front_page) == OUR_BEGINNING


def test_another_beginning_fails_the_build() -> None:
    """Which would lose ours in silence."""
    with pytest.raises(ValueError, match="begins its first page otherwise"):
        with_front_page(INDEX, "What it is.")
