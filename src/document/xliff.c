/* document/xliff.c: XLIFF 1.2 and 2.0: units without a translation get one. What somebody has translated stays. */
#include <string.h>

#include "document/xml.h"

static bool says(const char **attributes, const char *name, const char *value) {
    const char *found = attn_xml_attribute(attributes, name);
    return found != NULL && strcmp(found, value) == 0;
}

static const struct {
    const char *name;
    attn_xml_role role;
} roles[] = {
    {"target", ATTN_XML_TARGET}, {"seg-source", ATTN_XML_BEHIND}, {"g", ATTN_XML_PAIR},
    {"mrk", ATTN_XML_PAIR},      {"pc", ATTN_XML_PAIR},           {"bpt", ATTN_XML_OPENS},
    {"bx", ATTN_XML_OPENS},      {"sc", ATTN_XML_OPENS},          {"ept", ATTN_XML_CLOSES},
    {"ex", ATTN_XML_CLOSES},     {"ec", ATTN_XML_CLOSES},
};

static attn_xml_role role_of(const char *space, const char *name, const char **attributes,
                             attn_xml_role parent) {
    bool unit = strcmp(name, "trans-unit") == 0 || strcmp(name, "segment") == 0;
    if (strstr(space, "xliff") == NULL) {
        return ATTN_XML_PASS;
    }
    if (says(attributes, "translate", "no") &&
        (unit || strcmp(name, "unit") == 0 || strcmp(name, "group") == 0 ||
         strcmp(name, "file") == 0)) {
        return ATTN_XML_SKIP;
    }
    if (unit) {
        return says(attributes, "approved", "yes") || says(attributes, "state", "final")
                   ? ATTN_XML_SKIP
                   : ATTN_XML_UNIT;
    }
    if (strcmp(name, "source") == 0) {
        return parent == ATTN_XML_UNIT ? ATTN_XML_TEXT : ATTN_XML_SKIP;
    }
    if (strcmp(name, "target") == 0) {
        return parent == ATTN_XML_UNIT ? ATTN_XML_TARGET : ATTN_XML_SKIP;
    }
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        if (strcmp(name, roles[i].name) == 0) {
            return roles[i].role;
        }
    }
    return ATTN_XML_PASS;
}

/* A start tag of XLIFF that should name the language of the translations and does not: where that would go. */
static attn_range place_for_language(const attn_part *part, const char *element,
                                     const char *attribute) {
    const char *text = part->bytes;
    size_t length = strlen(element);
    for (const char *at = strchr(text, '<'); at != NULL; at = strchr(at + 1, '<')) {
        const char *name = at + 1 + strcspn(at + 1, ":> \t\r\n/");
        name = *name == ':' ? name + 1 : at + 1;
        const char *end = strchr(at, '>');
        if (end == NULL) {
            break;
        }
        if (strncmp(name, element, length) == 0 && strchr("> \t\r\n", name[length]) != NULL) {
            size_t place = (size_t)(name + length - text);
            bool there = attn_find_bytes(at, (size_t)(end - at), attribute) != NULL;
            return there ? (attn_range){0, 0} : (attn_range){place, place};
        }
    }
    return (attn_range){0, 0};
}

static attn_status read_xliff(attn_doc *d, attn_error *error) {
    attn_status status = attn_xml_read(d, 0, role_of, error);
    attn_part *part = d->parts;
    if (status != ATTN_OK) {
        return status;
    }
    bool first = attn_find_bytes(part->bytes, part->size, "xliff:document:1.") != NULL;
    if (!first && attn_find_bytes(part->bytes, part->size, "xliff:document:2.") == NULL) {
        return attn_doc_fail(d, part, 0, "save it as XLIFF 1.2 or 2.0",
                             "it is XLIFF of no version that is known", error);
    }
    part->attribute = first ? "target-language" : "trgLang";
    part->insert = place_for_language(part, first ? "file" : "xliff", part->attribute);
    return ATTN_OK;
}

/* <target>, in the place of an empty one, or below the source. */
static void write_target(attn_writing *w, const attn_slot *slot, const char *translation) {
    const char *bytes = w->part->bytes, *tag = bytes + slot->aid.start;
    size_t name = strcspn(tag + 1, ":> \t\r\n/");
    size_t prefix = tag[1 + name] == ':' ? name + 1 : 0;
    bool empty = slot->at.start < slot->at.end;
    if (!empty) {
        size_t line = slot->aid.start;
        while (line > 0 && strchr(" \t", bytes[line - 1]) != NULL) {
            line--;
        }
        bool own_line = line > 0 && bytes[line - 1] == '\n';
        line -= own_line && line > 1 && bytes[line - 2] == '\r' ? 2 : own_line;
        attn_buffer_add(w->out, bytes + line, own_line ? slot->aid.start - line : 0);
    }
    const char *old = bytes + slot->at.start;
    size_t open = empty ? strcspn(old, ">") : 0;
    if (empty) { /* with its attributes */
        attn_buffer_add(w->out, old, open - (open > 0 && old[open - 1] == '/'));
    } else {
        attn_buffer_text(w->out, "<");
        attn_buffer_add(w->out, tag + 1, prefix);
        attn_buffer_text(w->out, "target");
    }
    attn_buffer_text(w->out, ">");
    attn_xml_write(w, slot, translation);
    attn_buffer_text(w->out, "</");
    attn_buffer_add(w->out, tag + 1, prefix);
    attn_buffer_text(w->out, "target>");
}

static bool begins_xliff(const char *text, size_t size) {
    const char *found =
        attn_find_bytes(text, size < 4096 ? size : 4096, "urn:oasis:names:tc:xliff:");
    return found != NULL && size > 0 && text[0] == '<';
}

const attn_format attn_format_xliff = {.name = "XLIFF",
                                       .endings = " .xliff .xlf ",
                                       .fills = true,
                                       .begins = begins_xliff,
                                       .read = read_xliff,
                                       .write = write_target};
