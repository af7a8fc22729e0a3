/* show/terminal.c: the width of text in columns, and drawing with it. */
#include "show/terminal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/utf8.h"

static const char BOLD[] = "\033[1m", PLAIN[] = "\033[0m", BAR_COLOR[] = "\033[38;5;39m";

void attn_terminal_init(attn_terminal *terminal, FILE *out) {
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    bool is_terminal = isatty(fileno(out)) != 0;
    bool dumb = term == NULL || strcmp(term, "dumb") == 0;
    struct winsize size;
    *terminal = (attn_terminal){.out = out, .blocks = is_terminal && !dumb, .width = 80};
    terminal->color = is_terminal && !dumb && (no_color == NULL || no_color[0] == '\0');
    if (is_terminal && ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col >= 20) {
        terminal->width = size.ws_col;
    }
}

/* ---- widths ---- */

typedef struct range {
    uint32_t first, last;
} range;

/* From Unicode's EastAsianWidth.txt (W and F) and emoji-data.txt, neighbours joined. */
static const range wide[] = {
    {0x1100, 0x115F},   {0x2E80, 0x303E},   {0x3041, 0x33FF},   {0x3400, 0x4DBF},
    {0x4E00, 0xA4CF},   {0xA960, 0xA97F},   {0xAC00, 0xD7A3},   {0xF900, 0xFAFF},
    {0xFE30, 0xFE6F},   {0xFF00, 0xFF60},   {0xFFE0, 0xFFE6},   {0x16FE0, 0x18CFF},
    {0x1AFF0, 0x1B2FF}, {0x1F300, 0x1F64F}, {0x1F680, 0x1F6FF}, {0x1F900, 0x1F9FF},
    {0x1FA70, 0x1FAFF}, {0x20000, 0x3FFFD},
};

/* Marks that are drawn over the character before, and characters that are not drawn. */
static const range zero[] = {
    {0x0300, 0x036F}, {0x0483, 0x0489},   {0x0591, 0x05BD}, {0x0610, 0x061A}, {0x064B, 0x065F},
    {0x0900, 0x0902}, {0x093C, 0x093C},   {0x0941, 0x0948}, {0x094D, 0x094D}, {0x0E31, 0x0E31},
    {0x0E34, 0x0E3A}, {0x0E47, 0x0E4E},   {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF}, {0x200B, 0x200F},
    {0x202A, 0x202E}, {0x2060, 0x2064},   {0x20D0, 0x20FF}, {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F},
    {0xFEFF, 0xFEFF}, {0xE0100, 0xE01EF},
};

static bool inside(const range *ranges, size_t count, uint32_t c) {
    for (size_t i = 0; i < count; i++) {
        if (c >= ranges[i].first && c <= ranges[i].last) {
            return true;
        }
    }
    return false;
}

static uint32_t code_point(const char *text, size_t length) {
    const unsigned char *s = (const unsigned char *)text;
    uint32_t c = length == 1 ? s[0] : s[0] & (0x7FU >> length);
    for (size_t i = 1; i < length; i++) {
        c = c << 6 | (s[i] & 0x3FU);
    }
    return c;
}

/* One character: its bytes, its columns, and whether a terminal may be sent it. */
typedef struct glyph {
    size_t bytes;
    int columns;
    bool safe;
} glyph;

static glyph glyph_at(const char *text) {
    size_t bytes = attn_utf8_step(text, strlen(text));
    if (bytes == 0) {
        return (glyph){1, 1, false};
    }
    uint32_t c = code_point(text, bytes);
    if (c < 0x20 || (c >= 0x7F && c < 0xA0)) {
        return (glyph){bytes, 1, false};
    }
    if (inside(zero, sizeof zero / sizeof zero[0], c)) {
        return (glyph){bytes, 0, true};
    }
    return (glyph){bytes, inside(wide, sizeof wide / sizeof wide[0], c) ? 2 : 1, true};
}

int attn_terminal_columns(const char *text) {
    int columns = 0;
    while (*text != '\0') {
        glyph g = glyph_at(text);
        columns += g.columns;
        text += g.bytes;
    }
    return columns;
}

/* ---- drawing ---- */

void attn_terminal_text(const attn_terminal *t, const char *text, int columns, bool right) {
    int needed = attn_terminal_columns(text), used = 0;
    const char *cut = t->blocks ? "\xe2\x80\xa6" : "..";
    int room = columns;
    if (needed > columns) {
        room = columns - attn_terminal_columns(cut);
    } else if (right) {
        fprintf(t->out, "%*s", columns - needed, "");
    }
    while (*text != '\0') {
        glyph g = glyph_at(text);
        if (used + g.columns > room) {
            break;
        }
        fprintf(t->out, "%.*s", g.safe ? (int)g.bytes : 1, g.safe ? text : "?");
        used += g.columns;
        text += g.bytes;
    }
    if (needed > columns) {
        fputs(cut, t->out);
        used += attn_terminal_columns(cut);
    }
    if (needed > columns || !right) {
        fprintf(t->out, "%*s", columns - used, "");
    }
}

void attn_terminal_heading(const attn_terminal *t, const char *text) {
    fprintf(t->out, "%s%s%s\n", t->color ? BOLD : "", text, t->color ? PLAIN : "");
}

/* `eighths` eighths of a column, or that many whole '#' rounded. */
static void draw_bar(const attn_terminal *t, int eighths) {
    static const char *const parts[] = {"",
                                        "\xe2\x96\x8f",
                                        "\xe2\x96\x8e",
                                        "\xe2\x96\x8d",
                                        "\xe2\x96\x8c",
                                        "\xe2\x96\x8b",
                                        "\xe2\x96\x8a",
                                        "\xe2\x96\x89"};
    int whole = t->blocks ? eighths / 8 : (eighths + 4) / 8;
    for (int i = 0; i < whole; i++) {
        fputs(t->blocks ? "\xe2\x96\x88" : "#", t->out);
    }
    if (t->blocks) {
        fputs(parts[eighths % 8], t->out);
    }
}

void attn_terminal_bar(const attn_terminal *t, const char *label, int label_columns, double share,
                       double largest, bool strong) {
    int room = t->width - label_columns - 12;
    room = room > 40 ? 40 : room < 4 ? 4 : room;
    fputs(strong && t->color ? BOLD : "", t->out);
    fputs("  ", t->out);
    attn_terminal_text(t, label, label_columns, true);
    fprintf(t->out, "%s %5.1f %%", strong && t->color ? PLAIN : "", 100 * share);
    int eighths = largest > 0 ? (int)(8 * room * share / largest + 0.5) : 0;
    if (eighths >= (t->blocks ? 1 : 4)) {
        fprintf(t->out, "  %s", t->color ? BAR_COLOR : "");
        draw_bar(t, eighths);
        fputs(t->color ? PLAIN : "", t->out);
    }
    fputc('\n', t->out);
}

/* A grey background that grows lighter with the weight, from 256 colours. */
static void cell_color(const attn_terminal *t, double weight) {
    if (t->color) {
        int shade = 232 + (int)(weight * 23 + 0.5);
        fprintf(t->out, "\033[48;5;%dm\033[38;5;%dm", shade, shade > 244 ? 232 : 255);
    }
}

static void draw_cell(const attn_terminal *t, double weight, bool numbers) {
    static const char shades[] = " .:-=+*#%@";
    cell_color(t, weight);
    if (!numbers) {
        fputc(shades[(int)(weight * 9 + 0.5)], t->out);
    } else if (weight < 0.005) {
        fputs("  .", t->out);
    } else {
        fprintf(t->out, "%3d", (int)fmin(100 * weight + 0.5, 99));
    }
}

void attn_terminal_matrix(const attn_terminal *t, const char *const *row_names, int64_t rows,
                          int64_t columns, const double *weights) {
    int label = 1;
    for (int64_t r = 0; r < rows; r++) {
        int needed = attn_terminal_columns(row_names[r]);
        label = needed > label ? needed : label;
    }
    label = label > 20 ? 20 : label;
    bool numbers = 3 * columns + label + 6 <= t->width;
    if (numbers) {
        fprintf(t->out, "%*s", label + 5, "");
        for (int64_t c = 0; c < columns; c++) {
            fprintf(t->out, "%3d", (int)(c + 1));
        }
        fputc('\n', t->out);
    }
    for (int64_t r = 0; r < rows; r++) {
        fprintf(t->out, "%4d ", (int)(r + 1));
        attn_terminal_text(t, row_names[r], label, false);
        for (int64_t c = 0; c < columns; c++) {
            draw_cell(t, fmin(fmax(weights[r * columns + c], 0), 1), numbers);
        }
        fprintf(t->out, "%s\n", t->color ? PLAIN : "");
    }
}
