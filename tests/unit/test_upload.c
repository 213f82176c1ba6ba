/* What an upload keeps: reading that goes on at any byte, the report's pages, the stored forms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "actors/upload.h"
#include "http/upload/page.h"
#include "tests/unit/upload_resume.h"

static const char map[] = "{\"name\":\"m\",\"group\":\"o\",\"order\":{\"externalRef\":\"o\",\"name\":\"c\"},"
                          "\"line\":{\"sku\":\"s\",\"n\":{\"$integer\":\"n\"}}}";
static const char lines_map[] = "{\"name\":\"l\",\"format\":\"jsonl\"}";

static void assert_same_at_every_cut(const char *the_map, const char *file, size_t len)
{
    struct oms_buf whole, cut;

    oms_buf_init(&whole, 1u << 20);
    oms_buf_init(&cut, 1u << 20);
    upload_resume_read(the_map, file, len, NULL, 0, &whole);
    assert_true(whole.len > 0);
    for (size_t first = 0; first <= len; first++) {
        for (size_t second = first; second <= len; second += 1 + (len - first) / 3) {
            const size_t cuts[2] = {first, second};
            oms_buf_reset(&cut);
            upload_resume_read(the_map, file, len, cuts, 2, &cut);
            oms_buf_append_char(&cut, '\0');
            cut.len--;
            if (!oms_str_eq(oms_buf_str(&whole), oms_buf_str(&cut)))
                fail_msg("cut at %zu and %zu:\n%s\nnot\n%.*s", first, second, cut.data, (int)whole.len,
                         whole.data);
        }
    }
    oms_buf_fini(&whole);
    oms_buf_fini(&cut);
}

#define EVERY_CUT(the_map, file) assert_same_at_every_cut(the_map, file, sizeof(file) - 1)

static void test_going_on_at_any_byte(void **state)
{
    (void)state;
    EVERY_CUT(map, "\xEF\xBB\xBFo,c,s,n\r\nA,Zo\xC3\xAB,\"x\r\n,\"\"y\"\"\",1\r\nA,Zo\xC3\xAB,z,2\r\nB,"
                   "\xE6\x97\xA5,s,3\r\n");
    EVERY_CUT(map, "o,c,s,n\nA,a,x,1\n\n\nB,b,y,2\nA,a,x,3\nB,b,z,4\n,b,z,5\nC,c,x,6\nC,d,x,7");
    EVERY_CUT(map, "o,c,s,n\rA,a,x,1\rA,a\rB,b,y,2\rC,c,y,2\rD,d,\xFF,1\rE,e,e,1\rF,f,f,1\r");
    EVERY_CUT(map, "o,c,s,n\r\nA,a,x,1\r\nA,a,\"x\"y,1\r\nB,b,y,x\r\n\r\nC,c,y,2\r\nA,a,z,1\r\nD,d,d,1\r\n");
    EVERY_CUT(map, "o,c,s\nA,a,x\n"); /* a column is missing */
    EVERY_CUT(map, "");
}

static void test_going_on_in_json_lines(void **state)
{
    (void)state;
    EVERY_CUT(
        lines_map,
        "\xEF\xBB\xBF{\"externalRef\":\"A\"}\r\n\n{\"externalRef\":1}\n{\n{\"externalRef\":\"B\",\"source\":"
        "\"\xC3\xA9\"}\n{\"externalRef\":\"C\"}");
}

static void test_pages(void **state)
{
    const struct import_row_place rows[] = {{7, 9}, {8, 10}, {9, 12}}, bad = {0, 11};
    struct upload_entry made = {UPLOAD_ENTRY_CREATED, 3,           OMS_STR("REF"), true, {1, 2, 3},
                                OMS_STR(""),          OMS_STR(""), OMS_STR("")};
    struct upload_entry refused = {
        UPLOAD_ENTRY_REFUSED,   1, OMS_STR_NONE, false, {0}, OMS_STR("INVALID"), OMS_STR("n"),
        OMS_STR("not a number")};
    struct upload_page_reader reader;
    struct import_row_place row;
    struct upload_entry entry;
    struct oms_buf page;

    (void)state;
    oms_buf_init(&page, 4096);
    upload_page_put(&made, rows, &page);
    upload_page_put(&refused, &bad, &page);
    upload_page_read(&reader, oms_buf_str(&page));
    assert_true(upload_page_next(&reader, &entry));
    assert_true(entry.result == UPLOAD_ENTRY_CREATED && entry.has_id && entry.id[2] == 3);
    assert_true(oms_str_eq_c(entry.ref, "REF"));
    for (int i = 0; i < 3; i++) {
        assert_true(upload_page_row(&reader, &row));
        assert_int_equal(row.number, rows[i].number);
        assert_int_equal(row.line, rows[i].line);
    }
    assert_false(upload_page_row(&reader, &row));
    assert_true(upload_page_next(&reader, &entry));
    assert_true(entry.result == UPLOAD_ENTRY_REFUSED && !oms_str_present(entry.ref) && !entry.has_id);
    assert_true(oms_str_eq_c(entry.code, "INVALID") && oms_str_eq_c(entry.message, "not a number"));
    assert_true(upload_page_row(&reader, &row));
    assert_true(row.number == 0 && row.line == 11);
    assert_false(upload_page_next(&reader, &entry));
    assert_false(reader.wire.corrupt);
    /* one that was cut off is told to be */
    for (size_t len = 1; len < page.len; len++) {
        upload_page_read(&reader, oms_str_make(page.data, len));
        while (upload_page_next(&reader, &entry))
            while (upload_page_row(&reader, &row))
                continue;
    }
    oms_buf_fini(&page);
}

static void test_state_is_the_fold_of_what_units_tell(void **state)
{
    const struct upload_terms terms = {.created_at = 5,
                                       .subject = OMS_STR("me"),
                                       .map = OMS_STR("{}"),
                                       .map_name = OMS_STR("m"),
                                       .dry_run = true,
                                       .length = 99};
    const struct upload_progress progress = {.phase = UPLOAD_STOPPED,
                                             .offset = 70,
                                             .place = {60, 3, 2, 1, true},
                                             .tail = OMS_STR("0123456789"),
                                             .failure = OMS_STR("why"),
                                             .counts = {9, 8, 7, 6, 5, 4, 3, 2},
                                             .report_bytes = 11};
    struct upload folded = {0}, read;
    struct oms_buf first, second, plain, bytes;
    struct oms_str page;

    (void)state;
    oms_buf_init(&first, 4096);
    oms_buf_init(&second, 4096);
    oms_buf_init(&plain, 4096);
    oms_buf_init(&bytes, 4096);
    upload_put_created(&terms, &first);
    assert_true(upload_apply(&folded, oms_buf_str(&first), &page) == OMS_OK && !oms_str_present(page));
    upload_put_header(OMS_STR("o,c\n"), &second);
    upload_put_progress(&progress, &second);
    upload_put_page(OMS_STR("page"), &second);
    assert_true(upload_apply(&folded, oms_buf_str(&second), &page) == OMS_OK && oms_str_eq_c(page, "page"));
    upload_put_plain(1, false, &plain);
    assert_true(upload_take_plain(oms_buf_str(&plain), &folded) == OMS_OK);
    folded.version = 2;
    folded.changed_at = 1000;
    upload_encode(&folded, &bytes);
    assert_true(upload_decode(oms_buf_str(&bytes), &read) == OMS_OK);
    assert_true(read.version == 2 && read.pages == 1 && !read.removed && read.terms.dry_run);
    assert_true(oms_str_eq_c(read.header, "o,c\n") && oms_str_eq_c(read.terms.subject, "me"));
    assert_true(read.progress.phase == UPLOAD_STOPPED && read.progress.offset == 70);
    assert_memory_equal(&read.progress.counts, &progress.counts, sizeof(progress.counts));
    assert_true(read.progress.place.after_cr && read.progress.place.offset == 60 &&
                read.progress.place.poison_line == 1);
    assert_true(oms_str_eq_c(read.progress.tail, "0123456789") && read.terms.length == 99);
    assert_true(upload_expires_at(&read) > 1000);
    for (size_t len = 0; len < bytes.len; len++) /* cut off: no crash */
        if (upload_decode(oms_str_make(bytes.data, len), &read) == OMS_OK)
            assert_true(read.version == 2);
    oms_buf_fini(&first);
    oms_buf_fini(&second);
    oms_buf_fini(&plain);
    oms_buf_fini(&bytes);
}

static void test_ids(void **state)
{
    unsigned char id[UPLOAD_ID_SIZE] = {0xff, 1, 2, 3, 0x80}, back[UPLOAD_ID_SIZE];
    char text[UPLOAD_ID_TEXT + 1];

    (void)state;
    upload_id_text(id, text);
    assert_int_equal(strlen(text), UPLOAD_ID_TEXT);
    assert_true(upload_id_parse(oms_str_of(text), back) == OMS_OK);
    assert_memory_equal(id, back, sizeof(id));
    assert_true(upload_id_parse(OMS_STR("x"), back) == OMS_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_going_on_at_any_byte),
        cmocka_unit_test(test_going_on_in_json_lines),
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_state_is_the_fold_of_what_units_tell),
        cmocka_unit_test(test_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
