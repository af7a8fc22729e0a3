# `mpirun attn train segmenter`: the bits of one process at any number of ranks.
. "$ATTN_SOURCE_DIR/tests/ranks/support.sh"

"$ATTN_TOOL" scenes --count 24 --width 64 --height 64 scenes >out 2>err || { fail "drawing scenes"; finish; }
cat >small.recipe <<'END'
width_2 = 8
width_4 = 8
d_model = 16
units_4 = 1
units_8 = 1
blocks = 1
heads = 2
ffn = 16
crop_width = 32
crop_height = 32
batch_pictures = 2
accumulate = 4
shards = 4
max_steps = 6
max_epochs = 0
validate_every = 3
checkpoint_every = 2
warmup_steps = 2
log_every = 2
END
same_at_any_number segmenter --images scenes/images --masks scenes/masks --classes scenes/classes.txt \
    --recipe ./small.recipe --quiet
finish
