/* document/document_parts.h: what the readers of single formats and document.c share.
 *
 * A document has parts: the file itself, or the members of a packed one. A part has slots: ranges of its bytes that hold
 * a text each. A text is HTML made here: marks stand in it as <x3>..</x3>, <img x4>, <br x5> and <kbd>x6</kbd>, where the
 * numbers are those of the slot's marks, and the rest is escaped. A translation is read with attn_mark_next. */
#ifndef ATTN_DOC_PARTS_H
#define ATTN_DOC_PARTS_H

#include <stdint.h>

#include "document/document.h"

/* Bytes [start, end) of a part. */
typedef struct attn_range {
    size_t start, end;
} attn_range;

typedef enum attn_slot_mark_kind {
    ATTN_SLOT_PAIR,  /* around words */
    ATTN_SLOT_POINT, /* between words */
    ATTN_SLOT_BREAK, /* ends a sentence */
    ATTN_SLOT_KEPT,  /* stands for a word: code */
} attn_slot_mark_kind;

typedef struct attn_slot_mark {
    attn_slot_mark_kind kind;
    bool is_run;            /* of WordprocessingML: a pair that holds words itself (docx.c) */
    attn_range open, close; /* as the file has it; close: of a pair */
    size_t lines;           /* of a break: how many lines what follows it had */
} attn_slot_mark;

typedef struct attn_slot {
    size_t part;
    attn_range at;
    size_t mark, mark_count;
    size_t text;  /* where it begins in the document's words */
    size_t lines; /* that what is before the first break had */
    attn_range
        aid; /* what the format's writer needs to know: the start of further lines, a run's properties */
    bool in_tag; /* it is the value of an XML attribute */
    uint32_t seen,
        escaped; /* of Markdown: signs that stand in it as they are, or behind a backslash */
} attn_slot;

/* What a member of a packed file is. */
typedef enum attn_part_format {
    ATTN_PART_NONE, /* it holds no text */
    ATTN_PART_XML,
    ATTN_PART_RUNS, /* WordprocessingML: words are in runs */
    ATTN_PART_PAGE, /* HTML */
} attn_part_format;

typedef struct attn_part {
    char *bytes;
    size_t size;
    const char *name; /* of a member of a packed file, else NULL */
    size_t member;
    attn_part_format format;
    size_t first_slot, slot_count;
    attn_range prefix; /* of the names of WordprocessingML: "w:" */
    /* Where the language of the translations is to be said, if it is not: an attribute, or NULL. */
    const char *attribute;
    attn_range insert;
} attn_part;

typedef struct attn_writing attn_writing;

typedef struct attn_format {
    const char *name;    /* "DOCX", for errors */
    const char *endings; /* " .md .markdown " */
    bool plain, packed;
    bool fills; /* slots are where a translation is missing; else they are the texts themselves */
    /* Whether the start of a file looks like one; NULL: never. */
    bool (*begins)(const char *text, size_t size);
    /* Adds parts (of a packed file) and slots. */
    attn_status (*read)(attn_doc *d, attn_error *error);
    /* Writes a slot with its translation. */
    void (*write)(attn_writing *w, const attn_slot *slot, const char *translation);
} attn_format;

struct attn_doc {
    const attn_format *format;
    char *name;
    char *bytes;
    size_t size, limit, unpacked;
    bool attributes; /* those that people read are texts too */
    attn_part *parts;
    size_t part_count, part_room;
    attn_slot *slots;
    size_t slot_count, slot_room;
    attn_slot_mark *marks;
    size_t mark_count, mark_room;
    attn_buffer words; /* the texts, each with its NUL */
    const char **texts;
    struct attn_archive *archive; /* of a packed file */
};

struct attn_writing {
    const attn_doc *document;
    const attn_part *part;
    const char *const *translations;
    const char *target;
    attn_buffer *out;
};

/* Where `what` first stands in text[0 .. length); NULL: nowhere. */
const char *attn_find_bytes(const char *text, size_t length, const char *what);

/* ---- reading ---- */

/* A text under way. All zero: an empty one. */
typedef struct attn_text_maker {
    attn_buffer text;
    attn_slot_mark *marks;
    size_t count, room;
    bool has_letter, failed;
} attn_text_maker;

/* Adds words, escaped. */
void attn_make_words(attn_text_maker *m, const char *text, size_t length);
/* Adds words that are HTML already, as they are. */
void attn_make_html(attn_text_maker *m, const char *text, size_t length);
/* Adds markup of the file's own, as it is. */
void attn_make_markup(attn_text_maker *m, const char *text, size_t length);
/* Adds a mark, of a pair its opening tag; returns its number. */
size_t attn_make_mark(attn_text_maker *m, attn_slot_mark_kind kind, size_t start, size_t end);
/* Adds the closing tag of pair `mark`. */
void attn_make_close(attn_text_maker *m, size_t mark, size_t start, size_t end);
/* The text becomes a slot, unless it holds no letter; the maker is empty again. slot: its part, at, and what else the
 * format wants; NULL drops the text. */
ATTN_MUST_CHECK attn_status attn_make_end(attn_text_maker *m, attn_doc *d, const attn_slot *slot,
                                          attn_error *error);

/* A new part, which owns the bytes unless they are the document's. */
ATTN_MUST_CHECK attn_status attn_doc_add_part(attn_doc *d, char *bytes, size_t size, size_t member,
                                              attn_part_format format, attn_error *error);
/* Whether a part is UTF-8 without NUL bytes. */
ATTN_MUST_CHECK attn_status attn_doc_check_text(const attn_doc *d, const attn_part *part,
                                                attn_error *error);
/* ATTN_ERR_FORMAT with the line of byte `at` of a part. */
attn_status attn_doc_fail(const attn_doc *d, const attn_part *part, size_t at, const char *hint,
                          const char *what, attn_error *error);

/* ---- writing ---- */

typedef enum attn_step_kind {
    ATTN_STEP_WORDS,  /* decoded */
    ATTN_STEP_MARKUP, /* of the file's own */
    ATTN_STEP_MARK,   /* of a pair: it opens */
    ATTN_STEP_CLOSE,
    ATTN_STEP_END,
} attn_step_kind;

typedef struct attn_step {
    attn_step_kind kind;
    const char *raw; /* as it stands in the translation */
    size_t raw_length;
    char sign[12]; /* of a character reference: what it stands for */
    const char *words;
    size_t length;          /* of the words */
    size_t mark;            /* its number in the slot */
    const char *text_until; /* up to there each '<' is known to be text */
} attn_step;

/* The next step of a slot's translation from *at on, which ends at `end`. Begins with a zeroed *out. */
void attn_mark_next(const attn_writing *w, const attn_slot *slot, const char **at, const char *end,
                    attn_step *out);
/* A mark of a slot. */
const attn_slot_mark *attn_slot_mark_at(const attn_writing *w, const attn_slot *slot, size_t mark);
/* Adds bytes of the part with the translations of the slots that lie in them. */
void attn_write_range(attn_writing *w, attn_range range);

/* ---- lines ---- */

/* Adds text in so many lines, broken at spaces that are not within a tag; each further one begins with `prefix`. */
void attn_write_lines(attn_buffer *out, const char *text, size_t length, size_t lines,
                      const char *prefix, size_t prefix_length);

/* ---- formats ---- */

/* Reads a part that is text or HTML, and nothing else. */
ATTN_MUST_CHECK attn_status attn_plain_read(attn_doc *d, size_t part, bool html, attn_error *error);

extern const attn_format attn_format_txt, attn_format_html, attn_format_srt, attn_format_vtt,
    attn_format_po, attn_format_markdown, attn_format_docx, attn_format_odt, attn_format_epub,
    attn_format_xliff;

#endif
