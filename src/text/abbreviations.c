/* text/abbreviations.c: the commonest ones of each language, written by hand. ICU knows others. */
#include "text/abbreviations.h"

#include <stdio.h>
#include <string.h>
#include <unicode/uchar.h>
#include <unicode/utf8.h>

/* Between single spaces, a space at both ends, in small letters. `open`: more of the sentence follows. `last`: it often
 * ends the sentence, and a small letter tells. `number`: it stands before one. */
static const struct {
    const char *language, *open, *last, *number;
} lists[] = {
    {"en",
     " mr mrs ms dr prof st mt ft sr jr rev hon gen col capt lt sgt maj gov sen rep pres messrs "
     "mme mlle e.g i.e eg ie cf vs viz "
     "dept univ approx jan feb mar apr jun jul aug sep sept oct nov dec ",
     " etc al a.m p.m inc ltd co corp bros ph.d b.a m.a u.s u.k u.s.a ave blvd rd ca est ",
     " no nos fig figs vol p pp ch sec art op ed "},
    {"fr",
     " m mm mme mmes mlle mlles dr pr me mgr st ste p.ex ex env av bd cf c.-\xc3\xa0-d i.e janv "
     "f\xc3\xa9vr juil sept oct nov d\xc3\xa9"
     "c t\xc3\xa9l ",
     " etc apr av.j.-c ", " art fig vol chap p pp n\xc2\xb0 no "},
    {"de",
     " hr fr dr prof z.b d.h u.a o.\xc3\xa4 v.a i.d.r bzw ca vgl str s abs art bd evtl ggf inkl "
     "exkl st jan feb apr "
     "aug sept okt nov dez tel geb gest mio mrd z d o ",
     " usw etc ff max min ", " abs art bd s nr "},
    {"es",
     " sr sra sres srta dr dra d d\xc3\xb1"
     "a prof ing lic av avda c p p\xc3\xa1g p\xc3\xa1gs p.ej ej ud uds vd "
     "vds tel aprox ee.uu ",
     " etc a.m p.m s.a ", " art cap fig vol n\xc3\xbam "},
    {"it",
     " sig sigg sig.ra sig.na dott dott.ssa prof prof.ssa ing avv arch on s ss pag pagg es p.es "
     "tel ca ecc. ",
     " ecc etc ", " art fig vol cap n "},
    {"pt",
     " sr sra srs dr dra prof profa eng av r p p\xc3\xa1g p\xc3\xa1gs ex p.ex tel aprox exmo exma ",
     " etc a.m p.m ", " art fig vol cap n\xc2\xba "},
    {"nl", " dhr mevr mw dr prof ir ing drs mr bijv b.v d.w.z o.a m.b.t tel ca st t.a.v i.v.m ",
     " enz etc ", " nr blz art "},
    {"pl", " np p pan dr prof mgr in\xc5\xbc ul al tel godz tj m.in ww \xc5\x9bw ks ",
     " itd itp r ", " nr str "},
    {"ru",
     " \xd0\xb3 \xd1\x83\xd0\xbb \xd0\xb4 \xd0\xba\xd0\xb2 \xd1\x82.\xd0\xb5 \xd1\x82.\xd0\xba "
     "\xd0\xb8\xd0\xbc \xd0\xbf\xd1\x80\xd0\xbe\xd1\x84 \xd1\x81\xd0\xbc \xd1\x81\xd1\x80 ",
     " \xd1\x82.\xd0\xb4 \xd1\x82.\xd0\xbf \xd0\xb4\xd1\x80 ", ""},
    {"sv", " t.ex dvs bl.a s.k dr prof kl ca jfr fr\xc3\xa5n ", " osv etc m.m ", " nr kap "},
};

static bool is_in(const char *list, const char *word, size_t length) {
    char framed[40];
    size_t used = 1;
    framed[0] = ' ';
    for (size_t at = 0; at < length;) {
        UChar32 c;
        U8_NEXT(word, at, length, c);
        if (used + U8_MAX_LENGTH + 2 > sizeof framed) {
            return false;
        }
        c = u_tolower(c);
        U8_APPEND_UNSAFE(framed, used, c);
    }
    framed[used++] = ' ';
    framed[used] = '\0';
    return strstr(list, framed) != NULL;
}

/* A single capital, but English "I". */
static bool is_initial(const char *language, const char *word, size_t length) {
    size_t at = 0;
    UChar32 c;
    U8_NEXT(word, at, length, c);
    return at == length && u_isupper(c) && !(c == 'I' && strncmp(language, "en", 2) == 0);
}

bool attn_is_abbreviation(const char *language, const char *word, size_t length, UChar32 follows) {
    if (length == 0) {
        return false;
    }
    if (is_initial(language, word, length)) {
        return true;
    }
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        if (strncmp(lists[i].language, language, 2) == 0) {
            return is_in(lists[i].open, word, length) ||
                   (u_islower(follows) && is_in(lists[i].last, word, length)) ||
                   (u_isdigit(follows) && is_in(lists[i].number, word, length));
        }
    }
    return false;
}
