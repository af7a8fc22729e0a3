# One model for several pairs of languages: trained, saved, chosen by --to, served, scored; tags that no text can write.
set -u
work=$(mktemp -d)
server=
trap '[ -n "$server" ] && kill -9 "$server" 2>/dev/null; rm -rf "$work"' EXIT
cd "$work" || exit 1
failures=0

fail() {
    echo "FAILED: $1"
    [ -f err ] && sed 's/^/    /' err
    failures=$((failures + 1))
}

# "en": digits as words; "xx": digits apart; "yy": letters.
awk 'BEGIN {
    split("zero one two three four five six seven eight nine", word, " ")
    for (i = 0; i < 600; i++) {
        n = (i * 7919) % 1000; s = ""; t = ""; u = ""
        for (d = 0; d < 1 + i % 3; d++) {
            s = s (d ? " " : "") word[n % 10 + 1]; t = t (d ? " " : "") (n % 10)
            u = u (d ? " " : "") substr("abcdefghij", n % 10 + 1, 1); n = int(n / 10)
        }
        print s > "en"; print t > "xx"; print u > "yy"
    }
}'
cat >small.recipe <<'END'
d_model = 32
ffn = 64
heads = 2
encoder_layers = 1
decoder_layers = 1
vocabulary = 80
tokenizer_type = bpe
batch_tokens = 400
learning_rate = 0.01
warmup_steps = 30
max_steps = 400
dropout = 0
max_epochs = 0
bleu_raw = true
augment_join = 0.1
END
"$ATTN_TOOL" train translator --recipe ./small.recipe --out m --source en --target xx --languages en-xx >out 2>err --pairs x &&
    fail "fewer languages than files"
"$ATTN_TOOL" train translator --recipe ./small.recipe --out m --force --source en --target xx --languages en-xx \
    --source xx --target en --languages xx-en --source en --target yy --languages en-yy >out 2>err ||
    fail "training three pairs"
"$ATTN_TOOL" info m.safetensors >out
grep -q 'languages  *en-xx xx-en en-yy' out || fail "the model does not name its languages"
grep -q 'source_language  *en$' out || fail "its first language"
grep -qa -- '--languages en-xx --languages xx-en --languages en-yy' m.safetensors || fail "the command is not kept"

# ---- the language that is asked for is what comes ----
translate() {
    "$ATTN_TOOL" translate --model m.safetensors --raw "$@" 2>err
}
head -60 en >some
translate some >first || fail "the first pair"
translate --to xx some >xx.out || fail "--to xx"
translate --to yy some >yy.out || fail "--to yy"
head -60 xx | translate --to en >en.out || fail "--to en"
cmp -s first xx.out || fail "the first pair is not the default"
right() {
    paste -d '|' "$1" "$2" | awk -F '|' '$1 == $2 { n++ } END { exit n < 45 }' ||
        fail "too few are right: $(paste -d '|' "$1" "$2" | head -5)"
}
head -60 xx >a && right a xx.out
head -60 yy >a && right a yy.out
right some en.out
translate --from en --to yy some | cmp -s - yy.out || fail "--from"
translate --to fr some && fail "a language that it does not have"
grep -q 'does not translate from .* to fr' err || fail "the refusal does not name it"
translate --from xx --to yy some && fail "a pair that it does not have"
"$ATTN_TOOL" translate --model m.safetensors --to yy some 2>err | grep -q '^[a-j]$' || fail "the road takes another language"

# Who writes the tag gets a text, not a language.
echo '<2yy> one two' | translate --to xx --json | grep -o '"<2..>"' >tags
[ "$(cat tags)" = '"<2xx>"' ] || fail "the tags of the source: $(cat tags)"

# ---- the other commands ----
score() {
    "$ATTN_TOOL" score --model m.safetensors --source some --target yy.out "$@" 2>err
}
score --to yy >good || fail "score --to"
score --to xx >bad || fail "score"
paste good bad | awk '{ n += $1 > $3 } END { exit n < 50 }' || fail "the right language has no better score"
gzip -c some >some.gz
"$ATTN_TOOL" score --model m.safetensors --to yy --source some.gz --target - <yy.out 2>err | cmp -s - good ||
    fail "score does not read packed text and standard input"
"$ATTN_TOOL" evaluate --model m.safetensors --raw --to yy --source - --reference yy.out <some.gz >out 2>err
grep -q 'BLEU.*100' out || fail "evaluate does not read packed text: $(cat out)"
"$ATTN_TOOL" evaluate --model m.safetensors --raw --to yy --source some --reference yy.out >out 2>err || fail "evaluate --to"
grep -q 'BLEU.*100' out || fail "evaluate takes another language: $(cat out)"

# ---- served ----
if command -v curl >/dev/null; then
    "$ATTN_TOOL" serve --port 0 --model m.safetensors >access 2>log &
    server=$!
    until grep -q 'serving at' log || ! kill -0 $server 2>/dev/null; do
        sleep 0.02
    done
    url=$(sed -n 's/^attn: serving at //p' log)
    [ -n "$url" ] || fail "it does not start: $(cat log)"
    curl -s "$url/languages" >languages
    grep -q '"targets": *\["en", *"xx", *"yy"\]' languages || fail "/languages: $(cat languages)"
    for to in xx yy; do
        head -1 some | "$ATTN_TOOL" translate --model m.safetensors --to $to >expected 2>err
        answer=$(curl -s -d "q=$(head -1 some)" -d source=en -d target=$to "$url/translate" |
            sed 's/.*"translatedText": *"\([^"]*\)".*/\1/')
        [ "$answer" = "$(cat expected)" ] || fail "the server's translation to $to: $answer"
    done
    kill $server
    wait $server
    server=
fi

# ---- looked into: each pair for itself ----
printf 'one two three\tthree\tone\ttwo\n' >set
for to in xx yy; do
    "$ATTN_TOOL" probe m.safetensors --to $to --set set --json >probe.$to 2>err || fail "a probe of en-$to"
done
cmp -s probe.xx probe.yy && fail "the probe of another pair is the same"

# ---- misuse ----
refused() {
    words=$1
    shift
    "$ATTN_TOOL" train translator --recipe ./small.recipe --out refused --set max_steps=1 "$@" >out 2>err &&
        fail "taken: $*"
    grep -qF -- "$words" err || fail "no '$words' in the error of: $*"
}
refused '1 --languages and 2 files' --source en --source xx --target xx --target en --languages en-xx
refused 'not a pair of languages' --source en --target xx --languages english
refused '--valid-languages' --source en --target xx --languages en-xx --valid-source en --valid-target xx
refused 'no piece <2zz>' --source en --target xx --languages en-zz --init m.safetensors

# ---- back-translation: sources drawn by a model, marked ----
translate --from xx --sample --seed 1 xx >drawn || fail "drawing translations"
[ "$(wc -l <drawn)" -eq "$(wc -l <xx)" ] || fail "a line is missing"
translate --from xx --sample --seed 1 xx | cmp -s - drawn || fail "the same seed draws other translations"
"$ATTN_TOOL" train translator --recipe ./small.recipe --out t --set max_steps=2 --source en --target xx --languages en-xx \
    --source drawn --target xx --languages en-xx+back --set filter_copies=true >out 2>err || fail "training on them"

# ---- a mark for text of another kind ----
"$ATTN_TOOL" train translator --recipe ./small.recipe --out b --set max_steps=2 --source en --target xx --languages en-xx \
    --source en --target xx --languages en-xx+back >out 2>err || fail "a mark"
"$ATTN_TOOL" info b.safetensors | grep -q 'languages  *en-xx$' || fail "the mark is no language"
grep -qa '<back>' b.safetensors || fail "the mark is not in the vocabulary"

[ $failures -eq 0 ] && echo "all as expected"
exit $((failures > 0))
