/* tape/muon.c: Newton and Schulz's iteration, and the step along its outcome. */
#include "tape/muon.h"

#include <math.h>
#include <string.h>

#include "attn/threads.h"
#include "base/fail.h"
#include "kernels/matmul/matmul.h"
#include "kernels/optimizer/optimizer.h"

enum { ITERATIONS = 5, PART = 16384 };

bool attn_muon_takes(const attn_param *param) {
    bool multiplies = param->init == ATTN_INIT_XAVIER || param->init == ATTN_INIT_XAVIER_QKV ||
                      param->init == ATTN_INIT_HE;
    return multiplies && param->rows > 1 && param->cols > 1;
}

static int64_t shorter(const attn_param *param) {
    return param->rows < param->cols ? param->rows : param->cols;
}

attn_status attn_muon_room_for(const attn_params *params, attn_muon_room *room, attn_error *error) {
    int64_t size = 0, side = 0;
    for (size_t i = 0; i < attn_params_count(params); i++) {
        const attn_param *param = attn_params_at(params, i);
        if (!param->frozen && attn_muon_takes(param)) {
            int64_t elements = param->rows * param->cols;
            size = elements > size ? elements : size;
            side = shorter(param) > side ? shorter(param) : side;
        }
    }
    size_t square = (size_t)(side * side);
    *room = (attn_muon_room){
        .next = attn_alloc((size_t)size * sizeof(real)),
        .gram = attn_alloc(square * sizeof(real)),
        .factor = attn_alloc(square * sizeof(real)),
    };
    if (room->next == NULL || room->gram == NULL || room->factor == NULL) {
        return attn_fail_memory(error, ((size_t)size + 2 * square) * sizeof(real));
    }
    return ATTN_OK;
}

void attn_muon_free(attn_muon_room *room) {
    attn_free(room->next);
    attn_free(room->gram);
    attn_free(room->factor);
    attn_scratch_free(&room->scratch);
    *room = (attn_muon_room){.next = NULL};
}

/* One iteration from x to room->next, on the shorter side of the matrix. */
static attn_status iterate(const attn_param *param, real *x, attn_muon_room *room) {
    int64_t rows = param->rows, cols = param->cols, side = shorter(param);
    bool wide = rows <= cols;
    attn_matmul gram = {.size = sizeof gram, .m = side, .n = side, .c = room->gram, .c_row = side};
    gram.k = wide ? cols : rows;
    gram.a = gram.b = x;
    gram.a_row = gram.b_col = wide ? cols : 1;
    gram.a_col = gram.b_row = wide ? 1 : cols;
    attn_status status = attn_matmul_run_scratch(&gram, &room->scratch);
    if (status != ATTN_OK) {
        return status;
    }
    attn_matmul square = {.size = sizeof square, .m = side, .n = side, .k = side};
    square.a = square.b = room->gram;
    square.a_row = square.b_row = square.c_row = side;
    square.a_col = square.b_col = 1;
    square.c = room->factor;
    status = attn_matmul_run_scratch(&square, &room->scratch);
    if (status != ATTN_OK) {
        return status;
    }
    const real a = (real)3.4445, b = (real)-4.775, c = (real)2.0315;
    for (int64_t i = 0; i < side * side; i++) {
        room->factor[i] = b * room->gram[i] + c * room->factor[i];
    }
    for (int64_t i = 0; i < side; i++) {
        room->factor[i * side + i] += a;
    }
    attn_matmul step = {.size = sizeof step, .m = rows, .n = cols, .c = room->next, .c_row = cols};
    step.k = side;
    step.a = wide ? room->factor : x;
    step.b = wide ? x : room->factor;
    step.a_row = wide ? side : cols;
    step.b_row = cols;
    step.a_col = step.b_col = 1;
    return attn_matmul_run_scratch(&step, &room->scratch);
}

attn_status attn_muon_direction(const attn_param *param, real scale, real momentum, const real *m,
                                real *direction, attn_muon_room *room, attn_error *error) {
    int64_t size = param->rows * param->cols;
    real ahead = scale + momentum * scale, behind = momentum * momentum;
#pragma omp parallel for schedule(static) num_threads(attn_get_threads()) if (size > PART)
    for (int64_t i = 0; i < size; i++) {
        direction[i] = behind * m[i] + ahead * param->grad[i];
    }
    double norm = sqrt(attn_sum_squares(size, direction));
    real inverse = norm > 0 ? (real)(1.0 / norm) : 0;
    for (int64_t i = 0; i < size; i++) {
        direction[i] *= inverse;
    }
    for (int step = 0; step < ITERATIONS; step++) {
        attn_status status = iterate(param, direction, room);
        if (status != ATTN_OK) {
            return attn_fail_memory(error, (size_t)size * sizeof(real));
        }
        memcpy(direction, room->next, (size_t)size * sizeof(real));
    }
    return ATTN_OK;
}

void attn_muon_move(const attn_param *param, real scale, real momentum, real rate,
                    real weight_decay, const real *direction, real *m) {
    int64_t size = param->rows * param->cols;
    int64_t longer = param->rows > param->cols ? param->rows : param->cols;
    real step = (real)((double)rate * 0.2 * sqrt((double)longer)), decay = rate * weight_decay;
    real *w = param->data;
#pragma omp parallel for schedule(static) num_threads(attn_get_threads()) if (size > PART)
    for (int64_t i = 0; i < size; i++) {
        m[i] = momentum * m[i] + scale * param->grad[i];
        w[i] = w[i] - decay * w[i] - step * direction[i];
    }
}
