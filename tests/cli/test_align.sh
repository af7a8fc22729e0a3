# `attn align`: what it takes, what it prints, and how it measures.
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

# refused STATUS WORDS ARGUMENT...
refused() {
    wanted=$1
    words=$2
    shift 2
    "$ATTN_TOOL" align "$@" >out 2>err
    [ $? -eq "$wanted" ] || fail "status of $*"
    grep -q -e "$words" err || fail "$*: no '$words'"
}

# Numbers in words, and in digits, the last two in the other order.
awk 'BEGIN {
    split("zero one two three four five six seven eight nine", word, " ")
    for (i = 0; i < 300; i++) {
        n = (i * 7919) % 100000; s = ""; t = ""; g = ""
        for (d = 0; d < 5; d++) {
            s = s (d ? " " : "") word[n % 10 + 1]; digit[d] = n % 10; n = int(n / 10)
        }
        print s "." > "source"
        print digit[0], digit[1], digit[2], digit[4], digit[3] " ." > "target"
        print "0-0 1-1 2-2 3-4 4-3" > "gold"
    }
}'
"$ATTN_TOOL" align -s source -t target >links 2>err || fail "aligning"
[ "$(wc -l <links)" -eq 300 ] || fail "a line a pair"
"$ATTN_TOOL" align --gold gold --links links --json >out 2>err || fail "measuring links"
grep -q '"sentences":300' out || fail "the figures"
rate=$(sed 's/.*"aer":\([0-9]*\).*/\1/' out)
[ "$rate" -lt 10 ] || fail "an error rate of $rate"
"$ATTN_TOOL" align -s source -t target --gold gold --json 2>err | cmp -s - out || fail "--gold alone"

for threads in 2 3; do
    "$ATTN_TOOL" align -s source -t target -j $threads 2>err | cmp -s - links || fail "$threads threads"
done

# The same text as a table, packed and from a pipe.
paste source target | gzip >table.gz
"$ATTN_TOOL" align --pairs table.gz:1,2 2>err | cmp -s - links || fail "a table"
paste source target | "$ATTN_TOOL" align --pairs - 2>err | cmp -s - links || fail "a pipe"

# Text to learn from is not printed.
head -100 source >s1
head -100 target >t1
tail -n +101 source >s2
tail -n +101 target >t2
"$ATTN_TOOL" align -s s1 -t t1 --extra-source s2 --extra-target t2 >out 2>err || fail "extra text"
head -100 links | cmp -s - out || fail "the links of the first lines"
"$ATTN_TOOL" align -s s1 -s s2 -t t1 -t t2 2>err | cmp -s - links || fail "files one after another"

# Nothing to link, one word, and a file that ends without a newline.
printf '\nno\n\n' >s3
printf 'non\n\n\n' >t3
printf 'yes' >>s3
printf 'oui' >>t3
printf '\n\n\n0-0\n' >wanted
"$ATTN_TOOL" align -s s3 -t t3 >out 2>err || fail "empty lines"
cmp -s out wanted || fail "links of empty lines"

for how in grow-diag-final-and grow-diag-final grow-diag intersection union forward backward; do
    "$ATTN_TOOL" align -s s1 -t t1 --symmetrize $how >out 2>err || fail "$how"
    [ "$(wc -l <out)" -eq 100 ] || fail "lines of $how"
done

# A translator's own links: a line a pair, none for empty and for far too long lines.
printf 'Yes.\n\nThe cat is black.\n' >s4
printf 'Oui.\nNon.\nLe chat est noir.\n' >t4
awk 'BEGIN { for (i = 0; i < 2000; i++) printf "word "; print "" }' | tee -a s4 >>t4
model=$ATTN_SOURCE_DIR/models/en-fr.safetensors
"$ATTN_TOOL" align --model "$model" -s s4 -t t4 -j 1 >own 2>err || fail "links of a model"
grep -q '1 pairs of lines are longer' err || fail "no warning of a long line"
[ "$(wc -l <own)" -eq 4 ] || fail "a line a pair from a model"
[ "$(head -1 own)" = 0-0 ] || fail "one word"
[ -z "$(sed -n '2p;4p' own)" ] || fail "links of an empty or a long line"
sed -n 3p own | grep -q '^[0-3]-[0-3] [-0-3 ]*[0-3]-3$' || fail "links of four words: $(sed -n 3p own)"
# Both words have to choose each other; the higher the threshold, the more so.
echo 'The little dog of my neighbour sleeps.' >s5
echo 'Le petit chien de mon voisin dort.' >t5
[ "$("$ATTN_TOOL" align --model "$model" -s s5 -t t5)" = '0-0 1-1 2-2 3-3 4-4 5-5 6-6' ] || fail "links by default"
"$ATTN_TOOL" align --model "$model" -s s5 -t t5 --threshold 0.1 | grep -q '3-3 3-6 4-4' || fail "links at 0.1"
[ "$("$ATTN_TOOL" align --model "$model" -s s5 -t t5 --threshold 0.9)" = '0-0 1-1 2-2 4-4' ] || fail "links at 0.9"
"$ATTN_TOOL" align --model "$model" -s s4 -t t4 -j 3 2>err | cmp -s - own || fail "threads and a model"
"$ATTN_TOOL" align --model "$model" -s s4 -t t4 --head 2.1 >out 2>err || fail "a head"
refused 1 'there is no head 2.99' --model "$model" -s s4 -t t4 --head 2.99
refused 2 'LAYER.HEAD' --model "$model" -s s4 -t t4 --head two
refused 2 'with --model' -s s4 -t t4 --head 1
refused 2 'extra' --model "$model" -s s4 -t t4 --extra-source s4 --extra-target t4

# By hand: 1 of 2 links is sure, 2 of 2 possible; 2 sure ones in the gold: 1 - (1 + 2) / (2 + 2).
echo '0-0 1-1' >two
echo '0-0 1?1 2-2' >gold2
"$ATTN_TOOL" align --gold gold2 --links two >out 2>err || fail "a small gold"
grep -q '^AER 25.00  precision 100.00  recall 50.00 ' out || fail "the figures of the small gold"

refused 1 'missing' -s missing -t target
refused 1 'lines' -s s1 -t target
refused 1 'gold standard has' -s s1 -t t1 --gold gold
echo 'x-1' >bad
refused 1 'bad:1' --gold bad --links two
refused 2 'as many' -s s1
refused 2 'give --source'
refused 2 'gold' --links two
refused 2 'symmetrize' -s s1 -t t1 --symmetrize none
exit $failures
