/* base/trig.h: sine, cosine, powers of two and logarithms in double, the same bits on every processor.
 *
 * For tables that go into a model (positions): a C library's sin and pow differ from one version to
 * the next. Only +, -, *, /, each rounded once, in a fixed order. */
#ifndef ATTN_BASE_TRIG_H
#define ATTN_BASE_TRIG_H

/* Within 1e-15 for |angle| up to 2^20 radians. */
void attn_sin_cos(double angle, double *sine, double *cosine);
/* 2^x within a few units in the last place; x in -1000 .. 1000. */
double attn_exp2_double(double x);
/* The logarithm to the base 2 within a few units in the last place; x a normal number above 0. */
double attn_log2_double(double x);

#endif
