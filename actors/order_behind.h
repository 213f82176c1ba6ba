/*
 * Whether an order changed behind a cursor of the log, exactly. Its time cannot tell: several units share a
 * millisecond, and a unit that was decided earlier may be committed later, so a client that asks for what is
 * behind its cursor would miss it. The timeline has the commit that made the order what it is.
 *
 * For the orders of one tenant in one view; blocking; on the thread that owns the view.
 */
#ifndef ORDER_BEHIND_H
#define ORDER_BEHIND_H

#include "actors/ids.h"
#include "storage/engine.h"

struct order_behind {
    struct store_engine *engine;
    struct store_view *view;
    struct store_iter *runs; /* of the tenant's timelines; NULL until the first question */
    uint32_t tenant;
    struct ids_cursor cursor;
};

/* Engine and view outlive it. */
void order_behind_init(struct order_behind *behind, struct store_engine *engine, struct store_view *view,
                       uint32_t tenant, struct ids_cursor cursor);
void order_behind_fini(struct order_behind *behind);
/*
 * Whether the last event of the order, stored in the view at `version`, lies behind the cursor. *status:
 * OMS_OK, OMS_IO or OMS_CORRUPT (then false).
 */
bool order_is_behind(struct order_behind *behind, const unsigned char order_id[16], uint32_t version,
                     enum oms_status *status);

#endif
