# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation shared by all modules: how they connect to AWS."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of the connection to AWS, named as in amazon.aws, and of the role to assume in a
    cloud's account.
    """

    DOCUMENTATION = r"""
options:
  access_key:
    description:
      - AWS access key ID.
      - Where neither this nor O(profile) is given, boto3 looks for credentials in its own way, in
        the environment (E(AWS_ACCESS_KEY_ID), E(AWS_PROFILE)), in its files, and in the metadata of
        a container or an instance.
      - The environment variable E(AWS_ACCESS_KEY) is read as well.
    type: str
    aliases: [aws_access_key_id, aws_access_key]
  secret_key:
    description:
      - AWS secret access key that goes with O(access_key).
      - The environment variables E(AWS_SECRET_ACCESS_KEY) and E(AWS_SECRET_KEY) are read as well.
    type: str
    aliases: [aws_secret_access_key, aws_secret_key]
  session_token:
    description:
      - Session token that goes with a temporary O(access_key).
      - The environment variable E(AWS_SESSION_TOKEN) is read as well.
    type: str
    aliases: [aws_session_token]
  profile:
    description:
      - A named profile in the AWS configuration files. Excludes O(access_key), O(secret_key) and
        O(session_token).
      - The environment variable E(AWS_PROFILE) is read as well.
    type: str
    aliases: [aws_profile]
  region:
    description:
      - The AWS region to talk to. IAM is global; for S3, the bucket's own region saves a redirect.
      - The environment variables E(AWS_REGION) and E(AWS_DEFAULT_REGION) are read as well, then the
        profile's region. Without any of them, V(us-east-1).
    type: str
    aliases: [aws_region]
  endpoint_url:
    description:
      - A URL to talk to in the place of AWS's own.
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
      - Whether TLS certificates are verified. To trust a private CA, set O(aws_ca_bundle) and leave
        this alone.
    type: bool
    default: true
  account_id:
    description:
      - The AWS account of the cloud, twelve digits, quoted.
      - The caller, the role, the instance profile and the bucket must be in this account; where one
        is not, the module fails before it writes anything. S3 is told to expect the bucket in this
        account.
      - Where it is not given, the account of the role stands in for it.
    type: str
  assume_role_arn:
    description:
      - The ARN of a role to assume first, with the credentials found by the other options. All
        calls are made as that role, so that one set of credentials serves a fleet of accounts.
    type: str
  assume_role_external_id:
    description:
      - The external ID that the trust policy of O(assume_role_arn) demands.
    type: str
  assume_role_session_name:
    description:
      - The name of the assumed role's session, as CloudTrail shows it.
    type: str
    default: rayfleet-anyscale
  lock_dir:
    description:
      - A folder for lock files. Tasks on the same machine that change the same role, bucket or
        compute config wait for one another, so that nothing is lost when many clouds share one.
      - By default a folder of the user's own under the system's temporary folder.
    type: path
requirements:
  - python >= 3.10
  - boto3 >= 1.34
notes:
  - Credentials in the environment and in files are those of the machine that the module runs on.
    With C(ansible_connection=local) that is the controller.
  - An option of the connection that is empty counts as not given, but for O(account_id) and
    O(assume_role_arn), where that is an error.
  - An IAM principal that a policy names by its unique id is looked up with C(iam:ListRoles) and
    C(iam:ListUsers); otherwise these permissions are not needed.
"""
