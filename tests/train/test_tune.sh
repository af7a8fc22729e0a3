# Training part of a model: parameters that are frozen, and low-rank adapters; killed and resumed, on any number of threads.
set -u
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failures=0

fail() {
    echo "FAILED: $1"
    [ -f err ] && sed 's/^/    /' err
    failures=$((failures + 1))
}

# refused WORDS ARGUMENT...: one line of error with these words.
refused() {
    words=$1
    shift
    "$ATTN_TOOL" train translator $text --out refused "$@" >out 2>err && fail "taken: $*"
    grep -qF -- "$words" err || fail "no '$words' in the error of: $*"
    [ -e refused.safetensors ] && fail "something was written"
}

awk 'BEGIN {
    split("zero one two three four five six seven eight nine", word, " ")
    for (i = 0; i < 400; i++) {
        n = (i * 7919) % 100000; s = ""; t = ""
        for (d = 0; d < 2 + i % 4; d++) {
            s = s (d ? " " : "") word[n % 10 + 1]; t = t (n % 10); n = int(n / 10)
        }
        print s > "train.src"; print t > "train.tgt"
    }
}'
cat >small.recipe <<'END'
d_model = 16
ffn = 24
heads = 2
encoder_layers = 1
decoder_layers = 1
vocabulary = 60
batch_tokens = 300
learning_rate = 0.01
warmup_steps = 5
max_steps = 60
max_epochs = 0
validate_every = 10
checkpoint_every = 3
END
text="--source train.src --target train.tgt --recipe ./small.recipe --quiet"
"$ATTN_TOOL" train translator $text --out base >out 2>err || fail "the model to start from"
from="$text --init base.safetensors"

# same_bits NAME OPTION...: trained in one go, and killed twice, with another number of threads.
same_bits() {
    name=$1
    shift
    "$ATTN_TOOL" train translator $from "$@" -j 2 --out $name >out 2>err || fail "training $*"
    i=0
    while [ $i -lt 2 ]; do
        "$ATTN_TOOL" train translator $from "$@" -j 1 --out killed --resume >out 2>err &
        process=$!
        tries=0
        before=$(cat killed.log.jsonl 2>/dev/null | wc -l)
        while [ "$(cat killed.log.jsonl 2>/dev/null | wc -l)" -le $((before + 1)) ] && [ $tries -lt 3000 ]; do
            kill -0 $process 2>/dev/null || break
            sleep 0.01
            tries=$((tries + 1))
        done
        kill -9 $process 2>/dev/null
        wait $process 2>/dev/null
        i=$((i + 1))
    done
    "$ATTN_TOOL" train translator $from "$@" -j 3 --out killed --resume >out 2>err || fail "resuming $*"
    cmp -s $name.safetensors killed.safetensors || fail "killed and resumed, another model: $*"
    "$ATTN_TOOL" train translator $text --set max_steps=70 --out killed --resume >out 2>err &&
        fail "resumed without the model it started from"
    grep -q 'give the --init' err || fail "it does not ask for --init"
    set +f
    rm -f killed.*
    set -f
}
set -f
same_bits frozen --freeze encoder.* --freeze embedding --freeze decoder.0.self.query.weight --set log_every=1
same_bits adapted --set lora_rank=2 --set lora_dropout=0.1 --set log_every=1 --set ema=0.9
set +f

# Adapters are a small part of a checkpoint, and of the model nothing but the sum stays.
"$ATTN_TOOL" info base.safetensors --parameters | sed -n '/^parameters/,/^metadata/p' >names
"$ATTN_TOOL" info adapted.safetensors --parameters | sed -n '/^parameters/,/^metadata/p' >names.adapted
cmp -s names names.adapted || fail "the merged model has other parameters"
"$ATTN_TOOL" train translator $from --set lora_rank=1 --set 'lora_targets=*.query.* *.value.*' --set max_steps=2 \
    --out few >out 2>err || fail "adapters of query and value"
[ "$(wc -c <few.checkpoint)" -lt $(($(wc -c <base.checkpoint) - 40000)) ] || fail "the checkpoint is not small"

# What is frozen keeps its bits: the tables of the embeddings are the same bytes.
bytes_of() {
    header=$(od -An -tu8 -N8 "$1" | tr -d ' ')
    range=$(head -c $((header + 8)) "$1" | grep -ao "\"$2\":{[^}]*}" | sed 's/.*data_offsets":\[\([0-9]*\),\([0-9]*\)\].*/\1 \2/')
    set -- "$1" $range
    tail -c +$((header + 9 + $2)) "$1" | head -c $(($3 - $2))
}
bytes_of base.safetensors embedding >kept
[ "$(wc -c <kept)" -gt 3000 ] || fail "the embedding was not found"
bytes_of frozen.safetensors embedding | cmp -s - kept || fail "a frozen parameter has changed"
bytes_of base.safetensors decoder.0.self.query.weight >kept
bytes_of frozen.safetensors decoder.0.self.query.weight | cmp -s - kept || fail "one of three joined matrices has changed"
bytes_of base.safetensors decoder.0.self.key.weight >moved
bytes_of frozen.safetensors decoder.0.self.key.weight | cmp -s - moved && fail "what is not frozen was not trained"

refused 'did you mean encoder.*?' --freeze 'encodr.*'
refused 'did you mean decoder.0.self.query.weight?' --freeze decoder.0.self.query.wieght
refused 'nothing to train' --freeze '*'
refused 'lora_targets' --set lora_rank=2 --set lora_targets=embedding
refused 'at most 127 bytes' --freeze "$(printf '%0130d' 0)"

[ $failures -eq 0 ] && echo "all as expected"
exit $((failures > 0))
