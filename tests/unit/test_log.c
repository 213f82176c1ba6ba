/* Log lines: one JSON object each, whatever bytes a field has; the limit per name; lines of threads do not
 * mix. */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/base/arena.h"
#include "runtime/base/datetime.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"

#define CAPTURE_MAX (1 << 20)

static int saved_stderr;
static FILE *capture;
static char captured[CAPTURE_MAX];
static struct oms_arena arena;

static void capture_begin(void)
{
    fflush(stderr);
    saved_stderr = dup(STDERR_FILENO);
    capture = tmpfile();
    assert_non_null(capture);
    assert_true(dup2(fileno(capture), STDERR_FILENO) >= 0);
}

/* The captured text; ends the capture. */
static struct oms_str capture_end(void)
{
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    ssize_t len = pread(fileno(capture), captured, sizeof(captured), 0);
    fclose(capture);
    assert_true(len >= 0);
    return oms_str_make(captured, (size_t)len);
}

/* Takes the next line as a parsed object; false at the end. */
static bool next_line(struct oms_str *text, struct oms_value *line)
{
    if (!text->len)
        return false;
    const char *end = memchr(text->data, '\n', text->len);
    assert_non_null(end);
    struct oms_str one = {text->data, (size_t)(end - text->data)};
    assert_int_equal(oms_json_parse(one, 4, &arena, line, NULL), OMS_OK);
    text->data += one.len + 1;
    text->len -= one.len + 1;
    return true;
}

static void assert_field(const struct oms_value *line, const char *name, const char *expected)
{
    const struct oms_value *value = oms_value_get(line, name);
    assert_non_null(value);
    if (!oms_str_eq_c(value->text, expected))
        fail_msg("%s is <%.*s>", name, OMS_STR_ARG(value->text));
}

static void test_a_line(void **state)
{
    (void)state;
    struct oms_value line;
    int64_t ms;
    capture_begin();
    OMS_LOG(OMS_LOG_WARN, "test.line", OMS_LOG_TEXT("text", "a\"b\n"), OMS_LOG_U64("big", UINT64_MAX),
            OMS_LOG_I64("small", INT64_MIN), OMS_LOG_STR("none", OMS_STR_NONE),
            OMS_LOG_TEXT("bytes", "ok\xff\xc3\xa9\xe2\x82"));
    struct oms_str text = capture_end();
    assert_true(next_line(&text, &line));
    assert_int_equal(text.len, 0);
    assert_field(&line, "level", "warn");
    assert_field(&line, "event", "test.line");
    assert_field(&line, "text", "a\"b\n");
    assert_field(&line, "big", "18446744073709551615");
    assert_field(&line, "small", "-9223372036854775808");
    assert_field(&line, "bytes", "ok\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd");
    assert_int_equal(oms_value_get(&line, "none")->kind, OMS_VALUE_NULL);
    assert_int_equal(oms_datetime_parse(oms_value_get(&line, "time")->text, &ms), OMS_OK);
    int64_t age = (int64_t)time(NULL) * 1000 - ms;
    assert_true(age > -5000 && age < 60000);
}

static void test_levels(void **state)
{
    (void)state;
    struct oms_value line;
    capture_begin();
    OMS_LOG(OMS_LOG_DEBUG, "test.dropped", OMS_LOG_U64("n", 1));
    oms_log_set_level(OMS_LOG_OFF);
    oms_log_event(OMS_LOG_ERROR, "test.dropped", NULL, 0);
    oms_log_set_level(OMS_LOG_DEBUG);
    oms_log_event(OMS_LOG_DEBUG, "test.kept", NULL, 0);
    oms_log_set_level(OMS_LOG_INFO);
    assert_int_equal(oms_log_get_level(), OMS_LOG_INFO);
    struct oms_str text = capture_end();
    assert_true(next_line(&text, &line));
    assert_field(&line, "event", "test.kept");
    assert_false(next_line(&text, &line));
}

static void test_long_fields_are_cut(void **state)
{
    (void)state;
    struct oms_value line;
    char *huge = malloc(100001);
    for (int i = 0; i < 100000; i += 2)
        memcpy(huge + i, "é", 2);
    huge[100000] = '\0';
    capture_begin();
    OMS_LOG(OMS_LOG_INFO, "test.long", OMS_LOG_TEXT("a", huge), OMS_LOG_TEXT("b", huge + 1));
    char control[3000];
    memset(control, 1, sizeof(control));
    struct oms_str s = oms_str_make(control, sizeof(control));
    OMS_LOG(OMS_LOG_INFO, "test.longer", OMS_LOG_STR("a", s), OMS_LOG_STR("b", s), OMS_LOG_STR("c", s),
            OMS_LOG_STR("d", s));
    struct oms_str text = capture_end();
    assert_true(next_line(&text, &line));
    assert_true(oms_value_get(&line, "a")->text.len >= 1000 && oms_value_get(&line, "a")->text.len <= 1040);
    /* What does not fit a line is left out, and the line is whole. */
    assert_true(next_line(&text, &line));
    assert_non_null(oms_value_get(&line, "b"));
    assert_null(oms_value_get(&line, "d"));
    free(huge);
}

/* Counts lines of `event`, and adds up what log.suppressed says of it. */
static void count_lines(struct oms_str text, const char *event, uint64_t *lines, uint64_t *suppressed)
{
    struct oms_value line;
    *lines = *suppressed = 0;
    while (next_line(&text, &line)) {
        const struct oms_value *name = oms_value_get(&line, "name");
        *lines += oms_str_eq_c(oms_value_get(&line, "event")->text, event);
        if (name && oms_str_eq_c(name->text, event)) {
            int64_t count;
            assert_int_equal(oms_str_to_i64(oms_value_get(&line, "count")->text, &count), OMS_OK);
            *suppressed += (uint64_t)count;
        }
        oms_arena_reset(&arena);
    }
}

enum { FLOOD_THREADS = 4, FLOOD_EVENTS = 2000 };

static void *flood(void *unused)
{
    (void)unused;
    for (int i = 0; i < FLOOD_EVENTS; i++)
        OMS_LOG(OMS_LOG_INFO, "test.flood", OMS_LOG_U64("i", i));
    return NULL;
}

static void sleep_into_next_second(void)
{
    nanosleep(&(struct timespec){1, 100000000}, NULL);
}

static void test_a_flood_is_counted(void **state)
{
    (void)state;
    pthread_t threads[FLOOD_THREADS];
    uint64_t lines, suppressed;
    capture_begin();
    for (int i = 0; i < FLOOD_THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, flood, NULL), 0);
    for (int i = 0; i < FLOOD_THREADS; i++)
        pthread_join(threads[i], NULL);
    oms_log_event(OMS_LOG_INFO, "test.other", NULL, 0);
    sleep_into_next_second();
    oms_log_event(OMS_LOG_INFO, "test.other", NULL, 0);
    /* What has been reported is not reported again. */
    flood(NULL);
    sleep_into_next_second();
    oms_log_event(OMS_LOG_INFO, "test.other", NULL, 0);
    struct oms_str text = capture_end();
    count_lines(text, "test.flood", &lines, &suppressed);
    assert_in_range(lines, 20, 20 * 30);
    assert_int_equal(lines + suppressed, (FLOOD_THREADS + 1) * FLOOD_EVENTS);
    count_lines(text, "test.other", &lines, &suppressed);
    assert_int_equal(lines, 3);
    assert_int_equal(suppressed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_line),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_long_fields_are_cut),
        cmocka_unit_test(test_a_flood_is_counted),
    };
    oms_arena_init(&arena, 65536, 16 << 20);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    oms_arena_fini(&arena);
    return failed;
}
