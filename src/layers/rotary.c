/* layers/rotary.c: queries and keys turned by their places.
 *
 *     (a, b) becomes (a cos - b sin, b cos + a sin), at place p and pair i by the angle p base^(-2 i / R)
 *
 * R: the channels that are turned, R / 2 pairs. Turning back is the same with the sines negated, and it is the gradient
 * too, since the inverse of a rotation is its transpose. Each element is two products and a sum, each rounded once.
 * Source: Su et al. 2021, "RoFormer". Next: layers/attention.c, which calls this. */
#include "attn/threads.h"
#include "base/trig.h"
#include "layers/layers.h"

void attn_rotary_table(double base, int64_t length, int64_t size, attn_real *table) {
    int64_t pairs = size / 2;
    double log2_base = attn_log2_double(base);
    for (int64_t i = 0; i < pairs; i++) {
        double frequency = attn_exp2_double(-(double)i / (double)pairs * log2_base);
        for (int64_t p = 0; p < length; p++) {
            double sine, cosine;
            attn_sin_cos((double)p * frequency, &sine, &cosine);
            table[p * size + i] = (real)cosine;
            table[p * size + pairs + i] = (real)sine;
        }
    }
}

/* One head. */
static void turn(const attn_rotation *rotation, int64_t place, bool back, real *head) {
    int64_t pairs = rotation->size / 2;
    bool adjacent = rotation->kind == ATTN_ROTARY_ADJACENT;
    const real *cosines = rotation->table + place * rotation->size, *sines = cosines + pairs;
    for (int64_t i = 0; i < pairs; i++) {
        real *a = head + (adjacent ? 2 * i : i), *b = a + (adjacent ? 1 : pairs);
        real sine = back ? -sines[i] : sines[i];
        real turned_a = *a * cosines[i] - *b * sine, turned_b = *b * cosines[i] + *a * sine;
        *a = turned_a;
        *b = turned_b;
    }
}

void attn_layers_turn(const attn_rotation *rotation, int64_t place, int64_t heads,
                      int64_t head_size, real *row) {
    for (int64_t h = 0; h < heads; h++) {
        turn(rotation, place, false, row + h * head_size);
    }
}

void attn_layers_turn_all(const attn_rotation *rotation, const attn_sequences *sequences, bool back,
                          int64_t heads, int64_t head_size, int64_t row, real *x) {
#pragma omp parallel for schedule(static) num_threads(attn_get_threads())
    for (int64_t s = 0; s < sequences->count; s++) {
        for (int64_t t = sequences->starts[s]; t < sequences->starts[s + 1]; t++) {
            for (int64_t h = 0; h < heads; h++) {
                turn(rotation, t - sequences->starts[s], back, x + t * row + h * head_size);
            }
        }
    }
}

bool attn_layers_rotation(attn_tape *tape, const attn_rotation *rotation,
                          const attn_sequences *sequences, int64_t head_size) {
    bool good = (rotation->kind == ATTN_ROTARY_HALVES || rotation->kind == ATTN_ROTARY_ADJACENT) &&
                rotation->size >= 2 && rotation->size % 2 == 0 && rotation->size <= head_size &&
                rotation->table != NULL;
    if (!good) {
        attn_tape_fail(
            tape, ATTN_ERR_ARGUMENT,
            "a rotation of %lld channels for heads of %lld: it needs a kind, a table, and "
            "an even number of channels up to the head's",
            (long long)rotation->size, (long long)head_size);
        return false;
    }
    for (int64_t s = 0; s < sequences->count; s++) {
        int64_t length = sequences->starts[s + 1] - sequences->starts[s];
        if (length > rotation->length) {
            attn_tape_fail(tape, ATTN_ERR_ARGUMENT,
                           "sequence %lld has %lld tokens, the table of the rotation %lld places",
                           (long long)s, (long long)length, (long long)rotation->length);
            return false;
        }
    }
    return true;
}
