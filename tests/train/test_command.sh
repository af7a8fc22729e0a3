# `attn train translator` as typed: from text to a model, killed and resumed, and every refusal.
set -u
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
cd "$work" || exit 1
failures=0

fail() {
    echo "FAILED: $1"
    [ -f err ] && sed 's/^/    /' err
    failures=$((failures + 1))
}

# expect STATUS WORDS ARGUMENT...: the exit status, and one line on stderr that holds WORDS.
expect() {
    status=$1 words=$2
    shift 2
    "$ATTN_TOOL" train translator "$@" >out 2>err
    got=$?
    [ $got -eq "$status" ] || fail "exit status $got, not $status: $*"
    grep -qF -- "$words" err || fail "no '$words' in the error of: $*"
    [ "$(grep -c '^attn: ' err)" -eq 1 ] || fail "not one line of error: $*"
}

# Numbers in words, and in digits.
awk 'BEGIN {
    split("zero one two three four five six seven eight nine", word, " ")
    for (i = 0; i < 900; i++) {
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
warmup_steps = 20
max_steps = 180
max_epochs = 0
validate_every = 20
bleu_every = 1
checkpoint_every = 5
log_every = 3
END
text="--source train.src --target train.tgt --recipe ./small.recipe --quiet"

# ---- a training, and the same one killed twice ----
"$ATTN_TOOL" train translator $text --out a >out 2>err || fail "the training"
for file in a.safetensors a.best.safetensors a.log.jsonl a.curves.svg a.checkpoint; do
    [ -s $file ] || fail "$file is missing"
done
[ -s out ] && fail "it printed to stdout"
grep -q '"event":"final".*"bleu"' a.log.jsonl || fail "no BLEU of the finished model"
grep -q 'validation' a.curves.svg || grep -q '<path' a.curves.svg || fail "no curves"

i=0
while [ $i -lt 2 ]; do
    "$ATTN_TOOL" train translator $text --out b --resume --threads $((i + 1)) >out 2>err &
    process=$!
    until [ "$(cat b.log.jsonl 2>/dev/null | wc -l)" -ge $((6 + 8 * i)) ] || ! kill -0 $process 2>/dev/null; do
        sleep 0.005
    done
    kill -9 $process 2>/dev/null || fail "it ended before it was killed"
    wait $process 2>/dev/null
    i=$((i + 1))
done
"$ATTN_TOOL" train translator $text --out b --resume >out 2>err || fail "the resumed training"
cmp -s a.safetensors b.safetensors || fail "killed and resumed, the model is another one"
cmp -s a.best.safetensors b.best.safetensors || fail "killed and resumed, the best model differs"

# ---- training on from a finished model, with its vocabulary, though the text is another one ----
head -200 train.src | tr ' ' '-' >other.src
head -200 train.tgt >other.tgt
on="--source other.src --target other.tgt --recipe ./small.recipe --set max_steps=1"
"$ATTN_TOOL" train translator $on --init a.safetensors --out on >out 2>err || fail "--init"
tr '\r' '\n' <err | grep -qE 'starting from ([0-9]+) of \1 tensors of a.safetensors' ||
    fail "--init does not say what it took"
grep -q 'training the tokenizer' err && fail "--init trained a tokenizer of its own"
"$ATTN_TOOL" train translator $on --init a.safetensors --out on --resume --set max_steps=2 --quiet >out 2>err ||
    fail "--init resumed"
printf 'one two\n' | "$ATTN_TOOL" translate --model on.safetensors >out 2>err || fail "the model trained on"

# ---- what the vocabulary lacks is named, a vocabulary too large is lowered, bytes write all ----
{ cat train.src; echo 'one € two ½'; echo 'three €'; } >rare.src
{ cat train.tgt; echo '1 2'; echo 3; } >rare.tgt
rare="--source rare.src --target rare.tgt --recipe ./small.recipe --set max_steps=1 --set normalization=identity"
"$ATTN_TOOL" train translator $rare --set character_coverage=0.9995 --out v >out 2>err || fail "rare characters"
grep -q '^2 characters are not in the vocabulary and become <unk>, 3 times in all: € 2, ½ 1$' err ||
    fail "unknown characters are not named"
"$ATTN_TOOL" train translator $rare --out w >out 2>err || fail "full coverage"
grep -q 'not in the vocabulary' err && fail "a character is dropped by default"
"$ATTN_TOOL" train translator $rare --set vocabulary=50000 --out x >out 2>err || fail "a vocabulary too large"
grep -qE '^the text allows [0-9]+ pieces, fewer than vocabulary = 50000$' err || fail "it does not say so"
"$ATTN_TOOL" train translator $rare --set vocabulary=320 --set byte_fallback=true \
    --set character_coverage=0.9995 --out y >out 2>err || fail "byte fallback"
grep -q 'are written as bytes, 3 times in all: € 2, ½ 1$' err || fail "bytes are not named"
printf 'one € 中\n' | "$ATTN_TOOL" translate --model y.safetensors >out 2>err || fail "a model with bytes"

# ---- refusals: nothing is written over ----
cp a.safetensors before
expect 1 'the file exists' $text --out a
cmp -s a.safetensors before || fail "a refusal changed the model"
expect 1 'dropout' $text --out a --resume --set dropout=0.5
expect 2 '--source' --target train.tgt
expect 2 'valid-target' $text --valid-source train.src
expect 1 'learning_rate' $text --out c --set learnin_rate=1
expect 1 'd_model' $text --out c --set d_model=many
expect 1 'no such recipe' --source train.src --target train.tgt --recipe nothing --out c
expect 1 'none.src' --source none.src --target train.tgt --recipe ./small.recipe --quiet --out c
head -100 train.tgt >short.tgt
expect 1 '900' --source train.src --target short.tgt --recipe ./small.recipe --quiet --out c
: >empty
expect 1 'empty' --source empty --target empty --recipe ./small.recipe --quiet --out c
printf 'good\nb\377d\n' >bad.src
head -2 train.tgt >two.tgt
expect 1 'bad.src:2' --source bad.src --target two.tgt --recipe ./small.recipe --quiet --out c
expect 1 'nowhere' $text --out nowhere/c
expect 1 'none.safetensors' $text --out c --init none.safetensors
expect 1 'train.src' $text --out c --init train.src
if [ "$(id -u)" -ne 0 ]; then
    mkdir locked && chmod a-w locked
    expect 1 'locked' $text --out locked/c
fi
head -c 3000 a.checkpoint >d.checkpoint
expect 1 'd.checkpoint' $text --out d --resume
[ "$(ls c* nowhere 2>/dev/null)" = "" ] || fail "a refused training left files: $(ls c*)"

# ---- a recipe's name is no folder ----
mkdir recipes small && cp small.recipe recipes/
"$ATTN_TOOL" train translator --recipe small --list >out 2>err || fail "a folder hides the recipe"

# ---- recipes lie beside the program ----
mkdir -p place/bin place/recipes && cp "$ATTN_TOOL" place/bin/attn && cp small.recipe place/recipes/near.recipe
place/bin/attn train translator --recipe near --list >out 2>err || fail "a recipe beside the program"
grep -q '^d_model = 16$' out || fail "it is another recipe"

# ---- who started a training ends: so does the training, with a checkpoint ----
expect 1 'did not start this one' $text --out q --parent 1
running() { tr '\0' ' ' 2>/dev/null <"/proc/$1/cmdline" | grep -q 'train translator'; }
if [ -d /proc/self ]; then
    sh -c '"$0" train translator "$@" --out p --parent $$ 2>perr & echo $! >pid; wait' "$ATTN_TOOL" $text --set max_steps=1000000 --set patience=0 &
    shell=$!
    until [ "$(cat p.log.jsonl 2>/dev/null | wc -l)" -ge 4 ] || ! kill -0 $shell 2>/dev/null; do sleep 0.005; done
    running "$(cat pid)" || fail "no training to end"
    kill -9 $shell && wait $shell 2>/dev/null
    i=0
    while running "$(cat pid)" && [ $i -lt 3000 ]; do sleep 0.01; i=$((i + 1)); done
    running "$(cat pid)" && fail "the training goes on without the one that started it" && kill -9 "$(cat pid)"
    grep -q 'stopped after step' perr || fail "it does not say that it stopped"
    [ -s p.checkpoint ] || fail "it kept no checkpoint"
fi

# ---- --list is a recipe ----
"$ATTN_TOOL" train translator --recipe ./small.recipe --list >all.recipe 2>err || fail "--list"
grep -q '^max_steps = 180$' all.recipe || fail "--list does not show the settings"
"$ATTN_TOOL" train translator --recipe ./all.recipe --list 2>err | cmp -s - all.recipe ||
    fail "--list is not read back"

[ $failures -eq 0 ] && echo "all as expected"
exit $((failures > 0))
