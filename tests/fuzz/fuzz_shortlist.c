/* Any bytes as a shortlist file: refused with a reason, or a list whose choice for any sentence stays
 * within its words and which can be saved. Built with clang -fsanitize=fuzzer, or with replay.c to run
 * over the kept corpus. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "models/shortlist.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition) {
    if (!condition) {
        abort();
    }
}

/* One sentence that repeats the last word, and one of the first words in order. */
static void check_choice(const attn_shortlist *list) {
    enum { LENGTH = 32 };
    int64_t words = attn_shortlist_vocabulary(list);
    int32_t source[LENGTH];
    bool *chosen = malloc((size_t)words * sizeof *chosen);
    require(chosen != NULL);
    for (int kind = 0; kind < 2; kind++) {
        for (int64_t i = 0; i < LENGTH; i++) {
            source[i] = (int32_t)(kind == 0 || i >= words ? words - 1 : i);
        }
        memset(chosen, 0x7F, (size_t)words * sizeof *chosen);
        attn_shortlist_choose(list, LENGTH, source, chosen);
        for (int64_t i = 0; i < LENGTH; i++) {
            require(chosen[source[i]]);
        }
        for (int64_t id = 0; id < words; id++) {
            unsigned char mark;
            memcpy(&mark, chosen + id, 1);
            require(mark <= 1);
        }
    }
    free(chosen);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    attn_shortlist *list = NULL;
    attn_error error = {.position = -2};
    attn_status status = attn_shortlist_parse(data, size, "fuzz", &list, &error);
    if (status != ATTN_OK) {
        require(list == NULL && error.what[0] != '\0' && error.position >= -1);
        require(status == ATTN_ERR_FORMAT || status == ATTN_ERR_SHAPE);
        return 0;
    }
    require(attn_shortlist_vocabulary(list) >= 1);
    check_choice(list);
    attn_shortlist_free(list);
    return 0;
}
