/* tape/tape.c: an arena of tensors, a list of records, and the notes for looking inside.
 *
 * Everything a pass makes lives in one arena that the next begin resets, so that a step of the same
 * size as one before allocates nothing. Next: layers/layers of your choice. */
#include "tape/tape.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/random.h"

enum { SCOPE_SIZE = 48, NOTE_SIZE = 72 };

/* Which layer call: for the reason of a failure. */
typedef struct place {
    int64_t layer;    /* counted from 1; 0: before the first one */
    const char *name; /* of the layer */
    char scope[SCOPE_SIZE];
    bool backward;
} call_place;

typedef struct record {
    struct record *previous;
    void (*backward)(attn_tape *tape, void *payload);
    void *payload;
    call_place place;
} record;

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
    attn_error failure;
    bool recording, watching;
    uint64_t seed, step, random_calls;
    call_place place;
    int64_t records; /* of the pass so far */
    const attn_tape_follower *follower;
};

attn_status attn_tape_create(attn_tape **out, attn_error *error) {
    *out = attn_alloc_zero(1, sizeof **out);
    return *out != NULL ? ATTN_OK : attn_fail_memory(error, sizeof **out);
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
    tape->failure.status = ATTN_OK;
    tape->recording = recording;
    tape->seed = seed;
    tape->step = step;
    tape->random_calls = 0;
    tape->records = 0;
    tape->place = (call_place){0};
}

attn_status attn_tape_status(const attn_tape *tape) {
    return tape->failure.status;
}

attn_status attn_tape_check(const attn_tape *tape, attn_error *error) {
    if (tape->failure.status != ATTN_OK && error != NULL) {
        *error = tape->failure;
    }
    return tape->failure.status;
}

bool attn_tape_recording(const attn_tape *tape) {
    return tape->recording;
}

void attn_tape_layer(attn_tape *tape, const char *name) {
    tape->place.layer++;
    tape->place.name = name;
}

/* "layer 3, encoder.0.self, attn_layer_linear, backward" */
static void write_place(const call_place *place, char *out, size_t size) {
    bool scoped = place->scope[0] != '\0';
    if (place->layer == 0) {
        snprintf(out, size, "%s", place->scope);
        return;
    }
    snprintf(out, size, "layer %lld, %s%s%s%s", (long long)place->layer, place->scope,
             scoped ? ", " : "", place->name, place->backward ? ", backward" : "");
}

static void fail(attn_tape *tape, attn_status status, const char *hint, const char *reason) {
    char where[sizeof tape->failure.where];
    if (tape->failure.status == ATTN_OK) {
        write_place(&tape->place, where, sizeof where);
        attn_fail(&tape->failure, status, where, -1, hint, "%s", reason);
    }
}

void attn_tape_fail(attn_tape *tape, attn_status status, const char *reason, ...) {
    char text[sizeof tape->failure.what];
    va_list arguments;
    va_start(arguments, reason);
    vsnprintf(text, sizeof text, reason, arguments);
    va_end(arguments);
    fail(tape, status, NULL, text);
}

void attn_tape_fail_as(attn_tape *tape, const attn_error *error) {
    fail(tape, error->status, error->hint, error->what);
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
        attn_error error;
        (void)attn_fail_memory(&error, size);
        attn_tape_fail_as(tape, &error);
    }
    return memory;
}

static real *alloc_elements(attn_tape *tape, int64_t rows, int64_t cols) {
    size_t size;
    if (rows < 0 || cols < 0 || !attn_size_mul((size_t)rows, (size_t)cols, &size) ||
        !attn_size_mul(size, sizeof(real), &size)) {
        attn_tape_fail(tape, ATTN_ERR_ARGUMENT,
                       "there can be no tensor of %lld rows x %lld columns", (long long)rows,
                       (long long)cols);
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
    *entry = (record){tape->last, backward, payload, tape->place};
    tape->last = entry;
    tape->records++;
    return payload;
}

void attn_tape_follow(attn_tape *tape, const attn_tape_follower *follower) {
    tape->follower = follower;
}

void attn_tape_uses(attn_tape *tape, const attn_param *param) {
    if (tape->follower != NULL && tape->recording && param != NULL && !param->frozen) {
        tape->follower->uses(tape->follower->context, param, tape->records);
    }
}

attn_status attn_tape_backward(attn_tape *tape, attn_error *error) {
    for (record *entry = tape->last; entry != NULL && attn_tape_status(tape) == ATTN_OK;
         entry = entry->previous) {
        tape->place = entry->place;
        tape->place.backward = true;
        entry->backward(tape, entry->payload);
        tape->records--;
        if (tape->follower != NULL) {
            tape->follower->played(tape->follower->context, tape->records);
        }
    }
    tape->last = NULL;
    return attn_tape_check(tape, error);
}

void attn_tape_watch(attn_tape *tape, bool on) {
    tape->watching = on;
}

void attn_tape_scope(attn_tape *tape, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(tape->place.scope, sizeof tape->place.scope, format, arguments);
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
    snprintf(entry->name, sizeof entry->name, "%s.%s", tape->place.scope, what);
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
