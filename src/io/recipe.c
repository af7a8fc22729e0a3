/* io/recipe.c: recipes, their keys and values checked against the caller's table.
 *
 * inih splits lines into names and values. It is fed line by line, so that the line number of each
 * complaint is known and what it would let pass (sections, continued and cut lines) is refused.
 * Numbers are read and printed with a '.', whatever the locale. The contract is io/recipe.h. */
#include "io/recipe.h"

#include <assert.h>
#include <ctype.h>
#include <ini.h>
#include <inttypes.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "io/file.h"

enum {
    FILE_LIMIT = 1 << 20,
    LINE_LIMIT = 190, /* below the 200 that inih is usually built with */
    NAME_LIMIT = 63,
    QUOTE_SIZE = 80,
};

/* ---- the nearest name ---- */

/* Edits (insert, delete, replace, swap neighbours) between two names of at most NAME_LIMIT bytes;
 * letters count as equal in either case, '-' and '_' as the same. */
static size_t distance(const char *a, const char *b) {
    size_t rows[3][NAME_LIMIT + 1];
    size_t *before = rows[0], *last = rows[1], *row = rows[2];
    size_t length = strlen(b);
    char previous = '\0';
    for (size_t j = 0; j <= length; j++) {
        last[j] = j;
    }
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        char x = a[i - 1] == '-' ? '_' : (char)tolower((unsigned char)a[i - 1]);
        char left = '\0';
        row[0] = i;
        for (size_t j = 1; j <= length; j++) {
            char y = b[j - 1] == '-' ? '_' : (char)tolower((unsigned char)b[j - 1]);
            size_t best = last[j - 1] + (x != y);
            best = last[j] + 1 < best ? last[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            if (i > 1 && j > 1 && x == left && y == previous && before[j - 2] + 1 < best) {
                best = before[j - 2] + 1;
            }
            row[j] = best;
            left = y;
        }
        previous = x;
        size_t *spare = before;
        before = last;
        last = row;
        row = spare;
    }
    return last[length];
}

const char *attn_nearest(const char *name, const char *const *candidates, size_t count) {
    const char *nearest = NULL;
    size_t length = strlen(name);
    size_t least = length < 3 ? 2 : length / 3 + 2; /* one more than what still counts as near */
    if (length > NAME_LIMIT) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        if (strlen(candidates[i]) > NAME_LIMIT) {
            continue;
        }
        size_t edits = distance(name, candidates[i]);
        if (edits < least && edits < strlen(candidates[i])) {
            least = edits;
            nearest = candidates[i];
        }
    }
    return nearest;
}

/* ---- numbers, whatever the locale ---- */

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static const char *skip_digits(const char *text) {
    while (is_digit(*text)) {
        text++;
    }
    return text;
}

/* [+-] digits [. digits] [e [+-] digits], nothing else: no hexadecimal, no inf, no nan. */
static bool is_real(const char *text) {
    text += *text == '+' || *text == '-';
    const char *whole = skip_digits(text);
    size_t digits = (size_t)(whole - text);
    if (*whole == '.') {
        const char *fraction = skip_digits(whole + 1);
        digits += (size_t)(fraction - whole - 1);
        whole = fraction;
    }
    if (digits == 0) {
        return false;
    }
    if (*whole == 'e' || *whole == 'E') {
        whole++;
        whole += *whole == '+' || *whole == '-';
        if (!is_digit(*whole)) {
            return false;
        }
        whole = skip_digits(whole);
    }
    return *whole == '\0';
}

/* text is_real and shorter than LINE_LIMIT. strtod wants the locale's own decimal point. */
static double real_value(const char *text) {
    char local[LINE_LIMIT + 8];
    const char *dot = strchr(text, '.');
    if (dot == NULL) {
        return strtod(text, NULL);
    }
    snprintf(local, sizeof local, "%.*s%s%s", (int)(dot - text), text, localeconv()->decimal_point,
             dot + 1);
    return strtod(local, NULL);
}

/* The shortest of 15 to 17 digits that reads back as the same number. */
static void print_real(double value, char *buffer, size_t size) {
    const char *point = localeconv()->decimal_point;
    char local[64];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(local, sizeof local, "%.*g", digits, value);
        if (strtod(local, NULL) == value) {
            break;
        }
    }
    const char *found = strstr(local, point);
    if (found == NULL) {
        snprintf(buffer, size, "%s", local);
    } else {
        snprintf(buffer, size, "%.*s.%s", (int)(found - local), local, found + strlen(point));
    }
}

/* ---- one value ---- */

/* What every complaint about a value needs. */
typedef struct place {
    const char *where;
    int64_t line;
    const attn_key *key;
    const char *value;
    attn_error *error;
} place;

static attn_status bad_value(const place *p, const char *hint, const char *wanted) {
    char quoted[QUOTE_SIZE];
    return attn_fail(p->error, ATTN_ERR_FORMAT, p->where, p->line, hint, "%s = %s: expected %s",
                     p->key->name, attn_utf8_quote(quoted, sizeof quoted, p->value), wanted);
}

static attn_status out_of_bounds(const place *p) {
    char low[32], high[32], wanted[96];
    print_real(p->key->low, low, sizeof low);
    print_real(p->key->high, high, sizeof high);
    snprintf(wanted, sizeof wanted, "%s %s .. %s",
             p->key->type == ATTN_KEY_INT ? "a whole number in" : "a number in", low, high);
    return bad_value(p, p->key->help, wanted);
}

static attn_status set_int(const place *p, int64_t *field) {
    const char *text = p->value;
    bool negative = *text == '-';
    int64_t value = 0;
    text += *text == '+' || *text == '-';
    if (!is_digit(*text) || *skip_digits(text) != '\0') {
        return bad_value(p, p->key->help, "a whole number");
    }
    for (; *text != '\0'; text++) {
        int digit = negative ? -(*text - '0') : *text - '0';
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, digit, &value)) {
            return out_of_bounds(p);
        }
    }
    if ((double)value < p->key->low || (double)value > p->key->high) {
        return out_of_bounds(p);
    }
    *field = value;
    return ATTN_OK;
}

static attn_status set_real(const place *p, double *field) {
    if (!is_real(p->value)) {
        return bad_value(p, p->key->help, "a number such as 0.1 or 5e-4");
    }
    double value = real_value(p->value);
    if (!(value >= p->key->low && value <= p->key->high)) {
        return out_of_bounds(p);
    }
    *field = value;
    return ATTN_OK;
}

static attn_status set_bool(const place *p, bool *field) {
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(p->value, words[i]) == 0) {
            *field = i % 2 == 1;
            return ATTN_OK;
        }
    }
    return bad_value(p, p->key->help, "true or false");
}

static attn_status set_choice(const place *p, int *field) {
    char wanted[160] = "one of";
    size_t count = 0;
    for (; p->key->choices[count] != NULL; count++) {
        if (strcmp(p->value, p->key->choices[count]) == 0) {
            *field = (int)count;
            return ATTN_OK;
        }
        size_t used = strlen(wanted);
        snprintf(wanted + used, sizeof wanted - used, "%s %s", count > 0 ? "," : "",
                 p->key->choices[count]);
    }
    char hint[NAME_LIMIT + 32];
    const char *nearest = attn_nearest(p->value, p->key->choices, count);
    snprintf(hint, sizeof hint, "did you mean %s?", nearest != NULL ? nearest : "");
    return bad_value(p, nearest != NULL ? hint : p->key->help, wanted);
}

static attn_status set_text(const place *p, char *field) {
    size_t length = strlen(p->value);
    if (length >= ATTN_KEY_TEXT_SIZE) {
        return bad_value(p, p->key->help, "at most 127 bytes");
    }
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)p->value[i] < 0x20) {
            return bad_value(p, p->key->help, "text without control characters");
        }
    }
    if (!attn_utf8_whole(p->value, length)) {
        return bad_value(p, p->key->help, "UTF-8");
    }
    memcpy(field, p->value, length + 1);
    return ATTN_OK;
}

static attn_status unknown_key(const attn_recipe *recipe, const char *name, const char *where,
                               int64_t line, attn_error *error) {
    char quoted[QUOTE_SIZE];
    char hint[256] = "known are:";
    const char *nearest = NULL;
    const char *names[ATTN_RECIPE_KEYS];
    for (size_t i = 0; i < recipe->count; i++) {
        names[i] = recipe->keys[i].name;
        size_t used = strlen(hint);
        if (used + strlen(names[i]) + 8 < sizeof hint) {
            snprintf(hint + used, sizeof hint - used, " %s", names[i]);
        }
    }
    nearest = attn_nearest(name, names, recipe->count);
    if (nearest != NULL) {
        snprintf(hint, sizeof hint, "did you mean %s?", nearest);
    }
    return attn_fail(error, ATTN_ERR_FORMAT, where, line, hint, "unknown key %s",
                     attn_utf8_quote(quoted, sizeof quoted, name));
}

void attn_recipe_add(attn_recipe *recipe, const attn_key *keys, size_t count, size_t base) {
    assert(recipe->count + count <= ATTN_RECIPE_KEYS);
    for (size_t i = 0; i < count; i++) {
        recipe->keys[recipe->count] = keys[i];
        recipe->keys[recipe->count++].offset += base;
    }
}

/* The number of keys when there is none. */
static size_t find_key(const attn_recipe *recipe, const char *name) {
    size_t i = 0;
    while (i < recipe->count && strcmp(recipe->keys[i].name, name) != 0) {
        i++;
    }
    return i;
}

attn_status attn_recipe_set(const attn_recipe *recipe, const char *name, const char *value,
                            const char *where, int64_t line, attn_error *error) {
    size_t index = find_key(recipe, name);
    if (index == recipe->count) {
        return unknown_key(recipe, name, where, line, error);
    }
    const attn_key *key = &recipe->keys[index];
    const place p = {where, line, key, value, error};
    void *field = (char *)recipe->values + key->offset;
    if (strlen(value) > LINE_LIMIT) {
        return bad_value(&p, key->help, "a shorter value");
    }
    switch (key->type) {
    case ATTN_KEY_INT:
        return set_int(&p, field);
    case ATTN_KEY_REAL:
        return set_real(&p, field);
    case ATTN_KEY_BOOL:
        return set_bool(&p, field);
    case ATTN_KEY_CHOICE:
        return set_choice(&p, field);
    case ATTN_KEY_TEXT:
        return set_text(&p, field);
    }
    return attn_fail(error, ATTN_ERR_ARGUMENT, where, line, NULL, "%s has no type", name);
}

attn_status attn_recipe_set_pair(const attn_recipe *recipe, const char *pair, attn_error *error) {
    char name[NAME_LIMIT + 1];
    const char *equals = strchr(pair, '=');
    size_t length = equals != NULL ? (size_t)(equals - pair) : 0;
    if (length == 0 || length > NAME_LIMIT) {
        char quoted[QUOTE_SIZE];
        return attn_fail(error, ATTN_ERR_ARGUMENT, "--set", -1, "write --set key=value",
                         "%s is not of the form key=value",
                         attn_utf8_quote(quoted, sizeof quoted, pair));
    }
    memcpy(name, pair, length);
    name[length] = '\0';
    attn_status status = attn_recipe_set(recipe, name, equals + 1, "--set", -1, error);
    if (status == ATTN_ERR_FORMAT) {
        /* The caller's words, not a file, are wrong. */
        status = ATTN_ERR_ARGUMENT;
        if (error != NULL) {
            error->status = status;
        }
    }
    return status;
}

void attn_recipe_print(const attn_key *key, const void *values, char *buffer, size_t size) {
    const void *field = (const char *)values + key->offset;
    switch (key->type) {
    case ATTN_KEY_INT:
        snprintf(buffer, size, "%" PRId64, *(const int64_t *)field);
        break;
    case ATTN_KEY_REAL:
        print_real(*(const double *)field, buffer, size);
        break;
    case ATTN_KEY_BOOL:
        snprintf(buffer, size, "%s", *(const bool *)field ? "true" : "false");
        break;
    case ATTN_KEY_CHOICE:
        snprintf(buffer, size, "%s", key->choices[*(const int *)field]);
        break;
    case ATTN_KEY_TEXT:
        snprintf(buffer, size, "%s", (const char *)field);
        break;
    }
}

/* ---- a whole recipe ---- */

typedef struct reader {
    const attn_recipe *recipe;
    bool seen[ATTN_RECIPE_KEYS];
    const char *text;
    size_t left;
    const char *name;
    int64_t line;
    attn_status status;
    attn_error *error;
} reader;

static void refuse_line(reader *r, const char *hint, const char *what) {
    r->status = attn_fail(r->error, ATTN_ERR_FORMAT, r->name, r->line, hint, "%s", what);
}

/* What is wrong with a line before inih sees it. line has no leading space and no newline. */
static void check_line(reader *r, const char *line, size_t length) {
    if (memchr(line, '\0', length) != NULL || !attn_utf8_whole(line, length)) {
        refuse_line(r, "save the recipe as UTF-8 text", "bytes that are no UTF-8 text");
    } else if (length > LINE_LIMIT) {
        refuse_line(r, "a line holds one key = value", "the line is longer than 190 bytes");
    } else if (length > 0 && line[0] == '[') {
        refuse_line(r, "remove the line", "a recipe has no sections");
    } else if (length > 0 && memchr(line, '=', length) == NULL) {
        refuse_line(r, "write key = value, or # before a comment", "no '=' in the line");
    }
}

/* Gives inih the next line without its indentation, which would make it a continuation, and a
 * comment as an empty line, so that comments may be long. Stops at the first failure. */
static char *next_line(char *out, int size, void *context) {
    reader *r = context;
    if (r->left == 0 || r->status != ATTN_OK) {
        return NULL;
    }
    const char *end = memchr(r->text, '\n', r->left);
    size_t whole = end != NULL ? (size_t)(end - r->text) + 1 : r->left;
    const char *line = r->text;
    size_t length = end != NULL ? whole - 1 : whole;
    r->text += whole;
    r->left -= whole;
    r->line++;
    while (length > 0 && (line[length - 1] == '\r' || line[length - 1] == ' ')) {
        length--;
    }
    while (length > 0 && (*line == ' ' || *line == '\t')) {
        line++;
        length--;
    }
    if (length > 0 && (*line == '#' || *line == ';')) {
        length = 0;
    }
    check_line(r, line, length);
    if (r->status == ATTN_OK && length + 2 > (size_t)size) {
        refuse_line(r, "shorten it", "the line is too long for this build of inih");
    }
    if (r->status != ATTN_OK) {
        return NULL;
    }
    memcpy(out, line, length);
    memcpy(out + length, "\n", 2);
    return out;
}

/* inih calls this for each name and value; 0 tells it that something is wrong. */
static int take_pair(void *context, const char *section, const char *name, const char *value) {
    reader *r = context;
    (void)section;
    if (r->status != ATTN_OK) {
        return 0;
    }
    size_t index = find_key(r->recipe, name);
    if (index < r->recipe->count && r->seen[index]) {
        char what[QUOTE_SIZE];
        snprintf(what, sizeof what, "%s is given twice", r->recipe->keys[index].name);
        refuse_line(r, "keep one of them", what);
        return 0;
    }
    r->status = attn_recipe_set(r->recipe, name, value, r->name, r->line, r->error);
    if (index < r->recipe->count) {
        r->seen[index] = true;
    }
    return r->status == ATTN_OK;
}

attn_status attn_recipe_parse(const attn_recipe *recipe, const char *text, size_t length,
                              const char *name, attn_error *error) {
    bool has_mark = length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0;
    reader r = {
        .recipe = recipe,
        .text = has_mark ? text + 3 : text,
        .left = has_mark ? length - 3 : length,
        .name = name,
        .status = ATTN_OK,
        .error = error,
    };
    int result = ini_parse_stream(next_line, &r, take_pair, &r);
    if (r.status == ATTN_OK && result != 0) {
        r.line = result > 0 ? result : -1;
        refuse_line(&r, "write key = value", "cannot be read as a recipe");
    }
    return r.status;
}

attn_status attn_recipe_read(const attn_recipe *recipe, const char *path, attn_error *error) {
    char *text = NULL;
    size_t length = 0;
    attn_status status = attn_file_read(path, FILE_LIMIT, &text, &length, error);
    if (status == ATTN_OK) {
        status = attn_recipe_parse(recipe, text, length, path, error);
        attn_free(text);
    }
    return status;
}
