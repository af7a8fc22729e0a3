# Text as people have it: several files, tables, packed, pipes, translation memories, filters.
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
    for (i = 0; i < 400; i++) {
        n = (i * 7919) % 100000; s = ""; t = ""
        for (d = 0; d < 2 + i % 4; d++) {
            s = s (d ? " " : "") word[n % 10 + 1]; t = t (n % 10); n = int(n / 10)
        }
        print s > "all.src"; print t > "all.tgt"
    }
}'
for side in src tgt; do
    head -150 all.$side >one.$side
    tail -n +151 all.$side >two.$side
done
cat >small.recipe <<'END'
d_model = 16
ffn = 24
heads = 2
encoder_layers = 1
decoder_layers = 1
vocabulary = 60
tokenizer_type = bpe
batch_tokens = 300
max_steps = 2
max_epochs = 0
bleu_every = 0
keep_checkpoint = false
END

# train NAME ARGUMENT...: a model NAME.
train() {
    name=$1
    shift
    "$ATTN_TOOL" train translator --recipe ./small.recipe --out "$name" --force "$@" >out 2>err ||
        fail "training $name: $*"
}

# The tensors that came out, without the header in front of them, which names the command.
weights() {
    header=$(od -An -tu4 -N4 "$1.safetensors" | tr -d ' ')
    tail -c +$((header + 9)) "$1.safetensors"
}

# same NAME ARGUMENT...: the same text in another form trains the same model.
same() {
    train "$@"
    weights "$1" >x
    cmp -s x expected || fail "another model from: $*"
}

# refused STATUS WORDS ARGUMENT...
refused() {
    status=$1 words=$2
    shift 2
    "$ATTN_TOOL" train translator --recipe ./small.recipe --out refused "$@" >out 2>err
    got=$?
    [ $got -eq "$status" ] || fail "exit status $got, not $status: $*"
    grep -qF -- "$words" err || fail "no '$words' in the error of: $*"
}

train a --source all.src --target all.tgt
weights a >expected
[ -s expected ] || fail "no weights"
grep -q '"event":"data","pairs":3[0-9]*,"validation":4,"vocabulary":60' a.log.jsonl || fail "the log does not count"

# ---- several files, in order ----
same b --source one.src --source two.src --target one.tgt --target two.tgt
grep -q -- '--source one.src --target one.tgt --source two.src --target two.tgt' b.log.jsonl ||
    fail "the log does not name all files"
grep -qa -- '--source one.src --target one.tgt --source two.src --target two.tgt' b.safetensors ||
    fail "the model does not name all files"
refused 2 '2 --source and 1 --target' --source one.src --source two.src --target one.tgt
refused 1 '250 lines, but one.src has 150' --source one.src --target two.tgt
train v --source one.src --target one.tgt --valid-source one.src --valid-source two.src \
    --valid-target one.tgt --valid-target two.tgt
grep -q '^150 pairs to train on, 400 for validation;' err || fail "several validation files"
refused 2 '--valid-target' --source one.src --target one.tgt --valid-source one.src

# ---- tables ----
paste all.src all.tgt >two.tsv
paste all.tgt all.src all.tgt >three.tsv
same c --pairs two.tsv
same d --pairs three.tsv:2,3
same e --pairs three.tsv:2,1
head -150 two.tsv >one.tsv
same f --source one.src --target one.tgt --pairs /dev/stdin <<END
$(tail -n +151 two.tsv)
END
{ head -100 two.tsv; echo; echo 'one column'; tail -n +101 two.tsv; } >gaps.tsv
same g --pairs gaps.tsv
grep -q '^left out: 2 lines without both columns' err || fail "short lines are not counted"
grep -q 'without both columns is gaps.tsv:101$' err || fail "the first short line is not named"
refused 1 'two.tsv:1' --pairs two.tsv:2,3
refused 1 'two columns' --pairs two.tsv:en,fr
refused 1 'two columns' --pairs two.tsv:0,1

# ---- packed, piped ----
gzip -c all.src >p.src.gz
gzip -c one.tgt >p.tgt
gzip -c two.tgt >>p.tgt # two members, and no name that says so
same h --source p.src.gz --target p.tgt
same i --source all.src --target - <all.tgt
mkfifo pipe
cat two.tsv >pipe &
same j --pairs pipe
gzip -c two.tsv | same k --pairs -
if command -v xz >/dev/null; then
    xz -c all.tgt >all.tgt.xz
    same l --source all.src --target all.tgt.xz
fi
if command -v zstd >/dev/null; then
    zstd -q all.src -o all.src.zst
    same m --source all.src.zst --target all.tgt
fi
refused 1 'only once' --source - --target - <all.src
head -c 500 p.src.gz >cut.gz
refused 1 'cut.gz: the gzip data are cut short' --source cut.gz --target all.tgt
{ head -c 200 p.src.gz; printf 'xxxxxxxxxxxx'; tail -c +213 p.src.gz; } >bad.gz
refused 1 'bad.gz: the gzip data are damaged' --source bad.gz --target all.tgt

# ---- translation memories ----
awk -F '\t' 'BEGIN { print "<?xml version=\"1.0\"?><tmx version=\"1.4\"><header/><body>" }
    { printf "<tu><tuv xml:lang=\"EN-us\"><seg>%s</seg></tuv><tuv xml:lang=\"de\"><seg>x</seg></tuv>", $1
      printf "<tuv xml:lang=\"fr\"><seg> <bpt i=\"1\">&lt;b></bpt>%s<ept i=\"1\">y</ept>\n</seg></tuv></tu>\n", $2 }
    END { print "<tu><tuv xml:lang=\"en\"><seg>only one</seg></tuv></tu></body></tmx>" }' two.tsv >all.tmx
same n --pairs all.tmx:en,fr
gzip -k all.tmx
same o --pairs all.tmx.gz:en-US,fr
refused 1 'of which languages' --pairs all.tmx
refused 1 'both en and it' --pairs all.tmx:en,it
head -c 3000 all.tmx >cut.tmx
refused 1 'not TMX' --pairs cut.tmx:en,fr
printf '<!DOCTYPE tmx [<!ENTITY a "aaaa">]><tmx><body/></tmx>' >entity.tmx
refused 1 'entities' --pairs entity.tmx:en,fr

# ---- filters: off unless asked for, each with its count ----
{
    cat two.tsv
    echo 'one	one'               # a copy
    echo 'one two	12'            # three times: two doubles
    echo 'one two	12'
    echo 'one two	12'
    echo 'пять шесть	56'        # another script
    echo "$(head -20 all.src | tr '\n' ' ')	1" # unlike length
    echo '	1'                     # empty
} >noise.tsv
filters="--set filter_copies=true --set filter_doubles=true --set filter_script=true --set filter_ratio=4"
train p --pairs noise.tsv
grep -q '^left out: 1 with an empty side$' err || fail "filters work without being asked for"
train q --pairs noise.tsv $filters
grep -q '^left out: 1 copies, 1 in another script, 1 of unlike length, [2-9][0-9]* doubles, 1 with an empty side$' err ||
    fail "the filters do not count"
grep -q '"left_out_copies":1,"left_out_script":1,"left_out_ratio":1' q.log.jsonl || fail "the log has no counts"
refused 1 'leave no pair' --source all.src --target all.src --set filter_copies=true

# ---- pairs a little different in each epoch: another model, the same one whatever threads and interruptions ----
vary="--source all.src --target all.tgt --set bpe_dropout=0.2 --set augment_case=0.2 --set augment_join=0.2
    --set augment_end=0.2 --set augment_copy=0.2 --set batch_tokens=1000 --set keep_checkpoint=true"
train r $vary --set max_epochs=3 --set max_steps=0 --threads 1
weights r >expected_varied
train s --source all.src --target all.tgt --set batch_tokens=1000 --set max_epochs=3 --set max_steps=0
weights s >x
cmp -s x expected_varied && fail "the variations change nothing"
train t $vary --set max_epochs=1 --set max_steps=0
"$ATTN_TOOL" train translator --recipe ./small.recipe --out t --resume $vary --set max_epochs=3 --set max_steps=0 \
    --threads 2 >out 2>err || fail "resuming a varied training"
weights t >x
cmp -s x expected_varied || fail "a varied training that goes on is another one"
same u --source all.src --target all.tgt --set augment_case=0 --set bpe_dropout=0 --set bpe_dropout_sides=source
refused 1 'no moving average' --source all.src --target all.tgt --set keep=ema
refused 1 'tokenizer_type = bpe' --source all.src --target all.tgt --set bpe_dropout=0.1 --set tokenizer_type=unigram \
    --set vocabulary=40

# ---- untied embeddings ----
train w --source all.src --target all.tgt --set tied=false --set storage=i8
for table in source_embedding target_embedding output; do
    grep -qa "\"$table\"" w.safetensors || fail "no table $table"
done
head -5 all.src >some
for how in "" --int8; do
    "$ATTN_TOOL" translate --model w.safetensors $how some >out 2>err || fail "translating with untied embeddings $how"
done
grep -qa '"embedding"' a.safetensors || fail "tied is not the default"

# ---- a vocabulary for each language ----
train y --source all.src --target all.tgt --set vocabularies=separate --set target_vocabulary=36 --set storage=bf16
grep -q 'vocabulary [0-9]* and 36' err || fail "both vocabularies are not said"
for table in source_embedding output; do
    grep -qa "\"$table\"" y.safetensors || fail "no table $table"
done
grep -qa '"target_embedding"' y.safetensors && fail "target and output are not tied"
"$ATTN_TOOL" shortlist --model y.safetensors --source all.src --target all.tgt --frequent 20 --likely 5 --output y.short ||
    fail "a shortlist of two vocabularies"
"$ATTN_TOOL" translate --model y.safetensors some >whole 2>err || fail "translating with two vocabularies"
for how in "--int8" "--shortlist y.short" "--int8 --shortlist y.short --json"; do
    "$ATTN_TOOL" translate --model y.safetensors $how some >out 2>err || fail "translating with two vocabularies $how"
done
"$ATTN_TOOL" score --model y.safetensors --source some --target some >out 2>err || fail "scoring with two vocabularies"
"$ATTN_TOOL" explain --model y.safetensors --raw "$(head -1 some)" >out 2>err || fail "explaining with two vocabularies"
"$ATTN_TOOL" show --model y.safetensors --raw --target "$(head -1 some)" "$(head -1 some)" >out 2>err ||
    fail "showing two vocabularies"
train on --source all.src --target all.tgt --init y.safetensors
refused 1 'vocabularies' --source all.src --target all.tgt --init y.safetensors --set vocabularies=joint
refused 2 'needs --tokenizer' --source all.src --target all.tgt --target-tokenizer x

[ $failures -eq 0 ] && echo "all as expected"
exit $((failures > 0))
