# Every kind of network that a recipe describes can be looked at: the steps agree with the model's own numbers (`attn explain`
# says when they do not), and pages, probes, interventions and the server work; so they do on a model of another program.
set -u
work=$(mktemp -d)
server=
trap '[ -n "$server" ] && kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
cd "$work" || exit 1
failures=0

fail() {
    echo "FAILED: $1"
    failures=$((failures + 1))
}

works() { # WHAT COMMAND...
    what=$1
    shift
    "$@" >out 2>err || fail "$what: attn $2: $(cat err)"
}

awk 'BEGIN {
    split("zero one two three four five six seven eight nine", word, " ")
    for (i = 0; i < 300; i++) {
        n = (i * 7919) % 10000; s = ""; t = ""
        for (d = 0; d < 4; d++) { s = s word[n % 10 + 1] " "; t = t substr("abcdefghij", n % 10 + 1, 1); n = int(n / 10) }
        print s > "s"; print t > "t"
    }
}'
printf 'one two three\tone\ttwo\tthree\n' >set

look() { # WHAT MODEL DECODER: whether the decoder attends to earlier words
    works "$1" "$ATTN_TOOL" explain --model "$2" --json 'one two three'
    for part in encoder decoder cross; do
        if [ "$part" = decoder ] && [ "$3" = no ]; then
            "$ATTN_TOOL" explain --model "$2" --part decoder 'one two three' >out 2>err && fail "$1: explain of the decoder"
            grep -q 'recurrent units' err || fail "$1: no word of recurrent units: $(cat err)"
        else
            works "$1" "$ATTN_TOOL" explain --model "$2" --part $part --layer 2 --head 2 'one two three'
        fi
    done
    works "$1" "$ATTN_TOOL" explain --model "$2" --mask 1.1 'one two three'
    works "$1" "$ATTN_TOOL" show --model "$2" 'one two three' -o page.html
    works "$1" "$ATTN_TOOL" show --model "$2" --view rollout --part cross 'one two three' -o rollout.svg
    works "$1" "$ATTN_TOOL" probe "$2" --set set
}

n=0
while read -r settings; do
    n=$((n + 1))
    decoder=yes
    case $settings in *ssru=true*) decoder=no ;; esac
    # shellcheck disable=SC2086 # settings are words
    "$ATTN_TOOL" train translator --source s --target t --quiet --set d_model=16 --set ffn=24 --set heads=2 --set encoder_layers=2 \
        --set decoder_layers=2 --set vocabulary=50 --set batch_tokens=300 --set max_steps=2 $settings --out en-fr-$n.safetensors 2>err ||
        { fail "$settings: $(cat err)"; continue; }
    look "$settings" en-fr-$n.safetensors $decoder
done <<'END'
--set norm=post --set positions=learned
--set norm_kind=rms
--set norm=post --set norm_kind=rms --set embedding_norm=true
--set norm_epsilon=0.001 --set kv_heads=1
--set plain_embeddings=true --set gated=true
--set ssru=true
--set positions=learned --set own_positions=true
--set norm=post --set final_norm=true
--set tied=false --set output_bias=true
--set first_position=3 --set sinusoids=paper
--set positions=rotary
--set positions=rotary --set rotary=adjacent --set rotary_base=100 --set rotary_dim=4 --set kv_heads=1
--set positions=relative
--set positions=relative --set relative_buckets=8 --set relative_distance=6 --set norm=post --set ssru=true
END

# The second of them in another program's files, whose folder says the languages.
works export "$ATTN_TOOL" export en-fr-2.safetensors --to ctranslate2 -o opus-mt-en-fr
look 'a folder of CTranslate2' opus-mt-en-fr yes
for command in info verify; do
    "$ATTN_TOOL" $command opus-mt-en-fr >out 2>err && fail "$command of a foreign folder"
    grep -q 'attn import' err || fail "$command does not name attn import: $(cat err)"
done
if command -v curl >/dev/null; then
    : >log
    "$ATTN_TOOL" serve --port 0 --quiet --model opus-mt-en-fr/ --model en-fr-6.safetensors >out 2>log &
    server=$!
    tries=0
    until grep -q 'serving at' log || [ $tries -gt 500 ]; do
        tries=$((tries + 1))
        sleep 0.02
    done
    url=$(sed -n 's/^attn: serving at //p' log)
    for model in 0 1; do
        curl -sS -m 60 -o body -H 'Content-Type: application/json' -d "{\"model\":$model,\"q\":\"one two three\"}" "$url/attn/document"
        grep -q '"source":{"language":"en"' body || fail "the page's document of model $model: $(head -c 300 body) $(cat log)"
    done
fi

[ $failures -eq 0 ] && echo "all as expected"
exit $((failures > 0))
