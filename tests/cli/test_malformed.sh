# Malformed HTTP, JSON, forms and pictures (malformed.py): refused, and the server lives.
. "$ATTN_SOURCE_DIR/tests/cli/serve_support.sh"

command -v python3 >/dev/null || { echo "skipped: python3 is missing"; exit 77; }
start --receive-seconds 10
python3 "$ATTN_SOURCE_DIR/tests/cli/malformed.py" "${url##*:}" || fail "something malformed was not refused"
expect 200 '"status":"ok"' "$url/health"
stop
finish
