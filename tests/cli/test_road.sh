# One road: 500 awkward texts through the tool, the server and a C program of the installed interface
# give the same bytes. (examples/translate.c is that program.)
. "$ATTN_SOURCE_DIR/tests/cli/serve_support.sh"

program=$ATTN_BUILD_DIR/example_translate
[ -x "$program" ] || { echo "skipped: $program is not built"; exit 77; }

# Combinations of words and of what stands around them: several sentences, markup, placeholders, addresses,
# emoji, numbers, list marks, no letters, other scripts, very long ones.
awk 'BEGIN {
    n = split("one two three.|one|Two three!|{name} one two.|Is it %s or %1$s?|one.two three.|See http://example.org/a?b=1.|write to me@example.org|one <b>two</b> three.|&amp; one &lt; two|\xf0\x9f\x98\x80 one|one \xf0\x9f\x91\x8d\xf0\x9f\x8f\xbd two|3|2026-11-29|$20 and 50 %|- one two|* three|1. one two.|\xe2\x80\xa2 four|...|?!|#hash @user|\xe4\xbd\xa0\xe5\xa5\xbd\xe3\x80\x82\xe5\x86\x8d\xe8\xa7\x81\xe3\x80\x82|ONE TWO|\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82|one\ttwo|caf\xc3\xa9 cafe\xcc\x81|one\xc2\xa0two\xc2\xad three|\"one,\" two|\\one\\ /two/|{{x}} ${y} :z|one  two   three", part, "|")
    m = split("%|% %|%. %|  % |(%)|%, %!|%;%|% % % %|\"%\"|>%", frame, "|")
    made = 0
    for (i = 0; made < 490; i++) {
        text = frame[i % m + 1]; k = i; out = ""
        while ((at = index(text, "%")) > 0) {
            k = (k * 31 + 7) % 7919
            out = out substr(text, 1, at - 1) part[k % n + 1]
            text = substr(text, at + 1)
        }
        print out text; made++
    }
    for (i = 1; i <= 9; i++) {
        long = ""
        while (length(long) < 450 * i) { long = long part[(length(long) * 13 + i) % 3 + 1] " " }
        print long; made++
    }
    print "   "
}' >texts
[ "$(wc -l <texts)" -eq 500 ] || fail "$(wc -l <texts) texts, not 500"
if [ -n "${ATTN_TEST_THIN:-}" ]; then # where a build is slow
    awk 'NR % 3 == 2' texts >third && mv third texts
fi

"$ATTN_TOOL" translate --model en-fr.safetensors texts >by_tool 2>err || fail "attn translate: $(cat err)"
"$ATTN_TOOL" translate --model en-fr.safetensors --batch 1 -j 1 texts >alone 2>err
cmp by_tool alone || fail "another translation alone than in company"
"$program" en-fr.safetensors <texts >by_program 2>err || fail "the C program: $(cat err)"
cmp by_tool by_program || fail "the C program gives other bytes than the tool"

# The server answers in JSON; the tool writes the same strings with --json.
"$ATTN_TOOL" translate --model en-fr.safetensors --json texts >json 2>err || fail "--json: $(cat err)"
sed 's/^.*"translations":\[{"text":\(.*\),"score":[^}]*}\],"sentences":.*$/{"translatedText":\1}/' json >wanted
start
tab=$(printf '\t')
sed 's/\\/\\\\/g; s/"/\\"/g; s/'"$tab"'/\\t/g' texts | awk -v url="$url/translate" 'NR > 1 { print "next" } {
    printf "url = \"%s\"\ndata = \"source=en&target=fr\"\ndata-urlencode = \"q=%s\"\n", url, $0
}' >requests
curl -sS -m 300 -K requests >by_server 2>err || fail "curl: $(head -3 err)"
if ! cmp -s wanted by_server; then
    fail "the server gives other bytes than the tool:"
    diff wanted by_server | head -6
fi
stop

# Running text: a line break is a text's own, so all lines at once are the same as line by line.
printf 'one two three.\n\n  Two {x}. three\n- one\n' >page
"$ATTN_TOOL" translate --model en-fr.safetensors page >by_line
start
curl -sS -m 60 -o body --data-urlencode q@page -d source=en -d target=fr "$url/translate"
printf '{"translatedText":"%s"}\n' "$(awk '{ printf "%s\\n", $0 }' by_line)" >wanted
cmp wanted body || fail "several lines at once: $(cat body)"
stop
finish
