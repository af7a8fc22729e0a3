# When a training ends, what it keeps, and what it says then; its curves for TensorBoard.
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
tokenizer_type = bpe
batch_tokens = 300
learning_rate = 0.01
warmup_steps = 20
max_steps = 100
max_epochs = 0
validate_every = 20
bleu_every = 1
bleu_raw = true
log_every = 1
END
text="--source train.tgt --target train.src --recipe ./small.recipe"

train() {
    name=$1
    shift
    "$ATTN_TOOL" train translator $text --out "$name" "$@" >out 2>err || fail "training $name: $*"
}

# field NAME KIND LOG: the values of a field in the lines of a kind.
field() {
    grep "\"event\":\"$2\"" "$3" | sed "s/.*\"$1\":\([^,}]*\).*/\1/"
}

# ---- the better of average and best ----
train a --set average=5
grep -q ' 1 averaged$' err || fail "the average of half-trained weights was kept"
[ "$(field loss final a.log.jsonl)" = "$(field loss validation a.log.jsonl | sort -g | head -1)" ] ||
    fail "what is kept is not the best validation"
train b --set average=5 --set keep=average
grep -q ' 5 averaged$' err || fail "keep = average"

# ---- best by a score ----
for score in bleu chrf; do
    train $score --set best=$score --set max_steps=200
    field "$score" validation $score.log.jsonl >scores
    grep '"event":"validation"' $score.log.jsonl | sed 's/.*"best":\([a-z]*\).*/\1/' | paste scores - >judged
    awk -v first=1 '{ better = first || $1 > most; if (better != ($2 == "true")) wrong = 1
        if (better) most = $1; first = 0 } END { exit wrong || NR != 10 || most <= 0 }' judged ||
        fail "best = $score: $(tr '\n\t' '; ' <judged)"
done
"$ATTN_TOOL" train translator $text --out c --set best=bleu --set bleu_every=0 >out 2>err && fail "no score to judge by"
grep -q 'bleu_every' err || fail "it does not say what to set"

# ---- an end by time (that its cooldown fits is in test_trainer.c, with a clock of its own) ----
train d --set max_steps=0 --set max_minutes=0.01 --set patience=0 --set cooldown_steps=30 --set bleu_every=0
grep -q '^max_minutes reached' err || fail "no end by time"
"$ATTN_TOOL" train translator $text --out e --set cooldown_steps=300 >out 2>err && fail "a cooldown longer than the training"

# ---- Ctrl-C ----
"$ATTN_TOOL" train translator $text --out f --set max_steps=1000000 >out 2>err &
process=$!
until grep -q '"event":"validation"' f.log.jsonl 2>/dev/null || ! kill -0 $process 2>/dev/null; do
    sleep 0.01
done
kill -TERM $process
wait $process
grep -qE 'stopped after step [0-9]+: continue with --resume; f.best.safetensors is the best model so far, of step [0-9]+' err ||
    fail "it does not name the model that is there"
[ -s f.best.safetensors ] || fail "the model it names is not there"

# ---- TensorBoard ----
train g --tensorboard curves
grep -qa 'brain.Event:2' curves/events.out.tfevents.* || fail "no event file"
for tag in train/loss train/learning_rate valid/loss valid/bleu final/loss; do
    grep -qa "$tag" curves/events.out.tfevents.* || fail "no $tag in it"
done
: >file
"$ATTN_TOOL" train translator $text --out h --tensorboard file/in >out 2>err && fail "a folder that cannot be"
grep -q 'file/in' err || fail "it does not name the folder"

[ $failures -eq 0 ] && echo "all as expected"
exit $((failures > 0))
