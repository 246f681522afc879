#!/bin/sh
# One image, two duties. `exec` hands signals to the program, so that a stopped container ends cleanly.
set -eu

case "${1:-serve}" in
  migrate)
    shift
    exec m-migrate all --connect-wait 2m "$@"
    ;;
  check)
    exec m-migrate status --ready
    ;;
  serve)
    shift || true
    exec python -m shop.web "$@"
    ;;
  *)
    exec "$@"
    ;;
esac
