/* The codec of stored records: published varints, round trips of random records, truncation and damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "runtime/base/prng.h"
#include "runtime/base/wire.h"

static void check_bytes(const struct oms_buf *buf, const char *expected, size_t len)
{
    assert_int_equal(buf->len, len);
    assert_memory_equal(buf->data, expected, len);
}

/* The examples of the Protocol Buffers encoding guide: 150, and zigzag of -1, 1, INT32 limits. */
static void test_published_encodings(void **state)
{
    (void)state;
    struct oms_buf buf;
    oms_buf_init(&buf, 1000);
    oms_wire_put_varint(&buf, 150);
    check_bytes(&buf, "\x96\x01", 2);
    oms_buf_reset(&buf);
    oms_wire_put_varint(&buf, UINT64_MAX);
    check_bytes(&buf, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10);
    oms_buf_reset(&buf);
    oms_wire_put_i64(&buf, 1, -1);
    check_bytes(&buf, "\x02\x01", 2);
    oms_buf_reset(&buf);
    oms_wire_put_i64(&buf, 1, 1);
    check_bytes(&buf, "\x02\x02", 2);
    oms_buf_reset(&buf);
    oms_wire_put_str(&buf, 3, OMS_STR("hi"));
    check_bytes(&buf, "\x07\x02hi", 4);
    oms_buf_reset(&buf);
    oms_wire_put_str(&buf, 3, OMS_STR_NONE);
    check_bytes(&buf, "", 0);
    oms_wire_put_str(&buf, 3, OMS_STR(""));
    check_bytes(&buf, "\x07\x00", 2);
    oms_buf_fini(&buf);
}

static void check_signed(int64_t value)
{
    struct oms_buf buf;
    struct oms_wire wire;
    oms_buf_init(&buf, 100);
    oms_wire_put_i64(&buf, 5, value);
    oms_wire_read(&wire, oms_buf_str(&buf));
    assert_true(oms_wire_next(&wire));
    assert_int_equal(wire.field, 5);
    assert_true(oms_wire_i64(&wire) == value);
    assert_false(oms_wire_next(&wire));
    assert_false(wire.corrupt);
    oms_buf_fini(&buf);
}

static void test_signed_limits(void **state)
{
    (void)state;
    check_signed(0);
    check_signed(INT64_MIN);
    check_signed(INT64_MAX);
    for (int shift = 0; shift < 63; shift++) {
        check_signed((int64_t)1 << shift);
        check_signed(-((int64_t)1 << shift));
    }
}

static void check_nested(size_t len)
{
    struct oms_buf buf;
    struct oms_wire outer, middle, inner;
    char *payload = calloc(1, len + 1);
    memset(payload, 'p', len);
    oms_buf_init(&buf, 1 << 20);
    oms_wire_put_u64(&buf, 1, 7);
    size_t a = oms_wire_begin(&buf, 2);
    oms_wire_put_u64(&buf, 1, 8);
    size_t b = oms_wire_begin(&buf, 3);
    oms_wire_put_bytes(&buf, 4, payload, len);
    oms_wire_end(&buf, b);
    oms_wire_end(&buf, a);
    oms_wire_put_u64(&buf, 9, 10);
    assert_false(buf.overflow);

    oms_wire_read(&outer, oms_buf_str(&buf));
    assert_true(oms_wire_next(&outer) && outer.number == 7);
    assert_true(oms_wire_next(&outer) && outer.field == 2 && outer.is_bytes);
    oms_wire_read(&middle, outer.bytes);
    assert_true(oms_wire_next(&middle) && middle.number == 8);
    assert_true(oms_wire_next(&middle) && middle.field == 3);
    oms_wire_read(&inner, middle.bytes);
    assert_true(oms_wire_next(&inner) && inner.field == 4);
    assert_true(oms_str_eq(inner.bytes, oms_str_make(payload, len)));
    assert_false(oms_wire_next(&inner));
    assert_false(oms_wire_next(&middle));
    assert_true(oms_wire_next(&outer) && outer.field == 9 && outer.number == 10);
    assert_false(oms_wire_next(&outer));
    assert_false(inner.corrupt || middle.corrupt || outer.corrupt);
    oms_buf_fini(&buf);
    free(payload);
}

static void test_nested_records_of_all_length_sizes(void **state)
{
    (void)state;
    for (size_t len = 0; len < 300; len++)
        check_nested(len);
    check_nested(16380);
    check_nested(16390);
    check_nested(100000);
}

struct sample {
    unsigned field;
    bool is_bytes;
    uint64_t number;
    char bytes[200];
    size_t len;
};

static void make_sample(struct oms_prng *prng, struct sample *s)
{
    s->field = 1 + (unsigned)(oms_prng_next(prng) >> (32 + oms_prng_below(prng, 32)));
    s->is_bytes = oms_prng_next(prng) & 1;
    s->number = oms_prng_next(prng) >> oms_prng_below(prng, 64);
    s->len = (size_t)oms_prng_below(prng, sizeof(s->bytes));
    for (size_t i = 0; i < s->len; i++)
        s->bytes[i] = (char)oms_prng_next(prng);
}

static void check_round_trip(struct oms_prng *prng)
{
    enum { COUNT = 20 };
    static struct sample samples[COUNT];
    struct oms_buf buf;
    struct oms_wire wire;
    oms_buf_init(&buf, 1 << 20);
    for (int i = 0; i < COUNT; i++) {
        make_sample(prng, &samples[i]);
        if (samples[i].is_bytes)
            oms_wire_put_bytes(&buf, samples[i].field, samples[i].bytes, samples[i].len);
        else
            oms_wire_put_u64(&buf, samples[i].field, samples[i].number);
    }
    oms_wire_read(&wire, oms_buf_str(&buf));
    for (int i = 0; i < COUNT; i++) {
        assert_true(oms_wire_next(&wire));
        assert_int_equal(wire.field, samples[i].field);
        assert_int_equal(wire.is_bytes, samples[i].is_bytes);
        if (wire.is_bytes)
            assert_true(oms_str_eq(wire.bytes, oms_str_make(samples[i].bytes, samples[i].len)));
        else
            assert_true(wire.number == samples[i].number);
    }
    assert_false(oms_wire_next(&wire));
    assert_false(wire.corrupt);
    oms_buf_fini(&buf);
}

static void test_round_trips(void **state)
{
    (void)state;
    struct oms_prng prng;
    oms_prng_seed(&prng, 11);
    for (int i = 0; i < 2000; i++)
        check_round_trip(&prng);
}

/* A buffer of any maximum has either the whole field or nothing of it, and the flag says which. */
static void test_overflow_is_all_or_nothing(void **state)
{
    (void)state;
    struct oms_buf whole;
    oms_buf_init(&whole, 1000);
    oms_wire_put_bytes(&whole, 1000, "0123456789", 10);
    oms_wire_put_u64(&whole, 1, UINT64_MAX);
    for (size_t max = 0; max <= whole.len; max++) {
        struct oms_buf buf;
        oms_buf_init(&buf, max);
        oms_wire_put_bytes(&buf, 1000, "0123456789", 10);
        oms_wire_put_u64(&buf, 1, UINT64_MAX);
        assert_int_equal(buf.overflow, max < whole.len);
        assert_true(buf.len == 0 || buf.len == 13 || buf.len == 11 || buf.len == whole.len);
        oms_buf_fini(&buf);
        oms_buf_init(&buf, max);
        size_t mark = oms_wire_begin(&buf, 1);
        oms_wire_put_bytes(&buf, 2, whole.data, whole.len);
        oms_wire_end(&buf, mark);
        assert_true(buf.overflow);
        oms_buf_fini(&buf);
    }
    oms_buf_fini(&whole);
}

static void test_every_truncation_is_found(void **state)
{
    (void)state;
    struct oms_buf buf;
    oms_buf_init(&buf, 1000);
    oms_wire_put_u64(&buf, 300, 1 << 20);
    size_t first = buf.len;
    oms_wire_put_bytes(&buf, 2, "0123456789", 10);
    for (size_t len = 0; len < buf.len; len++) {
        struct oms_wire wire;
        char *copy =
            malloc(len ? len : 1); /* of its exact size, so that the sanitizer sees a read behind it */
        memcpy(copy, buf.data, len);
        oms_wire_read(&wire, oms_str_make(copy, len));
        while (oms_wire_next(&wire))
            ;
        assert_int_equal(wire.corrupt, len != 0 && len != first);
        assert_false(oms_wire_next(&wire));
        free(copy);
    }
    oms_buf_fini(&buf);
}

static void check_corrupt(const char *bytes, size_t len)
{
    struct oms_wire wire;
    oms_wire_read(&wire, oms_str_make(bytes, len));
    assert_false(oms_wire_next(&wire));
    assert_true(wire.corrupt);
}

static void test_malformed(void **state)
{
    (void)state;
    check_corrupt("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02\x01", 11);         /* over 64 bits */
    check_corrupt("\x02\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 13); /* over 10 bytes */
    check_corrupt("\x80\x80\x80\x80\x20\x01", 6);                              /* field over 32 bits */
    check_corrupt("\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11);         /* length over the end */
    struct oms_wire wire;
    oms_wire_read(&wire, OMS_STR("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
    assert_true(oms_wire_varint(&wire) == UINT64_MAX);
    assert_false(wire.corrupt);
    oms_wire_read(&wire, OMS_STR("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"));
    assert_int_equal(oms_wire_varint(&wire), 0);
    assert_true(wire.corrupt);
    oms_wire_read(&wire, OMS_STR_NONE);
    assert_false(oms_wire_next(&wire));
    assert_false(wire.corrupt);
    assert_int_equal(oms_wire_varint(&wire), 0);
    assert_true(wire.corrupt);
}

static void test_big_endian_sorts(void **state)
{
    (void)state;
    struct oms_prng prng;
    oms_prng_seed(&prng, 5);
    for (int i = 0; i < 1000; i++) {
        uint64_t a = oms_prng_next(&prng), b = a + oms_prng_below(&prng, 1000);
        unsigned char x[8], y[8];
        oms_put_be64(x, a);
        oms_put_be64(y, b);
        assert_true(oms_get_be64(x) == a);
        assert_int_equal(memcmp(x, y, 8) < 0, a < b);
    }
    unsigned char bytes[4];
    oms_put_be32(bytes, 0x01020304);
    assert_memory_equal(bytes, "\x01\x02\x03\x04", 4);
    assert_int_equal(oms_get_be32(bytes), 0x01020304);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_encodings),
        cmocka_unit_test(test_signed_limits),
        cmocka_unit_test(test_nested_records_of_all_length_sizes),
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_overflow_is_all_or_nothing),
        cmocka_unit_test(test_every_truncation_is_found),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_big_endian_sorts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
