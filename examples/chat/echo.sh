#!/usr/bin/env bash
# Answers what it is asked: a worker over plain HTTP for the service Echo. It needs curl and jq.
hub=${1:-http://127.0.0.1:8500}
authorization=(-H "Authorization: Bearer ${LINTEL_KEY:-}")
echo "Echo serves"
while job=$(curl -sSf "${authorization[@]}" "$hub/service/Echo/jobs") || sleep 1; do
  [[ -n $job ]] || continue # nothing came for 30 seconds
  jq -j .originalRequest <<<"$job" |
    curl -sSf "${authorization[@]}" -H 'Content-Type: text/plain' --data-binary @- "$hub/jobs/$(jq -r .id <<<"$job")"
done
