# What `attn import` refuses, in one line each, and that nothing is written then. What it reads is compared with the models' makers
# in tests/parity/import_compare.py.
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

# refused WORDS PATH: an error of one line with these words, status 1, no file.
refused() {
    "$ATTN_TOOL" import "$2" -o out.safetensors >out 2>err
    [ $? -eq 1 ] || fail "import $2 does not fail as it should"
    grep -qF -- "$1" err || fail "no '$1' in the error of import $2"
    [ "$(wc -l <err)" -eq 1 ] || fail "more than one line about $2"
    [ -e out.safetensors ] && fail "something was written for $2"
    "$ATTN_TOOL" translate --model "$2" </dev/null >out 2>err && fail "translate takes $2"
}

refused 'no such file or folder' nothing
mkdir empty other
refused 'no file of a model in it' empty
echo 'hello' >text
refused 'text' text
printf '\010\000\000\000\000\000\000\000{}      ' >other/model.safetensors
refused 'a model that attn does not know' other
echo '{"model_type": "gpt2"}' >other/config.json
refused 'model_type is "gpt2"' other
echo '{"model_type": ' >other/config.json
refused 'config.json' other
echo '{"model_type": "marian", "vocab_size": 10, "decoder_start_token_id": 99}' >other/config.json
refused 'decoder_start_token_id is 99' other
echo '{"model_type": "marian", "vocab_size": 10, "decoder_start_token_id": 9}' >other/config.json
refused 'source.spm' other
echo 'no protocol buffer' >other/source.spm
echo '{"</s>": 0, "<unk>": 1, "a": 2.5}' >other/vocab.json
refused 'vocab.json' other
echo '{"</s>": 0, "<unk>": 1, "a": 70}' >other/vocab.json
refused 'the model 10 words' other
echo '{"</s>": 0, "<unk>": 1, "a": 2}' >other/vocab.json
refused 'tokenizer' other
"$ATTN_TOOL" import >out 2>err
[ $? -eq 2 ] || fail "import without a path is no misuse"

cat >tiny.recipe <<'END'
d_model = 8
ffn = 8
heads = 1
encoder_layers = 1
decoder_layers = 1
vocabulary = 40
max_steps = 1
max_epochs = 0
END
i=0
while [ $i -lt 40 ]; do
    echo "word$i and more"
    i=$((i + 1))
done >lines
"$ATTN_TOOL" train translator --recipe ./tiny.recipe --source lines --target lines --out own >out 2>err || fail "a model of our own"
refused_own=$("$ATTN_TOOL" import own.safetensors -o x.safetensors 2>&1) && fail "our own model is imported"
case $refused_own in
*'a model of attn already'*) ;;
*) fail "our own model: $refused_own" ;;
esac

# A model may come through a pipe, which is read but once; errors name a file as it was named.
cat own.safetensors | "$ATTN_TOOL" translate --model /dev/stdin --raw lines >piped 2>err || fail "a model through a pipe"
"$ATTN_TOOL" translate --model own.safetensors --raw lines 2>err | cmp -s - piped || fail "the piped model is another"
head -c 3000 own.safetensors >other/cut.safetensors
"$ATTN_TOOL" translate --model other/cut.safetensors </dev/null >out 2>err && fail "a model cut short is taken"
grep -q '^attn: other/cut.safetensors:' err || fail "the error does not name other/cut.safetensors"

[ $failures -eq 0 ] && echo "all as expected"
exit $((failures > 0))
