/* attn/tape.h: tensors, parameters, and the tape that records a forward pass and plays it backward.
 *
 * A model writes only its forward pass: each layer call computes its output at once and, while
 * recording, leaves a record; attn_tape_backward plays the records in reverse order.
 * A layer call that fails returns NULL and the tape remembers why; a call with a NULL input returns
 * NULL. So a model needs no check on every line. It calls attn_tape_check once at the end, which
 * says which layer call failed and why: "layer 3, attn_layer_linear: x has 12 columns, the
 * weight takes 16". A tape and its tensors belong to one thread at a time. Next: attn/layers.h. */
#ifndef ATTN_TAPE_H
#define ATTN_TAPE_H

#include <stdbool.h>
#include <stddef.h>

#include "attn/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A matrix [rows, cols], rows contiguous: tokens by channels. Owned by the tape until the next
 * begin. */
typedef struct attn_tensor {
    int64_t rows, cols;
    attn_real *data;
    /* NULL until the backward reaches it; then the same shape. Once it has passed, only the gradients of
     * tensors that no layer made can be read: others have been handed on and written over. */
    attn_real *grad;
    bool constant; /* no gradient is needed: a layer may skip it. false unless set */
} attn_tensor;

/* ---- parameters ---- */

typedef enum attn_init {
    ATTN_INIT_ZERO,
    ATTN_INIT_ONE,
    ATTN_INIT_XAVIER,     /* uniform in +-sqrt(6 / (rows + cols)) (Glorot and Bengio 2010) */
    ATTN_INIT_XAVIER_QKV, /* the same over the three joined: +-sqrt(6 / (3 rows + cols)) */
    ATTN_INIT_EMBEDDING,  /* normal, standard deviation cols^-0.5 */
    ATTN_INIT_HE,         /* normal, sqrt(2 / cols), cols what one output reads (He et al. 2015) */
    ATTN_INIT_HE_COLUMNS, /* the same for depthwise kernels: sqrt(2 / rows) */
} attn_init;

/* One trained tensor [rows, cols]; a vector is one row. */
typedef struct attn_param {
    char name[64];
    int64_t rows, cols;
    attn_init init;
    attn_real *data;
    attn_real *grad; /* NULL in a model for inference, and where it is frozen */
    /* [rows]: the row scales of a matrix that was stored as 8-bit integers, laid out like data;
     * NULL: none. Set it to NULL after changing the data. */
    attn_real *row_scale;
    /* Set it before attn_params_allocate: it has no gradient then, no layer computes one, and an optimizer leaves it alone. */
    bool frozen;
    struct attn_param *next; /* the row declared after it; NULL: it is the last */
} attn_param;

/* The table of a model's tensors: declare every row, then allocate once. Parameters are contiguous
 * in `data`, in the order of declaration and without gaps; so are the gradients of those that are not frozen in `grad`. */
typedef struct attn_params attn_params;

/* *out is freed with attn_params_free (NULL is allowed). ATTN_ERR_MEMORY. */
ATTN_API ATTN_MUST_CHECK attn_status attn_params_create(attn_params **out, attn_error *error);
ATTN_API void attn_params_free(attn_params *params);
/* A new row; the pointer stays valid. rows and cols must be at least 1. The name is copied, has at
 * most 63 bytes, and should be unique. Returns NULL on failure; attn_params_allocate then says why,
 * so a model can be declared without a check on every line. */
ATTN_API attn_param *attn_params_declare(attn_params *params, const char *name, int64_t rows,
                                         int64_t cols, attn_init init);
/* Allocates data (zero) and, if asked, grad (zero), once. ATTN_ERR_MEMORY; or the status of the
 * first declare that failed, with the tensor's name and what is wrong with it. */
ATTN_API ATTN_MUST_CHECK attn_status attn_params_allocate(attn_params *params, bool with_grad,
                                                          attn_error *error);
/* Fills every tensor by its initializer from the counter-based generator, with bit-identical
 * results everywhere. */
ATTN_API void attn_params_init(attn_params *params, uint64_t seed);
ATTN_API size_t attn_params_count(const attn_params *params);
/* index: below attn_params_count. */
ATTN_API attn_param *attn_params_at(const attn_params *params, size_t index);
/* NULL when there is none of that name. */
ATTN_API attn_param *attn_params_find(const attn_params *params, const char *name);
/* All elements as one array, for optimizers and hashes. */
ATTN_API int64_t attn_params_size(const attn_params *params);
ATTN_API attn_real *attn_params_data(const attn_params *params);
ATTN_API attn_real *attn_params_grad(const attn_params *params);
/* How many elements are not frozen: that many gradients there are. */
ATTN_API int64_t attn_params_trained(const attn_params *params);
ATTN_API void attn_params_zero_grad(attn_params *params);

/* ---- the tape ---- */

typedef struct attn_tape attn_tape;

/* *out is freed with attn_tape_free (NULL is allowed). ATTN_ERR_MEMORY. */
ATTN_API ATTN_MUST_CHECK attn_status attn_tape_create(attn_tape **out, attn_error *error);
ATTN_API void attn_tape_free(attn_tape *tape);
/* Discards all tensors and records and starts a pass. record: keep what the backward needs, and
 * apply dropout, whose random numbers depend only on (seed, step, the number of dropout calls so
 * far). */
ATTN_API void attn_tape_begin(attn_tape *tape, bool record, uint64_t seed, uint64_t step);
/* The status of the pass so far: ATTN_OK or the first failure. */
ATTN_API attn_status attn_tape_status(const attn_tape *tape);
/* The same, with the reason. `where` counts the layer calls of the pass from 1 and gives the scope,
 * if one is set: "layer 3, encoder.0.self, attn_layer_linear". With ATTN_OK, error is not
 * touched. */
ATTN_API ATTN_MUST_CHECK attn_status attn_tape_check(const attn_tape *tape, attn_error *error);
/* Adds to the gradients of all parameters used; tensors whose grad was not set before count as zero
 * there. Consumes the records. Returns the status of attn_tape_check; a pass that has failed is not
 * played back. */
ATTN_API ATTN_MUST_CHECK attn_status attn_tape_backward(attn_tape *tape, attn_error *error);
/* The most bytes that tensors and records have taken. */
ATTN_API size_t attn_tape_peak_bytes(const attn_tape *tape);

/* A tensor of the tape, contents undefined; for inputs and for layers written outside the library.
 */
ATTN_API attn_tensor *attn_tape_tensor(attn_tape *tape, int64_t rows, int64_t cols);
/* The gradient of a tensor, zero when it had none: add to it. NULL (and the tape fails) when out of
 * memory. */
ATTN_API attn_real *attn_tape_grad(attn_tape *tape, attn_tensor *tensor);
/* A record of `size` bytes, zeroed, whose backward is called with it; NULL when not recording. Out
 * of memory makes the tape fail. */
ATTN_API void *attn_tape_record(attn_tape *tape, size_t size,
                                void (*backward)(attn_tape *tape, void *record));
/* Memory that lives until the next begin. NULL (and the tape fails) when out of memory. */
ATTN_API void *attn_tape_alloc(attn_tape *tape, size_t size);
ATTN_API bool attn_tape_recording(const attn_tape *tape);
/* Marks the start of a layer call, which is counted and named in errors from here on. `name` is
 * kept by reference. The library's layers call this themselves. */
ATTN_API void attn_tape_layer(attn_tape *tape, const char *name);
/* Makes the tape fail with a status and a reason in printf's form. Only the first failure is
 * kept. */
ATTN_API ATTN_PRINTF(3, 4) void attn_tape_fail(attn_tape *tape, attn_status status,
                                               const char *reason, ...);
/* The key of the next dropout call. */
ATTN_API uint64_t attn_tape_random_key(attn_tape *tape);

/* ---- looking inside ----
 * While watching, layers leave notes named "SCOPE.WHAT", for instance "encoder.0.self.query". */
ATTN_API void attn_tape_watch(attn_tape *tape, bool on);
/* Sets the scope for the names of later notes and failures (cut to 47 bytes). */
ATTN_API ATTN_PRINTF(2, 3) void attn_tape_scope(attn_tape *tape, const char *format, ...);
ATTN_API void attn_tape_note(attn_tape *tape, const char *what, const attn_tensor *tensor);
/* The tensor noted under a full name in this pass, or NULL. */
ATTN_API const attn_tensor *attn_tape_noted(const attn_tape *tape, const char *name);

#ifdef __cplusplus
}
#endif
#endif
