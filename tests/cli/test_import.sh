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
echo '{"model_type": "mbart", "vocab_size": 10}' >other/config.json
refused 'sentencepiece.bpe.model' other
echo 'no protocol buffer' >other/sentencepiece.bpe.model
refused 'not a SentencePiece model' other
echo '{"model_type": "m2m_100", "vocab_size": 5}' >other/config.json
echo '{"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "a": 4}' >other/vocab.json
echo '{"added_tokens_decoder": {"4": {"content": "__en__"}}}' >other/tokenizer_config.json
refused 'piece 4 is "a" in one file and "__en__" in another' other
echo '{"added_tokens_decoder": {"-7": {"content": "__en__"}}}' >other/tokenizer_config.json
refused 'outside of 0' other
echo '{"added_tokens_decoder": {"5": {"content": "__en__"}}}' >other/tokenizer_config.json
refused 'the vocabulary has 6 pieces' other
echo '{"additional_special_tokens": ["__en__"]}' >other/tokenizer_config.json
echo '{"model_type": "m2m_100", "vocab_size": 6, "decoder_start_token_id": 77}' >other/config.json
refused 'decoder_start_token_id is 77' other
rm other/*.json other/sentencepiece.bpe.model
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
# A file that names the tensors.
mkdir mapped
cp other/model.safetensors mapped
mapping() {
    printf '%s\n' "$2" "$3" >mapped/attn.ini
    refused "$1" mapped
}
mapping 'not understood' '[model]' 'depth = 3'
mapping 'not understood' '[model]' 'd_model = many'
mapping 'not understood' '[other]' 'd_model = 8'
mapping 'no KEY = VALUE' '[model]' 'nothing'
mapping 'not understood' '[tensors]' 'embedding = table sideways'
mapping 'not understood' '[tensors]' 'encoder.0.self.key.weight = in 3/3'
mapping 'not understood' '[tensors]' 'positions = place after -2'
mapping 'names no file of words' '[vocabulary]' 'eos = </s>'
mapping 'words' '[vocabulary]' 'source = words'
mapping 'not a file inside it' '[vocabulary]' 'source = ../text'
printf '<unk>\n\na\n' >mapped/words
mapping 'words:2: an empty line' '[vocabulary]' 'source = words'
printf '<unk>\na\n' >mapped/words
mapping 'begins translations' '[vocabulary]' 'source = words'
printf '<unk>\n<s>\na\na\n' >mapped/words
mapping 'ends sentences' '[vocabulary]' 'source = words'
printf '<unk>\n<s>\n</s>\na\na\n' >mapped/words
mapping 'are both "a"' '[vocabulary]' 'source = words'
printf '<unk>\n<s>\n</s>\na\n' >mapped/words
mapping 'the vocabulary has 4 pieces, the model 0 words' '[vocabulary]' 'source = words'

"$ATTN_TOOL" import >out 2>err
[ $? -eq 2 ] || fail "import without a path is no misuse"

# Encoders: what goes wrong before the tensors are looked at.
mkdir bert
printf '\010\000\000\000\000\000\000\000{}      ' >bert/model.safetensors
bert() { # JSON of config.json beside what is usual
    echo '{"model_type": "bert", "hidden_size": 24, "intermediate_size": 20, "num_attention_heads": 4,
        "num_hidden_layers": 2, "vocab_size": 7, "max_position_embeddings": 64'"${1:-}}" >bert/config.json
}
bert
refused 'no tokenizer beside it' bert
printf '[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n##b\n' >bert/vocab.txt
refused 'asks for' bert
echo '{"model_type": "bert", "vocab_size": 5}' >bert/config.json
refused 'vocab_size is 5, but the tokenizer has 7 pieces' bert
bert ', "hidden_act": "mish"'
refused 'hidden_act is "mish"' bert
bert ', "position_embedding_type": "relative_key"'
refused 'position_embedding_type is "relative_key"' bert
bert ', "is_decoder": true'
refused 'is_decoder' bert
sed 's/"num_attention_heads": 4/"num_attention_heads": 5/' bert/config.json >bert/c && sed 's/, "is_decoder": true//' bert/c >bert/config.json
refused 'does not fit 5 heads' bert
echo '{"model_type": "bert", "vocab_size": 4194304, "hidden_size": 16384, "intermediate_size": 65536,
    "num_hidden_layers": 256, "num_attention_heads": 256}' >bert/config.json
refused 'the file of tensors has 0' bert
bert
echo '{"strip_accents": false}' >bert/tokenizer_config.json
refused 'BertTokenizer' bert
echo '{"tokenizer_class": "BertJapaneseTokenizer"}' >bert/tokenizer_config.json
refused 'BertTokenizer' bert
echo '{"tokenizer_class": "DistilBertTokenizerFast", "model_max_length": 1000000000000000019884624838656}' >bert/tokenizer_config.json
refused 'asks for' bert
rm bert/tokenizer_config.json
sed 's/"bert"/"camembert"/' bert/config.json >bert/c && mv bert/c bert/config.json
cp text bert/sentencepiece.bpe.model
refused 'a model of type "camembert"' bert
rm bert/sentencepiece.bpe.model
bert
echo '[{"type": "sentence_transformers.models.Dense"}]' >bert/modules.json
refused 'sentence_transformers.models.Dense' bert
echo '[{"type": "sentence_transformers.models.Pooling", "path": "../other"}]' >bert/modules.json
refused '../other/config.json' bert
echo '[{"type": "sentence_transformers.models.Pooling", "path": "p"}]' >bert/modules.json
mkdir bert/p
echo '{"pooling_mode_max_tokens": true}' >bert/p/config.json
refused 'it pools with "max_tokens"' bert
echo '{"pooling_mode_mean_tokens": true, "pooling_mode_cls_token": true}' >bert/p/config.json
refused 'several ways' bert
rm -r bert/modules.json bert/p bert/vocab.txt
echo '{"model": {"type": "WordPiece"' >bert/tokenizer.json
refused 'it is not JSON' bert

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
