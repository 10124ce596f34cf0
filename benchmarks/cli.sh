#!/usr/bin/env bash
# What a user would write on the AWS CLI: read each cloud's documents, write those that lack something.
#
#   cli.sh AT_A_TIME FOLDER...    each folder is one cloud's: its names as shell variables, and its documents as files
set -euo pipefail

anyscale() {
    curl --silent --show-error --fail --header "Authorization: Bearer $ANYSCALE_CLI_TOKEN" \
        --header "Content-Type: application/json" --data "@$2" "$ANYSCALE_HOST/api/v2/compute_templates/$1"
}

converge() {
    local role bucket profile
    cd -- "$1"
    # shellcheck source=/dev/null
    source ./names
    aws iam get-role --role-name "$role" | grep -F ec2.amazonaws.com >/dev/null ||
        aws iam update-assume-role-policy --role-name "$role" --policy-document file://trust.json
    aws s3api get-bucket-policy --bucket "$bucket" | grep -F "$role" >/dev/null ||
        aws s3api put-bucket-policy --bucket "$bucket" --policy file://bucket.json
    aws iam get-instance-profile --instance-profile-name "$role" >/dev/null
    anyscale "search?count=1" search.json | grep -F "$profile" >/dev/null ||
        anyscale "" compute_config.json >/dev/null
}

if [ "$1" = "--one" ]; then
    converge "$2"
else
    at_a_time=$1
    shift
    printf '%s\0' "$@" | xargs -0 -n 1 -P "$at_a_time" -- "$0" --one
fi
