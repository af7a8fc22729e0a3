/* text/protect.c: numbers, code, foreign words and signs, by the properties of Unicode's characters. */
#include "text/protect.h"

#include <stdio.h>
#include <string.h>
#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include "text/placeholder.h"

typedef struct cursor {
    const char *text;
    size_t length;
} cursor;

/* The character at `at`, 0 past the end; *next: behind it. */
static UChar32 read(cursor c, size_t at, size_t *next) {
    UChar32 found = 0;
    *next = at;
    if (at < c.length) {
        U8_NEXT(c.text, *next, c.length, found);
    }
    return found;
}

static UChar32 peek(cursor c, size_t at) {
    size_t next;
    return read(c, at, &next);
}

static UChar32 before(cursor c, size_t at) {
    UChar32 found = 0;
    int32_t back = (int32_t)at;
    if (at > 0) {
        U8_PREV(c.text, 0, back, found);
    }
    return found;
}

static bool is_one_of(const char *set, UChar32 c) {
    return c > 0 && c < 0x80 && strchr(set, (int)c) != NULL;
}

bool attn_is_digit(UChar32 c) {
    return (U_GET_GC_MASK(c) & (U_GC_ND_MASK | U_GC_NO_MASK | U_GC_NL_MASK)) != 0;
}

static bool is_space(UChar32 c) {
    return c == ' ' || c == 0xA0 || c == 0x202F || c == 0x2009;
}

/* A letter that words are made of; scripts without spaces have none of them. */
static bool is_spaced_letter(UChar32 c) {
    if (!u_isalpha(c) && (U_GET_GC_MASK(c) & U_GC_M_MASK) == 0) {
        return false;
    }
    switch (u_getIntPropertyValue(c, UCHAR_LINE_BREAK)) {
    case U_LB_IDEOGRAPHIC:
    case U_LB_COMPLEX_CONTEXT:
    case U_LB_CONDITIONAL_JAPANESE_STARTER:
    case U_LB_H2:
    case U_LB_H3:
    case U_LB_JL:
    case U_LB_JV:
    case U_LB_JT:
        return false;
    default:
        return true;
    }
}

static bool is_wordy(UChar32 c) {
    return c > 0 && (attn_is_digit(c) || is_spaced_letter(c));
}

/* ---- numbers ---- */

static size_t end_of_run(cursor c, size_t at, bool *digit) {
    *digit = false;
    for (size_t next;; at = next) {
        UChar32 found = read(c, at, &next);
        if (!is_wordy(found)) {
            return at;
        }
        *digit = *digit || attn_is_digit(found);
    }
}

/* Runs of letters and digits joined by signs, as far as digits go: "2026-11-29", "COVID-19", "1,234.5". */
static size_t end_of_number(cursor c, size_t at, bool *digit) {
    size_t end = end_of_run(c, at, digit);
    while (end > at) {
        size_t run;
        UChar32 sign = read(c, end, &run);
        bool more, wide = is_one_of("-_/", sign) || sign == 0x2013;
        bool joins = wide || is_one_of(".,:'*^=+", sign) || sign == 0x2019 || sign == 0xD7;
        size_t next = joins ? end_of_run(c, run, &more) : run;
        if (next == run || !more || !(*digit || wide)) {
            break;
        }
        *digit = true;
        end = next;
    }
    return end;
}

/* Behind am, PM, a.m. or p.m.; 0 when there is none. */
static size_t end_of_hour(cursor c, size_t at) {
    bool dots = peek(c, at + 1) == '.';
    size_t m = at + (dots ? 2 : 1), end = m + 1;
    if (!is_one_of("aApP", peek(c, at)) || !is_one_of("mM", peek(c, m)) || is_wordy(peek(c, end))) {
        return 0;
    }
    return end + (dots && peek(c, end) == '.');
}

/* Behind the symbol of a unit, which is the same in most languages; 0 when there is none. */
static size_t end_of_symbol(cursor c, size_t at) {
    static const char symbols[] = " kg g mg t lb lbs oz km m cm mm km/h mph ft l ml cl dl ha h min "
                                  "ms kW W kWh V mAh kcal Hz kHz MHz GHz "
                                  "kB KB MB GB TB px pt dpi rpm ";
    char framed[12];
    size_t end = at;
    while (end < c.length && end - at < 6 && c.text[end] > ' ' &&
           strchr(".,;:!?)", c.text[end]) == NULL) {
        end++;
    }
    if (end == at || is_wordy(peek(c, end))) {
        return 0;
    }
    snprintf(framed, sizeof framed, " %.*s ", (int)(end - at), c.text + at);
    return strstr(symbols, framed) != NULL ? end : 0;
}

/* Signs after a number that belong to it: %, degrees, a currency, a keycap. */
static size_t end_of_unit(cursor c, size_t end) {
    size_t next, after;
    UChar32 sign = read(c, end, &next);
    if (sign == 0xFE0F || sign == 0x20E3) { /* 3 as a key */
        return peek(c, next) == 0x20E3 ? next + 3 : next;
    }
    if (sign == '+' && !is_wordy(peek(c, next))) {
        return next;
    }
    size_t hour = end_of_hour(c, is_space(sign) ? next : end);
    if (hour > 0) {
        return hour;
    }
    size_t symbol = is_space(sign) ? end_of_symbol(c, next) : 0;
    if (symbol > 0) {
        return symbol;
    }
    if (is_space(sign)) {
        sign = read(c, next, &next);
    }
    bool degree = sign == 0xB0 || sign == 0xBA;
    bool money = u_charType(sign) == U_CURRENCY_SYMBOL;
    UChar32 behind = read(c, next, &after);
    if (degree && is_one_of("CFK", behind)) {
        return after;
    }
    bool percent = sign == '%' || sign == 0x2030;
    return (degree || percent || money) && !is_wordy(behind) ? next : end;
}

/* Whether what follows the number is what there are so many of. */
static bool counts(cursor c, size_t at, size_t end) {
    size_t next, digits = 0, value = 0, points = 0;
    for (size_t i = at; i < end; i++) {
        unsigned char byte = (unsigned char)c.text[i];
        if (byte >= '0' && byte <= '9') {
            digits++;
            value = value < 10000 ? 10 * value + (byte - '0') : value;
        } else if ((byte != '.' && byte != ',') || ++points > 1) {
            return false;
        }
    }
    bool year = digits == 4 && end - at == 4 && value >= 1000 && value < 3000;
    bool one = value == 1 && end - at == 1; /* words change before it */
    if (year || one || read(c, end, &next) != ' ') {
        return false;
    }
    return u_isalpha(peek(c, next));
}

static size_t number_at(cursor c, size_t at, attn_span_kind *kind) {
    size_t start = at, next;
    UChar32 first = read(c, at, &next), last = before(c, at);
    if (is_one_of("+-", first) || first == 0x2212 || first == 0xB1) {
        if (is_wordy(last)) {
            return 0;
        }
        start = next;
        first = read(c, start, &next);
    }
    if (u_charType(first) == U_CURRENCY_SYMBOL) {
        start = is_space(peek(c, next)) ? next + U8_LENGTH(peek(c, next)) : next;
        if (!attn_is_digit(peek(c, start))) {
            return 0;
        }
    } else if (!is_wordy(first) || (start > at && !attn_is_digit(first)) ||
               (start == at && !attn_is_digit(first) && (is_wordy(last) || last == '_'))) {
        return 0;
    }
    bool digit;
    size_t end = end_of_number(c, start, &digit);
    if (!digit) {
        return 0;
    }
    size_t unit = end_of_unit(c, end);
    *kind = start == at && unit == end && counts(c, at, end) ? ATTN_SPAN_COUNT : ATTN_SPAN_NUMBER;
    return unit - at;
}

/* ---- code ---- */

static bool is_code(unsigned char b) {
    return (b >= '0' && b <= '9') || ((b | 0x20) >= 'a' && (b | 0x20) <= 'z') || b == '_';
}

static unsigned char byte_at(cursor c, size_t at) {
    return at < c.length ? (unsigned char)c.text[at] : 0;
}

/* Whether the name ends as files and hosts do. */
static bool known_ending(const char *name, size_t length) {
    static const char endings[] = " txt pdf jpg jpeg png gif svg csv tsv zip gz tar exe mp3 mp4 "
                                  "json xml yaml yml md sh log ini cfg conf "
                                  "html htm css js ts py c h cc cpp hpp java rs go php rb sql doc "
                                  "docx xls xlsx ppt pptx odt iso bin dll "
                                  "so com org net edu gov io dev fr de uk eu ch it es nl info ";
    char framed[16];
    if (length == 0 || length > sizeof framed - 3) {
        return false;
    }
    snprintf(framed, sizeof framed, " %.*s ", (int)length, name);
    return strstr(endings, framed) != NULL;
}

/* An identifier, file name or host that begins at `at`. */
static size_t identifier(cursor c, size_t at) {
    size_t end = at, dot = 0;
    bool odd = false, small = false;
    for (;; end++) {
        unsigned char b = byte_at(c, end), next = byte_at(c, end + 1);
        if (is_code(b)) {
            odd = odd || b == '_' || (small && b >= 'A' && b <= 'Z');
            small = b >= 'a' && b <= 'z';
        } else if (b == '.' && is_code(next)) {
            dot = end + 1;
            small = false;
        } else if (b == ':' && next == ':' && is_code(byte_at(c, end + 2))) {
            odd = true;
            end++;
        } else if (b == '&' && end > at && is_code(byte_at(c, end - 1)) && is_code(next)) {
            odd = true;
            small = false;
        } else if (b == '-' && dot == 0 && is_code(next)) {
            small = false;
        } else {
            break;
        }
    }
    bool call = byte_at(c, end) == '(' && byte_at(c, end + 1) == ')';
    bool file = dot > 0 && known_ending(c.text + dot, end - dot);
    if (is_spaced_letter(peek(c, end)) || !(odd || call || file)) {
        return 0;
    }
    return end + (call ? 2 : 0) - at;
}

/* /usr/bin, ~/x, C:\x, --option */
static size_t path(cursor c, size_t at) {
    UChar32 last = before(c, at);
    if (last != 0 && !u_isUWhiteSpace(last) && !is_one_of("([\"'", last)) {
        return 0;
    }
    unsigned char b[4] = {byte_at(c, at), byte_at(c, at + 1), byte_at(c, at + 2),
                          byte_at(c, at + 3)};
    bool home = (b[0] == '~' || b[0] == '.') && b[1] == '/' && is_code(b[2]);
    bool begins = (b[0] == '/' && is_code(b[1])) || home ||
                  (b[0] == '-' && b[1] == '-' && is_code(b[2])) ||
                  (is_code(b[0]) && b[1] == ':' && b[2] == '\\');
    size_t end = at;
    while (begins && byte_at(c, end) > ' ' && byte_at(c, end) < 0x7f &&
           strchr("<>\"()[]{},;!?", byte_at(c, end)) == NULL) {
        end++;
    }
    while (end > at && strchr(".:'", byte_at(c, end - 1)) != NULL) {
        end--;
    }
    return end - at;
}

static size_t quoted_code(cursor c, size_t at) {
    for (size_t i = at + 1; i < c.length && i < at + 200 && c.text[i] != '\n'; i++) {
        if (c.text[i] == '`') {
            return i > at + 1 ? i + 1 - at : 0;
        }
    }
    return 0;
}

static size_t code_at(cursor c, size_t at) {
    unsigned char first = byte_at(c, at);
    if (first == '`') {
        return quoted_code(c, at);
    }
    size_t found = path(c, at);
    if (found > 0) {
        return found;
    }
    UChar32 last = before(c, at);
    return is_code(first) && !is_wordy(last) && !is_one_of("_.-", last) ? identifier(c, at) : 0;
}

/* ---- foreign and unknown words ---- */

static const char *and_of(const char *language) {
    static const char *const words[][2] = {
        {"en", "and"}, {"fr", "et"},  {"de", "und"}, {"es", "y"},  {"it", "e"}, {"pt", "e"},
        {"nl", "en"},  {"sv", "och"}, {"da", "og"},  {"nb", "og"}, {"pl", "i"}, {"fi", "ja"}};
    for (size_t i = 0; language != NULL && i < sizeof words / sizeof words[0]; i++) {
        if (strncmp(language, words[i][0], 2) == 0) {
            return words[i][1];
        }
    }
    return NULL;
}

bool attn_protect_ampersand(const attn_protect_rules *rules, const char *text, size_t length,
                            size_t at) {
    return text[at] == '&' && rules->ampersand != NULL && at > 0 && text[at - 1] == ' ' &&
           at + 1 < length && text[at + 1] == ' ' &&
           !attn_vocabulary_writes(rules->vocabulary, "&", 1);
}

void attn_protect_rules_init(attn_protect_rules *rules, const char *language,
                             const attn_vocabulary *vocabulary) {
    /* Languages that are written in more than one script. */
    static const char several[] = " sr bs az uz kk ky tk mn ku pa sd ug tg ha ms ";
    char framed[8];
    UErrorCode code = U_ZERO_ERROR;
    *rules = (attn_protect_rules){.vocabulary = vocabulary, .ampersand = and_of(language)};
    size_t length = language != NULL ? strcspn(language, "-_@.") : 0;
    if (length < 2 || length > 3) {
        return;
    }
    snprintf(framed, sizeof framed, " %.*s ", (int)length, language);
    int count = uscript_getCode(language, rules->scripts, ATTN_MOST_SCRIPTS, &code);
    rules->script_count = U_SUCCESS(code) && strstr(several, framed) == NULL ? count : 0;
    rules->nouns_are_large = strstr(" de lb nds gsw ", framed) != NULL;
}

static bool own_script(const attn_protect_rules *rules, UChar32 c) {
    UErrorCode code = U_ZERO_ERROR;
    UScriptCode script = uscript_getScript(c, &code);
    if (rules->script_count == 0 || script == USCRIPT_COMMON || script == USCRIPT_INHERITED) {
        return true;
    }
    for (int i = 0; i < rules->script_count; i++) {
        UScriptCode own = rules->scripts[i];
        bool han = own == USCRIPT_SIMPLIFIED_HAN || own == USCRIPT_TRADITIONAL_HAN;
        if (own == script || (han && (script == USCRIPT_HAN || script == USCRIPT_BOPOMOFO))) {
            return true;
        }
    }
    return false;
}

bool attn_protect_is_foreign(const attn_protect_rules *rules, UChar32 c) {
    return u_isalpha(c) && !own_script(rules, c);
}

static bool is_letter(UChar32 c) {
    return c > 0 && (u_isalpha(c) || (U_GET_GC_MASK(c) & U_GC_M_MASK) != 0);
}

/* Whether a sentence seems to begin at `at`: its capital means nothing. */
static bool begins_sentence(cursor c, size_t at) {
    UChar32 last = before(c, at);
    while (at > 0 && (u_isUWhiteSpace(last) || u_ispunct(last))) {
        if (is_one_of(".!?:\n", last) || last == 0x2026) {
            return true;
        }
        at -= U8_LENGTH(last);
        last = before(c, at);
    }
    return at == 0;
}

/* Whether the line holds a small letter near `at`; if not, capitals say nothing about a word. */
static bool line_has_small(cursor c, size_t at) {
    enum { NEAR = 200 };
    size_t start = at > NEAR ? at - NEAR : 0, end = at + NEAR < c.length ? at + NEAR : c.length;
    while (at > start && c.text[at - 1] != '\n') {
        at--;
    }
    while (at < end && U8_IS_TRAIL(c.text[at])) {
        at++;
    }
    for (size_t next; at < end && c.text[at] != '\n'; at = next) {
        if (u_islower(read(c, at, &next))) {
            return true;
        }
    }
    return false;
}

/* Whether the word is known but for its capitals, which here it has only because of where it stands. */
static bool known_small(const attn_protect_rules *rules, cursor c, size_t at, size_t end) {
    char small[64];
    size_t length = 0, capitals = 0;
    if (end - at > sizeof small / 2) {
        return false;
    }
    for (size_t i = at; i < end;) {
        UChar32 found = read(c, i, &i), lower = u_tolower(found);
        capitals += lower != found;
        U8_APPEND_UNSAFE(small, length, lower);
    }
    bool by_place = capitals == 1 ? begins_sentence(c, at) : capitals > 1 && !line_has_small(c, at);
    /* A word that small letters make one piece is a word; one that takes more may well be a name. */
    return by_place && attn_vocabulary_pieces(rules->vocabulary, small, length) == 1;
}

static bool writable_word(const attn_protect_rules *rules, cursor c, size_t at, size_t end) {
    char plain[8], word[256];
    size_t length = 0;
    if (attn_vocabulary_writes(rules->vocabulary, c.text + at, end - at)) {
        return true;
    }
    for (size_t i = at, next; i < end && length < sizeof word - 8; i = next) {
        UChar32 found = read(c, i, &next);
        if (!attn_vocabulary_writes(rules->vocabulary, c.text + i, next - i)) {
            const char *other = u_isupper(found) ? NULL : attn_protect_plain(rules, found, plain);
            if (other == NULL) {
                return known_small(rules, c, at, end);
            }
            length += (size_t)snprintf(word + length, sizeof word - length, "%s", other);
        } else {
            memcpy(word + length, c.text + i, next - i);
            length += next - i;
        }
    }
    return attn_vocabulary_writes(rules->vocabulary, word, length);
}

/* A run of letters: either all of the language's scripts, or none. */
static size_t foreign_word(const attn_protect_rules *rules, cursor c, size_t at) {
    size_t next, end = at;
    UChar32 first = read(c, at, &next);
    if (!u_isalpha(first) || (is_wordy(before(c, at)) && is_spaced_letter(first))) {
        return 0;
    }
    bool own = own_script(rules, first);
    while (is_letter(read(c, end, &next)) && own_script(rules, peek(c, end)) == own) {
        end = next;
        if (own && !is_spaced_letter(first)) {
            break; /* such scripts are looked at letter by letter */
        }
    }
    return !own || !writable_word(rules, c, at, end) ? end - at : 0;
}

/* ---- names ---- */

static size_t end_of_letters(cursor c, size_t at) {
    for (size_t next;; at = next) {
        if (!is_letter(read(c, at, &next))) {
            return at;
        }
    }
}

/* Whether the capital says that this is a name. Where a sentence begins it says nothing; but a word of at most two letters a
 * piece is hardly one of the language's own. */
static bool looks_like_name(const attn_protect_rules *rules, cursor c, size_t at, size_t end) {
    char small[64];
    size_t length = 0, letters = 0;
    if (!begins_sentence(c, at)) {
        return true;
    }
    for (size_t i = at; i < end && length < sizeof small - 8; letters++) {
        UChar32 found = read(c, i, &i);
        U8_APPEND_UNSAFE(small, length, u_tolower(found));
    }
    return letters <= 2 * attn_vocabulary_pieces(rules->vocabulary, small, length);
}

/* A word with a capital that the model has never met, "Okonkwo" or the second part of "O'Brien" with its first. */
static size_t unknown_name(const attn_protect_rules *rules, cursor c, size_t at) {
    size_t next, end, start = at;
    UChar32 first = read(c, at, &next), sign;
    if (rules->nouns_are_large || !attn_vocabulary_has_words(rules->vocabulary) ||
        !(u_isupper(first) || u_istitle(first)) || is_wordy(before(c, at))) {
        return 0;
    }
    end = end_of_letters(c, at);
    sign = read(c, end, &next);
    bool apostrophe = sign == '\'' || sign == 0x2019;
    if (end - at <= 2 && apostrophe && u_isupper(peek(c, next))) {
        start = next;
        end = end_of_letters(c, start);
    }
    /* One letter is an initial, and among capitals a word is as any other. */
    if (end - start < 2 || attn_is_digit(peek(c, end)) ||
        attn_vocabulary_knows(rules->vocabulary, c.text + start, end - start) ||
        !line_has_small(c, at) || !looks_like_name(rules, c, start, end)) {
        return 0;
    }
    return end - at;
}

/* ---- signs ---- */

bool attn_is_emoji(UChar32 c) {
    return c > 0xff && (u_hasBinaryProperty(c, UCHAR_EXTENDED_PICTOGRAPHIC) ||
                        u_hasBinaryProperty(c, UCHAR_REGIONAL_INDICATOR) ||
                        u_hasBinaryProperty(c, UCHAR_EMOJI_MODIFIER));
}

/* An emoji with what changes it and what is joined to it. */
static size_t emoji_at(cursor c, size_t at) {
    size_t end = at, next;
    if (!attn_is_emoji(read(c, at, &next))) {
        return 0;
    }
    for (UChar32 found = read(c, end, &next);; found = read(c, end, &next)) {
        bool joins = found == 0xFE0F || found == 0x200D || found == 0x20E3 ||
                     (found >= 0xE0020 && found <= 0xE007F);
        if (!joins && !attn_is_emoji(found)) {
            return end - at;
        }
        end = next;
    }
}

/* A character reference of HTML in a text that is none. */
static size_t reference_at(cursor c, size_t at) {
    size_t end = at + 1;
    if (byte_at(c, at) != '&') {
        return 0;
    }
    end += byte_at(c, end) == '#';
    while (is_code(byte_at(c, end)) && byte_at(c, end) != '_' && end < at + 12) {
        end++;
    }
    return end > at + 2 && byte_at(c, end) == ';' ? end + 1 - at : 0;
}

const char *attn_protect_plain(const attn_protect_rules *rules, UChar32 c, char *buffer) {
    static const struct {
        UChar32 c;
        const char *plain;
    } table[] = {
        {0x2018, "'"},  {0x2019, "'"},  {0x02BC, "'"},  {0x00B4, "'"},  {0x201C, "\""},
        {0x201D, "\""}, {0x201E, "\""}, {0x00AB, "\""}, {0x00BB, "\""}, {0x2010, "-"},
        {0x2011, "-"},  {0x2013, "-"},  {0x2014, "-"},  {0x2212, "-"},  {0x2026, "..."},
        {0x3000, " "},  {0xFF0C, ","},  {0xFF01, "!"},  {0xFF1F, "?"},  {0x3002, "."},
        {0x2032, "'"},  {0xFB01, "fi"}, {0xFB02, "fl"},
    };
    if (u_isUWhiteSpace(c)) {
        return " ";
    }
    if (u_charType(c) == U_FORMAT_CHAR || u_iscntrl(c)) {
        return "";
    }
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].c == c &&
            attn_vocabulary_writes(rules->vocabulary, table[i].plain, strlen(table[i].plain))) {
            return table[i].plain;
        }
    }
    UChar32 lower = u_tolower(c);
    size_t length = 0;
    if (lower == c) {
        return NULL;
    }
    U8_APPEND_UNSAFE(buffer, length, lower);
    buffer[length] = '\0';
    return attn_vocabulary_writes(rules->vocabulary, buffer, length) ? buffer : NULL;
}

static size_t sign_at(const attn_protect_rules *rules, cursor c, size_t at) {
    char buffer[8];
    size_t next, length = emoji_at(c, at);
    length = length > 0 ? length : reference_at(c, at);
    UChar32 found = read(c, at, &next);
    if (length > 0 || attn_protect_ampersand(rules, c.text, c.length, at) || is_letter(found) ||
        u_isUWhiteSpace(found) || u_iscntrl(found) ||
        attn_vocabulary_writes(rules->vocabulary, c.text + at, next - at) ||
        attn_protect_plain(rules, found, buffer) != NULL) {
        return length;
    }
    return next - at;
}

/* ---- all of them ---- */

size_t attn_protect_at(const attn_protect_rules *rules, const char *text, size_t whole, size_t edge,
                       size_t at, attn_span_kind *kind) {
    cursor c = {text, edge};
    size_t length = attn_placeholder_at(text, edge, at);
    *kind = ATTN_SPAN_NAME;
    if (length == 0) {
        length = code_at(c, at);
        *kind = length > 0 ? ATTN_SPAN_CODE : ATTN_SPAN_NAME;
    }
    length = length > 0 ? length : number_at(c, at, kind);
    if (length == 0) {
        length = foreign_word(rules, c, at);
        *kind = ATTN_SPAN_FOREIGN;
    }
    if (length == 0) {
        length = unknown_name(rules, c, at);
        *kind = ATTN_SPAN_UNKNOWN;
    }
    if (length == 0) {
        length = sign_at(rules, c, at);
        /* Without the sign two words would become one. */
        UChar32 last = before(c, at);
        bool glued = (is_wordy(last) || is_one_of("}])>%", last)) &&
                     is_wordy(peek((cursor){text, whole}, at + length));
        *kind = glued ? ATTN_SPAN_NAME : ATTN_SPAN_SIGN;
    }
    return length;
}

/* A call: print("x"), f('y'), alert(1). People set a space before a bracket. */
static bool is_call(const char *text, size_t length) {
    for (size_t at = 0; at + 2 < length; at++) {
        if (is_code((unsigned char)text[at]) && text[at + 1] == '(' &&
            strchr("\"'`)0123456789", text[at + 2]) != NULL) {
            return true;
        }
    }
    return false;
}

/* It begins with "x = " or "a.b = ". */
static bool is_assignment(const char *text, size_t length) {
    size_t end = 0;
    bool path = false;
    while (end < length &&
           (is_code((unsigned char)text[end]) || strchr(".[]$", text[end]) != NULL)) {
        path = path || strchr(".[_$", text[end]) != NULL;
        end++;
    }
    return (path || end == 1) && end + 3 <= length && memcmp(text + end, " = ", 3) == 0;
}

/* Whether the last sign is a semicolon, as sentences end seldom. */
static bool ends_statement(const char *text, size_t length) {
    while (length > 0 && strchr(" \t\r\n", text[length - 1]) != NULL) {
        length--;
    }
    return length > 0 && text[length - 1] == ';';
}

bool attn_protect_is_code(const char *text, size_t length) {
    static const char *const signs[] = {
        "==", "!=", "&&",  "||",  "=>",  "->",  "+=",      "-=",         "++", "();",
        ");", "){", ") {", "{}",  "};",  "; }", ";}",      "[]",         "::", "</",
        "/>", "<=", ">=",  " = ", "\":", "{\"", "<script", "javascript:"};
    size_t found = (size_t)is_call(text, length) + (size_t)is_assignment(text, length) +
                   (size_t)ends_statement(text, length);
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++) {
        size_t size = strlen(signs[i]);
        bool here = false;
        for (size_t at = 0; at + size <= length && !here; at++) {
            here = memcmp(text + at, signs[i], size) == 0;
        }
        found += here;
    }
    return found >= 2;
}

bool attn_protect_joins(const char *text, size_t from, size_t to) {
    cursor c = {text, to};
    bool space = false;
    for (size_t at = from, next; at < to; at = next) {
        UChar32 found = read(c, at, &next);
        bool sign = is_one_of("-+*/=()<>^|&~:,", found) || found == 0x2013 || found == 0xD7;
        space = is_space(found);
        if (!space && !sign) {
            return false;
        }
    }
    return true;
}
