/* text/markup.c: the range of words that belongs to an element.
 *
 * A translation is cut into cells, words and signs. For each element a cell has a score: the weight with which
 * it looks into the element, less half of its whole weight. The element becomes the run of cells with the
 * largest sum of scores, within its parent's cells and without its siblings'. */
#include "text/markup.h"

#include <stdlib.h>
#include <string.h>
#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include "base/fail.h"
#include "text/boundary.h"

typedef struct cell {
    size_t start, end;
    double from, to; /* without links: the bytes of the unit that it stands for */
    size_t owner;    /* the innermost placed element, 1 + its mark's index; 0: none */
    double all;      /* its whole weight */
    bool word;       /* no sign */
} cell;

typedef struct placing {
    attn_mark *marks;
    const char *unit, *translation;
    const attn_links *links;
    cell *cells;
    size_t cell_count;
    double *weight; /* [cells, sources] */
} placing;

static bool space_at(const char *text, size_t length, size_t at, size_t *next) {
    UChar32 c;
    *next = at;
    U8_NEXT(text, *next, length, c);
    return c < 0 || u_isUWhiteSpace(c);
}

static bool starts_word(const char *text, size_t length, size_t at) {
    UChar32 c;
    U8_NEXT(text, at, length, c);
    return u_isalnum(c);
}

/* ---- cells ---- */

static void cut_cells(placing *p) {
    size_t length = strlen(p->translation), unit = strlen(p->unit);
    bool open = false;
    for (size_t at = 0, next; at < length; at = next) {
        bool space = space_at(p->translation, length, at, &next);
        if (!open || space || !attn_inside_word(p->translation, length, at)) {
            open = false;
        }
        if (!space && !open) {
            bool word = starts_word(p->translation, length, at);
            p->cells[p->cell_count++] = (cell){.start = at, .all = 1, .word = word};
            open = true;
        }
        if (!space) {
            p->cells[p->cell_count - 1].end = next;
        }
    }
    for (size_t i = 0; i < p->cell_count; i++) {
        cell *c = &p->cells[i];
        c->from = (double)c->start / (double)length * (double)unit;
        c->to = (double)c->end / (double)length * (double)unit;
    }
}

static double overlap(double a, double b, double c, double d) {
    double from = a > c ? a : c, to = b < d ? b : d;
    return to > from ? to - from : 0;
}

/* Part i without the white space before it. */
static void part_range(const char *text, const size_t *end, size_t i, double *from, double *to) {
    size_t start = i > 0 ? end[i - 1] : 0, next;
    while (start < end[i] && space_at(text, end[i], start, &next)) {
        start = next;
    }
    *from = (double)start;
    *to = (double)end[i];
}

/* What each cell looks at: its parts' weights, by how much of a part it has. */
static void weigh_cells(placing *p) {
    const attn_links *l = p->links;
    for (size_t i = 0; i < p->cell_count; i++) {
        cell *c = &p->cells[i];
        double *row = p->weight + i * l->sources;
        c->all = 0;
        for (size_t t = 0; t < l->targets; t++) {
            double from, to;
            part_range(p->translation, l->target_end, t, &from, &to);
            double share = overlap(from, to, (double)c->start, (double)c->end);
            share = to > from ? share / (to - from) : 0;
            for (size_t s = 0; share > 0 && s < l->sources; s++) {
                row[s] += share * (double)l->weight[t * l->sources + s];
            }
        }
        for (size_t s = 0; s < l->sources; s++) {
            c->all += row[s];
        }
    }
}

/* How much more than half of a cell's weight is on bytes [from, to) of the unit. */
static double score(const placing *p, size_t cell_index, size_t from, size_t to) {
    const cell *c = &p->cells[cell_index];
    double inside = 0;
    if (p->weight == NULL) {
        inside = c->to > c->from
                     ? overlap(c->from, c->to, (double)from, (double)to) / (c->to - c->from)
                     : 0;
        return inside - 0.5;
    }
    for (size_t s = 0; s < p->links->sources; s++) {
        double start, end;
        part_range(p->unit, p->links->source_end, s, &start, &end);
        double share = overlap(start, end, (double)from, (double)to);
        inside +=
            end > start ? p->weight[cell_index * p->links->sources + s] * share / (end - start) : 0;
    }
    return inside - 0.5 * c->all;
}

/* ---- placing ---- */

typedef struct range {
    size_t first, end; /* cells */
} range;

static void put(const placing *p, size_t mark, size_t boundary, int side) {
    attn_mark *m = &p->marks[mark];
    if (p->cell_count == 0) {
        m->to = 0;
    } else if ((side == 0 && boundary > 0) || boundary == p->cell_count) {
        m->to = p->cells[boundary - 1].end;
        side = 0;
    } else {
        m->to = p->cells[boundary].start;
        side = 1;
    }
    m->side = side;
}

static bool has_word(const char *text, size_t from, size_t to) {
    while (from < to && !starts_word(text, to, from)) {
        U8_FWD_1(text, from, to);
    }
    return from < to;
}

/* The run of largest sum among cells of the owner within the range; false when it has none. A sign is never what
 * an element with words becomes, unless there is nothing better. */
static bool find_run(const placing *p, const attn_mark *m, range within, size_t owner, range *out) {
    size_t from = m->at, to = p->marks[m->partner].at, start = within.first;
    double best = -1e300, sum = 0;
    bool found = false, words = has_word(p->unit, from, to);
    for (size_t i = within.first; i < within.end; i++) {
        if (p->cells[i].owner != owner) {
            start = i + 1;
            sum = 0;
            continue;
        }
        double here = score(p, i, from, to);
        here = words && !p->cells[i].word && here > -0.01 ? -0.01 : here;
        if (sum <= 0) { /* nothing is gained by what is before it */
            start = i;
            sum = 0;
        }
        sum += here;
        if (sum > best) {
            best = sum;
            *out = (range){start, i + 1};
            found = true;
        }
    }
    return found;
}

/* Whether white space, or an end, is at text[at] or before it. */
static bool at_space(const char *text, size_t at) {
    return at == 0 || text[at] == '\0' || strchr(" \t\r\n\f", text[at]) != NULL ||
           strchr(" \t\r\n\f", text[at - 1]) != NULL;
}

/* The boundary that best parts what looks at bytes before `at` from what looks behind it, and that lies in no
 * element of the owner's; with `spaced`, between cells that white space parts. */
static size_t find_boundary(const placing *p, size_t at, range within, size_t owner, bool spaced) {
    double sum = 0, best = -1e300;
    size_t found = within.first;
    for (size_t k = within.first; k <= within.end; k++) {
        bool between = k > within.first && k < within.end;
        bool inside =
            between && p->cells[k - 1].owner == p->cells[k].owner && p->cells[k].owner != owner;
        inside = inside || (between && spaced && p->cells[k - 1].end == p->cells[k].start);
        if (!inside && sum > best) {
            best = sum;
            found = k;
        }
        sum += k < within.end ? score(p, k, 0, at) : 0;
    }
    return found;
}

/* After the last cell that an element of the owner's has. */
static size_t end_of_elements(const placing *p, range within, size_t owner) {
    size_t end = within.end;
    while (end > within.first && p->cells[end - 1].owner == owner) {
        end--;
    }
    return end;
}

static void place_point(const placing *p, size_t first, size_t end, range within, size_t owner) {
    size_t at = p->marks[first].at;
    bool spaced = end == first + 1 && at_space(p->unit, at);
    size_t boundary = find_boundary(p, at, within, owner, spaced);
    bool after_space = at == 0 || strchr(" \t\r\n\f", p->unit[at - 1]) != NULL;
    int side = boundary == within.end || (!after_space && boundary > within.first) ? 0 : 1;
    for (size_t m = first; m < end; m++) {
        put(p, m, boundary, side);
    }
}

/* Marks [first, end) into the cells of a range, which belong to the owner. Recursion is as deep as elements
 * are nested. */
static void place(const placing *p, size_t first, size_t end, range within, size_t owner) {
    for (size_t m = first; m < end; m++) {
        attn_mark *mark = &p->marks[m];
        size_t last = mark->kind == ATTN_MARK_OPEN ? mark->partner : ATTN_NO_MARK;
        bool whole = last != ATTN_NO_MARK && last > m && last < end;
        range run;
        if (whole && mark->at < p->marks[last].at && find_run(p, mark, within, owner, &run)) {
            for (size_t i = run.first; i < run.end; i++) {
                p->cells[i].owner = m + 1;
            }
            put(p, m, run.first, 1);
            put(p, last, run.end, 0);
            place(p, m + 1, last, run, m + 1);
            for (size_t i = run.first; i < run.end; i++) {
                p->cells[i].owner = m + 1;
            }
            m = last;
        } else if (whole || mark->kind == ATTN_MARK_POINT) {
            size_t stop = whole ? last + 1 : m + 1;
            place_point(p, m, stop, within, owner);
            m = stop - 1;
        } else { /* the other tag is in another sentence: what follows stays on this side of it */
            range rest = {end_of_elements(p, within, owner), within.end};
            within.first = find_boundary(p, mark->at, rest, owner, false);
            put(p, m, within.first, mark->kind == ATTN_MARK_OPEN ? 1 : 0);
        }
    }
}

static int by_place(const void *a, const void *b) {
    const attn_mark *x = a, *y = b;
    if (x->to != y->to) {
        return x->to < y->to ? -1 : 1;
    }
    if (x->side != y->side) {
        return x->side - y->side;
    }
    return (x->rank > y->rank) - (x->rank < y->rank);
}

attn_status attn_markup_place(attn_mark *marks, size_t count, const char *unit,
                              const char *translation, const attn_links *links, attn_error *error) {
    placing p = {.marks = marks, .unit = unit, .translation = translation, .links = links};
    size_t length = strlen(translation);
    bool linked = links != NULL && links->targets > 0 && links->sources > 0;
    p.cells = calloc(length + 1, sizeof *p.cells);
    if (p.cells == NULL) {
        return attn_fail_memory(error, length * sizeof *p.cells);
    }
    cut_cells(&p);
    if (linked) {
        p.weight = calloc((p.cell_count + 1) * links->sources, sizeof *p.weight);
        if (p.weight == NULL) {
            free(p.cells);
            return attn_fail_memory(error, p.cell_count * links->sources * sizeof *p.weight);
        }
        weigh_cells(&p);
    }
    for (size_t m = 0; m < count; m++) {
        marks[m].rank = m;
    }
    place(&p, 0, count, (range){0, p.cell_count}, 0);
    qsort(marks, count, sizeof *marks, by_place);
    free(p.weight);
    free(p.cells);
    return ATTN_OK;
}
