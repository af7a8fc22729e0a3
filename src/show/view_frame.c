/* show/view_frame.c: title, sentences and legend around a view; the table of heads beside it. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "show/view_parts.h"

enum { MARGIN = 28, NARROWEST = 460, GAP = 14, LEGEND = 3072 };

/* ---- styles ---- */

attn_text_style attn_style(const attn_drawing *d, double size, double align) {
    return (attn_text_style){
        .size = size, .color = attn_palette_ink(d->view->theme), .align = align};
}

attn_text_style attn_style_muted(const attn_drawing *d, double size, double align) {
    attn_text_style style = attn_style(d, size, align);
    style.color = attn_palette_muted(d->view->theme);
    return style;
}

double attn_label_size(double pitch) {
    return fmin(ATTN_TEXT_SIZE, fmax(7, floor(0.75 * pitch)));
}

int64_t attn_label_step(double pitch) {
    return (int64_t)ceil(9 / pitch);
}

const char *attn_label(const attn_drawing *d, bool of_rows, int64_t i, char *buffer, size_t size) {
    static const char space[] = "\xe2\x96\x81";
    const char *name = of_rows ? attn_document_row(d->part, d->view->words, i)
                               : attn_document_column(d->part, d->view->words, i);
    bool marked = !d->view->words && strncmp(name, space, sizeof space - 1) == 0;
    snprintf(buffer, size, "%s", marked ? "_" : "");
    attn_utf8_quote(buffer + marked, size - marked, name + (marked ? sizeof space - 1 : 0));
    return buffer;
}

double attn_label_width(const attn_drawing *d, bool of_rows, double size, double most) {
    char text[ATTN_LABEL];
    double widest = 0;
    int64_t count = of_rows ? d->rows : d->columns;
    for (int64_t i = 0; i < count && widest < most; i++) {
        attn_label(d, of_rows, i, text, sizeof text);
        widest = fmax(widest, attn_canvas_text_width(d->canvas, text, size, true));
    }
    return ceil(fmin(widest, most));
}

/* ---- what the legend says ---- */

/* Adds a sentence. */
static void say(char *text, size_t size, const char *sentence) {
    size_t used = strlen(text);
    snprintf(text + used, size - used, "%s%s", used > 0 ? " " : "", sentence);
}

static const char *rollout_rule(const attn_drawing *d) {
    static const char encoder[] =
        "Rollout (Abnar and Zuidema 2020): in each layer the mean A over the heads, taken as "
        "0.5 A + 0.5 I, rows renormalized; the layers multiplied.";
    static const char decoder[] =
        "Rollout (Abnar and Zuidema 2020) of the decoder's own attention alone: in each layer the "
        "mean A over the heads, taken as 0.5 A + 0.5 I, rows renormalized; the layers multiplied.";
    static const char cross[] =
        "Rollout (after Abnar and Zuidema 2020): attention averaged over the heads and multiplied "
        "through the layers of encoder and decoder, half of each for the residual connection; what "
        "comes from the source, rows renormalized.";
    return d->view->part == ATTN_PART_CROSS ? cross : d->part->causal ? decoder : encoder;
}

static void write_legend(const attn_drawing *d, const char *note, char *text, size_t size) {
    const attn_view *v = d->view;
    text[0] = '\0';
    say(text, size, note);
    if (v->kind == ATTN_VIEW_ROLLOUT) {
        say(text, size, rollout_rule(d));
    }
    if (v->words) {
        char rule[200];
        snprintf(rule, sizeof rule, "Words: %s.", ATTN_DOCUMENT_WORDS_RULE);
        say(text, size, rule);
    } else {
        say(text, size, "Pieces of the tokenizer; _ stands for the space before.");
    }
    if (v->kind != ATTN_VIEW_ROLLOUT) {
        say(text, size,
            d->part->distance != NULL ? "Entropy (nats) and distance (|from\xc2\xa0-\xc2\xa0to|, "
                                        "in pieces): means over the pieces."
                                      : "Entropy (nats): mean over the pieces.");
    }
}

/* ---- the frame ---- */

static void write_sentences(const attn_drawing *d, char *text, size_t size) {
    char sentence[900], translation[900];
    attn_utf8_quote(sentence, sizeof sentence, d->document->sentence);
    attn_utf8_quote(translation, sizeof translation, d->document->translation);
    if (d->view->part == ATTN_PART_CROSS) {
        snprintf(text, size, "%s \xe2\x86\x92 %s", sentence, translation);
    } else {
        snprintf(text, size, "%s", d->view->part == ATTN_PART_ENCODER ? sentence : translation);
    }
}

static attn_text_style title_style(const attn_drawing *d) {
    attn_text_style style = attn_style(d, ATTN_TITLE_SIZE, 0);
    style.bold = true;
    return style;
}

attn_frame attn_frame_plan(const attn_drawing *d, double width, double height, const char *note) {
    char title[300], text[LEGEND];
    attn_frame f = {.note = note, .left = MARGIN};
    double inside = fmax(width, NARROWEST);
    attn_view_title(d->document, d->view, title, sizeof title);
    f.head = attn_canvas_paragraph_height(d->canvas, inside, title, title_style(d));
    write_sentences(d, text, sizeof text);
    f.head +=
        attn_canvas_paragraph_height(d->canvas, inside, text, attn_style(d, ATTN_TEXT_SIZE, 0));
    write_legend(d, note, text, sizeof text);
    f.legend =
        attn_canvas_paragraph_height(d->canvas, inside, text, attn_style(d, ATTN_SMALL_SIZE, 0));
    f.width = ceil(inside + 2 * MARGIN);
    f.top = ceil(MARGIN + f.head + GAP);
    f.height = ceil(f.top + height + GAP + 4 + f.legend + MARGIN - 4);
    return f;
}

void attn_frame_begin(const attn_drawing *d, const attn_frame *f) {
    char title[300], text[LEGEND];
    double inside = f->width - 2 * MARGIN, y = MARGIN;
    attn_view_title(d->document, d->view, title, sizeof title);
    attn_canvas_begin(d->canvas, f->width, f->height, attn_palette_background(d->view->theme),
                      title);
    attn_canvas_paragraph(d->canvas, MARGIN, y, inside, title, title_style(d));
    y += attn_canvas_paragraph_height(d->canvas, inside, title, title_style(d));
    write_sentences(d, text, sizeof text);
    attn_canvas_paragraph(d->canvas, MARGIN, y, inside, text,
                          attn_style_muted(d, ATTN_TEXT_SIZE, 0));
    write_legend(d, f->note, text, sizeof text);
    attn_canvas_paragraph(d->canvas, MARGIN, f->height - MARGIN - f->legend + 4, inside, text,
                          attn_style_muted(d, ATTN_SMALL_SIZE, 0));
}

/* ---- the table of heads ---- */

enum { ROW = 19, NAME_WIDTH = 66, NUMBER_WIDTH = 62, SWATCH = 10 };

double attn_table_width(const attn_drawing *d) {
    return NAME_WIDTH + (d->part->distance != NULL ? 2 : 1) * NUMBER_WIDTH;
}

double attn_table_height(const attn_drawing *d) {
    return ROW * (double)(d->part->heads + 1);
}

void attn_table_draw(const attn_drawing *d, double x, double y, bool swatches) {
    const attn_document_part *p = d->part;
    attn_text_style muted = attn_style_muted(d, ATTN_SMALL_SIZE, 1);
    attn_canvas_text(d->canvas, x + NAME_WIDTH + NUMBER_WIDTH, y + ROW / 2.0, "entropy", muted);
    if (p->distance != NULL) {
        attn_canvas_text(d->canvas, x + NAME_WIDTH + 2 * NUMBER_WIDTH, y + ROW / 2.0, "distance",
                         muted);
    }
    for (int64_t h = 0; h < p->heads; h++) {
        double middle = y + ROW * ((double)h + 1.5), at = p->entropy[d->view->layer * p->heads + h];
        char text[48];
        attn_text_style style = attn_style(d, ATTN_SMALL_SIZE, 0);
        style.bold = h == d->view->head;
        if (swatches) {
            attn_canvas_fill(d->canvas, x, middle - SWATCH / 2.0, SWATCH, SWATCH,
                             attn_palette_head(d->view->theme, h));
        }
        snprintf(text, sizeof text, "head %lld", (long long)h + 1);
        attn_canvas_text(d->canvas, x + (swatches ? SWATCH + 6 : 0), middle, text, style);
        style.align = 1;
        snprintf(text, sizeof text, "%.2f", at);
        attn_canvas_text(d->canvas, x + NAME_WIDTH + NUMBER_WIDTH, middle, text, style);
        if (p->distance != NULL) {
            snprintf(text, sizeof text, "%.2f", p->distance[d->view->layer * p->heads + h]);
            attn_canvas_text(d->canvas, x + NAME_WIDTH + 2 * NUMBER_WIDTH, middle, text, style);
        }
    }
}

const char *attn_measures_text(const attn_drawing *d, int64_t layer, int64_t head, char *buffer,
                               size_t size) {
    const attn_document_part *p = d->part;
    int used = snprintf(buffer, size, "entropy %.2f", p->entropy[layer * p->heads + head]);
    if (p->distance != NULL) {
        snprintf(buffer + used, size - (size_t)used, ", distance %.2f",
                 p->distance[layer * p->heads + head]);
    }
    return buffer;
}

/* ---- the colour bar ---- */

void attn_bar_draw(const attn_drawing *d, double x, double y, double height, double top) {
    enum { WIDTH = 12, STEP = 4 };
    int steps = (int)(height / STEP);
    for (int i = 0; i < steps; i++) {
        /* Each reaches to the end, so that no seam shows between them. */
        double share = 1 - (i + 0.5) / steps;
        attn_canvas_fill(d->canvas, x, y + STEP * i, WIDTH, STEP * (steps - i),
                         attn_palette_weight(d->view->theme, share));
    }
    for (int i = 0; i <= 2; i++) {
        char text[24];
        snprintf(text, sizeof text, "%.3g\xc2\xa0%%", 100 * top * (2 - i) / 2);
        attn_canvas_text(d->canvas, x + WIDTH + 6, y + 5 + (height - 10) * i / 2, text,
                         attn_style_muted(d, ATTN_SMALL_SIZE, 0));
    }
}
