/* The registry of numbers and its text format. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "http/metrics.h"

static char *text;

static void render(struct http_metrics *metrics)
{
    static struct oms_buf out;
    oms_buf_fini(&out);
    oms_buf_init(&out, 1u << 20);
    http_metrics_render(metrics, &out);
    oms_buf_append_char(&out, '\0');
    text = out.data;
}

static void assert_line(const char *line)
{
    char wanted[256];
    snprintf(wanted, sizeof(wanted), "%s\n", line);
    if (!strstr(text, wanted))
        print_error("missing: %s\nin:\n%s", line, text);
    assert_non_null(strstr(text, wanted));
}

static void test_buckets(void **state)
{
    (void)state;
    assert_int_equal(http_metrics_bucket(0), 0);
    assert_int_equal(http_metrics_bucket(16000), 0);
    assert_int_equal(http_metrics_bucket(16001), 1); /* 17 µs when rounded up */
    assert_int_equal(http_metrics_bucket(32000), 1);
    assert_int_equal(http_metrics_bucket(32001), 2);
    assert_int_equal(http_metrics_bucket(UINT64_C(16777216000)), HTTP_METRICS_BUCKETS - 2);
    assert_int_equal(http_metrics_bucket(UINT64_C(16777216001)), HTTP_METRICS_BUCKETS - 1);
    assert_int_equal(http_metrics_bucket(UINT64_MAX - 1000), HTTP_METRICS_BUCKETS - 1);
}

static void test_sums_rows(void **state)
{
    (void)state;
    struct http_metrics *metrics = http_metrics_create(2);
    unsigned id = http_metrics_counter(metrics, "a_total", "A.", NULL);
    unsigned gauge = http_metrics_gauge(metrics, "b", "B.", "x=\"1\"");
    http_metrics_add(http_metrics_row(metrics, 0), id, 3);
    http_metrics_add(http_metrics_row(metrics, 1), id, 4);
    http_metrics_add(http_metrics_row(metrics, 2), id, 5);
    http_metrics_set(http_metrics_row(metrics, 1), gauge, 9);
    http_metrics_set(http_metrics_row(metrics, 1), gauge, 7);
    assert_int_equal(http_metrics_value(metrics, id), 12);
    render(metrics);
    assert_line("# HELP a_total A.");
    assert_line("# TYPE a_total counter");
    assert_line("a_total 12");
    assert_line("# TYPE b gauge");
    assert_line("b{x=\"1\"} 7");
    http_metrics_destroy(metrics);
}

static void test_histogram_is_cumulative(void **state)
{
    (void)state;
    struct http_metrics *metrics = http_metrics_create(1);
    unsigned id = http_metrics_histogram(metrics, "t_seconds", "T.", "r=\"/\"");
    struct http_metrics_row *row = http_metrics_row(metrics, 0);
    http_metrics_observe(row, id, 10000);          /* 10 µs */
    http_metrics_observe(row, id, 20000);          /* 20 µs */
    http_metrics_observe(row, id, 30000000000ull); /* 30 s */
    render(metrics);
    assert_line("# TYPE t_seconds histogram");
    assert_line("t_seconds_bucket{r=\"/\",le=\"0.000016\"} 1");
    assert_line("t_seconds_bucket{r=\"/\",le=\"0.000032\"} 2");
    assert_line("t_seconds_bucket{r=\"/\",le=\"16.777216\"} 2");
    assert_line("t_seconds_bucket{r=\"/\",le=\"+Inf\"} 3");
    assert_line("t_seconds_sum{r=\"/\"} 30.000030");
    assert_line("t_seconds_count{r=\"/\"} 3");
    http_metrics_destroy(metrics);
}

static void test_one_head_per_name(void **state)
{
    (void)state;
    struct http_metrics *metrics = http_metrics_create(1);
    http_metrics_counter(metrics, "a_total", "A.", "x=\"1\"");
    http_metrics_counter(metrics, "b_total", "B.", NULL);
    http_metrics_counter(metrics, "a_total", "A.", "x=\"2\"");
    render(metrics);
    char *first = strstr(text, "# TYPE a_total"), *second = strstr(text, "a_total{x=\"2\"} 0");
    assert_non_null(first);
    assert_null(strstr(first + 1, "# TYPE a_total"));
    assert_non_null(second);
    assert_true(second < strstr(text, "# HELP b_total"));
    http_metrics_destroy(metrics);
}

static void write_source(void *context, struct oms_buf *out)
{
    static const uint64_t counts[3] = {1, 2, 3};
    http_metrics_write_head(out, "s", "gauge", "S.");
    http_metrics_write_u64(out, "s", "", *(uint64_t *)context);
    http_metrics_write_micro(out, "s_seconds", "k=\"v\"", 1500000);
    http_metrics_write_histogram(out, "h", "", counts, 3, 0, 99, false);
}

static void test_source(void **state)
{
    (void)state;
    uint64_t value = 5;
    struct http_metrics *metrics = http_metrics_create(1);
    http_metrics_source(metrics, write_source, &value);
    value = 6;
    render(metrics);
    assert_line("s 6");
    assert_line("s_seconds{k=\"v\"} 1.500000");
    assert_line("h_bucket{le=\"2\"} 3");
    assert_line("h_bucket{le=\"+Inf\"} 6");
    assert_line("h_sum 99");
    http_metrics_destroy(metrics);
    struct http_metrics *empty = http_metrics_create(1);
    render(empty);
    assert_string_equal(text, "");
    http_metrics_destroy(empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buckets),
        cmocka_unit_test(test_sums_rows),
        cmocka_unit_test(test_histogram_is_cumulative),
        cmocka_unit_test(test_one_head_per_name),
        cmocka_unit_test(test_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
