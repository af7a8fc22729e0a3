/* train/shards.h: the gradient of a step as a sum of shards, in one order, whoever computes them.
 *
 * The n batches of a step are divided into S shards: shard s has batches floor(s n / S) .. floor((s + 1) n / S) - 1. The
 * gradient of a shard is that of its batches one after another, beginning at zero. Shards are then added in pairs, along a tree
 * that depends on S alone:
 *
 *     sum(a .. b - 1) = sum(a .. c - 1) + sum(c .. b - 1),  c = a + the largest power of 2 below b - a
 *
 * Rank r of R has shards floor(r S / R) .. floor((r + 1) S / R) - 1. It adds up what branches of the tree it has whole, which are
 * its pieces; where R divides S and both are powers of 2, that is one. The gradient, P elements, is cut into
 * buckets, and bucket k belongs to rank k mod R: that rank receives the pieces of the others, completes the tree, and sends the
 * sum to all. So every rank has every sum, and its bits depend on S and not on R. A rank with p pieces sends
 *
 *     4 P (p (R - 1) / R  +  (R - 1) / R) bytes a step
 *
 * and as much is received on average. A bucket is sent as soon as the backward has completed it. Next: train/learner.h. */
#ifndef ATTN_TRAIN_SHARDS_H
#define ATTN_TRAIN_SHARDS_H

#include "train/group.h"
#include "train/task.h"

/* Of a division: item 0 .. parts - 1 of `all` begins here. */
static inline int64_t attn_shards_start(int64_t item, int64_t parts, int64_t all) {
    return item * all / parts;
}

typedef struct attn_shards attn_shards;

/* Task and group must outlive it. ATTN_ERR_ARGUMENT: fewer shards than ranks. Needs memory for as many gradients as rank's pieces
 * are more than one, and for about one more gradient when there are several ranks. */
ATTN_MUST_CHECK attn_status attn_shards_create(int64_t shards, const attn_task *task,
                                               attn_group *group, attn_shards **out,
                                               attn_error *error);
void attn_shards_free(attn_shards *shards);

/* One step: gradient (of the task's parameters) and *out become the sums over batches first .. first + count - 1, the next
 * ones of which begin at `next` (attn_task.accumulate has the other arguments). When it fails, this rank alone has failed, and
 * the group cannot go on. */
ATTN_MUST_CHECK attn_status attn_shards_sum(attn_shards *shards, int64_t first, int64_t count,
                                            uint64_t seed, uint64_t key, attn_task_loss *out,
                                            attn_error *error);

/* Since the last call: the rank that computed longest, and how many seconds longer than the others on average. */
typedef struct attn_slowest {
    int rank;
    double seconds, others; /* of computing; of others on average */
} attn_slowest;
attn_slowest attn_shards_slowest(attn_shards *shards);

/* Bytes that this rank has sent for gradients in the last step. */
int64_t attn_shards_bytes_sent(const attn_shards *shards);

#endif
