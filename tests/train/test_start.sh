# `attn train translator --init`: the model to start from decides network and tokenizer, and what speaks against it is refused.
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

train() {
    "$ATTN_TOOL" train translator "$@" >out 2>err || fail "training $*"
}

# refused WORDS ARGUMENT...: one line of error with these words.
refused() {
    words=$1
    shift
    "$ATTN_TOOL" train translator $text --out refused "$@" >out 2>err && fail "taken: $*"
    grep -qF -- "$words" err || fail "no '$words' in the error of: $*"
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
# Nothing of this network is a default.
cat >network.recipe <<'END'
d_model = 16
ffn = 24
heads = 2
encoder_layers = 1
decoder_layers = 2
norm = post
norm_epsilon = 1e-6
sinusoids = paper
first_position = 1
activation = swish
embedding_norm = true
output_bias = true
tied = target
bare_source = true
ssru = true
final_norm = true
max_length = 77
vocabulary = 60
batch_tokens = 300
max_steps = 20
max_epochs = 0
learning_rate = 0.01
warmup_steps = 5
licence = CC0
source_language = en
END
text="--source train.src --target train.tgt --quiet"
train $text --recipe ./network.recipe --out a
"$ATTN_TOOL" info a.safetensors | sed -n '/^configuration/,/^metadata/p' >network
grep -q 'sinusoids *paper' network || fail "info does not show the sinusoids"

# A step so small that it changes next to nothing: the same network, and the same scores.
still="--set max_steps=1 --set learning_rate=1e-12 --set warmup_init=0"
train $text --init a.safetensors $still --out b
"$ATTN_TOOL" info b.safetensors | sed -n '/^configuration/,/^metadata/p' >again
cmp -s network again || fail "training on makes another network: $(diff network again)"
"$ATTN_TOOL" info b.safetensors | grep -q 'licence *CC0' || fail "the licence is lost"
for model in a b; do
    "$ATTN_TOOL" score --model $model.safetensors --source train.src --target train.tgt >$model.scores || fail "scoring"
done
cmp -s a.scores b.scores || fail "the model trained on scores otherwise"
"$ATTN_TOOL" train translator --init a.safetensors --list >list || fail "--list"
grep -qx 'd_model = 16' list || fail "--list does not show the network of the model"
rm b.safetensors
train $text --out b --resume --set max_steps=2
rm -f refused.*

refused 'd_model' --init a.safetensors --set d_model=32
refused 'the model of --init has post, not pre' --init a.safetensors --set norm=pre
refused 'activation' --init a.safetensors --set activation=relu
refused 'the tokenizer is that of the model' --init a.safetensors --set vocabulary=90
refused 'tokenizer_type' --init a.safetensors --set tokenizer_type=bpe
refused 'vocabularies' --init a.safetensors --set vocabularies=separate
refused 'not an attn translator' --init "$ATTN_SOURCE_DIR/models/street.safetensors"

# Rotary positions have no parameters, so that the configuration alone carries them on: whole, with a part frozen, and by adapters.
grep -v -e sinusoids -e first_position -e ssru network.recipe >rotary.recipe
cat >>rotary.recipe <<'END'
positions = rotary
rotary = adjacent
rotary_base = 100
rotary_dim = 4
END
network_of() { # MODEL
    "$ATTN_TOOL" info "$1" | sed -n '/^configuration/,/^metadata/p'
}
train $text --recipe ./rotary.recipe --out r
network_of r.safetensors >network
for line in 'positions *rotary' 'rotary *adjacent' 'rotary_base *100' 'rotary_dim *4'; do
    grep -q "$line" network || fail "info does not show $line"
done
train $text --init r.safetensors $still --out still
train $text --init r.safetensors --set max_steps=5 --freeze 'encoder.*' --out frozen
train $text --init r.safetensors --set max_steps=5 --set lora_rank=2 --out adapted
for model in r still frozen adapted; do
    network_of $model.safetensors | cmp -s - network || fail "$model has another network"
    "$ATTN_TOOL" score --model $model.safetensors --source train.src --target train.tgt >$model.scores || fail "scoring $model"
done
cmp -s r.scores still.scores || fail "with rotary positions, the model trained on scores otherwise"
cmp -s r.scores frozen.scores && fail "with rotary positions and a frozen part, nothing was trained"
cmp -s r.scores adapted.scores && fail "with rotary positions, adapters trained nothing"
refused 'the model of --init has 4, not 2' --init r.safetensors --set rotary_dim=2
refused 'rotary_dim: only rotary positions have it' --init r.safetensors --set positions=learned

rotary="--recipe ./rotary.recipe --set"
refused 'turn 3 channels of heads of 8' $rotary rotary_dim=3
refused 'turn 10 channels of heads of 8' $rotary rotary_dim=10
refused 'turn 1 channels of heads of 1' $rotary heads=16 --set rotary_dim=0
refused 'rotary_base is 1' $rotary rotary_base=1
refused 'rotary_dim: only rotary positions have it: set positions = rotary too' $rotary positions=learned
refused 'rotary: only rotary positions have it' --recipe ./network.recipe --set rotary=adjacent
[ -e refused.safetensors ] && fail "something was written"

[ $failures -eq 0 ] && echo "all as expected"
exit $((failures > 0))
