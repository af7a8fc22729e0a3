# `attn serve` as clients meet it, with curl: answers, refusals, limits, signals, reloading.
. "$ATTN_SOURCE_DIR/tests/cli/serve_support.sh"

start
json='Content-Type: application/json'
text='{"q":"one two three four","source":"en","target":"fr"}'
expect 200 '"status":"ok"' "$url/health"
expect 200 '"targets":["en","fr"]' "$url/languages"
expect 200 translatedText -d q="one two" -d source=en -d target=fr "$url/translate"
expect 200 '{x}' -H "$json" -d '{"q":"one two {x} three.","source":"en","target":"fr"}' "$url/translate"
expect 200 translatedText -H "$json" -d "$text" "$url/translate"
first=$(cat body)
expect 200 '<b>' -H "$json" -d '{"q":"<b>one</b>","source":"auto","target":"fr","format":"html"}' "$url/translate"
expect 200 '</a>' -H "$json" -d '{"q":"<p>one <a href=\"x\">two</a> three</p>","source":"en","target":"fr","format":"html"}' "$url/translate"
expect 200 'event: done' -H "$json" -d '{"q":"one","source":"en","target":"fr","stream":true}' "$url/translate"
expect 200 translatedText -F q=one -F source=en -F target=fr "$url/translate"
expect 200 translatedText -X POST "$url/translate?q=one&source=en&target=fr"
expect 400 'missing q' -d source=en "$url/translate"
expect 400 'Invalid JSON' -H "$json" -d '{"q":' "$url/translate"
expect 404 'Not found' "$url/nothing"
expect 405 'not allowed' "$url/translate"
expect 200 doctype "$url/"
expect 200 attn_requests_total "$url/metrics"
expect 200 '"swagger":"2.0"' "$url/spec"
curl -sS -i -X OPTIONS "$url/translate" | grep -qi '^access-control-allow-origin: \*' || fail "no CORS"

# Pictures: the mask is the one that `attn segment` writes; what a pixel attends to.
picture=scenes/images/000003.png
"$ATTN_TOOL" segment --model street.safetensors --out . $picture >out 2>err || fail "attn segment: $(cat err)"
expect 200 '"width":64,"height":64,"classes":[{"name":"ground","color":"#606060","pixels":' \
    --data-binary @$picture "$url/attn/segment"
sed 's/.*base64,\([^"]*\)".*/\1/' body | base64 -d | cmp - 000003.mask.png || fail "another mask than attn segment's"
expect 200 '"layers":2,"heads":2,"columns":4,"rows":4,"weights":[0.' \
    --data-binary @$picture "$url/attn/attend?x=63&y=0&layer=1&head=2"
expect 400 'pixel 64,0 lies outside the picture of 64 x 64' --data-binary @$picture "$url/attn/attend?x=64&y=0"
expect 400 'not a PNG or JPEG' -d nothing "$url/attn/segment"
"$ATTN_TOOL" attend --model street.safetensors --at 63,0 --layer 1 --head 2 -o look.svg $picture 2>err &&
    grep -q '<svg' look.svg || fail "attn attend: $(cat err)"

# Documents: what comes out is what `attn translate --file` writes, under an address that nobody guesses.
printf '1\n00:00:01,000 --> 00:00:02,000\none <i>two</i> three\n\n2\n00:00:03,000 --> 00:00:04,000\nfour\n' >film.srt
"$ATTN_TOOL" translate --model en-fr.safetensors --file film.srt -o film_fr.srt 2>err || fail "translate --file: $(cat err)"
expect 200 "\"translatedFileUrl\":\"$url/download_file/" -F file=@film.srt -F source=en -F target=fr "$url/translate_file"
address=$(sed 's/.*":"\([^"]*\)".*/\1/' body)
case $address in *.film_fr.srt) ;; *) fail "the address $address" ;; esac
curl -sS -m 60 -D head -o film "$address" && cmp film film_fr.srt || fail "another document than attn translate's"
grep -qi '^content-disposition: attachment; filename="film_fr.srt"' head || fail "no attachment: $(cat head)"
printf '<p>one <img alt="two three four"> two.</p>\n' >page.html
"$ATTN_TOOL" translate --model en-fr.safetensors --attributes --file page.html -o page_fr.html 2>err || fail "--attributes --file: $(cat err)"
grep -q 'alt="two three four"' page_fr.html && fail "an attribute that stayed: $(cat page_fr.html)"
expect 200 translatedFileUrl -F file=@page.html -F attributes=true -F source=en -F target=fr "$url/translate_file"
curl -sS -m 60 -o page "$(sed 's/.*":"\([^"]*\)".*/\1/' body)" && cmp page page_fr.html || fail "another page than attn translate's"
printf '![two three four](one.png)\n' >picture.md
expect 200 translatedFileUrl -F file=@picture.md -F attributes=true -F source=en -F target=fr "$url/translate_file"
curl -sS -m 60 -o picture "$(sed 's/.*":"\([^"]*\)".*/\1/' body)"
"$ATTN_TOOL" translate --model en-fr.safetensors --attributes --file picture.md -o picture_fr.md 2>err
grep -q '^!\[.*\](one.png)$' picture && ! cmp -s picture picture.md || fail "an alternative text that stayed: $(cat picture)"
cmp picture picture_fr.md || fail "another picture's text than attn translate's"
i=0
while [ $i -lt 3000 ]; do echo "one two three $i."; i=$((i + 1)); done >book.txt
"$ATTN_TOOL" translate --model en-fr.safetensors --file book.txt -o book_fr.txt 2>err
expect 200 translatedFileUrl -F file=@book.txt -F source=auto -F target=fr "$url/translate_file"
curl -sS -m 60 -o book "$(sed 's/.*":"\([^"]*\)".*/\1/' body)" && cmp book book_fr.txt || fail "another book than attn translate's"
expect 400 'missing file' -F source=en -F target=fr "$url/translate_file"
expect 400 'missing file' -d source=en -d target=fr "$url/translate_file"
expect 400 'missing target' -F file=@film.srt -F source=en "$url/translate_file"
expect 400 'format not supported' -F 'file=@film.srt;filename=a.exe' -F source=en -F target=fr "$url/translate_file"
expect 400 'empty file' -F 'file=@film.srt;filename=' -F source=en -F target=fr "$url/translate_file"
expect 400 'it is no DOCX file' -F 'file=@film.srt;filename=a.docx' -F source=en -F target=fr "$url/translate_file"
expect 400 'xx is not supported' -F file=@film.srt -F source=en -F target=xx "$url/translate_file"
expect 404 'No such file' "$url/download_file/$(echo "$address" | sed 's|.*/.|x|')"
expect 404 'No such file' --path-as-is "$url/download_file/../../etc/passwd"
expect 200 '".docx"' "$url/frontend/settings"
head -c 9500000 /dev/zero | tr '\0' a >huge.txt
expect 413 'too large' -F file=@huge.txt -F source=en -F target=fr "$url/translate_file"

# Limits: body, characters, header.
head -c 1100000 /dev/zero | tr '\0' a >large
expect 413 'too large' -H "$json" --data-binary @large "$url/translate"
expect 413 'too large' -H "$json" -H 'Transfer-Encoding: chunked' --data-binary @large "$url/translate"
head -c 5001 large >many
expect 400 'exceeds text limit (5000)' --data-urlencode q@many -d source=en -d target=fr "$url/translate"
i=0 lines=
while [ $i -lt 70 ]; do lines="$lines -H X-$i:1"; i=$((i + 1)); done
# shellcheck disable=SC2086 # a list of options
expect 431 '' $lines "$url/health"
got=$(curl -sS -m 60 -o body -w '%{http_code}' -H "X-Long: $(head -c 9000 large)" "$url/health" 2>err)
case $got in 4?? | 000) ;; *) fail "a header of 9000 bytes: $got" ;; esac

# Many at once give what one alone gives.
i=0 pids=
while [ $i -lt 12 ]; do
    curl -sS -m 60 -o many$i -H "$json" -d "$text" "$url/translate" &
    pids="$pids $!"
    i=$((i + 1))
done
# shellcheck disable=SC2086 # a list of numbers
wait $pids
i=0
while [ $i -lt 12 ]; do
    [ "$(cat many$i)" = "$first" ] || fail "in company: $(cat many$i), alone: $first"
    i=$((i + 1))
done

# A byte order mark before JSON, as some editors write it.
printf '\357\273\277{"q":"one two","source":"en","target":"fr"}' >marked
expect 200 '"translatedText":' -H "$json" --data-binary @marked "$url/translate"
printf '\357\273\277{"model":0,"q":"one","part":"cross"}' >marked
expect 200 '"head_size":8' -H "$json" --data-binary @marked "$url/attn/layer"
printf '\357\273\277' >marked
expect 400 'Invalid JSON' -H "$json" --data-binary @marked "$url/translate"

# What the page asks for: itself, the models, attention, its steps, the weights.
look='{"model":0,"q":"one two","target":"bc","part":"cross","layer":0}'
expect 200 '<script type="module" src="main.js">' "$url/"
expect 200 'export async function openSource' "$url/source.js"
expect 200 '"source":"en","target":"fr"' "$url/attn/models"
expect 200 '"format":"attn.attention"' -H "$json" -d "$look" "$url/attn/document"
expect 200 '"head_size":8' -H "$json" -d "$look" "$url/attn/layer"
expect 200 '"query":{"weight":{"type":"' -H "$json" -d "$look" "$url/attn/matrices"
expect 200 '"log_probability_edited":' -H "$json" -d "$look" "$url/attn/intervene"
expect 200 '"after":' -H "$json" -d '{"q":"one two","part":"encoder","layer":0,"head":1,"query":[0,1],"key":[1,1]}' "$url/attn/intervene"
expect 200 '"after":' -H "$json" -d '{"q":"one two","part":"encoder","query":[4000000000000,9],"key":[4000000000000,9]}' "$url/attn/intervene"
expect 400 'there is no head 9' -H "$json" -d '{"q":"one","part":"cross","head":8}' "$url/attn/intervene"
expect 400 'there is no head' -H "$json" -d '{"q":"one","part":"cross","layer":-1}' "$url/attn/intervene"
expect 400 'first piece, how many' -H "$json" -d '{"q":"one","part":"cross","query":[1]}' "$url/attn/intervene"
expect 400 'first piece, how many' -H "$json" -d '{"q":"one","part":"cross","key":[-1,2]}' "$url/attn/intervene"
expect 400 'part must be encoder' -H "$json" -d '{"q":"one"}' "$url/attn/intervene"
expect 405 'Method not allowed' "$url/attn/layer"
expect 405 'Method not allowed' -H "$json" -d "$look" "$url/attn/models"
expect 400 'Invalid JSON' -H "$json" -d 'what' "$url/attn/layer"
expect 400 'there is no model 7' -H "$json" -d '{"model":7,"q":"one"}' "$url/attn/document"
expect 400 'missing q' -H "$json" -d '{"model":0}' "$url/attn/document"
expect 400 'part must be encoder' -H "$json" -d '{"q":"one","part":"middle"}' "$url/attn/layer"
expect 400 'there is no layer 10' -H "$json" -d '{"q":"one","part":"cross","layer":9}' "$url/attn/layer"
expect 400 'the checkpoint: cannot open' -H "$json" -d '{"q":"one","checkpoint":5}' "$url/attn/document"

"$ATTN_TOOL" train translator --source s --target t --recipe ./tiny.recipe --quiet --set source_language=de --set target_language=fr \
    --out de-fr >out 2>err || fail "no other model: $(cat err)"
# A changed file is loaded while requests go on; a damaged one is not.
tries=0
cp model2.safetensors new && mv new en-fr.safetensors
now=$first
until [ "$now" != "$first" ] || [ $tries -gt 200 ]; do
    now=$(curl -fsS -m 60 -H "$json" -d "$text" "$url/translate") || fail "a request was dropped while a model was loaded"
    tries=$((tries + 1))
    sleep 0.05
done
[ $tries -le 200 ] || fail "the changed model was not loaded"
echo damaged >new && mv new en-fr.safetensors
kill -HUP $server
tries=0
until grep -q 'keeping the model in use' log || [ $tries -gt 200 ]; do tries=$((tries + 1)); sleep 0.05; done
cp model2.safetensors new # and one whose first weights are NaN
header=$(od -An -t u8 -N 8 new | tr -d ' ')
head -c 8192 /dev/zero | tr '\000' '\377' | dd of=new bs=4096 seek=$((header + 8)) oflag=seek_bytes conv=notrunc status=none
: >log
mv new en-fr.safetensors
kill -HUP $server
tries=0
until grep -q 'keeping the model in use' log || [ $tries -gt 200 ]; do tries=$((tries + 1)); sleep 0.05; done
grep -q 'no probability to any token' log || fail "weights that are no numbers: $(cat log)"
for other in street.safetensors de-fr.safetensors; do # another kind of model, and another language, in its place
    : >log
    cp $other new && mv new en-fr.safetensors
    kill -HUP $server
    tries=0
    until grep -q 'keeping the model in use' log || [ $tries -gt 200 ]; do tries=$((tries + 1)); sleep 0.05; done
    grep -q 'it is a segmenter now, and was a translator\|it does not translate from en to fr' log || fail "$other in place of en-fr: $(cat log)"
done
expect 200 translatedText -H "$json" -d "$text" "$url/translate"
stop
grep -q '"path":"/translate","status":200' access || fail "no access log"
grep -q 'one two' access && fail "the log holds text"

# A full queue: 429 with Retry-After, for a stream too, and what had a place is answered.
cp model2.safetensors en-fr.safetensors
start --queue 2 --batch-wait 4000
pids=
for i in 1 2; do
    curl -sS -m 60 -o queued$i -H "$json" -d "$text" "$url/translate" &
    pids="$pids $!"
done
sleep 0.5
expect 429 '{"error":"Slowdown: too many requests are waiting"}' -D head -H "$json" -d "$text" "$url/translate"
grep -qi '^retry-after: 1' head || fail "no Retry-After: $(cat head)"
expect 429 'Slowdown' -D head -H "$json" -d '{"q":"one","source":"en","target":"fr","stream":true}' "$url/translate"
grep -qi '^retry-after: 1' head || fail "no Retry-After for a stream: $(cat head)"
expect 200 '"status":"ok"' "$url/health"
# shellcheck disable=SC2086 # a list of numbers
wait $pids
for i in 1 2; do
    grep -q translatedText queued$i || fail "a queued request: $(cat queued$i)"
done
expect 200 translatedText -H "$json" -d "$text" "$url/translate"
expect 200 'attn_refused_total 2' "$url/metrics"
stop

# A client that leaves takes its work with it; so does the end of the time to drain, with a word; a second signal ends at
# once.
awk 'BEGIN { printf "{\"source\":\"en\",\"target\":\"fr\",\"q\":["; for (t = 0; t < 120; t++) {
    printf "%s\"", t ? "," : ""; for (i = 0; i < 800; i++) printf "one.\\n"; printf "\"" } printf "]}" }' >book
wait_until() { # WORDS: in /metrics
    tries=0
    until curl -sS -m 60 "$url/metrics" >body 2>err && grep -q "$1" body || [ $tries -gt 1500 ]; do
        tries=$((tries + 1))
        sleep 0.02
    done
    [ $tries -le 1500 ] || fail "no '$1' in /metrics: $(cat body)"
}
start --drain-seconds 1
curl -sS -m 600 -o left -H "$json" --data-binary @book "$url/translate" 2>err &
client=$!
wait_until '^attn_sentences_total [1-9]'
kill $client
wait_until '^attn_requests_in_flight 1$'
expect 200 '' "$url/metrics"
sentences=$(sed -n 's/^attn_sentences_total //p' body)
[ "$sentences" -lt 90000 ] || fail "a client left, and its $sentences sentences were searched"
awk 'BEGIN { for (i = 0; i < 90000; i++) print "one." }' >long.txt
curl -sS -m 600 -o left -F file=@long.txt -F source=en -F target=fr "$url/translate_file" 2>err &
client=$!
more=$sentences
while [ "$more" -le "$sentences" ]; do
    curl -sS -m 60 "$url/metrics" >body 2>err || break
    more=$(sed -n 's/^attn_sentences_total //p' body)
done
kill $client
wait_until '^attn_requests_in_flight 1$'
expect 200 translatedText -H "$json" -d "$text" "$url/translate"
curl -sS -m 600 -o left -w '%{http_code}' -H "$json" --data-binary @book "$url/translate" >code 2>err &
client=$!
wait_until '^attn_requests_in_flight 2$'
stop
wait $client
[ "$(cat code)" = 503 ] && grep -q 'The server is stopping' left || fail "cut short: $(cat code) $(head -c 200 left)"
start --drain-seconds 3600
curl -sS -m 600 -o left -H "$json" --data-binary @book "$url/translate" 2>err &
client=$!
wait_until '^attn_sentences_total [1-9]'
kill -TERM $server
sleep 0.5
kill -TERM $server
wait $server
[ $? -eq 143 ] || fail "a second SIGTERM does not end the process"
server=
wait $client

# Keys, a slow request, and a request under way when asked to stop.
cp model2.safetensors en-fr.safetensors
echo 0f1e2d3c4b5a69788796a5b4c3d2e1f0 >keys
start --api-keys keys --receive-seconds 1 --batch-wait 500
expect 400 'API key' -d q=one -d source=en -d target=fr "$url/translate"
expect 403 'Invalid API key' -d q=one -d api_key=another-key-of-sufficient-length "$url/translate"
expect 200 translatedText -d q=one -d source=en -d target=fr -d api_key=0f1e2d3c4b5a69788796a5b4c3d2e1f0 "$url/translate"
look='{"q":"one","target":"bc","part":"cross","layer":0' bearer='Authorization: Bearer 0f1e2d3c4b5a69788796a5b4c3d2e1f0'
expect 200 '{"sentences":[]}' -H "$json" -H "$bearer" -d '{"q":"42"}' "$url/attn/document"
for path in document layer matrices; do
    expect 400 'API key' -H "$json" -d "$look}" "$url/attn/$path"
    expect 403 'Invalid API key' -H "$json" -d "$look,\"api_key\":\"another-key-of-sufficient-length\"}" "$url/attn/$path"
    expect 200 '{' -H "$json" -d "$look,\"api_key\":\"0f1e2d3c4b5a69788796a5b4c3d2e1f0\"}" "$url/attn/$path"
    expect 200 '{' -H "$json" -H "$bearer" -d "$look}" "$url/attn/$path"
done
for path in segment 'attend?x=1&y=1'; do
    expect 400 'API key' --data-binary @$picture "$url/attn/$path"
    expect 403 'Invalid API key' -H "${bearer}s" --data-binary @$picture "$url/attn/$path"
    expect 200 '"width":64' -H "$bearer" --data-binary @$picture "$url/attn/$path"
done
expect 200 '"width":64' --data-binary @$picture "$url/attn/segment?api_key=0f1e2d3c4b5a69788796a5b4c3d2e1f0"
# Keys are read again on SIGHUP: a new one is known, an old one no more; a damaged file changes nothing.
echo 00112233445566778899aabbccddeeff >keys
kill -HUP $server
tries=0
until [ "$(curl -sS -m 60 -o body -w '%{http_code}' -d q=one -d api_key=00112233445566778899aabbccddeeff "$url/detect")" = 200 ] || [ $tries -gt 200 ]; do
    tries=$((tries + 1))
    sleep 0.5
done
expect 403 'Invalid API key' -d q=one -d api_key=0f1e2d3c4b5a69788796a5b4c3d2e1f0 "$url/detect"
echo short >keys
kill -HUP $server
tries=0
until grep -q 'keeping the keys in use' log || [ $tries -gt 200 ]; do tries=$((tries + 1)); sleep 0.05; done
expect 200 confidence -d q=one -d api_key=00112233445566778899aabbccddeeff "$url/detect"

# What concerns the operator: for no page elsewhere, and for no name that is not this host's.
host=evil.example.com
for path in metrics attn/models; do
    expect 403 'is not known as a name of this server' -H "Host: $host" "$url/$path"
    expect 200 '' -H "Host: $host" -H 'Authorization: Bearer 00112233445566778899aabbccddeeff' "$url/$path"
    curl -sS -i "$url/$path" | grep -qi '^access-control-allow-origin' && fail "/$path: a page elsewhere may read it"
done
expect 200 '"status":"ok"' -H "Host: $host" "$url/health"

if command -v bash >/dev/null; then
    bash -c "exec 3<>/dev/tcp/127.0.0.1/${url##*:}; for c in G E T; do printf \$c >&3; sleep 0.4; done; timeout 5 cat <&3; [ \$? -ne 124 ]" ||
        fail "a dripping header is not cut off"
    bash -c "exec 3<>/dev/tcp/127.0.0.1/${url##*:}; printf 'POST /translate HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n' >&3
        for c in a b c; do printf \$c >&3; sleep 0.4; done; timeout 5 cat <&3; [ \$? -ne 124 ]" 2>/dev/null ||
        fail "a dripping body is not cut off"
fi
curl -sS -m 60 -o last -d q=two -d source=en -d target=fr -d api_key=00112233445566778899aabbccddeeff "$url/translate" &
client=$!
sleep 0.25
stop
wait $client && grep -q translatedText last || fail "SIGTERM dropped a request: $(cat last 2>/dev/null)"

# Connections of one address.
if command -v bash >/dev/null; then
    start --connections-per-address 3 --name Translate.Example.org
    expect 200 attn_requests -H 'Host: translate.example.org:443' "$url/metrics"
    expect 403 'start it with --name' -H 'Host: other.example.org' "$url/metrics"
    port=${url##*:}
    bash -c "exec 3<>/dev/tcp/127.0.0.1/$port 4<>/dev/tcp/127.0.0.1/$port 5<>/dev/tcp/127.0.0.1/$port; sleep 0.2
        curl -sS -m 10 http://127.0.0.1:$port/health" >body 2>err && fail "a fourth connection: $(cat body)"
    tries=0
    until curl -sS -m 10 "$url/health" >body 2>err || [ $tries -gt 100 ]; do tries=$((tries + 1)); sleep 0.05; done
    grep -q ok body || fail "no connection after the others closed: $(cat err)"
    stop
fi

# A full disk costs lines of the log, and says so once; nothing else stops.
if [ -c /dev/full ]; then
    start --access-log /dev/full
    for i in 1 2 3; do expect 200 '"status":"ok"' "$url/health"; done
    wait_until '^attn_lost_log_lines_total [3-9]'
    [ "$(grep -c 'cannot write the access log' log)" -eq 1 ] || fail "the log's loss is told $(grep -c 'cannot write the access log' log) times"
    stop
fi

# Two models for one pair: /translate takes the first, and the other by its number.
mkdir -p other && cp model2.safetensors en-fr.safetensors && "$ATTN_TOOL" train translator --source s --target t --recipe ./tiny.recipe \
    --quiet --seed 3 -s max_steps=6 -s validate_every=2 -s average=3 -s keep=average --out other/en-fr-large >out 2>err || fail "no third model: $(cat err)"
ask() { # URL MODEL-PARAMETER
    curl -sS -m 60 -H "$json" -d "{\"q\":\"one two three four\",\"source\":\"en\",\"target\":\"fr\",\"scores\":true$2}" "$1/translate"
}
start
alone=$(ask "$url" '')
stop
start --model other/en-fr-large.safetensors
expect 200 '"targets":["en","fr"]' "$url/languages"
expect 200 '"name":"en-fr"' "$url/attn/models"
expect 200 '"model":2,"name":"en-fr-large","source":"en","target":"fr"' "$url/attn/models"
[ "$(ask "$url" '')" = "$alone" ] || fail "not the first model of a pair: $(ask "$url" ''), alone $alone"
[ "$(ask "$url" ',"model":0')" = "$alone" ] || fail "not model 0"
second=$(ask "$url" ',"model":2')
case $second in *translatedText*) ;; *) fail "model 2: $second" ;; esac
[ "$second" != "$alone" ] || fail "model 2 is the first"
expect 200 translatedText -d q=one -d source=auto -d target=fr -d model=2 "$url/translate"
expect 400 'model 1 does not translate en to fr' -d q=one -d source=en -d target=fr -d model=1 "$url/translate"
expect 400 'model 7 does not translate' -d q=one -d source=en -d target=fr -d model=7 "$url/translate"
expect 400 'not a number' -d q=one -d source=en -d target=fr -d model=large "$url/translate"
expect 200 '"model":"en-fr-large"' -H "$json" -d '{"q":"one","model":2}' "$url/attn/document"

# The checkpoints of its training: each has numbers of its own, and the steps are of the same weights.
expect 200 '"checkpoints":[1,2,3]' "$url/attn/models"
look='"model":2,"q":"one two","target":"bc","part":"encoder","layer":0'
for path in document layer matrices; do
    for number in 0 1 2 3; do
        expect 200 '{' -H "$json" -d "{$look,\"checkpoint\":$number}" "$url/attn/$path"
        cp body $path$number
    done
    expect 200 '{' -H "$json" -d "{$look}" "$url/attn/$path"
    cmp -s body ${path}0 || fail "/attn/$path: no checkpoint is not checkpoint 0, the model itself"
    [ "$(cat ${path}0 ${path}1 ${path}2 ${path}3 | sort -u | wc -l)" -eq 4 ] || fail "/attn/$path: two checkpoints with the same numbers"
    expect 400 'the checkpoint: cannot open' -H "$json" -d "{$look,\"checkpoint\":4}" "$url/attn/$path"
done
stop

# Options from the environment, the command line before it; who is behind a proxy; so many requests a minute; answers that
# are given again; suggestions; the interface for people.
ATTN_TRUSTED_PROXY=192.0.2.1,127.0.0.0/8 ATTN_REQUESTS_PER_MINUTE=3 ATTN_NAME=t.example.org ATTN_SUGGESTIONS=suggested \
    start --cache 4
ask_as() { # ADDRESS
    curl -sS -m 60 -o body -w '%{http_code}' -H "X-Forwarded-For: 203.0.113.99, $1" -d q=one -d source=en -d target=fr "$url/translate"
}
for i in 1 2 3; do [ "$(ask_as 198.51.100.1)" = 200 ] || fail "request $i: $(cat body)"; done
[ "$(ask_as 198.51.100.1)" = 429 ] || fail "a fourth request within a minute: $(cat body)"
grep -q '{"error":"Slowdown: 3 per 1 minute"}' body || fail "not LibreTranslate's words: $(cat body)"
[ "$(ask_as 198.51.100.2)" = 200 ] || fail "another client behind the same proxy: $(cat body)"
grep -q '"address":"198.51.100.1"' access || fail "the log names the proxy: $(head -n 3 access)"
expect 200 'attn_cache_requests_total{found="yes"} 3' "$url/metrics"
expect 200 '"success":true' -H 'X-Forwarded-For: 198.51.100.3' -d q=one -d s=un -d source=en -d target=fr "$url/suggest"
grep -q '"source":"en","target":"fr","q":"one","s":"un"}$' suggested || fail "no suggestion: $(cat suggested)"
expect 400 'missing s parameter' -H 'X-Forwarded-For: 198.51.100.3' -d q=one -d source=en -d target=fr "$url/suggest"
expect 200 '"suggestions":true' "$url/frontend/settings"
expect 200 "\"translatedFileUrl\":\"https://${url#*//}/download_file/" -H 'X-Forwarded-For: 198.51.100.4' -H 'X-Forwarded-Proto: https' \
    -F file=@film.srt -F source=en -F target=fr "$url/translate_file"
expect 200 'the interface' "$url/docs"
stop
ATTN_PORT=many "$ATTN_TOOL" serve --model en-fr.safetensors 2>err && fail "ATTN_PORT=many"
grep -q "environment variable ATTN_PORT" err || fail "no word of the variable: $(cat err)"
"$ATTN_TOOL" serve --model en-fr.safetensors --port 0 --trusted-proxy proxy.example.org 2>err && fail "a proxy by name"
grep -q 'not an IP address' err || fail "no word of the proxy: $(cat err)"
start
expect 403 'Suggestions are disabled' -d q=one -d s=un -d source=en -d target=fr "$url/suggest"
expect 200 "\"translatedFileUrl\":\"$url/download_file/" -H 'X-Forwarded-Proto: https' -F file=@film.srt -F source=en -F target=fr \
    "$url/translate_file"
stop

# A document through a third language, and into its own.
cp model2.safetensors en-fr.safetensors && cp model1.safetensors fr-de.safetensors
sed 's/^one .*/five five nine nine/' film.srt >plain.srt && mv plain.srt film.srt
for pair in en-fr fr-de; do
    "$ATTN_TOOL" translate --model $pair.safetensors --file film$([ $pair = en-fr ] || echo _fr).srt -o film_${pair#*-}.srt 2>err ||
        fail "translate --file: $(cat err)"
done
cmp -s film_fr.srt film_de.srt && fail "the second model changes nothing: the test needs another text"
start --model fr-de.safetensors
for target in de en; do
    expect 200 translatedFileUrl -F file=@film.srt -F source=en -F target=$target "$url/translate_file"
    curl -sS -m 60 -o film "$(sed 's/.*":"\([^"]*\)".*/\1/' body)"
    [ $target = de ] && expected=film_de.srt || expected=film.srt
    cmp film $expected || fail "another document in $target: $(cat film)"
done
stop

# Without --model: models/en-fr.safetensors and the other translators beside it; languages choose among them.
mkdir -p models
cp model1.safetensors models/en-fr.safetensors
cp model2.safetensors models/de-it.safetensors
cp street.safetensors models/
echo 'this is no model' >models/notes.safetensors
(
    unset ATTN_MODEL
    for languages in '' '--from de' '--to it' '--from de --to it'; do
        echo 'one two three' >in
        # shellcheck disable=SC2086 # words
        "$ATTN_TOOL" translate --raw $languages in >chosen || exit 1
        wanted=model2.safetensors
        [ -n "$languages" ] || wanted=model1.safetensors
        "$ATTN_TOOL" translate --raw --model $wanted in | cmp - chosen || exit 1
    done
    "$ATTN_TOOL" translate --from de --to fr in 2>err && exit 1
    grep -q 'none of the 2 models beside models/en-fr.safetensors translates from de to fr' err
) || fail "models chosen by languages: $(cat err)"
start_with env -u ATTN_MODEL "$ATTN_TOOL" serve --port 0
expect 200 '"code":"de","name":"German","targets":["de","it"]' "$url/languages"
expect 200 '"code":"en","name":"English","targets":["en","fr"]' "$url/languages"
stop

# Misuse.
"$ATTN_TOOL" serve --model street.safetensors --model ./street.safetensors --port 0 2>err && fail "two models for pictures"
grep -q 'serve only one segmenter' err || fail "no word on two models for pictures: $(cat err)"
cp en-fr.safetensors nameless.safetensors
"$ATTN_TOOL" serve --model nameless.safetensors --port 0 2>err && fail "a model without languages"
grep -q 'name the file after its languages' err || fail "no word on a model without languages: $(cat err)"

finish
