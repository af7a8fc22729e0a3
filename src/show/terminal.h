/* show/terminal.h: words, bars and matrices in columns of text, for people.
 *
 * On a terminal in colour with block characters; plain ASCII drawing where the output is not a
 * terminal, and no colour where NO_COLOR is set or TERM is dumb. */
#ifndef ATTN_SHOW_TERMINAL_H
#define ATTN_SHOW_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef struct attn_terminal {
    FILE *out;
    bool color, blocks; /* blocks: bars of Unicode block characters */
    int width;          /* columns; 80 where the output does not say */
} attn_terminal;

/* What `out` can do, from isatty, NO_COLOR, TERM and the window's size. */
void attn_terminal_init(attn_terminal *terminal, FILE *out);

/* How many columns text takes: 2 for East-Asian wide characters and emoji, 0 for combining marks, 1
 * for bytes that are not UTF-8. */
int attn_terminal_columns(const char *text);
/* Writes text into exactly `columns` columns: cut with "…" (".." when plain) or filled with spaces,
 * on the left when `right`. Control characters come out as '?'. */
void attn_terminal_text(const attn_terminal *terminal, const char *text, int columns, bool right);
/* A heading; bold where there is colour. */
void attn_terminal_heading(const attn_terminal *terminal, const char *text);
/* One line: the label in label_columns, the share as a percentage, a bar of share / largest of the
 * width that is left. strong: the label stands out. */
void attn_terminal_bar(const attn_terminal *terminal, const char *label, int label_columns,
                       double share, double largest, bool strong);
/* weights [rows, columns] in per cent, a line for each row; both sides are numbered, the rows also
 * named. Where the width does not do for numbers, a shade a column. */
void attn_terminal_matrix(const attn_terminal *terminal, const char *const *row_names, int64_t rows,
                          int64_t columns, const double *weights);

#endif
