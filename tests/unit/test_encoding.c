/* Hex and base 64 against RFC 4648 section 10, base 32 ids and ULIDs, and what strict decoders refuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/base/buf.h"
#include "runtime/base/encoding.h"
#include "runtime/base/prng.h"

typedef enum oms_status decode_function(struct oms_str text, struct oms_buf *out);

static void check_decode(decode_function *decode, const char *text, const char *expected)
{
    struct oms_buf out;
    oms_buf_init(&out, 100);
    oms_buf_append_lit(&out, "+");
    assert_int_equal(decode(oms_str_of(text), &out), OMS_OK);
    assert_int_equal(out.len, 1 + strlen(expected));
    assert_memory_equal(out.data + 1, expected, strlen(expected));
    oms_buf_fini(&out);
}

static void check_refused(decode_function *decode, const char *text)
{
    struct oms_buf out;
    oms_buf_init(&out, 100);
    oms_buf_append_lit(&out, "kept");
    if (decode(oms_str_of(text), &out) != OMS_INVALID)
        fail_msg("<%s> was accepted", text);
    assert_true(oms_str_eq_c(oms_buf_str(&out), "kept"));
    oms_buf_fini(&out);
}

static void test_base64_vectors(void **state)
{
    (void)state;
    static const char *const vectors[][3] = {
        {"", "", ""},
        {"f", "Zg==", "Zg"},
        {"fo", "Zm8=", "Zm8"},
        {"foo", "Zm9v", "Zm9v"},
        {"foob", "Zm9vYg==", "Zm9vYg"},
        {"fooba", "Zm9vYmE=", "Zm9vYmE"},
        {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
        {"\xfb\xff\xfe", "+//+", "-__-"},
    };
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        struct oms_buf out;
        oms_buf_init(&out, 100);
        oms_base64_encode(&out, vectors[i][0], strlen(vectors[i][0]));
        assert_true(oms_str_eq_c(oms_buf_str(&out), vectors[i][1]));
        oms_buf_reset(&out);
        oms_base64url_encode(&out, vectors[i][0], strlen(vectors[i][0]));
        assert_true(oms_str_eq_c(oms_buf_str(&out), vectors[i][2]));
        check_decode(oms_base64_decode, vectors[i][1], vectors[i][0]);
        check_decode(oms_base64url_decode, vectors[i][2], vectors[i][0]);
        oms_buf_fini(&out);
    }
}

static void test_base64_refuses(void **state)
{
    (void)state;
    static const char *const url[] = {"Z",    "Zg==",  "Zm8=",  "Zh",    "Zm9",    "Zm+v",
                                      "Zm/v", "Zm 9v", "Zm9vZ", "Zm9\n", "Zm9\xc3"};
    static const char *const standard[] = {"Zg",   "Zg=",  "Zh==",     "Zm9=", "Zm-v",   "Zm_v", "====",
                                           "Z===", "=Zg=", "Zg==Zg==", "Zm8",  "Zg==\n", "Zm9v="};
    for (size_t i = 0; i < sizeof(url) / sizeof(url[0]); i++)
        check_refused(oms_base64url_decode, url[i]);
    for (size_t i = 0; i < sizeof(standard) / sizeof(standard[0]); i++)
        check_refused(oms_base64_decode, standard[i]);
}

static void test_base64_round_trips_and_the_maximum(void **state)
{
    (void)state;
    struct oms_prng prng;
    struct oms_buf text, back;
    unsigned char bytes[100];
    oms_prng_seed(&prng, 8);
    oms_buf_init(&text, 1000);
    oms_buf_init(&back, 1000);
    for (int i = 0; i < 5000; i++) {
        size_t len = (size_t)oms_prng_below(&prng, sizeof(bytes));
        for (size_t k = 0; k < len; k++)
            bytes[k] = (unsigned char)oms_prng_next(&prng);
        bool url = oms_prng_next(&prng) & 1;
        (url ? oms_base64url_encode : oms_base64_encode)(&text, bytes, len);
        assert_int_equal((url ? oms_base64url_decode : oms_base64_decode)(oms_buf_str(&text), &back), OMS_OK);
        assert_int_equal(back.len, len);
        if (len)
            assert_memory_equal(back.data, bytes, len);
        oms_buf_reset(&text);
        oms_buf_reset(&back);
    }
    oms_buf_fini(&text);
    oms_buf_fini(&back);
    oms_buf_init(&text, 3);
    oms_base64_encode(&text, "a", 1);
    assert_true(text.overflow);
    assert_int_equal(text.len, 0);
    oms_buf_reset(&text);
    assert_int_equal(oms_base64_decode(OMS_STR("Zm9vYg=="), &text), OMS_LIMIT);
    oms_buf_fini(&text);
}

static void test_hex(void **state)
{
    (void)state;
    char text[12];
    unsigned char bytes[6];
    oms_hex_encode("foobar", 6, text);
    assert_memory_equal(text, "666f6f626172", 12);
    assert_int_equal(oms_hex_decode(oms_str_make(text, 12), bytes, 6), OMS_OK);
    assert_memory_equal(bytes, "foobar", 6);
    assert_int_equal(oms_hex_decode(OMS_STR("00fFAb"), bytes, 3), OMS_OK);
    assert_memory_equal(bytes, "\x00\xff\xab", 3);
    assert_int_equal(oms_hex_decode(OMS_STR("00f"), bytes, 1), OMS_INVALID);
    assert_int_equal(oms_hex_decode(OMS_STR("00ff"), bytes, 3), OMS_INVALID);
    assert_int_equal(oms_hex_decode(OMS_STR("0g"), bytes, 1), OMS_INVALID);
    assert_int_equal(oms_hex_decode(OMS_STR("\x10\x10"), bytes, 1), OMS_INVALID);
    assert_int_equal(oms_hex_decode(OMS_STR(" 1"), bytes, 1), OMS_INVALID);
    assert_int_equal(oms_hex_decode(OMS_STR(""), bytes, 0), OMS_OK);
}

static void check_id(const char *bytes, const char *text)
{
    char encoded[OMS_BASE32_ID_SIZE];
    unsigned char id[16];
    oms_base32_id_encode((const unsigned char *)bytes, encoded);
    assert_memory_equal(encoded, text, OMS_BASE32_ID_SIZE);
    assert_int_equal(oms_base32_id_decode(oms_str_of(text), id), OMS_OK);
    assert_memory_equal(id, bytes, 16);
}

static void test_base32_ids(void **state)
{
    (void)state;
    check_id("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "00000000000000000000000000");
    check_id("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x1f", "0000000000000000000000000Z");
    check_id("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
             "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
    struct oms_prng prng;
    oms_prng_seed(&prng, 12);
    for (int i = 0; i < 10000; i++) {
        unsigned char id[16], back[16];
        char text[OMS_BASE32_ID_SIZE];
        for (int k = 0; k < 16; k++)
            id[k] = (unsigned char)oms_prng_next(&prng);
        oms_base32_id_encode(id, text);
        for (int k = 0; k < OMS_BASE32_ID_SIZE; k++)
            if (text[k] >= 'A' && oms_prng_next(&prng) & 1)
                text[k] = (char)(text[k] | 0x20);
        assert_int_equal(oms_base32_id_decode(oms_str_make(text, sizeof(text)), back), OMS_OK);
        assert_memory_equal(id, back, 16);
    }
}

static void test_base32_refuses(void **state)
{
    (void)state;
    static const char foreign[] = "ILOUilou-*$ \x7f\xff[`@/:";
    unsigned char id[16];
    for (const char *c = foreign; *c; c++) {
        char text[OMS_BASE32_ID_SIZE + 1] = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
        text[10] = *c;
        assert_int_equal(oms_base32_id_decode(oms_str_of(text), id), OMS_INVALID);
    }
    assert_int_equal(oms_base32_id_decode(OMS_STR("01ARZ3NDEKTSV4RRFFQ69G5FA"), id), OMS_INVALID);
    assert_int_equal(oms_base32_id_decode(OMS_STR("01ARZ3NDEKTSV4RRFFQ69G5FAVV"), id), OMS_INVALID);
    assert_int_equal(oms_base32_id_decode(OMS_STR("80000000000000000000000000"), id), OMS_INVALID);
    assert_int_equal(oms_base32_id_decode(OMS_STR(""), id), OMS_INVALID);
}

static void test_ulid(void **state)
{
    (void)state;
    unsigned char id[16];
    char text[OMS_BASE32_ID_SIZE];
    /* The time of the ULID specification's example. */
    oms_ulid_make(INT64_C(1469922850259), UINT64_C(0xffff000000001234), UINT64_C(0x56789abcdef01122), id);
    oms_base32_id_encode(id, text);
    assert_memory_equal(text, "01ARZ3NDEK", 10);
    assert_memory_equal(id + 6, "\x12\x34\x56\x78\x9a\xbc\xde\xf0\x11\x22", 10);
    oms_ulid_make((INT64_C(1) << 48) - 1, UINT64_MAX, UINT64_MAX, id);
    oms_base32_id_encode(id, text);
    assert_memory_equal(text, "7ZZZZZZZZZZZZZZZZZZZZZZZZZ", 26);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base64_vectors),
        cmocka_unit_test(test_base64_refuses),
        cmocka_unit_test(test_base64_round_trips_and_the_maximum),
        cmocka_unit_test(test_hex),
        cmocka_unit_test(test_base32_ids),
        cmocka_unit_test(test_base32_refuses),
        cmocka_unit_test(test_ulid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
