/* kernels/isa/amx.c: AMX, whose registers are tiles: another 8-bit product, all else as avx512.
 *
 * A tile holds 16 rows of 64 bytes: 16 x 16 sums, 16 rows of A by 64 steps of k, or a panel of W by
 * 64 steps of k, as it lies in memory. One instruction multiplies two and adds 16 x 16 x 64
 * products, exactly. Two tiles of rows meet two panels, so that each tile that is loaded serves
 * twice. Next: matmul_i8_rows.h. */
#define V_OWN_DOT
#include "kernels/isa/verbs_avx512.h"

#define I8_TILE_ROWS   16
#define I8_VALUE_BYTES 1

V_INLINE void v_store_integers(char *out, v16 x) {
    _mm_storeu_si128((__m128i *)out, _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(x)));
}

#include "kernels/matmul_i8/matmul_i8_rows.h"
#include "kernels/operations.h"

enum {
    TILE = I8_TILE_ROWS,
    ROWS = 2 * TILE,          /* of C at a time */
    PANELS = 32,              /* in a call, for configuring the tiles takes its time */
    STEP = 64,                /* values of a row of A in a tile */
    GROUPS = STEP / I8_GROUP, /* of a panel of W in a tile */
    W_TILE = 16 * STEP,       /* bytes */
};

/* The tile registers: sums of the upper and the lower rows, A's, and W's panels. */
#define UPPER_LEFT  0
#define UPPER_RIGHT 1
#define LOWER_LEFT  2
#define LOWER_RIGHT 3
#define UPPER       4
#define LOWER       5
#define LEFT        6
#define RIGHT       7

/* What the instruction that configures the tiles reads. */
typedef struct tile_shapes {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_shapes;

/* For up to `rows` rows: few take less time. Tiles of rows that are not there are not used. */
static void matmul_i8_configure(int64_t rows) {
    tile_shapes shapes = {.palette = 1};
    int upper = (int)(rows < TILE ? rows : TILE), lower = rows > TILE ? (int)rows - TILE : TILE;
    const int heights[8] = {upper, upper, lower, lower, upper, lower, GROUPS, GROUPS};
    for (int i = 0; i < 8; i++) {
        shapes.row_bytes[i] = STEP;
        shapes.rows[i] = (uint8_t)heights[i];
    }
    _tile_loadconfig(&shapes);
}

/* Sums of one tile become elements of C: row i and the next, panel n. */
static void matmul_i8_finish_tile(int64_t rows, const attn_matmul_i8_panel *panel, int64_t i, int n,
                                  const int32_t *sums) {
    v16 x[TILE];
    if (rows == TILE) {
#pragma GCC unroll 16
        for (int r = 0; r < TILE; r++) {
            x[r] = _mm512_cvtepi32_ps(_mm512_loadu_si512(sums + 16 * r));
        }
        matmul_i8_finish(TILE, 1, panel, i, n, x);
        return;
    }
    for (int64_t r = 0; r < rows; r++) {
        x[0] = _mm512_cvtepi32_ps(_mm512_loadu_si512(sums + 16 * r));
        matmul_i8_finish(1, 1, panel, i + r, n, x);
    }
}

/* The weights of a panel. When k is no multiple of STEP its last tile is padded with zeros, for
 * what lies in A there. */
typedef struct w_panel {
    const int8_t *w;
    int64_t whole; /* bytes in whole tiles */
    int8_t end[W_TILE] __attribute__((aligned(64)));
} w_panel;

static void matmul_i8_start_panel(const attn_matmul_i8_panel *panel, int n, w_panel *out) {
    int64_t bytes = panel->groups * 16 * I8_GROUP, left = bytes % W_TILE;
    out->w = panel->w + n * bytes;
    out->whole = bytes - left;
    if (left > 0) {
        memcpy(out->end, out->w + out->whole, (size_t)left);
        memset(out->end + left, 0, (size_t)(W_TILE - left));
    }
}

static inline const int8_t *matmul_i8_w_tile(const w_panel *panel, int64_t at) {
    return at < panel->whole ? panel->w + at : panel->end;
}

/* Up to ROWS rows from i on of panel n, and of the next when `right` is its. What A has room for beyond
 * its rows is multiplied too, up to the height of the tiles, and dropped. */
static void matmul_i8_multiply_tiles(int64_t rows, const attn_matmul_i8_panel *panel, int64_t i,
                                     int n, const w_panel *left, const w_panel *right) {
    int32_t sums[4][TILE * 16] __attribute__((aligned(64)));
    int64_t a_bytes = panel->a_bytes;
    const char *upper = (const char *)panel->a + i * a_bytes;
    const char *lower = rows > TILE ? upper + TILE * a_bytes : NULL;
    _tile_zero(UPPER_LEFT);
    _tile_zero(UPPER_RIGHT);
    if (lower != NULL) {
        _tile_zero(LOWER_LEFT);
        _tile_zero(LOWER_RIGHT);
    }
    for (int64_t p = 0; p < a_bytes; p += STEP) {
        int64_t at = p / STEP * W_TILE;
        _tile_loadd(UPPER, upper + p, a_bytes);
        _tile_loadd(LEFT, matmul_i8_w_tile(left, at), 64);
        _tile_dpbssd(UPPER_LEFT, UPPER, LEFT);
        if (right != NULL) {
            _tile_loadd(RIGHT, matmul_i8_w_tile(right, at), 64);
            _tile_dpbssd(UPPER_RIGHT, UPPER, RIGHT);
        }
        if (lower != NULL) {
            _tile_loadd(LOWER, lower + p, a_bytes);
            _tile_dpbssd(LOWER_LEFT, LOWER, LEFT);
        }
        if (lower != NULL && right != NULL) {
            _tile_dpbssd(LOWER_RIGHT, LOWER, RIGHT);
        }
    }
    _tile_stored(UPPER_LEFT, sums[UPPER_LEFT], 64);
    _tile_stored(UPPER_RIGHT, sums[UPPER_RIGHT], 64);
    if (lower != NULL) {
        _tile_stored(LOWER_LEFT, sums[LOWER_LEFT], 64);
        _tile_stored(LOWER_RIGHT, sums[LOWER_RIGHT], 64);
    }
    for (int side = 0; side < (right != NULL ? 2 : 1); side++) {
        matmul_i8_finish_tile(lower != NULL ? TILE : rows, panel, i, n + side,
                              sums[UPPER_LEFT + side]);
        if (lower != NULL) {
            matmul_i8_finish_tile(rows - TILE, panel, i + TILE, n + side, sums[LOWER_LEFT + side]);
        }
    }
}

static void matmul_i8_multiply(const attn_matmul_i8_panel *panel) {
    w_panel left, right;
    matmul_i8_configure(panel->rows < ROWS ? panel->rows : ROWS);
    for (int n = 0; 16 * n < panel->columns; n += 2) {
        bool two = 16 * (n + 1) < panel->columns;
        matmul_i8_start_panel(panel, n, &left);
        if (two) {
            matmul_i8_start_panel(panel, n + 1, &right);
        }
        for (int64_t i = 0; i < panel->rows; i += ROWS) {
            int64_t rows = panel->rows - i < ROWS ? panel->rows - i : ROWS;
            matmul_i8_multiply_tiles(rows, panel, i, n, &left, two ? &right : NULL);
        }
    }
    _tile_release(); /* or the system would go on saving them */
}

static const attn_matmul_i8_kernels matmul_i8_kernels = {
    .tile_rows = ROWS,
    .group_rows = 1,
    .tile_panels = PANELS,
    .value_bytes = I8_VALUE_BYTES,
    .quantize_row = matmul_i8_quantize_row,
    .multiply = matmul_i8_multiply,
};

const attn_isa_kernels attn_isa_amx = {.matmul_i8 = &matmul_i8_kernels};
