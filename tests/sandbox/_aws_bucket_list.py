# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ListBuckets by the page: the buckets of an account with their regions, which moto leaves out.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html
"""

from __future__ import annotations

import base64
import typing as t
from xml.sax.saxutils import escape

from werkzeug.wrappers import Response

OPERATION = "ListBuckets"
_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_MOST = "10000"


def answer(backend: t.Any, parameters: t.Mapping[str, str]) -> Response | None:
    """The answer to a call that asks for a page; ``None`` for one that asks for all buckets, which
    AWS answers without regions, as moto does.
    """
    if "max-buckets" not in parameters:
        return None
    most = int(parameters.get("max-buckets", _MOST))
    start = base64.urlsafe_b64decode(parameters.get("continuation-token", "")).decode()
    names = sorted(name for name in backend.buckets if name > start)
    shown = "".join(_bucket(backend.buckets[name]) for name in names[:most])
    token = base64.urlsafe_b64encode(names[most - 1].encode()).decode() if names[most:] else ""
    following = f"<ContinuationToken>{token}</ContinuationToken>" if token else ""
    return Response(
        f'<ListAllMyBucketsResult xmlns="{_NAMESPACE}"><Buckets>{shown}</Buckets>{following}'
        "</ListAllMyBucketsResult>",
        content_type="application/xml",
    )


def _bucket(bucket: t.Any) -> str:
    return (
        f"<Bucket><Name>{escape(bucket.name)}</Name>"
        f"<CreationDate>{bucket.creation_date_ISO8601}</CreationDate>"
        f"<BucketRegion>{bucket.region_name}</BucketRegion></Bucket>"
    )
