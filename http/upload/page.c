/* See page.h. */
#include "http/upload/page.h"

static void put_text(struct oms_buf *out, struct oms_str text)
{
    oms_wire_put_varint(out, text.len);
    oms_buf_append_str(out, text);
}

void upload_page_put(const struct upload_entry *entry, const struct import_row_place *rows,
                     struct oms_buf *out)
{
    size_t mark = oms_wire_begin(out, 1);

    oms_wire_put_varint(out, (uint64_t)entry->result);
    oms_wire_put_varint(out, oms_str_present(entry->ref));
    put_text(out, entry->ref);
    oms_wire_put_varint(out, entry->has_id);
    if (entry->has_id)
        oms_buf_append(out, entry->id, sizeof(entry->id));
    put_text(out, entry->code);
    put_text(out, entry->field);
    put_text(out, entry->message);
    oms_wire_put_varint(out, entry->row_count);
    for (size_t i = 0; i < entry->row_count; i++) {
        if (i == 0)
            oms_wire_put_varint(out, rows[0].number);
        oms_wire_put_varint(out, i ? rows[i].line - rows[i - 1].line : rows[0].line);
    }
    oms_wire_end(out, mark);
}

void upload_page_read(struct upload_page_reader *reader, struct oms_str page)
{
    *reader = (struct upload_page_reader){0};
    oms_wire_read(&reader->wire, page);
}

static struct oms_str take_bytes(struct oms_wire *wire, uint64_t len)
{
    if (wire->corrupt || len > (uint64_t)(wire->end - wire->next)) {
        wire->corrupt = true;
        return OMS_STR("");
    }
    struct oms_str bytes = oms_str_make(wire->next, (size_t)len);
    wire->next += len;
    return bytes;
}

static struct oms_str take_text(struct oms_wire *wire)
{
    return take_bytes(wire, oms_wire_varint(wire));
}

bool upload_page_next(struct upload_page_reader *reader, struct upload_entry *out)
{
    struct oms_wire *in = &reader->rows;

    do {
        if (!oms_wire_next(&reader->wire))
            return false;
    } while (!reader->wire.is_bytes || reader->wire.field != 1);
    oms_wire_read(in, reader->wire.bytes);
    *out = (struct upload_entry){.result = (enum upload_entry_result)oms_wire_varint(in)};
    bool has_ref = oms_wire_varint(in) != 0;
    out->ref = take_text(in);
    if (!has_ref)
        out->ref = OMS_STR_NONE;
    out->has_id = oms_wire_varint(in) != 0;
    if (out->has_id) {
        struct oms_str id = take_bytes(in, sizeof(out->id));
        if (id.len == sizeof(out->id))
            memcpy(out->id, id.data, id.len);
    }
    out->code = take_text(in);
    out->field = take_text(in);
    out->message = take_text(in);
    out->row_count = reader->rows_left = oms_wire_varint(in);
    reader->next_number = reader->rows_left ? oms_wire_varint(in) : 0;
    reader->next_line = 0;
    reader->wire.corrupt = reader->wire.corrupt || in->corrupt;
    return !reader->wire.corrupt;
}

bool upload_page_row(struct upload_page_reader *reader, struct import_row_place *out)
{
    if (reader->rows_left == 0 || reader->rows.corrupt)
        return false;
    reader->rows_left--;
    reader->next_line += oms_wire_varint(&reader->rows);
    *out = (struct import_row_place){reader->next_number, reader->next_line};
    if (reader->next_number)
        reader->next_number++;
    reader->wire.corrupt = reader->wire.corrupt || reader->rows.corrupt;
    return !reader->rows.corrupt;
}

const char *upload_entry_word(enum upload_entry_result result)
{
    switch (result) {
    case UPLOAD_ENTRY_CREATED:
        return "created";
    case UPLOAD_ENTRY_EXISTING:
        return "existing";
    case UPLOAD_ENTRY_OTHER:
        return "existing_other";
    case UPLOAD_ENTRY_SKIPPED:
        return "skipped";
    case UPLOAD_ENTRY_REFUSED:
        break;
    }
    return "refused";
}
