/* text/passage_parts.h: what passage.c, passage_html.c and passage_sentence.c make and passage_join.c reads. */
#ifndef ATTN_TEXT_PASSAGE_PARTS_H
#define ATTN_TEXT_PASSAGE_PARTS_H

#include "text/buffer.h"
#include "text/html.h"
#include "text/passage.h"
#include "text/protect.h"
#include "text/spans.h"
#include "text/stand_ins.h"

enum { ATTN_MOST_MASKED = 8 };

/* How the source is written, and so the translation. */
typedef struct passage_form {
    bool capitals; /* all of it: the translation becomes so */
    bool small;    /* it begins with a small letter */
    bool large;    /* it begins with a capital */
    bool ends;     /* it has a last sign */
    char sign[8];  /* that sign */
    size_t words;  /* how many, protected parts among them */
} passage_form;

typedef enum part_kind {
    PART_LITERAL, /* literals[start .. start + length) as it is */
    PART_TRY, /* the translation of a unit, when it passes: then the next `skip` parts are passed over */
} part_kind;

typedef struct part {
    part_kind kind;
    size_t start, length;
    size_t unit, skip;
    size_t mark, mark_count;     /* tags within the unit */
    size_t masked, masked_count; /* in `masks` */
    size_t stretches;            /* with words, between the tags of elements */
    passage_form form;
} part;

/* A stand-in: the word that is looked for, in `words`, and what it becomes, in `literals`. */
typedef struct mask {
    size_t expected, start, length;
} mask;

/* A sign that the page writes as a reference, in `words`. */
typedef struct sign_reference {
    UChar32 c;
    size_t start;
} sign_reference;

enum { MOST_REFERENCES = 64 };

/* An attribute's value in a tag: its parts stand in `side`. */
typedef struct attribute {
    size_t at, length; /* in the tag */
    char quote;
    size_t part, count;
} attribute;

/* Where such a value goes in `literals`. */
typedef struct insert {
    size_t at, attribute;
} insert;

typedef struct unit {
    size_t start, sent; /* in unit_text: what is translated, what it stands for */
    bool marked;
} unit;

struct attn_passage {
    bool html, keep_target;
    bool is_target;                /* the text as a whole is in the target language */
    char language[16], target[16]; /* "" where not known */
    attn_vocabulary vocabulary;
    attn_protect_rules rules, target_rules;
    attn_number_words numbers;
    part *parts;
    size_t part_count, part_room;
    attn_buffer literals;  /* what literal parts, stand-ins and tags give, as it is written out */
    attn_buffer unit_text; /* the units, each NUL-terminated */
    attn_buffer words;     /* the stand-ins as they are expected, each NUL-terminated */
    unit *units;
    size_t unit_count, unit_room;
    attn_mark *marks;
    size_t mark_count, mark_room;
    mask *masks;
    size_t mask_count, mask_room;
    part *side;
    size_t side_count, side_room;
    attribute *attributes;
    size_t attribute_count, attribute_room;
    insert *inserts; /* in order */
    size_t insert_count, insert_room;
    bool out_of_memory;
    sign_reference references[MOST_REFERENCES];
    size_t reference_count;
};

/* A tag in a run of text, by the text's bytes. */
typedef struct tag_at {
    attn_mark_kind kind;
    size_t at, partner; /* as in attn_mark, by the run's tags */
    size_t width;       /* how much of the text it is itself: signs are kept like tags */
    const char *raw;
    size_t raw_length;
    size_t attribute, attribute_count; /* values that are translated */
    bool plain;                        /* it is text of the run */
    bool done;                         /* it is in the passage, or about to be */
    size_t number;                     /* among the tags within its sentence */
    char name[ATTN_HTML_NAME];
} tag_at;

/* Text that was written as a character reference. */
typedef struct origin {
    size_t at, length; /* in the run's text */
    const char *raw;
    size_t raw_length;
} origin;

/* Text without markup, between two blocks. */
typedef struct run {
    const char *text;   /* as it was */
    const char *smooth; /* of the same length; in HTML, white space is a space */
    size_t length;
    attn_spans references; /* what is known to stay, in order */
    origin *origins;       /* in order */
    size_t origin_count;
    tag_at *tags; /* in order; attn_alloc'ed */
    size_t tag_count;
    size_t next_tag; /* those before it are in the passage */
    size_t *inside;  /* the tags within the sentence at hand */
    size_t inside_count;
} run;

/* passage.c */
ATTN_MUST_CHECK attn_status attn_passage_add_run(attn_passage *p,
                                                 const attn_passage_options *options, run *r,
                                                 attn_error *error);
ATTN_MUST_CHECK attn_status attn_passage_add_literal(attn_passage *p, const char *text,
                                                     size_t length, bool raw, attn_error *error);
ATTN_MUST_CHECK attn_status attn_passage_add_tag(attn_passage *p, const run *r, const tag_at *tag,
                                                 attn_error *error);
/* A tag into the literals, without a part. Returns its length there. */
size_t attn_passage_copy_tag(attn_passage *p, const run *r, const tag_at *tag);
/* Part of a run as it was written. */
ATTN_MUST_CHECK attn_status attn_passage_add_text(attn_passage *p, const run *r, size_t from,
                                                  size_t to, attn_error *error);
/* The same of what is beside a translation, with signs as the target writes them. */
ATTN_MUST_CHECK attn_status attn_passage_add_signs(attn_passage *p, const run *r, size_t from,
                                                   size_t to, attn_error *error);
/* Part of a run into the literals, without a part. Returns its length there. */
size_t attn_passage_copy_text(attn_passage *p, const run *r, size_t from, size_t to);
/* passage_html.c */
ATTN_MUST_CHECK attn_status attn_passage_add_html(attn_passage *p,
                                                  const attn_passage_options *options,
                                                  const char *text, size_t length,
                                                  attn_error *error);
/* passage_sentence.c: whether text[from .. to) has something to translate beside its protected parts. */
bool attn_passage_has_words(const run *r, size_t from, size_t to, const attn_spans *spans);
/* text[from .. to), with its protected parts and tags, or a copy of it. */
ATTN_MUST_CHECK attn_status attn_passage_add_sentence(attn_passage *p, run *r, size_t from,
                                                      size_t to, const attn_spans *spans, bool copy,
                                                      attn_error *error);
/* passage_form.c: how text[from .. to) is written; its protected parts count as words. */
passage_form attn_form_read(const attn_passage *p, const run *r, size_t from, size_t to,
                            const attn_spans *spans);
/* Whether the translation of a unit may be used: its stand-ins are there and nothing is made up. *out_of_memory is
 * set when that could not be found out. */
bool attn_form_passes(const attn_passage *p, const part *tried, const char *translation,
                      bool *out_of_memory);
/* Where the stand-in `number` of `tried` next is in text[at ..), which begins at `text`; NULL when it is not there. */
const char *attn_form_find(const attn_passage *p, const part *tried, const char *text,
                           const char *at, size_t *number, size_t *length);
/* What is written of a translation: [0, end), then `sign`, then [tail, ...). */
typedef struct passage_ending {
    size_t end, tail;
    const char *space, *sign;
} passage_ending;
passage_ending attn_form_ending(const attn_passage *p, const passage_form *form,
                                const char *translation);
/* Whether text[from .. to) ends as a sentence does, quotes and brackets aside. */
bool attn_form_ends(const char *text, size_t from, size_t to);
/* A letter that is a word of its own, in scripts that set no spaces. */
bool attn_form_stands_alone(UChar32 c);
/* Whether a language has no spaces between sentences, and wide signs: Chinese, Japanese. */
bool attn_form_is_wide(const char *language);
/* The case in which text[from .. from + length) is written. */
void attn_form_write(const attn_passage *p, const part *tried, const char *text, size_t from,
                     size_t length, attn_buffer *out);

#endif
