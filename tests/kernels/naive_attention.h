/* The article's steps one after another, with every matrix stored: for one sequence and one head.
 *
 * Include it with T (a floating type), NAIVE(name), T_EXP, T_LOG and T_SQRT defined. In double it is
 * the oracle; in float the naive implementation whose error sets the scale. Sources: Vaswani et al.
 * 2017, section 3.2.1; the gradient is that of each step, in reverse. */

typedef struct NAIVE(head) {
    int64_t tq, tk, d, e;
    const float *q, *k, *v, *d_out;      /* contiguous rows */
    const float *bias;                   /* [tq][tk] or NULL */
    const unsigned char *visible, *kept; /* [tq][tk] */
    float scale, dropout;
    T *p, *ds; /* [tq][tk] */
    T *out, *lse, *dq, *dk, *dv;
} NAIVE(head);

static void NAIVE(forward)(const NAIVE(head) * h) {
    T scale = h->scale != 0 ? (T)h->scale : 1 / T_SQRT((T)h->d);
    for (int64_t i = 0; i < h->tq; i++) {
        T *row = h->p + i * h->tk, max = -INFINITY, sum = 0;
        for (int64_t j = 0; j < h->tk; j++) {
            /* the dot product of query and key, divided by the root of the key size */
            T dot = 0;
            for (int64_t d = 0; d < h->d; d++) {
                dot += (T)h->q[i * h->d + d] * (T)h->k[j * h->d + d];
            }
            row[j] = dot * scale + (h->bias != NULL ? (T)h->bias[i * h->tk + j] : 0);
            row[j] = h->visible[i * h->tk + j] ? row[j] : -INFINITY;
            max = row[j] > max ? row[j] : max;
        }
        for (int64_t j = 0; j < h->tk; j++) { /* softmax */
            row[j] = max == -INFINITY ? 0 : T_EXP(row[j] - max);
            sum += row[j];
        }
        for (int64_t j = 0; j < h->tk; j++) {
            row[j] = sum == 0 ? 0 : row[j] / sum;
        }
        h->lse[i] = sum == 0 ? -INFINITY : max + T_LOG(sum);
        for (int64_t e = 0; e < h->e; e++) { /* the weighted sum of the values */
            T acc = 0;
            for (int64_t j = 0; j < h->tk; j++) {
                acc += h->kept[i * h->tk + j] ? row[j] / (1 - (T)h->dropout) * (T)h->v[j * h->e + e]
                                              : 0;
            }
            h->out[i * h->e + e] = acc;
        }
    }
}

/* dk and dv are added to: several heads may share them. */
static void NAIVE(backward)(const NAIVE(head) * h) {
    T scale = h->scale != 0 ? (T)h->scale : 1 / T_SQRT((T)h->d);
    for (int64_t i = 0; i < h->tq; i++) {
        const T *p = h->p + i * h->tk;
        T *ds = h->ds + i * h->tk, mean = 0;
        for (int64_t j = 0; j < h->tk; j++) {
            T keep = h->kept[i * h->tk + j] ? 1 / (1 - (T)h->dropout) : 0, dp = 0;
            for (int64_t e = 0; e < h->e; e++) {
                h->dv[j * h->e + e] += p[j] * keep * (T)h->d_out[i * h->e + e];
                dp += (T)h->d_out[i * h->e + e] * (T)h->v[j * h->e + e];
            }
            ds[j] = dp * keep;
            mean += p[j] * ds[j];
        }
        for (int64_t j = 0; j < h->tk; j++) {
            ds[j] = p[j] * (ds[j] - mean);
            for (int64_t d = 0; d < h->d; d++) {
                h->dk[j * h->d + d] += ds[j] * scale * (T)h->q[i * h->d + d];
            }
        }
        for (int64_t d = 0; d < h->d; d++) {
            T acc = 0;
            for (int64_t j = 0; j < h->tk; j++) {
                acc += ds[j] * (T)h->k[j * h->d + d];
            }
            h->dq[i * h->d + d] = acc * scale;
        }
    }
}
