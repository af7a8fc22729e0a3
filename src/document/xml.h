/* document/xml.h: texts in XML, found by what a format says of each element. Next: xml.c. */
#ifndef ATTN_DOCUMENT_XML_H
#define ATTN_DOCUMENT_XML_H

#include "document/document_parts.h"

/* What an element is to its format. Of those from PAIR on what is said holds within a text; outside of one they are as
 * PASS. */
typedef enum attn_xml_role {
    ATTN_XML_PASS, /* outside: nothing. Within a text: stays as it is, and texts in it are texts of their own */
    ATTN_XML_SKIP, /* nothing in it is for translation */
    ATTN_XML_PICTURE, /* as PASS; its attributes descr and title are texts, if attributes are asked for */
    ATTN_XML_TEXT, /* its content is a text */
    ATTN_XML_PAIR,
    ATTN_XML_POINT,
    ATTN_XML_BREAK,
    ATTN_XML_DROP, /* is of no use once the text is another */
    ATTN_XML_HEAD, /* before the words: not part of the text */
    ATTN_XML_OPENS, /* a pair of two elements, by their attributes id or rid: this one is before the words, */
    ATTN_XML_CLOSES, /* and this one behind them */
    /* WordprocessingML, where words are in runs, each with its style: */
    ATTN_XML_RUN,
    ATTN_XML_STYLE, /* of a run */
    ATTN_XML_WORDS,
    ATTN_XML_FIELD,   /* fldChar */
    ATTN_XML_WRAPPER, /* with its first content a pair: sdt ... */
    ATTN_XML_WRAPPED, /* ... sdtContent */
    /* XLIFF, where the translation stands beside the text: */
    ATTN_XML_UNIT,
    ATTN_XML_TARGET,
    ATTN_XML_BEHIND, /* the translation goes behind it, if it is there: seg-source */
} attn_xml_role;

/* name: without its namespace; space: that. parent: the role of what is around it. */
typedef attn_xml_role attn_xml_roles(const char *space, const char *name, const char **attributes,
                                     attn_xml_role parent);

/* Adds the texts of a part as slots. ATTN_ERR_FORMAT, with the line: no XML, not UTF-8, entities of its own. */
ATTN_MUST_CHECK attn_status attn_xml_read(attn_doc *d, size_t part, attn_xml_roles *roles,
                                          attn_error *error);
/* Writes a slot of such a part. */
void attn_xml_write(attn_writing *w, const attn_slot *slot, const char *translation);
/* The value of an attribute, by its name without a namespace; NULL: it is not there. */
const char *attn_xml_attribute(const char **attributes, const char *name);
/* Adds text with & < > escaped; what XML may not hold is left out. */
void attn_xml_escape(attn_buffer *out, const char *text, size_t length);

#endif
