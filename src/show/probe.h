/* show/probe.h: what heads look at, counted over a labelled set.
 *
 * An item asks of one row of attention whether it gives more weight to what is right than to what is wrong: a pronoun and
 * its candidates, a word and the word that it is aligned with, a pixel and its class. A probe counts the answers
 * of each head of each layer, of the mean of a layer's heads and of all layers together, beside what chance gives.
 * Letters: L layers, H heads. Next: relevance.h. */
#ifndef ATTN_SHOW_PROBE_H
#define ATTN_SHOW_PROBE_H

#include <jansson.h>

#include "attn/status.h"
#include "show/terminal.h"

typedef struct attn_probe_count {
    int64_t right, count;
    double chance; /* the sum, over the items, of the probability that a guess is right */
} attn_probe_count;

/* One way to read a model. */
typedef struct attn_probe {
    const char *method; /* "weights", "relevance" */
    int64_t layers, heads;
    attn_probe_count *head; /* [L, H + 1]: last in each row the mean of the layer's heads */
    attn_probe_count whole; /* all layers together; count 0: not measured */
} attn_probe;

ATTN_MUST_CHECK attn_status attn_probe_create(attn_probe *out, const char *method, int64_t layers,
                                              int64_t heads, attn_error *error);
void attn_probe_free(attn_probe *probe);

/* Counts one answer: whether the value at `right` is larger than each value at wrong[0 .. wrongs). */
void attn_probe_choose(attn_probe_count *count, const double *row, int64_t right,
                       const int64_t *wrong, int64_t wrongs);
/* Whether the largest of row[0 .. keys) lies at a place with allowed[k]; chance: the share of these. */
void attn_probe_point(attn_probe_count *count, const double *row, int64_t keys,
                      const bool *allowed);

/* The interval that holds the true share with 95 % (Wilson 1927). */
void attn_probe_interval(const attn_probe_count *count, double *low, double *high);

/* A table: a row a layer, a column a head, in per cent; below it the best with interval, chance and number. */
void attn_probe_print(const attn_probe *probe, const attn_terminal *terminal);
/* {"method", "layers", "heads", "cells": [{"layer", "head", "right", "count", "accuracy", "low", "high",
 * "chance"}]}, counted from 1; "head": null is the mean over heads, "layer": null all layers. NULL when out of
 * memory. */
json_t *attn_probe_json(const attn_probe *probe);
/* The same table as a picture, coloured by accuracy, to .svg, .png or .pdf. Errors as those of attn_view_draw. */
ATTN_MUST_CHECK attn_status attn_probe_draw(const attn_probe *probes, size_t count,
                                            const char *title, const char *path, attn_error *error);

#endif
