#!/bin/sh
# Makes the namespace that executions are in, once.
set -eu

namespace="${TEMPORAL_NAMESPACE:-default}"
if ! temporal operator namespace describe --namespace "$namespace" > /dev/null 2>&1; then
    temporal operator namespace create --namespace "$namespace" --retention 30d
fi
