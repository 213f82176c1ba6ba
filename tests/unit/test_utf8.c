/* UTF-8 against a plain decoder: every code point, every pair of bytes, many random sequences, every
 * alignment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/base/prng.h"
#include "runtime/base/utf8.h"

/* Decodes by arithmetic instead of a table of ranges; 0 when malformed, else the bytes read. */
static size_t plain_decode(const unsigned char *s, size_t len)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t count = s[0] < 0x80 ? 1 : s[0] >> 5 == 6 ? 2 : s[0] >> 4 == 14 ? 3 : s[0] >> 3 == 30 ? 4 : 0;
    if (count < 2)
        return count;
    if (count > len)
        return 0;
    uint32_t c = s[0] & (0x7fu >> count);
    for (size_t i = 1; i < count; i++) {
        if (s[i] >> 6 != 2)
            return 0;
        c = c << 6 | (s[i] & 0x3f);
    }
    return c >= least[count] && c <= 0x10ffff && (c < 0xd800 || c > 0xdfff) ? count : 0;
}

static size_t plain_prefix(const unsigned char *s, size_t len)
{
    size_t i = 0;
    while (i < len) {
        size_t step = plain_decode(s + i, len - i);
        if (!step)
            break;
        i += step;
    }
    return i;
}

static void check(const unsigned char *s, size_t len)
{
    struct oms_str text = oms_str_make(s, len);
    size_t expected = plain_prefix(s, len);
    assert_int_equal(oms_utf8_valid_prefix(text), expected);
    assert_int_equal(oms_utf8_valid(text), expected == len);
}

static void test_every_code_point(void **state)
{
    (void)state;
    for (uint32_t c = 0; c <= 0x10ffff; c++) {
        char bytes[4];
        if (c == 0xd800)
            c = 0xe000;
        size_t len = oms_utf8_encode(c, bytes);
        assert_int_equal(len, c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4);
        assert_int_equal(plain_decode((const unsigned char *)bytes, len), len);
        assert_true(oms_utf8_valid(oms_str_make(bytes, len)));
        assert_int_equal(oms_utf8_length(oms_str_make(bytes, len)), 1);
        assert_false(oms_utf8_valid(oms_str_make(bytes, len - 1)) && len > 1);
    }
}

static void test_every_lead(void **state)
{
    (void)state;
    static const unsigned char tails[] = {0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff};
    const size_t n = sizeof(tails);
    for (unsigned pair = 0; pair < 65536; pair++)
        for (size_t i = 0; i < n * n; i++) {
            unsigned char s[4] = {(unsigned char)(pair >> 8), (unsigned char)pair, tails[i / n],
                                  tails[i % n]};
            if (plain_prefix(s, 4) != oms_utf8_valid_prefix(oms_str_make(s, 4)))
                fail_msg("%02x %02x %02x %02x", s[0], s[1], s[2], s[3]);
        }
}

static void test_every_place_in_ascii(void **state)
{
    (void)state;
    static const char *const pieces[] = {"é", "€", "😀", "\xff", "\xc3", "\xe2\x82", "\xed\xa0\x80"};
    for (size_t len = 0; len < 70; len++)
        for (size_t at = 0; at <= len; at++)
            for (size_t k = 0; k < sizeof(pieces) / sizeof(pieces[0]); k++) {
                unsigned char text[80];
                size_t size = strlen(pieces[k]);
                memset(text, 'a', sizeof(text));
                memcpy(text + at, pieces[k], size);
                check(text, len + size);
            }
    check((const unsigned char *)"", 0);
    assert_true(oms_utf8_valid(OMS_STR_NONE));
}

static void test_random_sequences(void **state)
{
    (void)state;
    static const unsigned char likely[] = {'a',  0x80, 0x9f, 0xa0, 0xbf, 0xc2, 0xdf,
                                           0xe0, 0xe1, 0xed, 0xef, 0xf0, 0xf4};
    struct oms_prng prng;
    oms_prng_seed(&prng, 4);
    for (int i = 0; i < 300000; i++) {
        unsigned char text[24];
        size_t len = (size_t)oms_prng_below(&prng, sizeof(text));
        for (size_t k = 0; k < len; k++)
            text[k] = oms_prng_below(&prng, 4) ? likely[oms_prng_below(&prng, sizeof(likely))]
                                               : (unsigned char)oms_prng_next(&prng);
        check(text, len);
    }
}

static void test_length(void **state)
{
    (void)state;
    assert_int_equal(oms_utf8_length(OMS_STR("aé€😀z")), 5);
    assert_int_equal(oms_utf8_length(OMS_STR("")), 0);
    assert_int_equal(oms_utf8_length(OMS_STR_NONE), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code_point),
        cmocka_unit_test(test_every_lead),
        cmocka_unit_test(test_every_place_in_ascii),
        cmocka_unit_test(test_random_sequences),
        cmocka_unit_test(test_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
