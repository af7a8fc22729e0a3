# `attn scenes`, `train segmenter`, `segment`, `attend` and `evaluate --images` as a user runs them, and
# what they say to bad input. The model is hardly trained: only that it is deterministic matters.
set -u
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
kept=$ATTN_SOURCE_DIR/tests/fuzz/corpus/image
failures=0

fail() {
    echo "FAILED: $1"
    [ -s err ] && sed 's/^/    /' err
    failures=$((failures + 1))
}

# run ARGUMENT...: succeeds, without a word on stderr.
run() {
    "$ATTN_TOOL" "$@" >out 2>err || fail "exit status $?: $*"
    [ -s err ] && fail "it said something: $*"
}

# expect STATUS WORDS ARGUMENT...: the exit status, and one line on stderr that holds WORDS.
expect() {
    status=$1 words=$2
    shift 2
    "$ATTN_TOOL" "$@" >out 2>err
    got=$?
    [ $got -eq "$status" ] || fail "exit status $got, not $status: $*"
    grep -qF -- "$words" err || fail "no '$words' in the error of: $*"
    [ "$(grep -c '^attn: ' err)" -eq 1 ] || fail "not one line of error: $*"
}

holds() { grep -qF -- "$2" "$1" || fail "no '$2' in $1"; }
there() { for f; do [ -s "$f" ] || fail "$f is missing"; done; }
absent() { for f; do [ -e "$f" ] && fail "$f was written"; done; }

# ---- scenes ----
run scenes --count 12 --seed 3 --width 64 --height 64 s
there s/classes.txt s/images/000011.png s/masks/000011.png
run scenes --count 2 --seed 3 --width 64 --height 64 again
cmp -s s/images/000001.png again/images/000001.png || fail "the same seed drew another scene"
run scenes --count 1 --seed 4 --width 80 --height 72 other
cmp -s s/images/000000.png other/images/000000.png && fail "another seed drew the same scene"
expect 2 'from 1 to 3' scenes --colors 4 x
expect 2 'from 64' scenes --width 10 x
expect 1 'classes.txt/images' scenes s/classes.txt/images
absent x

# ---- train ----
cat >small.recipe <<'END'
width_2 = 8
width_4 = 8
d_model = 16
units_4 = 0
units_8 = 0
blocks = 2
heads = 2
ffn = 16
stochastic_depth = 0.2
batch_pictures = 3
crop_width = 48
crop_height = 56
max_steps = 12
max_epochs = 0
validate_every = 6
checkpoint_every = 1
log_every = 1
END
data="--images s/images --masks s/masks --classes s/classes.txt --recipe ./small.recipe --quiet"
run train segmenter $data --out a
there a.safetensors a.best.safetensors a.log.jsonl a.curves.svg a.checkpoint
[ -s out ] && fail "training printed to stdout"
grep -q '"event":"final".*"miou"' a.log.jsonl || fail "no mIoU of the finished model"
"$ATTN_TOOL" train segmenter $data --out b --resume --threads 1 >out 2>err &
process=$!
until [ "$(cat b.log.jsonl 2>/dev/null | wc -l)" -ge 5 ] || ! kill -0 $process 2>/dev/null; do
    sleep 0.005
done
kill -9 $process 2>/dev/null || fail "it ended before it was killed"
wait $process 2>/dev/null
run train segmenter $data --out b --resume
cmp -s a.safetensors b.safetensors || fail "killed and resumed, the model is another one"
cmp -s a.best.safetensors b.best.safetensors || fail "killed and resumed, the best model differs"
# By a list, the same pictures in the same order.
for i in 00 01 02 03 04 05 06 07 08 09 10 11; do
    printf 's/images/0000%s.png\ts/masks/0000%s.png\n' $i $i
done >list
run train segmenter --pairs list --classes s/classes.txt --recipe ./small.recipe --quiet --out l
last() { sed -n 's/.*"event":"final".*"loss_hex":"\([^"]*\)".*/\1/p' $1.log.jsonl; }
[ -n "$(last a)" ] && [ "$(last a)" = "$(last l)" ] || fail "a list of pairs trains otherwise"
run info a.safetensors
holds out 'class 3'
holds out 'block.1'
run info a.safetensors --json
holds out '"mixer": "global"'
# Colours instead of indices say the same.
run train segmenter $data --mask-colors --out c --set max_steps=1
# Training on from a finished model.
"$ATTN_TOOL" train segmenter --images s/images --masks s/masks --classes s/classes.txt \
    --recipe ./small.recipe --init a.safetensors --set max_steps=1 --out i >out 2>err || fail "--init"
tr '\r' '\n' <err | grep -qE 'starting from ([0-9]+) of \1 tensors of a.safetensors' ||
    fail "--init does not say what it took"
holds i.log.jsonl '--init a.safetensors'
sed 's/= 16$/= 24/' small.recipe >wide.recipe
expect 1 'not an attn segmenter' train segmenter $data --out j \
    --init "$ATTN_SOURCE_DIR/models/en-fr.safetensors"
expect 1 'classes.txt' train segmenter $data --init s/classes.txt --out j
run train segmenter --images s/images --masks s/masks --classes s/classes.txt --quiet \
    --recipe ./wide.recipe --init a.safetensors --set max_steps=1 --out w

# ---- train: refusals; nothing is written over ----
cp a.safetensors before
expect 1 'the file exists' train segmenter $data --out a
cmp -s a.safetensors before || fail "a refusal changed the model"
expect 2 '--masks' train segmenter --images s/images --classes s/classes.txt
expect 2 '--classes' train segmenter --images s/images --masks s/masks
expect 1 'stochastic_depth' train segmenter $data --set stochastic_dept=0.1 --out n
expect 1 'stochastic_depth' train segmenter $data --set stochastic_depth=1 --out n
expect 1 'nowhere' train segmenter $data --out nowhere/n

# bad WORDS: the folder `bad` is refused, and its files are named.
bad() { expect 1 "$1" train segmenter --images bad/i --masks bad/m --classes bad/c --recipe ./small.recipe --quiet --out n; }
fresh() { # three good pairs
    rm -rf bad
    mkdir -p bad/i bad/m
    cp s/images/00000[012].png bad/i
    cp s/masks/00000[012].png bad/m
    cp s/classes.txt bad/c
}
fresh; cp other/images/000000.png bad/i/000001.png
bad 'bad/m/000001.png: the mask is 64 x 64, but its picture bad/i/000001.png is 80 x 72'
fresh; printf '0 ground 1 1 1\n1 marker 2 2 2\n2 light 3 3 3\n' >bad/c
bad 'value 3 at pixel ('
holds err 'bad/m/00000'
holds err '--ignore'
fresh; rm bad/m/000002.png
bad '000002.png has no mask'
fresh; rm bad/i/000002.png
bad '000002.png has no picture'
fresh; head -c 900 s/images/000001.png >bad/i/000001.png
bad 'bad/i/000001.png'
fresh; head -c 120 s/masks/000001.png >bad/m/000001.png
bad 'bad/m/000001.png'
fresh; rm bad/i/000001.png; cp "$kept/jpeg_cut" bad/i/000001.jpg
bad 'bad/i/000001.jpg'
fresh; cp "$kept/jpeg" bad/m/000001.png
bad 'a mask cannot be a JPEG'
fresh; cp "$kept/png_bomb" bad/i/000001.png
bad '60000 x 60000'
fresh; cp "$kept/png_zero" bad/i/000001.png
bad 'bad/i/000001.png'
fresh; cp "$kept/png_grey_16" bad/m/000001.png
bad 'bad/m/000001.png'
fresh; echo 'not a picture' >bad/i/000001.png
bad 'this is not a PNG, JPEG, TIFF or WebP file'
fresh; printf '0 ground 1 1 1\n2 light 3 3 3\n' >bad/c
bad 'bad/c'
fresh; printf '0 ground 1 1 1\n1 marker 2 2 2\n1 light 3 3 3\n' >bad/c
bad 'bad/c:3'
fresh; printf '0 ground 1 1 1\n1 marker 1 1 1\n' >bad/c
bad 'bad/c:2'
fresh; : >bad/c
bad 'bad/c'
# Masks that count their classes from 1, with 0 for none.
fresh; printf '0 marker 1 1 1\n1 light 2 2 2\n2 dark 3 3 3\n' >bad/c
bad 'value 3 at pixel ('
holds err '--mask-first 1'
first="--mask-first 1 --images bad/i --masks bad/m"
run train segmenter $first --ignore 0 --classes bad/c --recipe ./small.recipe --quiet --set max_steps=1 --out first
run evaluate $first --model first.safetensors --json
holds out '"name": "dark"'
grep -q '"ignored": [1-9]' out || fail "--mask-first: the zeros count"
expect 1 'leave out that or --mask-colors' train segmenter $first --mask-colors --classes bad/c --recipe ./small.recipe \
    --quiet --out n
# Masks of 0 and 255 are pictures, not ids.
fresh; rm bad/i/* bad/m/*
for name in p q r; do
    cp "$kept/png_rgb" bad/i/$name.png
    cp "$kept/png_black_white" bad/m/$name.png
done
printf '0 ground 0 0 0\n1 object 255 255 255\n' >bad/c
bad 'the masks hold nothing but 0 and 255'
holds err '--mask-colors'
expect 1 'value 255 at pixel (0, 0)' train segmenter --images bad/i --masks bad/m --classes bad/c \
    --ignore 9 --recipe ./small.recipe --quiet --out n
holds err 'bad/m/p.png'
holds err '--mask-colors'
run train segmenter --images bad/i --masks bad/m --classes bad/c --mask-colors --recipe ./small.recipe \
    --quiet --set max_steps=1 --out bw
absent n.safetensors n.log.jsonl n.checkpoint

# ---- segment ----
run segment -m a.safetensors s/images/000000.png -o out1
there out1/000000.mask.png out1/000000.overlay.png
absent out1/000000.npy
run segment -m a.safetensors s/images -o out2 --no-overlay --probabilities --threads 1
cmp -s out1/000000.mask.png out2/000000.mask.png || fail "another number of threads, another mask"
there out2/000011.mask.png out2/000003.npy
absent out2/000000.overlay.png
run segment -m a.safetensors s/images/000000.png -o out1 --json
holds out '"width":64,"height":64,"pixels":{"ground":'
run segment -m a.safetensors s/images/000000.png -o flipped --flip --scales 0.5,1
there flipped/000000.mask.png
expect 1 'give a list such as' segment -m a.safetensors s/images/000000.png --scales 1,x -o x
expect 1 'give a list such as' segment -m a.safetensors s/images/000000.png --scales 0.01 -o x
# Nothing is written over what attn did not make; what it made is not segmented again, and may be made again.
mkdir -p pair/x pair/y one && cp s/images/000000.png pair/x/a.png && cp s/images/000001.png pair/y/a.png
expect 1 'its results would have the names of those of pair/x/a.png' segment -m a.safetensors pair/x/a.png pair/y/a.png -o pair.out
expect 1 'its results would have the names' segment -m a.safetensors pair/x/a.png pair/x/a.png -o pair.out
cp "$kept/jpeg" pair/x/a.jpg
expect 1 'pair/x: two files share a name' segment -m a.safetensors pair/x -o pair.out
absent pair.out
cp s/images/000000.png one/cat.png && cp s/masks/000000.png one/cat.mask.png && cp one/cat.mask.png truth.png
expect 1 'one/cat.mask.png: the file is there already, and attn did not make it' segment -m a.safetensors one/cat.png -o one
mkdir arrays && printf 'mine' >arrays/cat.npy
expect 1 'arrays/cat.npy: the file is there already' segment -m a.safetensors one/cat.png -o arrays --probabilities --no-overlay
[ "$(cat arrays/cat.npy)" = mine ] || fail "an array of somebody else was written over"
cmp -s truth.png one/cat.mask.png || fail "the ground truth beside a picture was written over"
absent one/cat.overlay.png
run segment -m a.safetensors one/cat.png -o one --probabilities --force
cmp -s truth.png one/cat.mask.png && fail "--force wrote nothing"
run segment -m a.safetensors one/cat.png -o one --probabilities
run segment -m a.safetensors one -o one --json
[ "$(grep -c '"picture"' out)" -eq 1 ] || fail "results are segmented: $(cat out)"
mkdir results && cp one/cat.mask.png one/cat.overlay.png results
expect 1 "every picture there is a result of attn's own" segment -m a.safetensors results -o new.out
# A damaged picture is named, the others go on, the exit status says so; --strict stops there.
mkdir damaged && cp s/images/00000[0123].png damaged && head -c 300 damaged/000001.png >cut && mv cut damaged/000001.png
expect 1 'damaged/000001.png:300: ' segment -m a.safetensors damaged -o damaged.out
holds err '1 of 4 pictures could not be read'
there damaged.out/000000.mask.png damaged.out/000003.mask.png
absent damaged.out/000001.mask.png
expect 1 'damaged/000001.png:300: ' segment -m a.safetensors damaged -o strict.out --strict
there strict.out/000000.mask.png
absent strict.out/000002.mask.png
# Every kind of picture, at its own size; one turned by its EXIF data.
mkdir kinds
for k in jpeg jpeg_cmyk jpeg_ycck jpeg_grey jpeg_exif jpeg_progressive; do cp "$kept/$k" kinds/$k.jpg; done
for k in png_animated png_grey_16 png_rgba png_palette png_one_bit png_interlaced; do
    cp "$kept/$k" kinds/$k.png
done
run segment -m a.safetensors kinds -o kinds.out --json
[ "$(grep -c '"picture"' out)" -eq 12 ] || fail "12 kinds of pictures, other count"
grep -q 'jpeg.jpg","width":17,"height":9' out || fail "the size of a JPEG"
grep -q 'jpeg_exif.jpg","width":9,"height":17' out || fail "EXIF rotation is not honoured"
for k in jpeg_cut png_cut png_bad_checksum png_zero png_bomb; do
    expect 1 "$kept/$k" segment -m a.safetensors "$kept/$k" -o bad.out
done
expect 1 'max-pixels' segment -m a.safetensors s/images/000000.png --max-pixels 100 -o bad.out
expect 1 'none.png' segment -m a.safetensors none.png -o bad.out
expect 1 'none.safetensors' segment -m none.safetensors s/images/000000.png -o bad.out
expect 1 'classes.txt' segment -m s/classes.txt s/images/000000.png -o bad.out
head -c 20000 a.safetensors >cut.safetensors
expect 1 'cut.safetensors' segment -m cut.safetensors s/images/000000.png -o bad.out
expect 1 'classes.txt/x' segment -m a.safetensors s/images/000000.png -o s/classes.txt/x
expect 2 'segment' segment
[ "$(ls bad.out 2>/dev/null)" = "" ] || fail "refused pictures left files"

# ---- attend ----
run attend s/images/000000.png --at 20,30 -m a.safetensors
holds out 'what pixel 20,30 attends to: block 2, mean of all heads'
[ "$(grep -c '^|.*|$' out)" -eq 4 ] || fail "not 4 rows of a map of 4 x 4 places"
grep -q 'XX' out || fail "the pixel that asks is not marked"
for kind in svg pdf png; do
    run attend s/images/000000.png --at 63,0 --layer 1 --head 2 -m a.safetensors -o h.$kind
    there h.$kind
done
run attend "$kept/jpeg_exif" --at 8,16 --mean -m a.safetensors -o e.png
expect 2 '--at X,Y' attend s/images/000000.png -m a.safetensors
expect 1 'pixel 64,0 lies outside the picture of 64 x 64' attend s/images/000000.png --at 64,0 -m a.safetensors -o n.png
expect 1 'not a pixel position' attend s/images/000000.png --at here -m a.safetensors -o n.png
expect 1 '2 blocks' attend s/images/000000.png --at 1,1 --layer 3 -m a.safetensors -o n.png
expect 1 '2 heads' attend s/images/000000.png --at 1,1 --head 3 -m a.safetensors -o n.png
expect 1 'n.gif' attend s/images/000000.png --at 1,1 -m a.safetensors -o n.gif
absent n.png n.gif
run train segmenter $data --set mixer=none --set max_steps=1 --out none
expect 1 'no attention' attend s/images/000000.png --at 1,1 -m none.safetensors -o n.png

# ---- evaluate ----
run evaluate --images s/images --masks s/masks -m a.safetensors
holds out 'light'
holds out 'mean'
holds out 'global accuracy'
holds out '12 pictures, one confusion matrix over all'
run evaluate --pairs list -m a.safetensors --json --csv m.csv --confusion m.png --threads 1
cp out one.json
run evaluate --images s/images --masks s/masks --classes s/classes.txt -m a.safetensors --json
cmp -s out one.json || fail "evaluate: a list and folders differ"
holds out '"miou": 0.'
holds out '"labelled": 49152'
there m.png
[ "$(wc -l <m.csv)" -eq 5 ] || fail "the matrix as CSV has not 5 lines"
run evaluate --images s/images --masks s/masks -m a.safetensors --confusion m.svg --flip
there m.svg
expect 2 '--masks' evaluate --images s/images -m a.safetensors
expect 2 'not both' evaluate --images s/images --masks s/masks --reference s/classes.txt
printf '0 a 1 1 1\n1 b 2 2 2\n' >two
expect 1 '2 classes, but the model' evaluate --images s/images --masks s/masks --classes two -m a.safetensors
expect 1 "class 'marker'" evaluate --images s/images --masks s/masks --ignore 1 -m a.safetensors
fresh; cp other/masks/000000.png bad/m/000002.png
expect 1 'the mask is 80 x 72' evaluate --images bad/i --masks bad/m -m a.safetensors

[ $failures -eq 0 ] && echo "all as expected"
exit $((failures > 0))
