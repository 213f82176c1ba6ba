/*
 * Any bytes to the reader of stored records. Fields must lie in the source; what was read, written again and
 * read again, must be the same fields, whatever form their varints had.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/assert.h"
#include "runtime/base/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void copy_field(const struct oms_wire *wire, struct oms_buf *out)
{
    if (!wire->is_bytes) {
        oms_wire_put_u64(out, wire->field, wire->number);
        return;
    }
    /* Both ways to write bytes: at once, and as a nested record whose length is fixed afterwards. */
    if (wire->bytes.len & 1) {
        oms_wire_put_str(out, wire->field, wire->bytes);
    } else {
        size_t mark = oms_wire_begin(out, wire->field);
        oms_buf_append_str(out, wire->bytes);
        oms_wire_end(out, mark);
    }
}

static void check_same(struct oms_str first, struct oms_str second)
{
    struct oms_wire a, b;
    oms_wire_read(&a, first);
    oms_wire_read(&b, second);
    while (oms_wire_next(&a)) {
        OMS_ASSERT(oms_wire_next(&b));
        OMS_ASSERT(a.field == b.field && a.is_bytes == b.is_bytes && a.number == b.number);
        OMS_ASSERT(oms_str_eq(a.bytes, b.bytes));
        OMS_ASSERT(!a.is_bytes || (a.bytes.data >= first.data && a.bytes.data <= first.data + first.len));
    }
    OMS_ASSERT(!oms_wire_next(&b) && !b.corrupt);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct oms_buf out;
    struct oms_wire wire;
    struct oms_str source = oms_str_make(data, size);
    oms_buf_init(&out, 1 << 20);
    oms_wire_read(&wire, source);
    while (oms_wire_next(&wire))
        copy_field(&wire, &out);
    OMS_ASSERT(!out.overflow && wire.next == wire.end);
    check_same(source, oms_buf_str(&out));
    oms_wire_read(&wire, source);
    while (wire.next < wire.end)
        (void)oms_wire_varint(&wire);
    OMS_ASSERT(wire.next == wire.end);
    oms_buf_fini(&out);
    return 0;
}
