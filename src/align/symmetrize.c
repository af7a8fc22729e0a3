/* align/symmetrize.c: see symmetrize.h. */
#include "align/symmetrize.h"

#include <stddef.h>
#include <string.h>

const char *const attn_symmetry_names[] = {"posterior",
                                           "grow-diag-final-and",
                                           "grow-diag-final",
                                           "grow-diag",
                                           "intersection",
                                           "union",
                                           "forward",
                                           "backward",
                                           NULL};

typedef struct grid {
    int64_t sources, targets;
    bool *linked;             /* [I, J] */
    bool *forward, *backward; /* [I, J]: what each direction says */
    bool *source, *target;    /* [I], [J]: has a link */
} grid;

static void add_link(grid *g, int64_t i, int64_t j) {
    g->linked[i * g->targets + j] = g->source[i] = g->target[j] = true;
}

/* The likeliest of count + 1; `count` is the empty word, which wins what is equal. */
static int64_t likeliest(const double *chance, int64_t count) {
    int64_t best = count;
    for (int64_t k = 0; k < count; k++) {
        best = chance[k] > chance[best] ? k : best;
    }
    return best;
}

static void decide(grid *g, const double *forward, const double *backward) {
    for (int64_t j = 0; j < g->targets; j++) {
        int64_t i = likeliest(forward + j * (g->sources + 1), g->sources);
        if (i < g->sources) {
            g->forward[i * g->targets + j] = true;
        }
    }
    for (int64_t i = 0; i < g->sources; i++) {
        int64_t j = likeliest(backward + i * (g->targets + 1), g->targets);
        if (j < g->targets) {
            g->backward[i * g->targets + j] = true;
        }
    }
}

/* Whether a link of one direction lies beside (i, j). */
static bool grow_around(grid *g, int64_t i, int64_t j) {
    bool grown = false;
    for (int64_t x = i > 0 ? i - 1 : 0; x <= i + 1 && x < g->sources; x++) {
        for (int64_t y = j > 0 ? j - 1 : 0; y <= j + 1 && y < g->targets; y++) {
            int64_t at = x * g->targets + y;
            if (!g->linked[at] && (g->forward[at] || g->backward[at]) &&
                !(g->source[x] && g->target[y])) {
                add_link(g, x, y);
                grown = true;
            }
        }
    }
    return grown;
}

static void grow_diagonally(grid *g) {
    bool grown = true;
    while (grown) {
        grown = false;
        for (int64_t i = 0; i < g->sources; i++) {
            for (int64_t j = 0; j < g->targets; j++) {
                grown = (g->linked[i * g->targets + j] && grow_around(g, i, j)) || grown;
            }
        }
    }
}

/* Links of one direction of which one word, or with `both` each, has none yet. */
static void finish(grid *g, const bool *direction, bool both) {
    for (int64_t i = 0; i < g->sources; i++) {
        for (int64_t j = 0; j < g->targets; j++) {
            bool wanted = both ? !g->source[i] && !g->target[j] : !g->source[i] || !g->target[j];
            if (direction[i * g->targets + j] && wanted) {
                add_link(g, i, j);
            }
        }
    }
}

static void join(attn_symmetry how, grid *g) {
    for (int64_t i = 0; i < g->sources; i++) {
        for (int64_t j = 0; j < g->targets; j++) {
            bool forward = g->forward[i * g->targets + j],
                 backward = g->backward[i * g->targets + j];
            if (how == ATTN_SYMMETRY_UNION      ? forward || backward
                : how == ATTN_SYMMETRY_FORWARD  ? forward
                : how == ATTN_SYMMETRY_BACKWARD ? backward
                                                : forward && backward) {
                add_link(g, i, j);
            }
        }
    }
    if (how == ATTN_SYMMETRY_GROW_DIAG || how == ATTN_SYMMETRY_GROW_DIAG_FINAL ||
        how == ATTN_SYMMETRY_GROW_DIAG_FINAL_AND) {
        grow_diagonally(g);
    }
    if (how == ATTN_SYMMETRY_GROW_DIAG_FINAL || how == ATTN_SYMMETRY_GROW_DIAG_FINAL_AND) {
        finish(g, g->forward, how == ATTN_SYMMETRY_GROW_DIAG_FINAL_AND);
        finish(g, g->backward, how == ATTN_SYMMETRY_GROW_DIAG_FINAL_AND);
    }
}

void attn_symmetrize(attn_symmetry how, double threshold, int64_t sources, int64_t targets,
                     const double *forward, const double *backward, bool *linked, bool *work) {
    size_t cells = (size_t)(sources * targets);
    if (how == ATTN_SYMMETRY_POSTERIOR) {
        for (int64_t i = 0; i < sources; i++) {
            for (int64_t j = 0; j < targets; j++) {
                double both = forward[j * (sources + 1) + i] * backward[i * (targets + 1) + j];
                linked[i * targets + j] = both > threshold * threshold;
            }
        }
        return;
    }
    memset(linked, 0, cells * sizeof *linked);
    memset(work, 0, (2 * cells + (size_t)(sources + targets)) * sizeof *work);
    grid g = {.sources = sources,
              .targets = targets,
              .linked = linked,
              .forward = work,
              .backward = work + cells,
              .source = work + 2 * cells,
              .target = work + 2 * cells + sources};
    decide(&g, forward, backward);
    join(how, &g);
}
