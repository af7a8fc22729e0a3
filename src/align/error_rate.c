/* align/error_rate.c: both sides are sorted, so one walk through them counts. */
#include "align/error_rate.h"

static int compare(int64_t line, const attn_link *link, const attn_gold_link *gold) {
    if (line != gold->sentence) {
        return line < gold->sentence ? -1 : 1;
    }
    if (link->source != gold->source) {
        return link->source < gold->source ? -1 : 1;
    }
    return (link->target > gold->target) - (link->target < gold->target);
}

attn_link_counts attn_count_links(const attn_link_set *set, const attn_gold_links *gold) {
    attn_link_counts counts = {.found = 0};
    size_t g = 0;
    for (size_t i = 0; i < gold->count; i++) {
        counts.sure += gold->link[i].sure;
    }
    for (int64_t line = 0; line < gold->sentences; line++) {
        for (int64_t i = set->start[line]; i < set->start[line + 1]; i++) {
            while (g < gold->count && compare(line, &set->link[i], &gold->link[g]) > 0) {
                g++;
            }
            counts.found++;
            if (g < gold->count && compare(line, &set->link[i], &gold->link[g]) == 0) {
                counts.found_possible++;
                counts.found_sure += gold->link[g].sure;
            }
        }
    }
    return counts;
}

static double ratio(int64_t part, int64_t whole) {
    return whole > 0 ? (double)part / (double)whole : 0;
}

double attn_link_precision(const attn_link_counts *c) {
    return ratio(c->found_possible, c->found);
}

double attn_link_recall(const attn_link_counts *c) {
    return ratio(c->found_sure, c->sure);
}

double attn_link_error_rate(const attn_link_counts *c) {
    return c->found + c->sure > 0 ? 1 - ratio(c->found_sure + c->found_possible, c->found + c->sure)
                                  : 0;
}
