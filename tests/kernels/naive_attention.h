/* The article's steps one after another, with every matrix stored: for one sequence and one head.
 *
 * Include it with T (a floating type), NAIVE(name), T_EXP, T_LOG, T_TANH and T_SQRT defined. In double it is
 * the oracle; in float the naive implementation whose error sets the scale. Sources: Vaswani et al.
 * 2017, section 3.2.1; the gradient is that of each step, in reverse. */

typedef struct NAIVE(head) {
    int64_t tq, tk, d, e;
    const float *q, *k, *v, *d_out;             /* contiguous rows */
    const float *bias;                          /* [tq][tk] or NULL */
    const unsigned char *visible, *kept;        /* [tq][tk] */
    float scale, dropout, softcap, slope, sink; /* no sink: -infinity */
    bool hook;
    T *p, *ds;                     /* [tq][tk] */
    T *tanh, *hook_input, *d_bias; /* [tq][tk] */
    T *out, *lse, *dq, *dk, *dv, *d_sink;
    T *terms; /* at least the largest |p * dp|: the gradient of a score is a difference of such */
} NAIVE(head);

/* The hook of the test, in T. */
static T NAIVE(bend)(T s, int64_t i, int64_t j) {
    return s == -INFINITY ? s : (T)((i + 2 * j) % 3) * (T)0.25 + s * ((T)0.9375 + s / 16);
}
static T NAIVE(bend_derivative)(T s) {
    return s == -INFINITY ? 0 : (T)0.9375 + s / 8;
}

static T NAIVE(score)(const NAIVE(head) * h, int64_t i, int64_t j, T product) {
    int64_t place = i * h->tk + j, distance = i + h->tk - h->tq - j;
    T s = product;
    if (h->softcap > 0) {
        h->tanh[place] = T_TANH(s / (T)h->softcap);
        s = (T)h->softcap * h->tanh[place];
    }
    s -= (T)h->slope * (T)(distance < 0 ? -distance : distance);
    s += h->bias != NULL ? (T)h->bias[place] : 0;
    h->hook_input[place] = s;
    return h->hook ? NAIVE(bend)(s, i, j) : s;
}

static void NAIVE(forward)(const NAIVE(head) * h) {
    T scale = h->scale != 0 ? (T)h->scale : 1 / T_SQRT((T)h->d);
    for (int64_t i = 0; i < h->tq; i++) {
        T *row = h->p + i * h->tk, max = (T)h->sink, sum = 0;
        for (int64_t j = 0; j < h->tk; j++) {
            /* the dot product of query and key, divided by the root of the key size */
            T dot = 0;
            for (int64_t d = 0; d < h->d; d++) {
                dot += (T)h->q[i * h->d + d] * (T)h->k[j * h->d + d];
            }
            row[j] = h->visible[i * h->tk + j] ? NAIVE(score)(h, i, j, dot * scale) : -INFINITY;
            max = row[j] > max ? row[j] : max;
        }
        for (int64_t j = 0; j < h->tk; j++) { /* softmax */
            row[j] = max == -INFINITY ? 0 : T_EXP(row[j] - max);
            sum += row[j];
        }
        sum += max == -INFINITY ? 0 : T_EXP((T)h->sink - max);
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
            T term = p[j] * (ds[j] < 0 ? -ds[j] : ds[j]);
            *h->terms = term > *h->terms ? term : *h->terms;
        }
        *h->d_sink -= h->lse[i] == -INFINITY ? 0 : T_EXP((T)h->sink - h->lse[i]) * mean;
        for (int64_t j = 0; j < h->tk; j++) {
            int64_t place = i * h->tk + j;
            ds[j] = p[j] * (ds[j] - mean);
            ds[j] *=
                h->hook && h->visible[place] ? NAIVE(bend_derivative)(h->hook_input[place]) : 1;
            h->d_bias[place] = ds[j];
            ds[j] *= h->softcap > 0 ? 1 - h->tanh[place] * h->tanh[place] : 1;
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
