/* Sealing: what was sealed opens with its key, and with nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/assert.h"
#include "runtime/base/buf.h"
#include "runtime/base/encoding.h"
#include "storage/vault.h"

static const unsigned char master[STORE_VAULT_KEY_SIZE] = {1, 2, 3};
static const unsigned char other_master[STORE_VAULT_KEY_SIZE] = {3, 2, 1};
static const unsigned char data_key[STORE_VAULT_KEY_SIZE] = {9, 9, 9};

struct sealed {
    struct store_vault *vault;
    struct oms_buf bytes;
    unsigned char wrapped[STORE_VAULT_WRAPPED_SIZE];
};

static void seal(struct sealed *sealed, const char *belongs, const char *text)
{
    sealed->vault = store_vault_create(master);
    oms_buf_init(&sealed->bytes, 1 << 20);
    store_vault_seal(sealed->vault, data_key, oms_str_of(belongs), oms_str_of(text), &sealed->bytes,
                     sealed->wrapped);
    assert_int_equal(sealed->bytes.len, strlen(text) + STORE_VAULT_TAG_SIZE);
}

static void drop(struct sealed *sealed)
{
    store_vault_destroy(sealed->vault);
    oms_buf_fini(&sealed->bytes);
}

static enum oms_status open_with(const struct store_vault *vault, const struct sealed *sealed,
                                 const char *belongs, char *out)
{
    return store_vault_open(vault, oms_str_make(sealed->wrapped, sizeof(sealed->wrapped)),
                            oms_str_of(belongs), oms_buf_str(&sealed->bytes), out);
}

static void test_opens(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "x", "Jane Doe, 1 Main Street, Springfield"};
    for (size_t i = 0; i < OMS_COUNT_OF(texts); i++) {
        struct sealed sealed;
        char out[64] = "";
        seal(&sealed, "order 1", texts[i]);
        assert_int_equal(open_with(sealed.vault, &sealed, "order 1", out), OMS_OK);
        assert_memory_equal(out, texts[i], strlen(texts[i]));
        assert_true(store_vault_fits(sealed.vault, oms_str_make(sealed.wrapped, sizeof(sealed.wrapped))));
        if (*texts[i])
            assert_null(memmem(sealed.bytes.data, sealed.bytes.len, texts[i], strlen(texts[i])));
        drop(&sealed);
    }
}

/* RFC 3394, 4.6: 256 bits of key data under a 256-bit key. */
static void test_key_wrap_is_the_standard_one(void **state)
{
    (void)state;
    unsigned char kek[STORE_VAULT_KEY_SIZE], key[STORE_VAULT_KEY_SIZE], wrapped[STORE_VAULT_WRAPPED_SIZE];
    unsigned char want[STORE_VAULT_WRAPPED_SIZE];
    for (unsigned i = 0; i < sizeof(kek); i++)
        kek[i] = (unsigned char)i;
    assert_int_equal(
        oms_hex_decode(OMS_STR("00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f"), key,
                       sizeof(key)),
        OMS_OK);
    assert_int_equal(
        oms_hex_decode(
            OMS_STR("28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21"), want,
            sizeof(want)),
        OMS_OK);
    struct store_vault *vault = store_vault_create(kek);
    struct oms_buf out;
    oms_buf_init(&out, 64);
    store_vault_seal(vault, key, OMS_STR(""), OMS_STR(""), &out, wrapped);
    assert_memory_equal(wrapped, want, sizeof(want));
    oms_buf_fini(&out);
    store_vault_destroy(vault);
}

static void test_refuses_what_is_not_its_own(void **state)
{
    (void)state;
    struct sealed sealed;
    char out[64];
    seal(&sealed, "order 1", "secret");
    struct store_vault *stranger = store_vault_create(other_master);
    assert_int_equal(open_with(stranger, &sealed, "order 1", out), OMS_CORRUPT);
    assert_false(store_vault_fits(stranger, oms_str_make(sealed.wrapped, sizeof(sealed.wrapped))));
    assert_int_equal(open_with(sealed.vault, &sealed, "order 2", out), OMS_CORRUPT);
    for (size_t i = 0; i < sealed.bytes.len; i++) {
        sealed.bytes.data[i] ^= 1;
        assert_int_equal(open_with(sealed.vault, &sealed, "order 1", out), OMS_CORRUPT);
        sealed.bytes.data[i] ^= 1;
    }
    for (size_t i = 0; i < sizeof(sealed.wrapped); i++) {
        sealed.wrapped[i] ^= 1;
        assert_int_equal(open_with(sealed.vault, &sealed, "order 1", out), OMS_CORRUPT);
        sealed.wrapped[i] ^= 1;
    }
    assert_int_equal(
        store_vault_open(sealed.vault, OMS_STR("short"), OMS_STR("order 1"), oms_buf_str(&sealed.bytes), out),
        OMS_CORRUPT);
    assert_int_equal(open_with(sealed.vault, &sealed, "order 1", out), OMS_OK);
    store_vault_destroy(stranger);
    drop(&sealed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_opens),
        cmocka_unit_test(test_key_wrap_is_the_standard_one),
        cmocka_unit_test(test_refuses_what_is_not_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
