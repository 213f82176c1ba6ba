/* The stored forms of an upload; see upload.h. Tagged fields, each number used once for ever. */
#include "actors/upload.h"

#include "actors/ids.h"
#include "runtime/base/limits.h"
#include "runtime/base/wire.h"

enum { PLAIN_PAGES = 1, PLAIN_REMOVED };
enum { EVENT_CREATED = 1, EVENT_HEADER, EVENT_PROGRESS, EVENT_PAGE };
enum { STATE_VERSION = 1, STATE_PAGES, STATE_TERMS, STATE_HEADER, STATE_PROGRESS, STATE_CHANGED_AT };
enum {
    TERM_CREATED_AT = 1,
    TERM_SUBJECT,
    TERM_MAP,
    TERM_MAP_NAME,
    TERM_DRY_RUN,
    TERM_STOP_ON_ERROR,
    TERM_CONFLICT_ON_EXISTING,
    TERM_LENGTH
};
enum {
    PROGRESS_PHASE = 1,
    PROGRESS_OFFSET,
    PROGRESS_LENGTH,
    PROGRESS_PLACE_OFFSET,
    PROGRESS_PLACE_LINE,
    PROGRESS_PLACE_ROW,
    PROGRESS_POISON_LINE,
    PROGRESS_AFTER_CR,
    PROGRESS_TAIL,
    PROGRESS_FAULTS,
    PROGRESS_FAILURE,
    PROGRESS_ROWS,
    PROGRESS_ORDERS,
    PROGRESS_CREATED,
    PROGRESS_EXISTING,
    PROGRESS_OTHER,
    PROGRESS_REFUSED,
    PROGRESS_ROWS_REFUSED,
    PROGRESS_REPORT_BYTES,
    PROGRESS_SKIPPED,
    PROGRESS_END
};

void upload_address(uint32_t tenant, const unsigned char id[UPLOAD_ID_SIZE], struct rt_address *out)
{
    *out = (struct rt_address){.tenant = tenant, .kind = RT_ACTOR_UPLOAD};
    memcpy(out->key, id, UPLOAD_ID_SIZE);
}

/* An upload's id is written as an order's is, without its prefix. */
void upload_id_text(const unsigned char id[UPLOAD_ID_SIZE], char out[UPLOAD_ID_TEXT + 1])
{
    char text[IDS_ORDER_TEXT + 1];

    ids_order_text(id, text);
    memcpy(out, text + IDS_ORDER_TEXT - UPLOAD_ID_TEXT, UPLOAD_ID_TEXT + 1);
}

enum oms_status upload_id_parse(struct oms_str text, unsigned char out[UPLOAD_ID_SIZE])
{
    char whole[IDS_ORDER_TEXT] = "ORD-";

    if (text.len != UPLOAD_ID_TEXT)
        return OMS_INVALID;
    memcpy(whole + IDS_ORDER_TEXT - UPLOAD_ID_TEXT, text.data, UPLOAD_ID_TEXT);
    return ids_order_parse(oms_str_make(whole, sizeof(whole)), out);
}

int64_t upload_expires_at(const struct upload *upload)
{
    return upload->changed_at + OMS_UPLOAD_KEEP_MS;
}

/* ---- parts ---- */

static void put_number(struct oms_buf *out, unsigned field, uint64_t value)
{
    if (value)
        oms_wire_put_u64(out, field, value);
}

static void put_terms(const struct upload_terms *terms, struct oms_buf *out)
{
    oms_wire_put_i64(out, TERM_CREATED_AT, terms->created_at);
    oms_wire_put_str(out, TERM_SUBJECT, terms->subject);
    oms_wire_put_str(out, TERM_MAP, terms->map);
    oms_wire_put_str(out, TERM_MAP_NAME, terms->map_name);
    put_number(out, TERM_DRY_RUN, terms->dry_run);
    put_number(out, TERM_STOP_ON_ERROR, terms->stop_on_error);
    put_number(out, TERM_CONFLICT_ON_EXISTING, terms->conflict_on_existing);
    put_number(out, TERM_LENGTH, terms->length);
}

static void take_term_text(struct upload_terms *out, const struct oms_wire *wire)
{
    if (wire->field == TERM_SUBJECT)
        out->subject = wire->bytes;
    else if (wire->field == TERM_MAP)
        out->map = wire->bytes;
    else if (wire->field == TERM_MAP_NAME)
        out->map_name = wire->bytes;
}

static void take_term_number(struct upload_terms *out, const struct oms_wire *wire)
{
    switch (wire->field) {
    case TERM_CREATED_AT:
        out->created_at = oms_wire_i64(wire);
        break;
    case TERM_DRY_RUN:
        out->dry_run = wire->number != 0;
        break;
    case TERM_STOP_ON_ERROR:
        out->stop_on_error = wire->number != 0;
        break;
    case TERM_CONFLICT_ON_EXISTING:
        out->conflict_on_existing = wire->number != 0;
        break;
    case TERM_LENGTH:
        out->length = wire->number;
        break;
    default:
        break;
    }
}

static bool take_terms(struct oms_str bytes, struct upload_terms *out)
{
    struct oms_wire wire;

    *out = (struct upload_terms){0};
    oms_wire_read(&wire, bytes);
    while (oms_wire_next(&wire)) {
        if (wire.is_bytes)
            take_term_text(out, &wire);
        else
            take_term_number(out, &wire);
    }
    return !wire.corrupt;
}

/* Where a number of the progress lies; NULL for another field. */
static uint64_t *progress_number(struct upload_progress *progress, unsigned field)
{
    switch (field) {
    case PROGRESS_OFFSET:
        return &progress->offset;
    case PROGRESS_LENGTH:
        return &progress->length;
    case PROGRESS_PLACE_OFFSET:
        return &progress->place.offset;
    case PROGRESS_PLACE_LINE:
        return &progress->place.line;
    case PROGRESS_PLACE_ROW:
        return &progress->place.row;
    case PROGRESS_POISON_LINE:
        return &progress->place.poison_line;
    case PROGRESS_ROWS:
        return &progress->counts.rows;
    case PROGRESS_ORDERS:
        return &progress->counts.orders;
    case PROGRESS_CREATED:
        return &progress->counts.created;
    case PROGRESS_EXISTING:
        return &progress->counts.existing;
    case PROGRESS_OTHER:
        return &progress->counts.other;
    case PROGRESS_REFUSED:
        return &progress->counts.refused;
    case PROGRESS_ROWS_REFUSED:
        return &progress->counts.rows_refused;
    case PROGRESS_SKIPPED:
        return &progress->counts.skipped;
    case PROGRESS_REPORT_BYTES:
        return &progress->report_bytes;
    default:
        return NULL;
    }
}

static void put_progress(const struct upload_progress *progress, struct oms_buf *out)
{
    struct upload_progress copy = *progress;

    put_number(out, PROGRESS_PHASE, progress->phase);
    put_number(out, PROGRESS_AFTER_CR, progress->place.after_cr);
    for (unsigned field = PROGRESS_OFFSET; field < PROGRESS_END; field++) {
        const uint64_t *number = progress_number(&copy, field);
        if (number)
            put_number(out, field, *number);
    }
    oms_wire_put_str(out, PROGRESS_TAIL, progress->tail);
    oms_wire_put_str(out, PROGRESS_FAULTS, progress->faults);
    oms_wire_put_str(out, PROGRESS_FAILURE, progress->failure);
}

static void take_progress_text(struct upload_progress *out, const struct oms_wire *wire)
{
    if (wire->field == PROGRESS_TAIL)
        out->tail = wire->bytes;
    else if (wire->field == PROGRESS_FAULTS)
        out->faults = wire->bytes;
    else if (wire->field == PROGRESS_FAILURE)
        out->failure = wire->bytes;
}

static bool take_progress(struct oms_str bytes, struct upload_progress *out)
{
    struct oms_wire wire;

    *out = (struct upload_progress){0};
    oms_wire_read(&wire, bytes);
    while (oms_wire_next(&wire)) {
        uint64_t *number = progress_number(out, wire.field);
        if (wire.is_bytes)
            take_progress_text(out, &wire);
        else if (number)
            *number = wire.number;
        else if (wire.field == PROGRESS_PHASE)
            out->phase = (enum upload_phase)wire.number;
        else if (wire.field == PROGRESS_AFTER_CR)
            out->place.after_cr = wire.number != 0;
    }
    return !wire.corrupt;
}

/* ---- events ---- */

void upload_put_created(const struct upload_terms *terms, struct oms_buf *out)
{
    size_t mark = oms_wire_begin(out, EVENT_CREATED);
    put_terms(terms, out);
    oms_wire_end(out, mark);
}

void upload_put_header(struct oms_str header, struct oms_buf *out)
{
    oms_wire_put_str(out, EVENT_HEADER, header);
}

void upload_put_progress(const struct upload_progress *progress, struct oms_buf *out)
{
    size_t mark = oms_wire_begin(out, EVENT_PROGRESS);
    put_progress(progress, out);
    oms_wire_end(out, mark);
}

void upload_put_page(struct oms_str page, struct oms_buf *out)
{
    oms_wire_put_str(out, EVENT_PAGE, page);
}

void upload_put_plain(uint32_t pages, bool removed, struct oms_buf *out)
{
    oms_wire_put_u64(out, PLAIN_PAGES, pages);
    put_number(out, PLAIN_REMOVED, removed);
}

enum oms_status upload_take_plain(struct oms_str event, struct upload *upload)
{
    struct oms_wire wire;

    oms_wire_read(&wire, event);
    while (oms_wire_next(&wire)) {
        if (wire.is_bytes)
            continue;
        if (wire.field == PLAIN_PAGES)
            upload->pages = (uint32_t)wire.number;
        else if (wire.field == PLAIN_REMOVED)
            upload->removed = wire.number != 0;
    }
    return wire.corrupt ? OMS_CORRUPT : OMS_OK;
}

enum oms_status upload_apply(struct upload *upload, struct oms_str told, struct oms_str *page)
{
    struct oms_wire wire;
    bool fits = true;

    *page = OMS_STR_NONE;
    oms_wire_read(&wire, told);
    while (fits && oms_wire_next(&wire)) {
        if (!wire.is_bytes)
            continue;
        if (wire.field == EVENT_CREATED)
            fits = take_terms(wire.bytes, &upload->terms);
        else if (wire.field == EVENT_HEADER)
            upload->header = wire.bytes;
        else if (wire.field == EVENT_PROGRESS)
            fits = take_progress(wire.bytes, &upload->progress);
        else if (wire.field == EVENT_PAGE)
            *page = wire.bytes;
    }
    return fits && !wire.corrupt ? OMS_OK : OMS_CORRUPT;
}

/* ---- the state ---- */

void upload_encode(const struct upload *upload, struct oms_buf *out)
{
    oms_wire_put_u64(out, STATE_VERSION, upload->version);
    oms_wire_put_u64(out, STATE_PAGES, upload->pages);
    oms_wire_put_i64(out, STATE_CHANGED_AT, upload->changed_at);
    size_t mark = oms_wire_begin(out, STATE_TERMS);
    put_terms(&upload->terms, out);
    oms_wire_end(out, mark);
    oms_wire_put_str(out, STATE_HEADER, upload->header);
    mark = oms_wire_begin(out, STATE_PROGRESS);
    put_progress(&upload->progress, out);
    oms_wire_end(out, mark);
}

enum oms_status upload_decode(struct oms_str bytes, struct upload *out)
{
    struct oms_wire wire;
    bool fits = true;

    *out = (struct upload){0};
    oms_wire_read(&wire, bytes);
    while (fits && oms_wire_next(&wire)) {
        if (wire.is_bytes && wire.field == STATE_TERMS)
            fits = take_terms(wire.bytes, &out->terms);
        else if (wire.is_bytes && wire.field == STATE_PROGRESS)
            fits = take_progress(wire.bytes, &out->progress);
        else if (wire.is_bytes && wire.field == STATE_HEADER)
            out->header = wire.bytes;
        else if (!wire.is_bytes && wire.field == STATE_VERSION)
            out->version = (uint32_t)wire.number;
        else if (!wire.is_bytes && wire.field == STATE_PAGES)
            out->pages = (uint32_t)wire.number;
        else if (!wire.is_bytes && wire.field == STATE_CHANGED_AT)
            out->changed_at = oms_wire_i64(&wire);
    }
    return fits && !wire.corrupt && out->version ? OMS_OK : OMS_CORRUPT;
}
