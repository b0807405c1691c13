#!/usr/bin/env bash
# A worker for the service "upper" that needs curl and jq: it takes a job, does it, answers, and takes the next.
hub=${1:-http://127.0.0.1:8500}
while job=$(curl -sSf "$hub/service/upper/jobs") || sleep 1; do
  [[ -n $job ]] || continue # nothing came for 30 seconds
  jq -r .originalRequest <<<"$job" | tr a-z A-Z | curl -sSf --data-binary @- "$hub/jobs/$(jq -r .id <<<"$job")"
done
