/* Any bytes as links made by hand: refused with the line, or a sorted list within its bounds. Built with clang
 * -fsanitize=fuzzer, or with replay.c to run over the kept corpus. */
#include <stdint.h>
#include <stdlib.h>

#include "io/word_links.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition) {
    if (!condition) {
        abort();
    }
}

static bool comes_before(const attn_gold_link *a, const attn_gold_link *b) {
    return a->sentence != b->sentence ? a->sentence < b->sentence
           : a->source != b->source   ? a->source < b->source
                                      : a->target < b->target;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    attn_gold_links gold;
    attn_error error = {.position = -2};
    attn_status status = attn_gold_links_parse((const char *)data, size, "fuzz", &gold, &error);
    require(status == ATTN_OK || status == ATTN_ERR_FORMAT);
    for (size_t i = 0; i < gold.count; i++) {
        const attn_gold_link *link = &gold.link[i];
        require(link->sentence >= 0 && link->sentence < gold.sentences && link->source >= 0 &&
                link->target >= 0);
        require(i == 0 || comes_before(link - 1, link));
    }
    attn_gold_links_free(&gold);
    return 0;
}
