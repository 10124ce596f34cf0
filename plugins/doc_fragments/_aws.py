# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation shared by all modules: how they connect to AWS."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of the connection to AWS, named as in amazon.aws, and of the role to assume in the
    cloud's account.
    """

    DOCUMENTATION = r"""
options:
  access_key:
    description:
      - AWS access key ID.
      - If neither this option nor O(profile) is set, boto3 searches for credentials as described in
        L(its documentation,
        https://boto3.amazonaws.com/v1/documentation/api/latest/guide/credentials.html), for example
        in the environment (E(AWS_ACCESS_KEY_ID), E(AWS_PROFILE)), in the shared AWS files, and in
        the metadata of a container or an instance.
      - The environment variable E(AWS_ACCESS_KEY) is read as well.
    type: str
    aliases: [aws_access_key_id, aws_access_key]
  secret_key:
    description:
      - AWS secret access key that belongs to O(access_key).
      - The environment variables E(AWS_SECRET_ACCESS_KEY) and E(AWS_SECRET_KEY) are read as well.
    type: str
    aliases: [aws_secret_access_key, aws_secret_key]
  session_token:
    description:
      - Session token that belongs to a temporary O(access_key).
      - The environment variable E(AWS_SESSION_TOKEN) is read as well.
    type: str
    aliases: [aws_session_token]
  profile:
    description:
      - A named profile in the shared AWS files. Mutually exclusive with O(access_key),
        O(secret_key) and O(session_token).
      - The environment variable E(AWS_PROFILE) is read as well.
    type: str
    aliases: [aws_profile]
  region:
    description:
      - The AWS region to connect to. IAM is global. For S3, the bucket's own region saves a
        redirect.
      - If not set, the environment variables E(AWS_REGION) and E(AWS_DEFAULT_REGION) are used, then
        the profile's region, then V(us-east-1).
    type: str
    aliases: [aws_region]
  endpoint_url:
    description:
      - A URL to connect to instead of the AWS endpoints.
      - The environment variable E(AWS_URL) is read as well, and those that boto3 reads, such as
        E(AWS_ENDPOINT_URL).
    type: str
    aliases: [aws_endpoint_url]
  aws_ca_bundle:
    description:
      - A file of CA certificates to verify TLS connections with.
      - The environment variable E(AWS_CA_BUNDLE) is read as well.
    type: path
  validate_certs:
    description:
      - Whether TLS certificates are verified. To trust a private CA, set O(aws_ca_bundle) instead
        of disabling this.
    type: bool
    default: true
  account_id:
    description:
      - The AWS account of the cloud, twelve digits, quoted.
      - The credentials, the role, the instance profile and the bucket must be in this account. If
        one of them is not, the module fails before it writes anything. Every S3 call names this
        account as the
        L(expected bucket owner,
        https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html).
      - If not set, the account of the role is used instead.
    type: str
  assume_role_arn:
    description:
      - The ARN of a role to assume first, with the credentials that the other options select. All
        AWS calls are then made as that role, so that one set of credentials can serve a fleet of
        accounts.
      - It must be in the account O(account_id), if that is set. Otherwise the task fails before the
        role, and with it the external ID, is sent to the other account.
    type: str
  assume_role_external_id:
    description:
      - The external ID that the trust policy of O(assume_role_arn) requires.
    type: str
  assume_role_session_name:
    description:
      - The session name for O(assume_role_arn), which CloudTrail shows.
    type: str
    default: rayfleet-anyscale
  lock_dir:
    description:
      - A directory for lock files. Tasks on the same machine that change the same role, bucket or
        compute config wait for one another, so that no change is lost where clouds share one.
      - The directory is created with mode 0700. It must belong to the current user, no other user
        may be able to write to it, and it must be on a local file system.
      - If not set, E(RAYFLEET_LOCK_DIR), then C(anyscale_locks) in E(ANSIBLE_HOME), which is
        C(~/.ansible) if not set.
    type: path
requirements:
  - python >= 3.10
  - boto3 >= 1.34
notes:
  - Credentials in the environment and in files are those of the machine that the module runs on.
    With C(ansible_connection=local) that is the controller.
  - A connection option that is an empty string counts as not set, except O(account_id) and
    O(assume_role_arn), where an empty string is an error.
  - C(iam:ListRoles) and C(iam:ListUsers) are needed only where a policy names an IAM principal by
    its L(unique ID,
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids).
"""
