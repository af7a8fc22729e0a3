/* document/packed.c: zip files of XML: Word's DOCX, OpenDocument text, EPUB.
 *
 * Members without text are not unpacked, and are copied as they lie. */
#include <string.h>
#include <strings.h>

#include "base/fail.h"
#include "base/memory.h"
#include "document/xml.h"
#include "io/archive.h"

/* ---- what elements are ---- */

/* A name among others, each between spaces. */
static bool among(const char *name, const char *names) {
    size_t length = strlen(name);
    for (const char *at = strstr(names, name); at != NULL; at = strstr(at + 1, name)) {
        if (at[-1] == ' ' && at[length] == ' ') {
            return true;
        }
    }
    return false;
}

static attn_xml_role word_role(const char *space, const char *name, const char **attributes,
                               attn_xml_role parent) {
    (void)attributes;
    static const struct {
        const char *names;
        attn_xml_role role;
    } roles[] = {
        {" p ", ATTN_XML_TEXT},
        {" pPr ", ATTN_XML_HEAD},
        {" r ", ATTN_XML_RUN},
        {" t ", ATTN_XML_WORDS},
        {" hyperlink ins smartTag fldSimple moveTo ", ATTN_XML_PAIR},
        {" sdt ", ATTN_XML_WRAPPER},
        {" sdtContent ", ATTN_XML_WRAPPED},
        {" fldChar ", ATTN_XML_FIELD},
        {" br cr tab ", ATTN_XML_BREAK},
        {" proofErr lastRenderedPageBreak ", ATTN_XML_DROP},
    };
    if (strstr(space, "wordprocessingDrawing") != NULL && strcmp(name, "docPr") == 0) {
        return ATTN_XML_PICTURE;
    }
    if (strstr(space, "wordprocessingml") == NULL) {
        return ATTN_XML_PASS;
    }
    if (strcmp(name, "rPr") == 0) {
        return parent == ATTN_XML_RUN ? ATTN_XML_STYLE : ATTN_XML_PASS;
    }
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        if (among(name, roles[i].names)) {
            return roles[i].role;
        }
    }
    return ATTN_XML_PASS;
}

static attn_xml_role open_role(const char *space, const char *name, const char **attributes,
                               attn_xml_role parent) {
    (void)attributes, (void)parent;
    if (strstr(space, "opendocument:xmlns:text") == NULL) {
        return ATTN_XML_PASS;
    }
    if (among(name, " p h ")) {
        return ATTN_XML_TEXT;
    }
    if (among(name, " tracked-changes ")) {
        return ATTN_XML_SKIP;
    }
    if (among(name, " line-break tab ")) {
        return ATTN_XML_BREAK;
    }
    if (among(name, " soft-page-break ")) {
        return ATTN_XML_DROP;
    }
    return among(name, " span a meta ") ? ATTN_XML_PAIR : ATTN_XML_PASS;
}

/* With the titles and descriptions of pictures. */
static attn_xml_role open_role_all(const char *space, const char *name, const char **attributes,
                                   attn_xml_role parent) {
    return strstr(space, "xmlns:svg") != NULL && among(name, " title desc ")
               ? ATTN_XML_TEXT
               : open_role(space, name, attributes, parent);
}

/* The table of contents of an old book, and what a book says of itself. */
static attn_xml_role book_role(const char *space, const char *name, const char **attributes,
                               attn_xml_role parent) {
    (void)attributes, (void)parent;
    bool contents = strstr(space, "daisy.org") != NULL && strcmp(name, "text") == 0;
    bool title =
        strstr(space, "purl.org/dc/elements") != NULL && among(name, " title description ");
    return contents || title ? ATTN_XML_TEXT : ATTN_XML_PASS;
}

/* ---- members ---- */

static bool has_end(const char *name, const char *end) {
    size_t length = strlen(name), size = strlen(end);
    return length >= size && strcasecmp(name + length - size, end) == 0;
}

/* Parts of a Word document that hold what people read. */
static int word_format(const char *name) {
    static const char *const begins[] = {"word/document",  "word/header",   "word/footer",
                                         "word/footnotes", "word/endnotes", "word/comments"};
    for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++) {
        const char *rest = name + strlen(begins[i]);
        if (strncmp(name, begins[i], strlen(begins[i])) == 0 &&
            strcmp(rest + strspn(rest, "0123456789"), ".xml") == 0) {
            return ATTN_PART_RUNS;
        }
    }
    return ATTN_PART_NONE;
}

static int open_format(const char *name) {
    return strcmp(name, "content.xml") == 0 || strcmp(name, "styles.xml") == 0 ? ATTN_PART_XML
                                                                               : ATTN_PART_NONE;
}

static int book_format(const char *name) {
    if (has_end(name, ".xhtml") || has_end(name, ".html") || has_end(name, ".htm")) {
        return ATTN_PART_PAGE;
    }
    return has_end(name, ".opf") || has_end(name, ".ncx") ? ATTN_PART_XML : ATTN_PART_NONE;
}

static attn_status read_page(attn_doc *d, size_t part, attn_error *error) {
    const attn_part *p = &d->parts[part];
    attn_status status = attn_doc_check_text(d, p, error);
    if (status == ATTN_OK && attn_find_bytes(p->bytes, p->size, "<!ENTITY") != NULL) {
        status = attn_doc_fail(d, p, 0, "remove its <!ENTITY>",
                               "the page declares entities of its own", error);
    }
    return status == ATTN_OK ? attn_plain_read(d, part, true, error) : status;
}

/* The prefix of the names of WordprocessingML, such as "w:": that of the first element. */
static attn_range prefix_of(const attn_part *part) {
    const char *at = part->bytes;
    size_t start = 0;
    while (start + 1 < part->size && (at[start] != '<' || strchr("?!", at[start + 1]) != NULL)) {
        start++;
    }
    size_t length = strcspn(at + start, ":> \t\r\n/");
    return at[start + length] == ':' ? (attn_range){start + 1, start + length + 1}
                                     : (attn_range){0, 0};
}

static attn_status read_member(attn_doc *d, size_t index, int format, attn_xml_roles *roles,
                               attn_error *error) {
    char *bytes = NULL;
    size_t size = 0, left = d->limit - d->unpacked;
    attn_status status =
        attn_archive_read(d->archive, index, left > 0 ? left : 1, &bytes, &size, error);
    if (status != ATTN_OK) {
        return status;
    }
    d->unpacked += size;
    status = attn_doc_add_part(d, bytes, size, index, format, error);
    if (status != ATTN_OK) {
        attn_free(bytes);
        return status;
    }
    attn_part *part = &d->parts[d->part_count - 1];
    part->name = attn_archive_name(d->archive, index);
    if (format == ATTN_PART_PAGE) {
        return read_page(d, d->part_count - 1, error);
    }
    part->prefix = format == ATTN_PART_RUNS ? prefix_of(part) : (attn_range){0, 0};
    return attn_xml_read(d, d->part_count - 1, roles, error);
}

static attn_status read_members(attn_doc *d, int (*format_of)(const char *name),
                                attn_xml_roles *roles, const char *needed, attn_error *error) {
    size_t index;
    attn_status status = attn_archive_parse(d->bytes, d->size, d->name, &d->archive, error);
    if (status == ATTN_OK && needed != NULL && !attn_archive_find(d->archive, needed, &index)) {
        status = attn_fail(error, ATTN_ERR_FORMAT, d->name, -1, "give an undamaged file",
                           "it has no member %s, as a %s file has", needed, d->format->name);
    }
    for (size_t i = 0; status == ATTN_OK && i < attn_archive_count(d->archive); i++) {
        int format = format_of(attn_archive_name(d->archive, i));
        if (format != ATTN_PART_NONE) {
            status = read_member(d, i, format, roles, error);
        }
    }
    return status;
}

static attn_status read_word(attn_doc *d, attn_error *error) {
    return read_members(d, word_format, word_role, "word/document.xml", error);
}

static attn_status read_open(attn_doc *d, attn_error *error) {
    return read_members(d, open_format, d->attributes ? open_role_all : open_role, "content.xml",
                        error);
}

static attn_status read_book(attn_doc *d, attn_error *error) {
    return read_members(d, book_format, book_role, "META-INF/container.xml", error);
}

static void write_book(attn_writing *w, const attn_slot *slot, const char *translation) {
    if (w->part->format == ATTN_PART_PAGE) {
        attn_buffer_text(w->out, translation);
    } else {
        attn_xml_write(w, slot, translation);
    }
}

/* ---- kinds ---- */

/* The member "mimetype" lies first, and stored, so that its content stands near the start. */
static bool says_type(const char *text, size_t size, const char *type) {
    size_t length = strlen(type);
    const char *found = attn_archive_begins(text, size) && size >= 38 + length &&
                                memcmp(text + 30, "mimetype", 8) == 0
                            ? attn_find_bytes(text + 38, size - 38 < 200 ? size - 38 : 200, type)
                            : NULL;
    return found != NULL;
}

static bool begins_word(const char *text, size_t size) {
    return attn_archive_begins(text, size) &&
           attn_find_bytes(text, size, "word/document.xml") != NULL;
}

static bool begins_open(const char *text, size_t size) {
    return says_type(text, size, "application/vnd.oasis.opendocument.text");
}

static bool begins_book(const char *text, size_t size) {
    return says_type(text, size, "application/epub+zip");
}

const attn_format attn_format_docx = {.name = "DOCX",
                                      .endings = " .docx ",
                                      .packed = true,
                                      .begins = begins_word,
                                      .read = read_word,
                                      .write = attn_xml_write};
const attn_format attn_format_odt = {.name = "ODT",
                                     .endings = " .odt ",
                                     .packed = true,
                                     .begins = begins_open,
                                     .read = read_open,
                                     .write = attn_xml_write};
const attn_format attn_format_epub = {.name = "EPUB",
                                      .endings = " .epub ",
                                      .packed = true,
                                      .begins = begins_book,
                                      .read = read_book,
                                      .write = write_book};
