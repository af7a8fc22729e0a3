# Of the tests with several ranks: a folder to work in, and how ranks are started. OpenMPI wants to be told that root and more
# ranks than processors are meant.
set -u
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export OMPI_MCA_btl_base_warn_component_unused=0 OMPI_MCA_btl_vader_single_copy_mechanism=none
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failures=0

fail() {
    echo "FAILED: $1"
    [ -f err ] && sed 's/^/    /' err
    failures=$((failures + 1))
}

finish() {
    [ $failures -eq 0 ] && echo "all as expected"
    exit $((failures > 0))
}

# ranks N ARGUMENT...: `attn train` by so many.
ranks() {
    count=$1
    shift
    mpirun -n "$count" --bind-to none "$ATTN_TOOL" train "$@" --threads 1
}

alone() {
    "$ATTN_TOOL" train "$@"
}

# victim_of LAUNCHER RANK: the process that is this rank; LAUNCHER is the shell that waits for mpirun.
victim_of() {
    for process in $(ps -o pid= --ppid "$(ps -o pid= --ppid "$1" | tr -d ' ')"); do
        tr '\0' '\n' <"/proc/$process/environ" 2>/dev/null | grep -qx "OMPI_COMM_WORLD_RANK=$2" && echo "$process"
    done
}

# refused WORDS RANKS ARGUMENT...: one line of attn says WORDS.
refused() {
    words=$1
    shift
    ranks "$@" >out 2>err && fail "taken: $*"
    grep '^attn: ' err | grep -qF -- "$words" || fail "no '$words' in the error of: $*"
    [ "$(grep -c '^attn: ' err)" -eq 1 ] || fail "not one line of error: $*"
}

# What a log tells of steps, without times, ranks and how it began.
steps_of() {
    grep -v -e '"event":"begin"' -e '"event":"resume"' "$1" | sed 's/,"seconds":.*//'
}

# same_at_any_number ARGUMENT...: model, best model, checkpoint's weights and log of one process are those of 2, 3 and 4
# ranks, and of a training that is stopped and resumed with other numbers.
same_at_any_number() {
    alone "$@" --out one >out 2>err || fail "the training of one process"
    ranks 1 "$@" --out r1 >out 2>err || fail "the training of one rank"
    for count in 2 3 4; do
        ranks $count "$@" --out r$count >out 2>err || fail "the training of $count ranks"
        [ -s out ] && fail "it printed to stdout"
    done
    # A model of the last weights alone, for a training that ended and went on has had more validations.
    set -- "$@" --set average=1 --set keep=average
    alone "$@" --out whole >out 2>err || fail "the whole"
    ranks 3 "$@" --out parts --set max_steps=2 >out 2>err || fail "the first part"
    ranks 2 "$@" --out parts --resume --set max_steps=4 >out 2>err || fail "the second part"
    alone "$@" --out parts --resume --set max_steps=5 >out 2>err || fail "the third part"
    ranks 4 "$@" --out parts --resume >out 2>err || fail "the last part"
    cmp -s whole.safetensors parts.safetensors || fail "another model with other numbers of ranks on the way"
    for count in 1 2 3 4; do
        cmp -s one.safetensors r$count.safetensors || fail "another model with $count ranks"
        cmp -s one.best.safetensors r$count.best.safetensors || fail "another best model with $count ranks"
        steps_of one.log.jsonl >one.steps
        steps_of r$count.log.jsonl | cmp -s - one.steps || fail "another log with $count ranks"
    done
    grep -q '"ranks":4,"slowest_rank":[0-3],"slowest_host":"' r4.log.jsonl || fail "the log names no slowest rank"
}
