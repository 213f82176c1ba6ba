/* Any bytes as a file whose upload is read anew at two places: what is told is the same as in one go; and as
 * a page of a report and a stored upload: no crash. */
#include "actors/upload.h"
#include "http/upload/page.h"
#include "runtime/base/assert.h"
#include "tests/unit/upload_resume.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char csv_map[] =
    "{\"name\":\"m\",\"group\":\"o\",\"order\":{\"externalRef\":\"o\",\"name\":\"c\"},"
    "\"line\":{\"sku\":\"s\"}}";

static void read_cut(const char *map, const char *header, const uint8_t *data, size_t size)
{
    struct oms_buf file, whole, cut;

    oms_buf_init(&file, 16u << 20);
    oms_buf_init(&whole, 64u << 20);
    oms_buf_init(&cut, 64u << 20);
    oms_buf_append_str(&file, oms_str_of(header));
    oms_buf_append(&file, data, size);
    size_t cuts[2] = {size ? data[0] % (file.len + 1) : 0, size > 1 ? data[1] % (file.len + 1) : 0};
    if (cuts[0] > cuts[1])
        cuts[0] = cuts[1];
    const char *bytes = file.data ? file.data : "";
    upload_resume_read(map, bytes, file.len, NULL, 0, &whole);
    upload_resume_read(map, bytes, file.len, cuts, 2, &cut);
    OMS_ASSERT(oms_str_eq(oms_buf_str(&whole), oms_buf_str(&cut)));
    oms_buf_fini(&file);
    oms_buf_fini(&whole);
    oms_buf_fini(&cut);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct oms_str bytes = oms_str_make(size ? (const char *)data : "", size);
    struct upload_page_reader reader;
    struct import_row_place row;
    struct upload_entry entry;
    struct upload upload = {0};
    struct oms_str page;

    read_cut(csv_map, "o,c,s\n", data, size);
    read_cut(csv_map, "", data, size);
    read_cut("{\"name\":\"l\",\"format\":\"jsonl\"}", "", data, size);
    upload_page_read(&reader, bytes);
    while (upload_page_next(&reader, &entry))
        for (size_t i = 0; i < size && upload_page_row(&reader, &row); i++)
            continue;
    if (upload_apply(&upload, bytes, &page) == OMS_OK && upload_decode(bytes, &upload) == OMS_OK)
        OMS_ASSERT(upload.version);
    return 0;
}
