/* tape/tape.c: an arena of tensors, a list of records, and the notes for looking inside.
 *
 * Everything a pass makes lives in one arena that the next begin resets, so that a step of the same
 * size as one before allocates nothing. Next: layers/layers of your choice. */
#include "tape/tape.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/random.h"

typedef struct record {
    struct record *previous;
    void (*backward)(attn_tape *tape, void *payload);
    void *payload;
} record;

enum { SCOPE_SIZE = 48, NOTE_SIZE = 72 };

typedef struct note {
    struct note *previous;
    char name[NOTE_SIZE];
    const attn_tensor *tensor;
} note;

struct attn_tape {
    attn_arena arena;
    attn_scratch scratch;
    record *last;
    note *notes;
    attn_status status;
    bool recording, watching;
    uint64_t seed, step, random_calls;
    char scope[SCOPE_SIZE];
};

attn_status attn_tape_create(attn_tape **out) {
    *out = attn_alloc_zero(1, sizeof **out);
    return *out != NULL ? ATTN_OK : ATTN_ERR_MEMORY;
}

void attn_tape_free(attn_tape *tape) {
    if (tape == NULL) {
        return;
    }
    attn_arena_free(&tape->arena);
    attn_scratch_free(&tape->scratch);
    attn_free(tape);
}

void attn_tape_begin(attn_tape *tape, bool recording, uint64_t seed, uint64_t step) {
    attn_arena_reset(&tape->arena);
    tape->last = NULL;
    tape->notes = NULL;
    tape->status = ATTN_OK;
    tape->recording = recording;
    tape->seed = seed;
    tape->step = step;
    tape->random_calls = 0;
    tape->scope[0] = '\0';
}

attn_status attn_tape_status(const attn_tape *tape) {
    return tape->status;
}

bool attn_tape_recording(const attn_tape *tape) {
    return tape->recording;
}

void attn_tape_fail(attn_tape *tape, attn_status status) {
    if (tape->status == ATTN_OK) {
        tape->status = status;
    }
}

size_t attn_tape_peak_bytes(const attn_tape *tape) {
    return tape->arena.peak + tape->scratch.size;
}

attn_scratch *attn_tape_scratch(attn_tape *tape) {
    return &tape->scratch;
}

uint64_t attn_tape_random_key(attn_tape *tape) {
    return attn_random_key(tape->seed, tape->step, ++tape->random_calls);
}

void *attn_tape_alloc(attn_tape *tape, size_t size) {
    void *memory = attn_arena_alloc(&tape->arena, size);
    if (memory == NULL) {
        attn_tape_fail(tape, ATTN_ERR_MEMORY);
    }
    return memory;
}

static real *alloc_elements(attn_tape *tape, int64_t rows, int64_t cols) {
    size_t size;
    if (rows < 0 || cols < 0 || !attn_size_mul((size_t)rows, (size_t)cols, &size) ||
        !attn_size_mul(size, sizeof(real), &size)) {
        attn_tape_fail(tape, ATTN_ERR_ARGUMENT);
        return NULL;
    }
    return attn_tape_alloc(tape, size);
}

attn_tensor *attn_tape_tensor(attn_tape *tape, int64_t rows, int64_t cols) {
    attn_tensor *tensor = attn_tape_alloc(tape, sizeof *tensor);
    if (tensor == NULL) {
        return NULL;
    }
    *tensor = (attn_tensor){rows, cols, alloc_elements(tape, rows, cols), NULL, false};
    return tensor->data != NULL ? tensor : NULL;
}

real *attn_tape_grad_first(attn_tape *tape, attn_tensor *tensor, bool *accumulate) {
    *accumulate = tensor->grad != NULL;
    if (tensor->grad == NULL) {
        tensor->grad = alloc_elements(tape, tensor->rows, tensor->cols);
    }
    return tensor->grad;
}

attn_real *attn_tape_grad(attn_tape *tape, attn_tensor *tensor) {
    bool accumulate;
    real *grad = attn_tape_grad_first(tape, tensor, &accumulate);
    if (grad != NULL && !accumulate) {
        memset(grad, 0, (size_t)(tensor->rows * tensor->cols) * sizeof(real));
    }
    return grad;
}

void *attn_tape_record(attn_tape *tape, size_t size, void (*backward)(attn_tape *, void *)) {
    if (!tape->recording) {
        return NULL;
    }
    record *entry = attn_tape_alloc(tape, sizeof *entry);
    void *payload = attn_tape_alloc(tape, size);
    if (entry == NULL || payload == NULL) {
        return NULL;
    }
    memset(payload, 0, size);
    *entry = (record){tape->last, backward, payload};
    tape->last = entry;
    return payload;
}

attn_status attn_tape_backward(attn_tape *tape) {
    for (record *entry = tape->last; entry != NULL && tape->status == ATTN_OK;
         entry = entry->previous) {
        entry->backward(tape, entry->payload);
    }
    tape->last = NULL;
    return tape->status;
}

void attn_tape_watch(attn_tape *tape, bool on) {
    tape->watching = on;
}

void attn_tape_scope(attn_tape *tape, const char *format, ...) {
    if (!tape->watching) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(tape->scope, sizeof tape->scope, format, arguments);
    va_end(arguments);
}

void attn_tape_note(attn_tape *tape, const char *what, const attn_tensor *tensor) {
    if (!tape->watching || tensor == NULL) {
        return;
    }
    note *entry = attn_tape_alloc(tape, sizeof *entry);
    if (entry == NULL) {
        return;
    }
    *entry = (note){.previous = tape->notes, .tensor = tensor};
    snprintf(entry->name, sizeof entry->name, "%s.%s", tape->scope, what);
    tape->notes = entry;
}

const attn_tensor *attn_tape_noted(const attn_tape *tape, const char *name) {
    for (const note *entry = tape->notes; entry != NULL; entry = entry->previous) {
        if (strcmp(entry->name, name) == 0) {
            return entry->tensor;
        }
    }
    return NULL;
}
