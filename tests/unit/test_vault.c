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
#include "storage/vault.h"

static const unsigned char master[STORE_VAULT_KEY_SIZE] = {1, 2, 3};
static const unsigned char other_master[STORE_VAULT_KEY_SIZE] = {3, 2, 1};
static const unsigned char randoms[STORE_VAULT_RANDOM_SIZE] = {9, 9, 9};

struct sealed {
    struct store_vault *vault;
    struct oms_buf bytes;
    unsigned char wrapped[STORE_VAULT_WRAPPED_SIZE];
};

static void seal(struct sealed *sealed, const char *belongs, const char *text)
{
    sealed->vault = store_vault_create(master);
    oms_buf_init(&sealed->bytes, 1 << 20);
    store_vault_seal(sealed->vault, randoms, oms_str_of(belongs), oms_str_of(text), &sealed->bytes,
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
        cmocka_unit_test(test_refuses_what_is_not_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
