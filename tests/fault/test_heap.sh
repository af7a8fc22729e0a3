#!/bin/sh
# The tool and the server on a heap in which an allocation fails: each says so or answers as it always does, and nothing
# crashes. ATTN_TEST_HEAP_POINTS: how many allocations to try (default 25 a command).
set -u
[ -n "${ATTN_FAULTY_HEAP:-}" ] && [ -e "$ATTN_FAULTY_HEAP" ] || exit 77
command -v curl >/dev/null || exit 77
points=${ATTN_TEST_HEAP_POINTS:-25}
model=$ATTN_SOURCE_DIR/models/en-fr.safetensors
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill -9 "$server" 2>/dev/null; rm -rf "$work"' EXIT
cd "$work" || exit 1
export OMP_NUM_THREADS=1

fail() {
    echo "$*"
    exit 1
}

faulty() { # SETTING COMMAND...
    setting=$1
    shift
    env LD_PRELOAD="$ATTN_FAULTY_HEAP" "$setting" "$@"
}

# A heap that never fails shows that it is counted at all.
printf 'Hello, how are you?\nI have 3 cats.\n' >plain
printf '<p>I have <b>3 cats</b>.</p><p>See <a title="a dog" href="x">it</a>.</p>\n' >html

try() { # INPUT COMMAND...
    input=$1
    shift
    "$@" <"$input" >expected || fail "$*: does not work"
    faulty HEAP_COUNT=count "$@" <"$input" >out || fail "$*: does not work with the counting heap"
    cmp -s expected out || fail "$*: the counting heap changes the answer"
    all=$(cat count)
    [ "$all" -gt 300 ] || fail "$*: only $all allocations were counted"
    told=0
    i=0
    while [ $i -lt "$points" ]; do
        # Rather the later ones: reading the model comes first and is the same for all commands.
        at=$((all - 1 - i * i * (all / points) / points))
        i=$((i + 1))
        faulty HEAP_FAIL=$at "$@" <"$input" >out 2>err
        status=$?
        if [ $status -eq 0 ]; then
            cmp -s expected out || fail "$*: another answer, and no word about it, when allocation $at of $all fails"
        elif [ $status -eq 1 ]; then
            grep -q '^attn: \|^libgomp: ' err || fail "$*: no error when allocation $at of $all fails"
            told=$((told + 1))
        else
            fail "$*: status $status when allocation $at of $all fails: $(cat err)"
        fi
    done
    [ $told -gt 0 ] || fail "$*: no allocation mattered"
    echo "$*: $points of $all allocations failed, $told errors"
}

try plain "$ATTN_TOOL" translate --model "$model" --json
try html "$ATTN_TOOL" translate --model "$model" --html
printf '1\n00:00:01,000 --> 00:00:02,000\nI have <i>3 cats</i>.\n- Yes.\n' >film
try film "$ATTN_TOOL" translate --model "$model" --file -

# The server lives on, and is right whenever it answers. It has opened ICU before it listens.
: >log
LD_PRELOAD=$ATTN_FAULTY_HEAP HEAP_EVERY=1499 HEAP_LISTEN=1 HEAP_ICU=1 "$ATTN_TOOL" serve --model "$model" --port 0 --quiet --cache 0 2>log &
server=$!
tries=0
until url=$(sed -n 's/^attn: serving at //p' log) && [ -n "$url" ] || [ $tries -gt 600 ]; do
    tries=$((tries + 1))
    sleep 0.05
done
[ -n "$url" ] || fail "no server: $(cat log)"
right='"translatedText":"<p>J'\''ai <b>3 chats</b>.</p>"'
body='{"q":"<p>I have <b>3 cats</b>.</p>","source":"en","target":"fr","format":"html"}'
answered=0
refused=0
i=0
while [ $i -lt $((3 * points)) ]; do
    i=$((i + 1))
    status=$(curl -sS -m 60 -o answer -w '%{http_code}' -H 'Content-Type: application/json' -d "$body" "$url/translate" 2>/dev/null)
    if [ "$status" = 200 ]; then
        grep -qF "$right" answer || fail "a wrong answer on a faulty heap: $(cat answer)"
        answered=$((answered + 1))
    else
        refused=$((refused + 1))
    fi
    kill -0 $server 2>/dev/null || fail "the server is gone after $i requests: $(cat log)"
done
[ $answered -gt 0 ] && [ $refused -gt 0 ] || fail "$answered answered, $refused refused: the heap was not tried"
echo "server: $answered answered, $refused refused"
