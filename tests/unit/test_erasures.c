/* The erasure log: what is written is read, a line that a crash cut off is forgotten, a foreign one refuses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "http/privacy/erasures.h"
#include "runtime/base/buf.h"
#include "runtime/base/log.h"

static char path[64];
static struct oms_error failure;

static const unsigned char orders[3][IDS_ORDER_SIZE] = {{1}, {2}, {3}};

static int set_up(void **state)
{
    (void)state;
    snprintf(path, sizeof(path), "/tmp/liteoms-erasures-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    unlink(path);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    return 0;
}

static void append(const char *text)
{
    FILE *file = fopen(path, "ae");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    fclose(file);
}

static struct http_erasures *open_log(void)
{
    struct http_erasures *erasures = NULL;
    if (http_erasures_open(path, &erasures, &failure) != OMS_OK)
        fail_msg("%s", failure.message);
    return erasures;
}

struct seen {
    char text[512];
    int64_t at_ms;
};

static void see(void *context, const struct http_erasure *erasure)
{
    struct seen *seen = context;
    size_t len = strlen(seen->text);
    snprintf(seen->text + len, sizeof(seen->text) - len, "%.*s:%u ", OMS_STR_ARG(erasure->tenant),
             (unsigned)erasure->order[0]);
    seen->at_ms = erasure->at_ms;
}

static struct seen read_all(struct http_erasures *erasures)
{
    struct seen seen = {.text = ""};
    assert_int_equal(http_erasures_read(erasures, see, &seen, &failure), OMS_OK);
    return seen;
}

static void test_what_is_added_is_read(void **state)
{
    (void)state;
    struct stat info;
    struct http_erasures *erasures = open_log();
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_false(http_erasures_pending(erasures));
    assert_int_equal(http_erasures_add(erasures, OMS_STR("shop"), orders, 2, 1700000000123), OMS_OK);
    assert_int_equal(http_erasures_add(erasures, OMS_STR("other.shop"), &orders[2], 1, 1700000000456),
                     OMS_OK);
    struct seen seen = read_all(erasures);
    assert_string_equal(seen.text, "shop:1 shop:2 other.shop:3 ");
    assert_int_equal(seen.at_ms, 1700000000456);
    assert_true(http_erasures_pending(erasures));
    http_erasures_close(erasures);
    erasures = open_log();
    assert_string_equal(read_all(erasures).text, seen.text);
    assert_true(http_erasures_pending(erasures));
    http_erasures_close(erasures);
}

static void test_a_purge_settles_what_came_before_it(void **state)
{
    (void)state;
    struct http_erasures *erasures = open_log();
    assert_int_equal(http_erasures_add(erasures, OMS_STR("shop"), orders, 1, 1), OMS_OK);
    uint64_t mark = http_erasures_mark(erasures);
    assert_int_equal(http_erasures_add(erasures, OMS_STR("shop"), &orders[1], 1, 2), OMS_OK);
    http_erasures_purged(erasures, mark, 3); /* one came in between: it is not settled */
    assert_true(http_erasures_pending(erasures));
    http_erasures_purged(erasures, http_erasures_mark(erasures), 4);
    assert_false(http_erasures_pending(erasures));
    http_erasures_close(erasures);
    erasures = open_log();
    assert_false(http_erasures_pending(erasures));
    assert_string_equal(read_all(erasures).text, "shop:1 shop:2 ");
    http_erasures_close(erasures);
}

static void test_a_cut_line_is_forgotten(void **state)
{
    (void)state;
    struct http_erasures *erasures = open_log();
    assert_int_equal(http_erasures_add(erasures, OMS_STR("shop"), orders, 1, 1), OMS_OK);
    http_erasures_close(erasures);
    append("erase shop ORD-0000");
    erasures = open_log();
    assert_string_equal(read_all(erasures).text, "shop:1 ");
    assert_int_equal(http_erasures_add(erasures, OMS_STR("shop"), &orders[1], 1, 2), OMS_OK);
    assert_string_equal(read_all(erasures).text, "shop:1 shop:2 ");
    http_erasures_close(erasures);
}

static void test_a_foreign_line_refuses(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "erase\n",
        "erase shop\n",
        "erase shop ORD-1 2026-01-01T00:00:00Z\n",
        "erase shop ORD-00000000000000000000000001 yesterday\n",
        "erase  ORD-00000000000000000000000001 2026-01-01T00:00:00Z\n",
        "forget shop ORD-00000000000000000000000001 2026-01-01T00:00:00Z\n",
        "purged\n",
        "purged soon\n",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
        struct http_erasures *erasures = NULL;
        unlink(path);
        append("erase shop ORD-00000000000000000000000001 2026-01-01T00:00:00Z\n");
        append(lines[i]);
        append("purged 2026-01-01T00:00:01Z\n");
        assert_int_equal(http_erasures_open(path, &erasures, &failure), OMS_CORRUPT);
        assert_non_null(strstr(failure.message, "line 2"));
    }
    /* However long. */
    struct http_erasures *erasures = NULL;
    unlink(path);
    for (int i = 0; i < 100; i++)
        append("erase shop ");
    append("\n");
    assert_int_equal(http_erasures_open(path, &erasures, &failure), OMS_CORRUPT);
    assert_int_equal(http_erasures_open("/nowhere/at/all", &erasures, &failure), OMS_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_added_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_purge_settles_what_came_before_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_cut_line_is_forgotten, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_foreign_line_refuses, set_up, tear_down),
    };
    oms_log_set_level(OMS_LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
