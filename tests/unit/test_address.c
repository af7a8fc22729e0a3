/* Addresses, networks, and whom a trusted proxy names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "serve/address.h"

static attn_address address(const char *text) {
    attn_address out;
    assert_true(attn_address_parse(text, strlen(text), &out));
    return out;
}

static void networks(void **unused) {
    (void)unused;
    static const struct {
        const char *network, *inside, *outside;
    } cases[] = {{"192.0.2.7", "192.0.2.7", "192.0.2.6"},
                 {"10.0.0.0/8", "10.255.0.1", "11.0.0.1"},
                 {"10.128.0.0/9", "10.200.1.1", "10.127.255.255"},
                 {"0.0.0.0/0", "203.0.113.9", "2001:db8::1"},
                 {"2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1"},
                 {"::1", "::1", "127.0.0.1"},
                 {"::ffff:10.0.0.0/104", "10.1.2.3", "11.1.2.3"},
                 {"::/0", "10.1.2.3", NULL}};
    static const char *const wrong[] = {"",          "10.0.0",      "10.0.0.0/33", "10.0.0.0/-1",
                                        "10.0.0.0/", "10.0.0.0/8x", "::1/129",     "localhost",
                                        "[::1]",     "1.2.3.4:80",  "fe80::1%eth0"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        attn_network network;
        assert_int_equal(attn_network_parse(cases[i].network, &network, NULL), ATTN_OK);
        attn_address inside = address(cases[i].inside);
        assert_true(attn_network_has(&network, &inside));
        if (cases[i].outside != NULL) {
            attn_address outside = address(cases[i].outside);
            assert_false(attn_network_has(&network, &outside));
        }
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        attn_network network;
        assert_int_equal(attn_network_parse(wrong[i], &network, NULL), ATTN_ERR_ARGUMENT);
    }
}

/* The proxies are 10.0.0.0/8 and ::1. */
static void who_is_behind(void **unused) {
    (void)unused;
    static const struct {
        const char *peer, *header, *who;
    } cases[] = {
        {"203.0.113.5", "198.51.100.1", "203.0.113.5"}, /* anybody may write the header */
        {"10.0.0.1", NULL, "10.0.0.1"},
        {"10.0.0.1", "", "10.0.0.1"},
        {"10.0.0.1", "198.51.100.1", "198.51.100.1"},
        {"10.0.0.1", "192.0.2.1, 198.51.100.1", "198.51.100.1"}, /* the first may be made up */
        {"10.0.0.1", "192.0.2.1, 198.51.100.1 ,10.0.0.2", "198.51.100.1"},
        {"10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"},
        {"::1", "[2001:db8::7]:443, 10.9.9.9:80", "2001:db8::7"},
        {"10.0.0.1", "2001:db8::7", "2001:db8::7"},
        {"10.0.0.1", "198.51.100.1, unknown", "10.0.0.1"},
        {"10.0.0.1", "198.51.100.1, unknown, 10.0.0.2", "10.0.0.2"},
        {"10.0.0.1", ",,", "10.0.0.1"},
    };
    attn_network trusted[2];
    assert_int_equal(attn_network_parse("10.0.0.0/8", &trusted[0], NULL), ATTN_OK);
    assert_int_equal(attn_network_parse("::1", &trusted[1], NULL), ATTN_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        attn_address peer = address(cases[i].peer);
        attn_address found = attn_address_behind(&peer, cases[i].header, trusted, 2);
        char text[ATTN_ADDRESS_TEXT];
        attn_address_print(&found, text);
        assert_string_equal(text, cases[i].who);
    }
}

/* IPv6 by its /64 network. */
static void clients(void **unused) {
    (void)unused;
    attn_address a = address("2001:db8:1:2::1"), b = address("2001:db8:1:2:ffff::9");
    attn_address c = address("2001:db8:1:3::1"), d = address("1.2.3.4"), e = address("1.2.3.5");
    attn_address f = address("::ffff:1.2.3.4");
    assert_true(attn_address_client(&a) == attn_address_client(&b));
    assert_true(attn_address_client(&a) != attn_address_client(&c));
    assert_true(attn_address_client(&d) != attn_address_client(&e));
    assert_true(attn_address_client(&d) == attn_address_client(&f));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(networks),
        cmocka_unit_test(who_is_behind),
        cmocka_unit_test(clients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
