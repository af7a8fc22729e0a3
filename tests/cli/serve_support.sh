# Sourced by tests of `attn serve`: tiny models in a folder of their own, starting and stopping the server.
# The sourcing script has no `set` of its own and ends with `finish`.
set -u
export ATTN_CACHE=0 # each answer is made anew, unless a test asks otherwise
command -v curl >/dev/null || { echo "skipped: curl is missing"; exit 77; }
work=$(mktemp -d)
server=
trap '[ -n "$server" ] && kill -9 "$server" 2>/dev/null; rm -rf "$work"' EXIT
cd "$work" || exit 1
failures=0

fail() {
    echo "FAILED: $1"
    failures=$((failures + 1))
}

# A model of a few thousand numbers, hardly trained: only its being deterministic matters.
awk 'BEGIN {
    split("zero one two three four five six seven eight nine", word, " ")
    for (i = 0; i < 300; i++) {
        n = (i * 7919) % 10000; s = ""; t = ""
        for (d = 0; d < 4; d++) { s = s word[n % 10 + 1] " "; t = t substr("abcdefghij", n % 10 + 1, 1); n = int(n / 10) }
        print s > "s"; print t > "t"
    }
}'
cat >tiny.recipe <<'END'
d_model = 16
ffn = 24
heads = 2
encoder_layers = 1
decoder_layers = 1
vocabulary = 50
batch_tokens = 300
max_steps = 2
END
for seed in 1 2; do
    "$ATTN_TOOL" train translator --source s --target t --recipe ./tiny.recipe --quiet --seed $seed \
        --out model$seed >out 2>err || { cat err; exit 1; }
done
cp model1.safetensors en-fr.safetensors

# And one for pictures.
"$ATTN_TOOL" scenes --count 8 --width 64 --height 64 scenes >out 2>err &&
    "$ATTN_TOOL" train segmenter --images scenes/images --masks scenes/masks --classes scenes/classes.txt \
        --quiet -s max_steps=2 -s d_model=16 -s width_2=8 -s width_4=8 -s blocks=2 -s heads=2 -s ffn=16 \
        -s crop_width=64 -s crop_height=64 --out street >out 2>err || { cat err; exit 1; }

start() { # OPTION...
    start_with "$ATTN_TOOL" serve --port 0 --model en-fr.safetensors --model street.safetensors "$@"
}

start_with() { # COMMAND...
    : >log
    "$@" >access 2>log &
    server=$!
    tries=0
    until grep -q 'serving at' log || [ $tries -gt 500 ]; do
        kill -0 $server 2>/dev/null || break
        tries=$((tries + 1))
        sleep 0.02
    done
    url=$(sed -n 's/^attn: serving at //p' log)
    [ -n "$url" ] || { fail "it does not start: $(cat log)"; exit 1; }
}

stop() {
    kill -TERM $server
    wait $server || fail "exit status $? on SIGTERM: $(cat log)"
    server=
}

# expect STATUS WORDS CURL-ARGUMENT...
expect() {
    status=$1 words=$2
    shift 2
    got=$(curl -sS -m 60 -o body -w '%{http_code}' "$@" 2>err)
    [ "$got" = "$status" ] || fail "$got, not $status: $* $(cat err)"
    grep -qF -- "$words" body || fail "no '$words' in the answer to: $*: $(cat body)"
}

finish() {
    [ $failures -eq 0 ] && echo "all as expected"
    exit $((failures > 0))
}
