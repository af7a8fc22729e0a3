# `attn export`: each format is written and read again to the same scores, and what a format lacks is one line and no folder.
# tests/parity/export_compare.py reads them with their own programs.
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

# refused WORDS ARGUMENT...: an error of one line with these words, and nothing is written.
refused() {
    words=$1
    shift
    "$ATTN_TOOL" export "$@" >out 2>err
    [ $? -eq 1 ] || fail "export $* does not fail as it should"
    grep -qF -- "$words" err || fail "no '$words' in the error of export $*"
    [ "$(wc -l <err)" -eq 1 ] || fail "more than one line about $*"
    { [ -e refused ] || [ -e refused.partial ]; } && fail "something was written for $*"
    return 0
}

awk 'BEGIN {
    split("zero one two three four five six seven eight nine", word, " ")
    for (i = 0; i < 300; i++) {
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
decoder_layers = 2
vocabulary = 60
batch_tokens = 300
max_steps = 10
max_epochs = 0
learning_rate = 0.01
warmup_steps = 5
max_length = 64
norm = post
activation = swish
source_language = xx
target_language = yy
licence = CC0
END
train() {
    name=$1
    shift
    "$ATTN_TOOL" train translator --source train.src --target train.tgt --recipe ./small.recipe --quiet --out $name "$@" \
        >out 2>err || fail "training $*"
}
score() {
    "$ATTN_TOOL" score --model "$1" --source train.src --target train.tgt >"$2" 2>err || fail "scoring $1"
}

# exports NAME FORMAT FILE...: written with these files, and read again to the same scores.
exports() {
    name=$1 format=$2
    shift 2
    "$ATTN_TOOL" export $name.safetensors --to $format >out 2>err || fail "export $name --to $format"
    for file in "$@"; do
        [ -s $name-$format/$file ] || fail "$name-$format has no $file"
    done
    score $name.safetensors ours
    score $name-$format theirs
    cmp -s ours theirs || fail "$name by $format scores otherwise"
    grep -q CC0 $name-$format/LICENCE || fail "the licence is lost"
}

train a
exports a ctranslate2 model.bin config.json shared_vocabulary.json source.spm target.spm
exports a huggingface model.safetensors config.json generation_config.json vocab.json tokenizer_config.json source.spm target.spm
train b --set vocabularies=separate --set tied=false --set output_bias=true --set byte_fallback=true --set vocabulary=330
exports b ctranslate2 source_vocabulary.json target_vocabulary.json
exports b huggingface vocab.json target_vocab.json
train c --set tied=target --set positions=learned --set first_position=0
exports c ctranslate2 shared_vocabulary.json
exports c huggingface vocab.json
train r --set positions=rotary --set rotary=adjacent --set rotary_dim=4
exports r ctranslate2 shared_vocabulary.json
# The same model twice is the same bytes, and one of another program may be named.
"$ATTN_TOOL" export a-ctranslate2 --to ctranslate2 -o again >out 2>err || fail "exporting a folder of CTranslate2"
cmp -s a-ctranslate2/shared_vocabulary.json again/shared_vocabulary.json || fail "another vocabulary"
# Training on from them.
"$ATTN_TOOL" train translator --source train.src --target train.tgt --quiet --init a-huggingface --out on --set max_steps=1 \
    --set batch_tokens=300 >out 2>err || fail "training on from a folder of Hugging Face"
"$ATTN_TOOL" info on.safetensors | grep -q 'activation *swish' || fail "another network"

train e --set norm_epsilon=1e-6
refused 'a translation that begins' e.safetensors --to marian -o refused
refused 'it exists' a.safetensors --to ctranslate2 -o a-ctranslate2
refused 'No such file' nothing.safetensors --to ctranslate2 -o refused
refused 'not an attn translator' "$ATTN_SOURCE_DIR/models/street.safetensors" --to ctranslate2 -o refused
refused 'elisions' "$ATTN_SOURCE_DIR/models/en-fr.safetensors" --to ctranslate2 -o refused
train d --set norm=pre --set kv_heads=1
exports d ctranslate2 model.bin
train f --set norm=pre --set positions=rotary --set rotary_dim=4 --set rotary_base=100
exports f ctranslate2 model.bin
refused 'norms before the layers' d.safetensors --to huggingface -o refused
"$ATTN_TOOL" export a.safetensors >out 2>err
[ $? -eq 2 ] || fail "export without --to is no misuse"
"$ATTN_TOOL" export a.safetensors --to onnx >out 2>err
[ $? -eq 2 ] || fail "an unknown format is no misuse"

[ $failures -eq 0 ] && echo "all as expected"
exit $((failures > 0))
