/* train/shards.c: shards computed, pieces sent, buckets completed.
 *
 * Letters: S shards, R ranks, P elements of the gradient. A bucket goes through states: it FILLS until the backward has completed
 * the gradients in it; then its owner GATHERS the pieces of others and HANDS the sum OUT, while another rank SENDS its
 * pieces and AWAITS the sum. What can be done is done between two layers of the backward (attn_tape_follow), and the rest after
 * it. Next: train/learner.c. */
#include "train/shards.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/minmax.h"
#include "kernels/elementwise/elementwise.h"
#include "tape/tape.h"

enum { BUCKET_MOST = 1 << 18, BUCKET_LEAST = 1 << 10, BUCKETS_OF_A_RANK = 4, BUCKETS_MOST = 8192 };
/* Elements of a message. Longer ones an MPI announces first and sends when the receiver has answered (Open MPI from 64 KiB on over
 * TCP); the answer waits behind all that goes the same way, so that only one direction of a network was used at a time. */
enum { MESSAGE_MOST = 15 << 10 };
enum { TAG_LEAVES = 8, TAG_BUCKETS = 16 }; /* 2 for each bucket: pieces, sum */
enum { MAX_WAITING = 26 };                 /* of 4096 shards, the most that options allow */

typedef struct span {
    int64_t from, to; /* to is not part of it */
} span;

typedef enum bucket_state { FILLS, GATHERS, HANDS_OUT, SENDS, AWAITS, DONE } bucket_state;

typedef struct bucket {
    bucket_state state;
    int owner;
    int64_t at, size;       /* elements */
    int64_t params;         /* with gradients in it */
    int64_t incomplete;     /* of them, in this step */
    float *received;        /* of the owner: the others' pieces, one after another */
    attn_message *messages; /* room for all that a state has under way */
    size_t open;            /* messages of this state */
    size_t first_open;      /* those before it are done */
} bucket;

/* A parameter and the buckets that its gradient lies in. */
typedef struct param_place {
    const attn_param *param;
    int64_t first, last;
    int64_t record; /* of its first use in the pass; -1: none yet */
    bool complete;
} param_place;

typedef struct leaf {
    double loss, nll, weight, seconds;
} leaf;

struct attn_shards {
    const attn_task *task;
    attn_group *group;
    int64_t shards, size; /* S, P */
    int rank, ranks;
    span own;
    /* Sums of own shards that wait for the next ones, from left to right; what is computed now is in the gradient. */
    float *waiting[MAX_WAITING];
    span waiting_span[MAX_WAITING];
    size_t waiting_count;
    size_t merges;                     /* of the waiting ones, how many the last shard completes */
    size_t pieces, all_pieces, before; /* of this rank, of all, of the ranks before it */
    span *piece;                       /* [all_pieces] */
    bucket *buckets;
    int64_t bucket_count, bucket_size;
    float *received;
    attn_message *messages;
    param_place *params;
    size_t param_count;
    leaf *leaves;    /* [S] */
    double *seconds; /* [R], since attn_shards_slowest */
    attn_tape_follower follower;
    attn_error failure; /* of a message during the backward */
    int64_t bytes_sent;
};

/* ---- the tree ---- */

static int64_t split(span node) {
    int64_t half = 1;
    while (2 * half < node.to - node.from) {
        half *= 2;
    }
    return node.from + half;
}

static bool holds(span outer, span inner) {
    return outer.from <= inner.from && inner.to <= outer.to;
}

/* The branches of `node` that `range` holds whole, from left to right; returns how many. to may be NULL. */
static size_t branches(span node, span range, span *to) {
    if (holds(range, node)) {
        if (to != NULL) {
            *to = node;
        }
        return 1;
    }
    if (range.to <= node.from || node.to <= range.from) {
        return 0;
    }
    int64_t middle = split(node);
    size_t left = branches((span){node.from, middle}, range, to);
    return left + branches((span){middle, node.to}, range, to != NULL ? to + left : NULL);
}

static span shards_of(const attn_shards *s, int rank) {
    return (span){attn_shards_start(rank, s->ranks, s->shards),
                  attn_shards_start(rank + 1, s->ranks, s->shards)};
}

/* Whether left and right are the two halves of one branch. */
static bool makes_branch(const attn_shards *s, span left, span right) {
    span joined = {left.from, right.to};
    return left.to == right.from && branches((span){0, s->shards}, joined, NULL) == 1;
}

/* The tree over the leaves of node, in double. */
static leaf sum_leaves(const leaf *leaves, span node) {
    if (node.to - node.from == 1) {
        return leaves[node.from];
    }
    leaf a = sum_leaves(leaves, (span){node.from, split(node)});
    leaf b = sum_leaves(leaves, (span){split(node), node.to});
    return (leaf){a.loss + b.loss, a.nll + b.nll, a.weight + b.weight, a.seconds + b.seconds};
}

/* ---- own shards ---- */

static float *gradient(const attn_shards *s) {
    return attn_params_grad(s->task->params);
}

/* The shard in the gradient is not the last: what it completes is added up, and waits. */
static void keep_shard(attn_shards *s, int64_t shard) {
    span node = {shard, shard + 1};
    while (s->waiting_count > 0 && makes_branch(s, s->waiting_span[s->waiting_count - 1], node)) {
        s->waiting_count--;
        node.from = s->waiting_span[s->waiting_count].from;
        attn_add(s->size, s->waiting[s->waiting_count], gradient(s));
    }
    memcpy(s->waiting[s->waiting_count], gradient(s), (size_t)s->size * sizeof(float));
    s->waiting_span[s->waiting_count++] = node;
}

/* How many of those that wait the last shard completes. */
static size_t count_merges(const attn_shards *s) {
    size_t merges = 0;
    span node = {s->own.to - 1, s->own.to};
    while (merges < s->waiting_count &&
           makes_branch(s, s->waiting_span[s->waiting_count - 1 - merges], node)) {
        merges++;
        node.from = s->waiting_span[s->waiting_count - merges].from;
    }
    return merges;
}

/* Own piece `index` in this bucket: those that wait, then the gradient. */
static float *own_piece(const attn_shards *s, const bucket *b, size_t index) {
    float *piece = index + 1 < s->pieces ? s->waiting[index] : gradient(s);
    return piece + b->at;
}

/* ---- buckets ---- */

/* Messages of this bucket's state, with all of its elements. */
static attn_status begin_messages(attn_shards *s, bucket *b, bool send, int peer, bool sum,
                                  float *data) {
    int tag = TAG_BUCKETS + 2 * (int)(b - s->buckets) + sum;
    attn_status status = ATTN_OK;
    for (int64_t at = 0; at < b->size && status == ATTN_OK; at += MESSAGE_MOST) {
        size_t bytes = (size_t)attn_min(b->size - at, MESSAGE_MOST) * sizeof *data;
        attn_message *message = &b->messages[b->open++];
        s->bytes_sent += send ? (int64_t)bytes : 0;
        status =
            send ? attn_group_send(s->group, peer, tag, data + at, bytes, message, &s->failure)
                 : attn_group_receive(s->group, peer, tag, data + at, bytes, message, &s->failure);
    }
    return status;
}

static void enter(bucket *b, bucket_state state) {
    b->state = state;
    b->open = b->first_open = 0;
}

/* The tree over this bucket: pieces are taken from left to right. Returns where the sum is. */
static float *complete(const attn_shards *s, const bucket *b, span node, size_t *taken) {
    size_t i = *taken;
    if (s->piece[i].from == node.from && s->piece[i].to == node.to) {
        (*taken)++;
        if (i >= s->before && i < s->before + s->pieces) {
            return own_piece(s, b, i - s->before);
        }
        return b->received + (int64_t)(i < s->before ? i : i - s->pieces) * b->size;
    }
    float *left = complete(s, b, (span){node.from, split(node)}, taken);
    float *right = complete(s, b, (span){split(node), node.to}, taken);
    attn_add(b->size, right, left);
    return left;
}

static attn_status hand_out(attn_shards *s, bucket *b) {
    size_t taken = 0;
    attn_status status = ATTN_OK;
    float *sum = complete(s, b, (span){0, s->shards}, &taken), *to = gradient(s) + b->at;
    if (sum != to) {
        memcpy(to, sum, (size_t)b->size * sizeof *to);
    }
    enter(b, HANDS_OUT);
    for (int i = 1; i < s->ranks && status == ATTN_OK; i++) {
        status = begin_messages(s, b, true, (s->rank + i) % s->ranks, true, to);
    }
    return status;
}

static attn_status send_pieces(attn_shards *s, bucket *b) {
    attn_status status = ATTN_OK;
    enter(b, SENDS);
    for (size_t i = 0; i < s->pieces && status == ATTN_OK; i++) {
        status = begin_messages(s, b, true, b->owner, false, own_piece(s, b, i));
    }
    return status;
}

/* The gradients in it are complete: the last of the own shards joins those that wait. */
static attn_status fill(attn_shards *s, bucket *b) {
    for (size_t i = 0; i < s->merges; i++) {
        attn_add(b->size, s->waiting[s->waiting_count - 1 - i] + b->at, gradient(s) + b->at);
    }
    if (b->owner != s->rank) {
        return send_pieces(s, b);
    }
    b->state = GATHERS; /* messages are open already */
    return ATTN_OK;
}

/* On to the next state, when all messages of this one are done. */
static attn_status advance(attn_shards *s, bucket *b, bool *moved) {
    while (b->first_open < b->open) {
        bool done;
        attn_status status =
            attn_group_test(s->group, &b->messages[b->first_open], &done, &s->failure);
        if (status != ATTN_OK || !done) {
            return status;
        }
        b->first_open++;
        *moved = true;
    }
    attn_status status = ATTN_OK;
    if (b->state == GATHERS) {
        status = hand_out(s, b);
        *moved = true;
    } else if (b->state == SENDS) {
        enter(b, AWAITS);
        status = begin_messages(s, b, false, b->owner, true, gradient(s) + b->at);
    } else if (b->state != FILLS) {
        b->state = DONE;
    }
    return status;
}

/* One look at every bucket; *left: how many are not done; *peer: a rank that one of them waits for. */
static attn_status advance_all(attn_shards *s, bool *moved, int64_t *left, int *peer) {
    attn_status status = ATTN_OK;
    *left = 0;
    for (int64_t i = s->bucket_count - 1; i >= 0 && status == ATTN_OK; i--) { /* as they fill */
        bucket *b = &s->buckets[i];
        if (b->state != DONE && b->state != FILLS) {
            status = advance(s, b, moved);
        }
        if (b->state != DONE) {
            ++*left;
            *peer = b->first_open < b->open ? b->messages[b->first_open].peer : *peer;
        }
    }
    return status;
}

/* The owner is ready to receive before the others have anything. */
static attn_status begin_buckets(attn_shards *s) {
    attn_status status = ATTN_OK;
    s->bytes_sent = 0;
    for (int64_t i = 0; i < s->bucket_count; i++) {
        bucket *b = &s->buckets[i];
        enter(b, FILLS);
        b->incomplete = b->params;
        float *to = b->received;
        for (int rank = 0; b->owner == s->rank && rank < s->ranks; rank++) {
            size_t pieces = branches((span){0, s->shards}, shards_of(s, rank), NULL);
            for (size_t p = 0; rank != s->rank && p < pieces && status == ATTN_OK; p++) {
                status = begin_messages(s, b, false, rank, false, to);
                to += b->size;
            }
        }
    }
    return status;
}

/* ---- beside the backward ---- */

static void on_use(void *context, const attn_param *param, int64_t record) {
    attn_shards *s = context;
    for (size_t i = 0; i < s->param_count; i++) {
        param_place *p = &s->params[i];
        if (p->param == param && p->record < 0) {
            p->record = record;
        }
    }
}

static void on_played(void *context, int64_t record) {
    attn_shards *s = context;
    for (size_t i = 0; i < s->param_count; i++) {
        param_place *p = &s->params[i];
        if (p->complete || p->record < record) {
            continue;
        }
        p->complete = true;
        for (int64_t k = p->first; k <= p->last; k++) {
            if (--s->buckets[k].incomplete == 0 && s->failure.status == ATTN_OK) {
                s->failure.status = fill(s, &s->buckets[k]);
            }
        }
    }
    bool moved = false;
    int64_t left;
    int peer = 0;
    if (s->failure.status == ATTN_OK) {
        s->failure.status = advance_all(s, &moved, &left, &peer);
    }
}

/* ---- a step ---- */

static attn_status compute_shard(attn_shards *s, int64_t shard, int64_t first, int64_t count,
                                 uint64_t seed, uint64_t key, int64_t units, attn_error *error) {
    const attn_task *task = s->task;
    int64_t at = attn_shards_start(shard, s->shards, count);
    int64_t end = attn_shards_start(shard + 1, s->shards, count);
    bool last = shard + 1 == s->own.to;
    /* The first of the own batches in the next step, when this one's last is in use. */
    int64_t next = first + count + attn_shards_start(s->own.from, s->shards, count);
    double start = attn_clock();
    attn_task_loss sums = {.units = 0};
    attn_status status = ATTN_OK;
    attn_params_zero_grad(task->params);
    for (; at < end && status == ATTN_OK; at++) {
        bool final = last && at + 1 == end;
        attn_tape_follow(task->tape, final ? &s->follower : NULL);
        status = task->accumulate(task->self, first + at, final ? next : first + at + 1, seed,
                                  key + (uint64_t)at, units, &sums, error);
    }
    attn_tape_follow(task->tape, NULL);
    s->leaves[shard] = (leaf){sums.loss, sums.nll, sums.weight, attn_clock() - start};
    return status;
}

/* Every rank gets the leaves of all. */
static attn_status share_leaves(attn_shards *s, attn_error *error) {
    attn_status status = ATTN_OK;
    for (int rank = 1; rank < s->ranks && status == ATTN_OK; rank++) {
        span theirs = shards_of(s, rank);
        size_t bytes = (size_t)(theirs.to - theirs.from) * sizeof(leaf);
        attn_message message;
        leaf *data = &s->leaves[theirs.from];
        if (s->rank != 0 && s->rank != rank) {
            continue;
        }
        status = s->rank == 0
                     ? attn_group_receive(s->group, rank, TAG_LEAVES, data, bytes, &message, error)
                     : attn_group_send(s->group, 0, TAG_LEAVES, data, bytes, &message, error);
        status = status == ATTN_OK ? attn_group_wait(s->group, &message, 1, error) : status;
    }
    return status == ATTN_OK
               ? attn_group_broadcast(s->group, s->leaves, (size_t)s->shards * sizeof(leaf), error)
               : status;
}

/* What the backward has left to do: buckets of parameters that no layer named, and all that is under way. */
static attn_status finish_buckets(attn_shards *s) {
    attn_status status = s->failure.status;
    attn_pause pause = {.since = 0};
    for (int64_t i = 0; i < s->bucket_count && status == ATTN_OK; i++) {
        if (s->buckets[i].state == FILLS) {
            status = fill(s, &s->buckets[i]);
        }
    }
    for (int64_t left = 1; left > 0 && status == ATTN_OK;) {
        bool moved = false;
        int peer = 0;
        status = advance_all(s, &moved, &left, &peer);
        if (status == ATTN_OK && left > 0) {
            status = attn_group_pause(s->group, &pause, moved, peer, &s->failure);
        }
    }
    return status;
}

attn_status attn_shards_sum(attn_shards *s, int64_t first, int64_t count, uint64_t seed,
                            uint64_t key, attn_task_loss *out, attn_error *error) {
    int64_t units = s->task->units(s->task->self, first, count);
    s->failure = (attn_error){.status = ATTN_OK};
    s->waiting_count = 0;
    attn_status status = begin_buckets(s);
    for (size_t i = 0; i < s->param_count; i++) {
        s->params[i].record = -1;
        s->params[i].complete = false;
    }
    for (int64_t shard = s->own.from; shard < s->own.to && status == ATTN_OK; shard++) {
        s->merges = shard + 1 == s->own.to ? count_merges(s) : 0;
        status = compute_shard(s, shard, first, count, seed, key, units, error);
        if (status == ATTN_OK && shard + 1 < s->own.to) {
            keep_shard(s, shard);
        }
    }
    if (status != ATTN_OK && s->failure.status == ATTN_OK) {
        return status;
    }
    status = finish_buckets(s);
    if (status != ATTN_OK) {
        if (error != NULL) {
            *error = s->failure;
        }
        return status;
    }
    status = share_leaves(s, error);
    for (int rank = 0; rank < s->ranks && status == ATTN_OK; rank++) {
        s->seconds[rank] += sum_leaves(s->leaves, shards_of(s, rank)).seconds;
    }
    leaf sum = sum_leaves(s->leaves, (span){0, s->shards});
    *out = (attn_task_loss){sum.loss, sum.nll, units, sum.weight};
    return status;
}

attn_slowest attn_shards_slowest(attn_shards *s) {
    attn_slowest slowest = {.rank = 0};
    double all = 0;
    for (int rank = 0; rank < s->ranks; rank++) {
        all += s->seconds[rank];
        slowest.rank = s->seconds[rank] > s->seconds[slowest.rank] ? rank : slowest.rank;
    }
    slowest.seconds = s->seconds[slowest.rank];
    slowest.others = s->ranks > 1 ? (all - slowest.seconds) / (s->ranks - 1) : 0;
    memset(s->seconds, 0, (size_t)s->ranks * sizeof *s->seconds);
    return slowest;
}

int64_t attn_shards_bytes_sent(const attn_shards *s) {
    return s->bytes_sent;
}

/* ---- creation ---- */

static attn_status find_pieces(attn_shards *s, attn_error *error) {
    span root = {0, s->shards};
    for (int pass = 0; pass < 2; pass++) {
        s->all_pieces = 0;
        for (int rank = 0; rank < s->ranks; rank++) {
            span *to = pass == 1 ? s->piece + s->all_pieces : NULL;
            size_t pieces = branches(root, shards_of(s, rank), to);
            s->before = rank == s->rank ? s->all_pieces : s->before;
            s->pieces = rank == s->rank ? pieces : s->pieces;
            s->all_pieces += pieces;
        }
        if (pass == 0) {
            s->piece = attn_alloc_zero(s->all_pieces, sizeof *s->piece);
            if (s->piece == NULL) {
                return attn_fail_memory(error, s->all_pieces * sizeof *s->piece);
            }
        }
    }
    return ATTN_OK;
}

/* Room for the sums that wait at the same time. */
static attn_status make_waiting(attn_shards *s, attn_error *error) {
    size_t most = 0;
    for (int64_t to = s->own.from + 1; to < s->own.to; to++) {
        size_t waiting = branches((span){0, s->shards}, (span){s->own.from, to}, NULL);
        most = waiting > most ? waiting : most;
    }
    for (size_t i = 0; i < most && i < MAX_WAITING; i++) {
        s->waiting[i] = attn_alloc_zero((size_t)s->size, sizeof(float));
        if (s->waiting[i] == NULL) {
            return attn_fail_memory(error, (size_t)s->size * sizeof(float));
        }
    }
    return ATTN_OK;
}

static attn_status make_buckets(attn_shards *s, attn_error *error) {
    int64_t wanted = attn_ceil_div(s->size, BUCKETS_OF_A_RANK * s->ranks);
    wanted = attn_max(BUCKET_LEAST, attn_min(wanted, BUCKET_MOST));
    s->bucket_size = attn_max(wanted, attn_ceil_div(s->size, BUCKETS_MOST));
    s->bucket_count = attn_ceil_div(s->size, s->bucket_size);
    size_t others = s->all_pieces - s->pieces;
    size_t messages = (others + s->pieces + (size_t)s->ranks) *
                      (size_t)attn_ceil_div(s->bucket_size, MESSAGE_MOST);
    int64_t owned = 0;
    for (int64_t k = 0; k < s->bucket_count; k++) {
        owned += k % s->ranks == s->rank;
    }
    size_t elements = others * (size_t)(owned * s->bucket_size);
    s->buckets = attn_alloc_zero((size_t)s->bucket_count, sizeof *s->buckets);
    s->messages = attn_alloc_zero((size_t)s->bucket_count * messages, sizeof *s->messages);
    s->received = attn_alloc_zero(elements > 0 ? elements : 1, sizeof *s->received);
    if (s->buckets == NULL || s->messages == NULL || s->received == NULL) {
        return attn_fail_memory(error, elements * sizeof *s->received);
    }
    float *received = s->received;
    for (int64_t k = 0; k < s->bucket_count; k++) {
        bucket *b = &s->buckets[k];
        b->owner = (int)(k % s->ranks);
        b->at = k * s->bucket_size;
        b->size = attn_min(s->bucket_size, s->size - b->at);
        b->messages = s->messages + (size_t)k * messages;
        b->received = received;
        received += b->owner == s->rank ? (int64_t)others * b->size : 0;
    }
    return ATTN_OK;
}

static attn_status place_params(attn_shards *s, attn_error *error) {
    const attn_params *params = s->task->params;
    size_t count = attn_params_count(params);
    s->params = attn_alloc_zero(count, sizeof *s->params);
    if (s->params == NULL) {
        return attn_fail_memory(error, count * sizeof *s->params);
    }
    for (size_t i = 0; i < count; i++) {
        const attn_param *param = attn_params_at(params, i);
        if (param->frozen) {
            continue;
        }
        int64_t at = param->grad - gradient(s);
        param_place *p = &s->params[s->param_count++];
        p->param = param;
        p->first = at / s->bucket_size;
        p->last = (at + param->rows * param->cols - 1) / s->bucket_size;
        for (int64_t k = p->first; k <= p->last; k++) {
            s->buckets[k].params++;
        }
    }
    return ATTN_OK;
}

static attn_status check_ranks(int64_t shards, int ranks, attn_error *error) {
    char hint[160];
    snprintf(
        hint, sizeof hint,
        "set shards, and accumulate, to %d or more: the batches of a step are divided into shards, "
        "and the shards among the ranks",
        ranks);
    return ranks <= shards ? ATTN_OK
                           : attn_fail(error, ATTN_ERR_ARGUMENT, "shards", -1, hint,
                                       "%lld shards for %d ranks", (long long)shards, ranks);
}

attn_status attn_shards_create(int64_t shards, const attn_task *task, attn_group *group,
                               attn_shards **out, attn_error *error) {
    attn_shards *s = *out = attn_alloc_zero(1, sizeof *s);
    if (s == NULL) {
        return attn_fail_memory(error, sizeof *s);
    }
    s->task = task;
    s->group = group;
    s->shards = shards;
    s->size = attn_params_trained(task->params);
    s->rank = attn_group_rank(group);
    s->ranks = attn_group_size(group);
    s->follower = (attn_tape_follower){s, on_use, on_played};
    attn_status status = check_ranks(shards, s->ranks, error);
    if (status != ATTN_OK) {
        return status;
    }
    s->own = shards_of(s, s->rank);
    s->leaves = attn_alloc_zero((size_t)shards, sizeof *s->leaves);
    s->seconds = attn_alloc_zero((size_t)s->ranks, sizeof *s->seconds);
    if (s->leaves == NULL || s->seconds == NULL) {
        return attn_fail_memory(error, (size_t)shards * sizeof *s->leaves);
    }
    status = find_pieces(s, error);
    status = status == ATTN_OK ? make_waiting(s, error) : status;
    status = status == ATTN_OK ? make_buckets(s, error) : status;
    return status == ATTN_OK ? place_params(s, error) : status;
}

void attn_shards_free(attn_shards *s) {
    if (s == NULL) {
        return;
    }
    for (size_t i = 0; i < MAX_WAITING; i++) {
        attn_free(s->waiting[i]);
    }
    attn_free(s->piece);
    attn_free(s->buckets);
    attn_free(s->messages);
    attn_free(s->received);
    attn_free(s->params);
    attn_free(s->leaves);
    attn_free(s->seconds);
    attn_free(s);
}
