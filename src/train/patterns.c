/* train/patterns.c: matching by fnmatch, and what to say of a pattern that fits nothing. */
#include "train/patterns.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "io/recipe.h"

enum { LONGEST = ATTN_KEY_TEXT_SIZE };

/* The next pattern of the list, which moves on; false: there is none. */
static bool next_pattern(const char **list, char pattern[LONGEST]) {
    *list += strspn(*list, " ");
    size_t length = strcspn(*list, " ");
    snprintf(pattern, LONGEST, "%.*s", (int)length, *list);
    *list += length;
    return length > 0;
}

bool attn_patterns_match(const char *patterns, const char *name) {
    char pattern[LONGEST];
    while (next_pattern(&patterns, pattern)) {
        if (fnmatch(pattern, name, 0) == 0) {
            return true;
        }
    }
    return false;
}

/* The nearest name, or beginning of one up to a dot, to a pattern without its last star. */
static const char *near(const char *pattern, const char *const *names, size_t count, char *out,
                        size_t size) {
    char wanted[LONGEST];
    size_t length = strlen(pattern);
    while (length > 0 && strchr("*.", pattern[length - 1]) != NULL) {
        length--;
    }
    snprintf(wanted, sizeof wanted, "%.*s", (int)length, pattern);
    const char *best = attn_nearest(wanted, names, count);
    if (best != NULL) {
        snprintf(out, size, "%s", best);
        return out;
    }
    for (size_t i = 0; i < count; i++) {
        for (const char *dot = strchr(names[i], '.'); dot != NULL; dot = strchr(dot + 1, '.')) {
            snprintf(out, size, "%.*s", (int)(dot - names[i]), names[i]);
            const char *const one[] = {out};
            if (attn_nearest(wanted, one, 1) != NULL) {
                snprintf(out, size, "%.*s.*", (int)(dot - names[i]), names[i]);
                return out;
            }
        }
    }
    return NULL;
}

attn_status attn_patterns_check(const char *where, const char *patterns, const char *const *names,
                                size_t count, attn_error *error) {
    char pattern[LONGEST], found[LONGEST], hint[LONGEST + 96];
    while (next_pattern(&patterns, pattern)) {
        size_t i = 0;
        while (i < count && fnmatch(pattern, names[i], 0) != 0) {
            i++;
        }
        if (i == count) {
            const char *nearest = near(pattern, names, count, found, sizeof found);
            snprintf(hint, sizeof hint,
                     nearest != NULL ? "did you mean %s? `attn info --parameters` lists the names"
                                     : "`attn info --parameters` lists the names%.0s",
                     nearest != NULL ? nearest : "");
            return attn_fail(error, ATTN_ERR_ARGUMENT, where, -1, hint,
                             "%s fits no parameter that it could mean", pattern);
        }
    }
    return ATTN_OK;
}

attn_status attn_patterns_freeze(const char *patterns, attn_params *params, attn_error *error) {
    size_t count = attn_params_count(params);
    const char **names = attn_alloc_zero(count, sizeof *names);
    if (names == NULL) {
        return attn_fail_memory(error, count * sizeof *names);
    }
    for (size_t i = 0; i < count; i++) {
        names[i] = attn_params_at(params, i)->name;
    }
    attn_status status = attn_patterns_check("freeze", patterns, names, count, error);
    for (size_t i = 0; i < count && status == ATTN_OK; i++) {
        attn_param *param = attn_params_at(params, i);
        param->frozen = param->frozen || attn_patterns_match(patterns, param->name);
    }
    if (status == ATTN_OK && attn_params_trained(params) == 0) {
        status = attn_fail(error, ATTN_ERR_ARGUMENT, "freeze", -1, "freeze less",
                           "every parameter is frozen: there is nothing to train");
    }
    attn_free(names);
    return status;
}
