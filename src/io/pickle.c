/* io/pickle.c: the machine: a stack of values, marks in it, and a memo of values by number. */
#include "io/pickle.h"

#include <string.h>

#include "base/grow.h"
#include "io/pickle_parts.h"

enum { MOST_VALUES = 1 << 22, NAME_SIZE = 256 };

/* Instructions, by their letters in Python's pickletools. */
enum {
    OP_MARK = '(',
    OP_STOP = '.',
    OP_POP = '0',
    OP_POP_MARK = '1',
    OP_DUP = '2',
    OP_BINBYTES = 'B',
    OP_SHORT_BINBYTES = 'C',
    OP_BINFLOAT = 'G',
    OP_BININT = 'J',
    OP_BININT1 = 'K',
    OP_BININT2 = 'M',
    OP_NONE = 'N',
    OP_BINPERSID = 'Q',
    OP_REDUCE = 'R',
    OP_BINSTRING = 'T',
    OP_SHORT_BINSTRING = 'U',
    OP_BINUNICODE = 'X',
    OP_EMPTY_LIST = ']',
    OP_APPEND = 'a',
    OP_BUILD = 'b',
    OP_GLOBAL = 'c',
    OP_DICT = 'd',
    OP_APPENDS = 'e',
    OP_BINGET = 'h',
    OP_LONG_BINGET = 'j',
    OP_LIST = 'l',
    OP_BINPUT = 'q',
    OP_LONG_BINPUT = 'r',
    OP_SETITEM = 's',
    OP_TUPLE = 't',
    OP_SETITEMS = 'u',
    OP_EMPTY_DICT = '}',
    OP_EMPTY_TUPLE = ')',
    OP_PROTO = 0x80,
    OP_NEWOBJ = 0x81,
    OP_TUPLE1 = 0x85,
    OP_TUPLE2 = 0x86,
    OP_TUPLE3 = 0x87,
    OP_NEWTRUE = 0x88,
    OP_NEWFALSE = 0x89,
    OP_LONG1 = 0x8A,
    OP_LONG4 = 0x8B,
    OP_SHORT_BINUNICODE = 0x8C,
    OP_BINUNICODE8 = 0x8D,
    OP_BINBYTES8 = 0x8E,
    OP_EMPTY_SET = 0x8F,
    OP_ADDITEMS = 0x90,
    OP_FROZENSET = 0x91,
    OP_NEWOBJ_EX = 0x92,
    OP_STACK_GLOBAL = 0x93,
    OP_MEMOIZE = 0x94,
    OP_FRAME = 0x95,
    OP_BYTEARRAY8 = 0x96,
};

typedef attn_pickle_value value;

typedef struct machine {
    attn_pickle_machine m;
    value **stack;
    size_t count, room;
    size_t *marks; /* how many values lay on the stack at each mark */
    size_t mark_count, mark_room;
    value **memo;
    size_t memo_count, memo_room; /* count: of numbers given by MEMOIZE */
    value *none, *yes, *no;       /* made once */
} machine;

/* ---- values ---- */

attn_status attn_pickle_damaged(attn_pickle_machine *m, const char *what) {
    return attn_fail(m->error, ATTN_ERR_FORMAT, m->at->where, attn_cursor_position(m->at),
                     "the file is damaged: fetch it again", "in its pickle: %s", what);
}

attn_status attn_pickle_new(attn_pickle_machine *m, attn_pickle_kind kind,
                            attn_pickle_value **out) {
    attn_pickle *p = m->pickle;
    if (p->count == MOST_VALUES) {
        return attn_fail(m->error, ATTN_ERR_UNSUPPORTED, m->at->where, attn_cursor_position(m->at),
                         "save the state_dict alone", "its pickle holds more than %d values",
                         MOST_VALUES);
    }
    if (p->slabs == NULL || p->slabs->used == ATTN_PICKLE_SLAB) {
        attn_pickle_slab *slab = attn_alloc(sizeof *slab);
        if (slab == NULL) {
            return attn_fail_memory(m->error, sizeof *slab);
        }
        slab->next = p->slabs;
        slab->used = 0;
        p->slabs = slab;
    }
    p->count++;
    *out = &p->slabs->values[p->slabs->used++];
    memset(*out, 0, sizeof **out);
    (*out)->kind = kind;
    return ATTN_OK;
}

attn_status attn_pickle_add(attn_pickle_machine *m, attn_pickle_value *container,
                            attn_pickle_value *key, attn_pickle_value *item) {
    attn_pickle_entry **entries = &container->as.items.entries;
    size_t count = container->as.items.count;
    if (!attn_grow(entries, &container->as.items.room, count + 1, sizeof **entries)) {
        return attn_fail_memory(m->error, count * sizeof **entries);
    }
    (*entries)[count] = (attn_pickle_entry){key, item};
    container->as.items.count++;
    return ATTN_OK;
}

attn_status attn_pickle_add_all(attn_pickle_machine *m, attn_pickle_value *container,
                                const attn_pickle_value *from) {
    attn_status status = ATTN_OK;
    size_t count = from->as.items.count; /* from may be the container */
    m->pickle->count += count;           /* entries that no instruction paid for */
    if (m->pickle->count > MOST_VALUES) {
        m->pickle->count = MOST_VALUES;
        return attn_pickle_damaged(m, "the same entries are copied too often");
    }
    for (size_t i = 0; status == ATTN_OK && i < count; i++) {
        const attn_pickle_entry entry = from->as.items.entries[i];
        status = attn_pickle_add(m, container, entry.key, entry.value);
    }
    return status;
}

/* ---- the stack ---- */

static attn_status push(machine *m, value *v) {
    if (!attn_grow(&m->stack, &m->room, m->count + 1, sizeof *m->stack)) {
        return attn_fail_memory(m->m.error, m->count * sizeof *m->stack);
    }
    m->stack[m->count++] = v;
    return ATTN_OK;
}

static attn_status push_new(machine *m, attn_pickle_kind kind, value **out) {
    attn_status status = attn_pickle_new(&m->m, kind, out);
    return status == ATTN_OK ? push(m, *out) : status;
}

/* How many values lie above the last mark, or in all. */
static size_t above_mark(const machine *m) {
    return m->count - (m->mark_count > 0 ? m->marks[m->mark_count - 1] : 0);
}

/* The values that the next instruction takes have to lie above the last mark. */
static attn_status need(machine *m, size_t values) {
    return above_mark(m) >= values ? ATTN_OK
                                   : attn_pickle_damaged(&m->m, "too few values on the stack");
}

static value *top(const machine *m, size_t below) {
    return m->stack[m->count - 1 - below];
}

static attn_status mark(machine *m) {
    if (!attn_grow(&m->marks, &m->mark_room, m->mark_count + 1, sizeof *m->marks)) {
        return attn_fail_memory(m->m.error, m->mark_count * sizeof *m->marks);
    }
    m->marks[m->mark_count++] = m->count;
    return ATTN_OK;
}

/* Takes the last mark away: the values above it are stack[*from] and on. */
static attn_status unmark(machine *m, size_t *from) {
    if (m->mark_count == 0) {
        return attn_pickle_damaged(&m->m, "no mark on the stack");
    }
    *from = m->marks[--m->mark_count];
    return ATTN_OK;
}

/* ---- numbers and texts ---- */

static attn_status read_number(machine *m, size_t width, uint64_t *number) {
    return attn_cursor_number(m->m.at, width, number)
               ? ATTN_OK
               : attn_cursor_short(m->m.at, "a number of the pickle", m->m.error);
}

static attn_status push_integer(machine *m, size_t width) {
    uint64_t number = 0;
    value *v = NULL;
    attn_status status = read_number(m, width, &number);
    status = status == ATTN_OK ? push_new(m, ATTN_PICKLE_INTEGER, &v) : status;
    if (status == ATTN_OK) {
        /* Of the short ones only the widest has a sign. */
        v->as.integer = width == 4 ? (int32_t)(uint32_t)number : (int64_t)number;
    }
    return status;
}

/* Eight bytes, the only big-endian number. */
static attn_status push_float(machine *m) {
    uint64_t bits = 0;
    value *v = NULL;
    attn_status status = read_number(m, 8, &bits);
    status = status == ATTN_OK ? push_new(m, ATTN_PICKLE_FLOAT, &v) : status;
    if (status == ATTN_OK) {
        bits = __builtin_bswap64(bits);
        memcpy(&v->as.number, &bits, sizeof bits);
    }
    return status;
}

/* width: of the length before the bytes. */
static attn_status push_bytes(machine *m, attn_pickle_kind kind, size_t width) {
    uint64_t size = 0;
    value *v = NULL;
    attn_status status = read_number(m, width, &size);
    if (status != ATTN_OK) {
        return status;
    }
    const unsigned char *bytes = attn_cursor_take(m->m.at, size);
    if (bytes == NULL) {
        return attn_cursor_short(m->m.at, "a text of the pickle", m->m.error);
    }
    status = push_new(m, kind, &v);
    if (status == ATTN_OK) {
        v->as.text.bytes = (const char *)bytes;
        v->as.text.size = (size_t)size;
    }
    return status;
}

/* Little-endian two's complement of any length; what is longer than 64 bits stays bytes. */
static attn_status push_long(machine *m, size_t width) {
    attn_status status = push_bytes(m, ATTN_PICKLE_BYTES, width);
    if (status != ATTN_OK || top(m, 0)->as.text.size > 8) {
        return status;
    }
    value *v = top(m, 0);
    const char *bytes = v->as.text.bytes;
    size_t size = v->as.text.size;
    uint64_t number = size > 0 && (bytes[size - 1] & 0x80) != 0 ? UINT64_MAX : 0;
    for (size_t i = size; i-- > 0;) {
        number = number << 8 | (unsigned char)bytes[i];
    }
    v->kind = ATTN_PICKLE_INTEGER;
    v->as.integer = (int64_t)number;
    return ATTN_OK;
}

/* ---- containers ---- */

static attn_status make_tuple(machine *m, size_t from, attn_pickle_kind kind) {
    value *tuple = NULL;
    attn_status status = attn_pickle_new(&m->m, kind, &tuple);
    for (size_t i = from; status == ATTN_OK && i < m->count; i++) {
        status = attn_pickle_add(&m->m, tuple, NULL, m->stack[i]);
    }
    m->count = from;
    return status == ATTN_OK ? push(m, tuple) : status;
}

static attn_status make_marked(machine *m, attn_pickle_kind kind) {
    size_t from = 0;
    attn_status status = unmark(m, &from);
    return status == ATTN_OK ? make_tuple(m, from, kind) : status;
}

static attn_status make_short_tuple(machine *m, size_t size) {
    attn_status status = need(m, size);
    return status == ATTN_OK ? make_tuple(m, m->count - size, ATTN_PICKLE_TUPLE) : status;
}

static bool takes_entries(const value *v) {
    return v->kind == ATTN_PICKLE_LIST || v->kind == ATTN_PICKLE_DICT ||
           v->kind == ATTN_PICKLE_OBJECT;
}

/* Moves the values from `from` on into the container below them: items, or pairs of key and value. */
static attn_status fill(machine *m, size_t from, bool pairs) {
    value *into = from > 0 ? m->stack[from - 1] : NULL;
    if (into == NULL || !takes_entries(into) || (pairs && into->kind == ATTN_PICKLE_LIST) ||
        (!pairs && into->kind == ATTN_PICKLE_DICT) || (pairs && (m->count - from) % 2 != 0)) {
        return attn_pickle_damaged(&m->m, "entries for what is no container of them");
    }
    attn_status status = ATTN_OK;
    for (size_t i = from; status == ATTN_OK && i < m->count; i += pairs ? 2 : 1) {
        status = pairs ? attn_pickle_add(&m->m, into, m->stack[i], m->stack[i + 1])
                       : attn_pickle_add(&m->m, into, NULL, m->stack[i]);
    }
    m->count = from;
    return status;
}

static attn_status fill_marked(machine *m, bool pairs) {
    size_t from = 0;
    attn_status status = unmark(m, &from);
    return status == ATTN_OK ? fill(m, from, pairs) : status;
}

static attn_status fill_one(machine *m, bool pairs) {
    size_t values = pairs ? 2 : 1;
    attn_status status = need(m, values + 1);
    return status == ATTN_OK ? fill(m, m->count - values, pairs) : status;
}

/* The old way to make a dictionary: mark, keys and values, DICT. */
static attn_status make_dict(machine *m) {
    size_t from = 0;
    value *dict = NULL;
    attn_status status = unmark(m, &from);
    status = status == ATTN_OK ? attn_pickle_new(&m->m, ATTN_PICKLE_DICT, &dict) : status;
    if (status == ATTN_OK && (m->count - from) % 2 != 0) {
        return attn_pickle_damaged(&m->m, "a key without a value");
    }
    for (size_t i = from; status == ATTN_OK && i < m->count; i += 2) {
        status = attn_pickle_add(&m->m, dict, m->stack[i], m->stack[i + 1]);
    }
    m->count = from;
    return status == ATTN_OK ? push(m, dict) : status;
}

/* ---- memo ---- */

/* Numbers are given one after another, so an honest one is less than the bytes read so far. */
static attn_status put(machine *m, uint64_t number) {
    attn_status status = need(m, 1);
    if (status != ATTN_OK) {
        return status;
    }
    if (number > (uint64_t)attn_cursor_position(m->m.at)) {
        return attn_pickle_damaged(&m->m, "a number of the memo is too large");
    }
    size_t room = m->memo_room;
    if (!attn_grow(&m->memo, &m->memo_room, (size_t)number + 1, sizeof *m->memo)) {
        return attn_fail_memory(m->m.error, (size_t)number * sizeof *m->memo);
    }
    if (m->memo_room > room) {
        memset(m->memo + room, 0, (m->memo_room - room) * sizeof *m->memo);
    }
    m->memo[number] = top(m, 0);
    m->memo_count++;
    return ATTN_OK;
}

static attn_status put_numbered(machine *m, size_t width) {
    uint64_t number = 0;
    attn_status status = read_number(m, width, &number);
    return status == ATTN_OK ? put(m, number) : status;
}

static attn_status get(machine *m, size_t width) {
    uint64_t number = 0;
    attn_status status = read_number(m, width, &number);
    if (status != ATTN_OK) {
        return status;
    }
    if (number >= m->memo_room || m->memo[number] == NULL) {
        return attn_pickle_damaged(&m->m, "the memo has nothing under a number");
    }
    return push(m, m->memo[number]);
}

/* ---- names, and calls ---- */

static attn_status push_global(machine *m, const char *module, size_t module_size, const char *name,
                               size_t name_size) {
    value *v = NULL;
    if (module_size + name_size + 2 > NAME_SIZE || memchr(module, '\0', module_size) != NULL ||
        memchr(name, '\0', name_size) != NULL) {
        return attn_pickle_damaged(&m->m, "a function or class has no name that Python allows");
    }
    char *text = attn_arena_alloc(&m->m.pickle->strings, module_size + name_size + 2);
    if (text == NULL) {
        return attn_fail_memory(m->m.error, NAME_SIZE);
    }
    memcpy(text, module, module_size);
    text[module_size] = '.';
    memcpy(text + module_size + 1, name, name_size);
    text[module_size + 1 + name_size] = '\0';
    attn_status status = push_new(m, ATTN_PICKLE_GLOBAL, &v);
    if (status == ATTN_OK) {
        v->as.text.bytes = text;
        v->as.text.size = module_size + 1 + name_size;
    }
    return status;
}

/* Up to the end of a line, which is stepped over. */
static const char *take_line(attn_cursor *at, size_t *size) {
    size_t left = attn_cursor_left(at);
    const unsigned char *line = at->at;
    const unsigned char *end = memchr(line, '\n', left);
    if (end == NULL) {
        return NULL;
    }
    *size = (size_t)(end - line);
    at->at = end + 1;
    return (const char *)line;
}

static attn_status read_global(machine *m) {
    size_t module_size = 0, name_size = 0;
    const char *module = take_line(m->m.at, &module_size);
    const char *name = module != NULL ? take_line(m->m.at, &name_size) : NULL;
    return name != NULL ? push_global(m, module, module_size, name, name_size)
                        : attn_cursor_short(m->m.at, "the name of a class", m->m.error);
}

static attn_status stack_global(machine *m) {
    attn_status status = need(m, 2);
    if (status != ATTN_OK) {
        return status;
    }
    const value *name = top(m, 0), *module = top(m, 1);
    if (name->kind != ATTN_PICKLE_TEXT || module->kind != ATTN_PICKLE_TEXT) {
        return attn_pickle_damaged(&m->m, "the name of a class is no text");
    }
    m->count -= 2;
    return push_global(m, module->as.text.bytes, module->as.text.size, name->as.text.bytes,
                       name->as.text.size);
}

static attn_status reduce(machine *m) {
    value *result = NULL;
    attn_status status = need(m, 2);
    status = status == ATTN_OK ? attn_pickle_call(&m->m, top(m, 1), top(m, 0), &result) : status;
    if (status == ATTN_OK) {
        m->count -= 2;
        status = push(m, result);
    }
    return status;
}

/* values: the class, and one or two values of arguments, which its attributes make up for. */
static attn_status new_object(machine *m, size_t values) {
    value *object = NULL;
    attn_status status = need(m, values);
    status = status == ATTN_OK ? attn_pickle_object(&m->m, top(m, values - 1), &object) : status;
    if (status == ATTN_OK) {
        m->count -= values;
        status = push(m, object);
    }
    return status;
}

static attn_status build(machine *m) {
    attn_status status = need(m, 2);
    if (status == ATTN_OK) {
        status = attn_pickle_build(&m->m, top(m, 1), top(m, 0));
        m->count--;
    }
    return status;
}

/* Old checkpoints of whole modules keep the source of a class outside: what is meant is the class. */
static attn_status push_persistent(machine *m) {
    attn_pickle *p = m->m.pickle;
    value *v = NULL;
    attn_status status = need(m, 1);
    if (status != ATTN_OK) {
        return status;
    }
    value *id = m->stack[--m->count];
    value *class = attn_pickle_item(id, 1, ATTN_PICKLE_GLOBAL);
    if (class != NULL &&
        attn_pickle_is(attn_pickle_item(id, 0, ATTN_PICKLE_TEXT), ATTN_PICKLE_TEXT, "module")) {
        return push(m, class);
    }
    if (!attn_grow(&p->persistent, &p->persistent_room, p->persistent_count + 1,
                   sizeof *p->persistent)) {
        return attn_fail_memory(m->m.error, p->persistent_count * sizeof *p->persistent);
    }
    status = push_new(m, ATTN_PICKLE_PERSISTENT, &v);
    if (status == ATTN_OK) {
        v->as.of = id;
        p->persistent[p->persistent_count++] = v;
    }
    return status;
}

/* ---- instructions ---- */

static attn_status unknown(machine *m, int op) {
    static const char textual[] = "FILPSVgiop";
    if (op < 0x80 && op != 0 && strchr(textual, op) != NULL) {
        return attn_fail(m->m.error, ATTN_ERR_UNSUPPORTED, m->m.at->where,
                         attn_cursor_position(m->m.at) - 1, "save it again with torch.save",
                         "a pickle of protocol 0 or 1");
    }
    return attn_fail(m->m.error, ATTN_ERR_FORMAT, m->m.at->where, attn_cursor_position(m->m.at) - 1,
                     "the file is damaged: fetch it again",
                     "in its pickle: an instruction 0x%02x, which no checkpoint has", (unsigned)op);
}

static attn_status pop(machine *m) {
    attn_status status = need(m, 1);
    m->count -= status == ATTN_OK;
    return status;
}

static attn_status pop_mark(machine *m) {
    size_t from = m->count;
    attn_status status = unmark(m, &from);
    m->count = from;
    return status;
}

static attn_status dup(machine *m) {
    attn_status status = need(m, 1);
    return status == ATTN_OK ? push(m, top(m, 0)) : status;
}

static attn_status protocol(machine *m) {
    uint64_t number = 0;
    attn_status status = read_number(m, 1, &number);
    if (status == ATTN_OK && (number < 2 || number > 5)) {
        return attn_pickle_damaged(&m->m, "its protocol is none of 2 to 5");
    }
    return status;
}

/* A frame's length is only advice. */
static attn_status frame(machine *m) {
    uint64_t size = 0;
    return read_number(m, 8, &size);
}

static attn_status step_scalar(machine *m, int op) {
    switch (op) {
    case OP_NONE:
        return push(m, m->none);
    case OP_NEWTRUE:
        return push(m, m->yes);
    case OP_NEWFALSE:
        return push(m, m->no);
    case OP_BININT:
        return push_integer(m, 4);
    case OP_BININT1:
        return push_integer(m, 1);
    case OP_BININT2:
        return push_integer(m, 2);
    case OP_LONG1:
        return push_long(m, 1);
    case OP_LONG4:
        return push_long(m, 4);
    case OP_BINFLOAT:
        return push_float(m);
    case OP_SHORT_BINUNICODE:
    case OP_SHORT_BINSTRING: /* Python 2 */
        return push_bytes(m, ATTN_PICKLE_TEXT, 1);
    case OP_BINUNICODE:
    case OP_BINSTRING:
        return push_bytes(m, ATTN_PICKLE_TEXT, 4);
    case OP_BINUNICODE8:
        return push_bytes(m, ATTN_PICKLE_TEXT, 8);
    case OP_SHORT_BINBYTES:
        return push_bytes(m, ATTN_PICKLE_BYTES, 1);
    case OP_BINBYTES:
        return push_bytes(m, ATTN_PICKLE_BYTES, 4);
    case OP_BINBYTES8:
    case OP_BYTEARRAY8:
        return push_bytes(m, ATTN_PICKLE_BYTES, 8);
    default:
        return unknown(m, op);
    }
}

static attn_status step_container(machine *m, int op) {
    value *made = NULL;
    switch (op) {
    case OP_EMPTY_LIST:
    case OP_EMPTY_SET:
        return push_new(m, ATTN_PICKLE_LIST, &made);
    case OP_EMPTY_DICT:
        return push_new(m, ATTN_PICKLE_DICT, &made);
    case OP_EMPTY_TUPLE:
        return push_new(m, ATTN_PICKLE_TUPLE, &made);
    case OP_LIST:
    case OP_FROZENSET:
        return make_marked(m, ATTN_PICKLE_LIST);
    case OP_TUPLE:
        return make_marked(m, ATTN_PICKLE_TUPLE);
    case OP_DICT:
        return make_dict(m);
    case OP_TUPLE1:
    case OP_TUPLE2:
    case OP_TUPLE3:
        return make_short_tuple(m, (size_t)(op - OP_TUPLE1) + 1);
    case OP_APPEND:
        return fill_one(m, false);
    case OP_SETITEM:
        return fill_one(m, true);
    case OP_APPENDS:
    case OP_ADDITEMS:
        return fill_marked(m, false);
    case OP_SETITEMS:
        return fill_marked(m, true);
    default:
        return step_scalar(m, op);
    }
}

static attn_status step(machine *m, int op) {
    switch (op) {
    case OP_PROTO:
        return protocol(m);
    case OP_FRAME:
        return frame(m);
    case OP_MARK:
        return mark(m);
    case OP_POP:
        return pop(m);
    case OP_POP_MARK:
        return pop_mark(m);
    case OP_DUP:
        return dup(m);
    case OP_BINPUT:
        return put_numbered(m, 1);
    case OP_LONG_BINPUT:
        return put_numbered(m, 4);
    case OP_MEMOIZE:
        return put(m, m->memo_count);
    case OP_BINGET:
        return get(m, 1);
    case OP_LONG_BINGET:
        return get(m, 4);
    case OP_GLOBAL:
        return read_global(m);
    case OP_STACK_GLOBAL:
        return stack_global(m);
    case OP_REDUCE:
        return reduce(m);
    case OP_NEWOBJ:
        return new_object(m, 2);
    case OP_NEWOBJ_EX:
        return new_object(m, 3);
    case OP_BUILD:
        return build(m);
    case OP_BINPERSID:
        return push_persistent(m);
    default:
        return step_container(m, op);
    }
}

static attn_status run(machine *m) {
    attn_status status = attn_pickle_new(&m->m, ATTN_PICKLE_NONE, &m->none);
    status = status == ATTN_OK ? attn_pickle_new(&m->m, ATTN_PICKLE_BOOL, &m->yes) : status;
    status = status == ATTN_OK ? attn_pickle_new(&m->m, ATTN_PICKLE_BOOL, &m->no) : status;
    if (status != ATTN_OK) {
        return status;
    }
    m->yes->as.integer = 1;
    while (status == ATTN_OK) {
        const unsigned char *op = attn_cursor_take(m->m.at, 1);
        if (op == NULL) {
            return attn_cursor_short(m->m.at, "the pickle", m->m.error);
        }
        if (*op == OP_STOP) {
            break;
        }
        status = step(m, *op);
    }
    if (status == ATTN_OK && (m->count != 1 || m->mark_count != 0)) {
        status = attn_pickle_damaged(&m->m, "not one value is left at its end");
    }
    m->m.pickle->root = status == ATTN_OK ? m->stack[0] : NULL;
    return status;
}

attn_status attn_pickle_read(attn_cursor *at, attn_pickle **out, attn_error *error) {
    attn_pickle *pickle = attn_alloc_zero(1, sizeof *pickle);
    if (pickle == NULL) {
        return attn_fail_memory(error, sizeof *pickle);
    }
    machine m = {.m = {pickle, at, error}};
    attn_status status = run(&m);
    attn_free(m.stack);
    attn_free(m.marks);
    attn_free(m.memo);
    if (status != ATTN_OK) {
        attn_pickle_free(pickle);
        return status;
    }
    *out = pickle;
    return ATTN_OK;
}

/* ---- the result ---- */

void attn_pickle_free(attn_pickle *pickle) {
    if (pickle == NULL) {
        return;
    }
    while (pickle->slabs != NULL) {
        attn_pickle_slab *slab = pickle->slabs;
        for (size_t i = 0; i < slab->used; i++) {
            value *v = &slab->values[i];
            if (v->kind >= ATTN_PICKLE_LIST && v->kind <= ATTN_PICKLE_OBJECT) {
                attn_free(v->as.items.entries);
            }
        }
        pickle->slabs = slab->next;
        attn_free(slab);
    }
    attn_free(pickle->persistent);
    attn_arena_free(&pickle->strings);
    attn_free(pickle);
}

attn_pickle_value *attn_pickle_root(const attn_pickle *pickle) {
    return pickle->root;
}

const attn_pickle_value *attn_pickle_persistent(const attn_pickle *pickle, size_t index) {
    return index < pickle->persistent_count ? pickle->persistent[index] : NULL;
}

bool attn_pickle_is(const attn_pickle_value *v, attn_pickle_kind kind, const char *text) {
    return v != NULL && v->kind == kind && v->as.text.size == strlen(text) &&
           memcmp(v->as.text.bytes, text, v->as.text.size) == 0;
}

attn_pickle_value *attn_pickle_item(const attn_pickle_value *v, size_t index,
                                    attn_pickle_kind kind) {
    if (v == NULL || (v->kind != ATTN_PICKLE_LIST && v->kind != ATTN_PICKLE_TUPLE) ||
        index >= v->as.items.count) {
        return NULL;
    }
    value *item = v->as.items.entries[index].value;
    return item->kind == kind ? item : NULL;
}
