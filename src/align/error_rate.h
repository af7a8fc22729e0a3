/* align/error_rate.h: how far an alignment is from one made by hand.
 *
 * With A the links found, S the sure ones of the gold and P the sure and possible ones:
 *     precision = |A and P| / |A|,  recall = |A and S| / |S|,  AER = 1 - (|A and S| + |A and P|) / (|A| + |S|)
 * Source: Och and Ney 2003, section 5. */
#ifndef ATTN_ALIGN_ERROR_RATE_H
#define ATTN_ALIGN_ERROR_RATE_H

#include "align/bitext.h"
#include "io/word_links.h"

typedef struct attn_link_counts {
    int64_t found, sure;                /* |A|, |S| */
    int64_t found_sure, found_possible; /* |A and S|, |A and P| */
} attn_link_counts;

/* Gold sentence n is line n of the set; lines past the gold's sentences are not looked at.
 * The set has at least as many lines as the gold has sentences. */
attn_link_counts attn_count_links(const attn_link_set *set, const attn_gold_links *gold);
/* 0 where there is nothing to divide by. */
double attn_link_precision(const attn_link_counts *counts);
double attn_link_recall(const attn_link_counts *counts);
double attn_link_error_rate(const attn_link_counts *counts);

#endif
