#!/bin/bash
# Makes the two tokens that Footman's stack works with, once, when InfluxDB 2 is new: the writer's,
# which may only write, and Grafana's, which may only read. The operator's token stays inside.
#
# The image of InfluxDB runs this as the user `influxdb`, after its setup and before it listens,
# with INFLUX_HOST, the names of the setup and the ids of what it made in the environment.
set -euo pipefail
umask 027

folder="$(dirname "${INFLUX_CONFIGS_PATH:-/etc/influxdb2/influx-configs}")"
bucket="${DOCKER_INFLUXDB_INIT_BUCKET_ID:?is set by the image}"
# The command line's own file holds the operator's token.
chmod 600 "${INFLUX_CONFIGS_PATH:-/etc/influxdb2/influx-configs}"

make_token() { # NAME PERMISSION
  local file="$folder/$1" answer token
  answer="$(influx auth create --org "$DOCKER_INFLUXDB_INIT_ORG" --description "footman $1" "$2" "$bucket" --json)"
  # Of the JSON, the value of "token".
  token="$(sed -n 's/.*"token": *"\([^"]*\)".*/\1/p' <<<"$answer")"
  if [ -z "$token" ]; then
    echo "footman: influx auth create gave no token for $1" >&2
    return 1
  fi
  printf '%s' "$token" >"$file"
  # Its containers are in this group, and nobody else is.
  chgrp "$FOOTMAN_SECRETS_GID" "$file"
  chmod 640 "$file"
}

make_token writer-token --write-bucket
make_token grafana-token --read-bucket
echo "footman: the tokens of writer and Grafana are in $folder"
