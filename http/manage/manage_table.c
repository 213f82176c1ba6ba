/* See manage_table.h. Control characters of names and reasons are shown as '?', so that they cannot steer a
 * terminal. */
#include "http/manage/manage_table.h"

#include <string.h>

#include "runtime/base/buf.h"

#define COLUMNS_MAX 16
#define CELL_MAX    200

static const struct oms_value *find(const struct oms_value *object, const char *path)
{
    char name[64];
    while (object && *path) {
        size_t len = strcspn(path, ".");
        snprintf(name, sizeof(name), "%.*s", (int)len, path);
        object = oms_value_get_set(object, name);
        path += path[len] ? len + 1 : len;
    }
    return object;
}

static void append_text(struct oms_buf *out, struct oms_str text)
{
    for (size_t i = 0; i < text.len && i < CELL_MAX; i++)
        oms_buf_append_char(out,
                            (unsigned char)text.data[i] < ' ' || text.data[i] == 0x7f ? '?' : text.data[i]);
}

static void append_value(struct oms_buf *out, const struct oms_value *value)
{
    switch (value->kind) {
    case OMS_VALUE_STRING:
    case OMS_VALUE_ENUM:
    case OMS_VALUE_NUMBER:
        append_text(out, value->text);
        break;
    case OMS_VALUE_NULL:
    case OMS_VALUE_BOOL:
    case OMS_VALUE_INT:
    case OMS_VALUE_LIST:
    case OMS_VALUE_OBJECT:
        oms_value_write_json(value, out);
        break;
    }
}

static void cell(struct oms_buf *out, const struct oms_value *object, const char *path)
{
    const struct oms_value *value = find(object, path);
    oms_buf_reset(out);
    if (value && value->kind == OMS_VALUE_LIST)
        for (size_t i = 0; i < value->list.count; i++) {
            if (i)
                oms_buf_append_char(out, ',');
            append_value(out, &value->list.items[i]);
        }
    else if (value)
        append_value(out, value);
    if (!out->len)
        oms_buf_append_char(out, '-');
    oms_buf_append_char(out, '\0');
}

/* Bytes that begin a character (UTF-8): near enough to columns on a screen. */
static int width_of(const char *text)
{
    int width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

void manage_table_print(FILE *out, const struct oms_value *list, const struct manage_column *columns,
                        size_t count, bool titles)
{
    int widths[COLUMNS_MAX] = {0};
    struct oms_buf text;
    oms_buf_init(&text, 1u << 20);
    for (size_t c = 0; c < count; c++)
        widths[c] = width_of(columns[c].title);
    for (size_t i = 0; i < list->list.count; i++)
        for (size_t c = 0; c < count; c++) {
            cell(&text, &list->list.items[i], columns[c].path);
            if (width_of(text.data) > widths[c])
                widths[c] = width_of(text.data);
        }
    for (size_t i = !titles; i <= list->list.count; i++)
        for (size_t c = 0; c < count; c++) {
            const char *shown = columns[c].title;
            if (i) {
                cell(&text, &list->list.items[i - 1], columns[c].path);
                shown = text.data;
            }
            if (c + 1 < count)
                fprintf(out, "%s%*s", shown, widths[c] - width_of(shown) + 2, "");
            else
                fprintf(out, "%s\n", shown);
        }
    oms_buf_fini(&text);
}

void manage_record_print(FILE *out, const struct oms_value *object, const struct manage_column *columns,
                         size_t count)
{
    struct oms_buf text;
    int width = 0;
    oms_buf_init(&text, 1u << 20);
    for (size_t c = 0; c < count; c++)
        if (width_of(columns[c].title) > width)
            width = width_of(columns[c].title);
    for (size_t c = 0; c < count; c++) {
        cell(&text, object, columns[c].path);
        fprintf(out, "%s%*s%s\n", columns[c].title, width - width_of(columns[c].title) + 2, "", text.data);
    }
    oms_buf_fini(&text);
}

void manage_json_print(FILE *out, const struct oms_value *value)
{
    struct oms_buf text;
    oms_buf_init(&text, 16u << 20);
    oms_value_write_json(value, &text);
    fprintf(out, "%.*s\n", (int)text.len, text.data);
    oms_buf_fini(&text);
}
