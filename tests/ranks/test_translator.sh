# `mpirun attn train translator`: the bits of one process at any number of ranks, resumed with another number, and what a rank that
# dies leaves behind.
. "$ATTN_SOURCE_DIR/tests/ranks/support.sh"

awk 'BEGIN {
    split("zero one two three four five six seven eight nine", word, " ")
    for (i = 0; i < 300; i++) {
        n = (i * 7919) % 100000; s = ""; t = ""
        for (d = 0; d < 2 + i % 4; d++) {
            s = s (d ? " " : "") word[n % 10 + 1]; t = t (n % 10); n = int(n / 10)
        }
        print s > "train.src"; print t > "train.tgt"
    }
}'
cat >small.recipe <<'END'
d_model = 16
ffn = 24
heads = 2
encoder_layers = 1
decoder_layers = 1
vocabulary = 60
batch_tokens = 60
accumulate = 6
shards = 5
learning_rate = 0.01
warmup_steps = 5
max_steps = 16
max_epochs = 0
patience = 0
validate_every = 6
checkpoint_every = 3
log_every = 2
ema = 0.9
END
text="translator --source train.src --target train.tgt --recipe ./small.recipe --quiet"

# Large enough that two ranks send a bucket in several messages (MESSAGE_MOST of src/train/shards.c).
same_at_any_number $text --set d_model=96 --set ffn=256

# ---- a rank that is slow is named, and one that is killed ----
on="${text% --quiet} --out dead --set max_steps=100000"
ranks 3 $on >out 2>err &
launcher=$!
until [ -s dead.checkpoint ] && [ "$(wc -l <dead.log.jsonl)" -gt 4 ] || ! kill -0 $launcher 2>/dev/null; do
    sleep 0.05
done
victim=$(victim_of $launcher 2)
tries=0
# Slow is who computes for over a second longer than the others; a rank that is stopped while it waits is not.
until grep -q 'rank 2 on .* is slow: the others wait for it' err || [ $tries -gt 20 ]; do
    kill -STOP "$victim" && sleep 1.7
    kill -CONT "$victim" && sleep 0.05
    tries=$((tries + 1))
done
[ $tries -le 20 ] || fail "a slow rank is not named"
kill -9 "$victim" || fail "no rank 2 to kill"
wait $launcher && fail "a training without rank 2 ends well"
[ "$(grep -c '^attn: ' err)" -eq 1 ] || fail "not one line when a rank dies"
grep -q '^attn: training: rank 2 on .* has died.*--resume from the checkpoint of step [0-9]' err ||
    fail "the line does not say which rank, and how to go on"
at=$(sed -n 's/.*the checkpoint of step \([0-9]*\).*/\1/p' err)
on="$text --out dead --resume"
ranks 2 $on --set max_steps=$((at + 2)) >out 2>err || fail "going on after a death"
alone $text --out straight --set max_steps=$((at + 2)) >out 2>err || fail "the same alone"
cmp -s dead.safetensors straight.safetensors || fail "after a death the model is another one"

# ---- the launcher is asked to stop: rank 0 writes a checkpoint ----
# mpirun hands SIGTERM on after the time below and kills after as long again.
for signal in TERM USR1; do
    on="$text --out $signal --set max_steps=100000"
    OMPI_MCA_odls_base_sigkill_timeout=4 ranks 3 $on >out 2>err &
    launcher=$!
    until [ -s $signal.checkpoint ] && [ "$(wc -l <$signal.log.jsonl)" -gt 4 ] || ! kill -0 $launcher 2>/dev/null; do
        sleep 0.05
    done
    kill -$signal "$(ps -o pid= --ppid $launcher | tr -d ' ')"
    wait $launcher && fail "a stopped training ends well"
    [ "$(grep -c '^attn: ' err)" -eq 1 ] || fail "not one line when stopped by $signal"
    at=$(sed -n 's/^attn: training: stopped after step \([0-9]*\): continue with --resume.*/\1/p' err)
    [ -n "$at" ] || fail "it does not say where it stopped by $signal"
    ranks 2 $text --out $signal --resume --set max_steps=$((at + 1)) >out 2>err || fail "going on after $signal"
    grep -q "\"event\":\"resume\",\"step\":$at," $signal.log.jsonl || fail "it goes on from another step than it stopped at"
done

# ---- refusals: one line ----
refused 'shards' 6 $text --out x
refused 'standard input' 2 translator --source - --target train.tgt --recipe ./small.recipe --out x
refused 'none.src' 2 translator --source none.src --target train.tgt --recipe ./small.recipe --out x
refused 'the file exists' 2 $text --out one
[ -e x.checkpoint ] && fail "a refused training left a checkpoint"
alone $text --set shards=7 --out x >out 2>err && fail "more shards than batches"
grep -q 'accumulate' err || fail "it does not say what to do about shards"

finish
