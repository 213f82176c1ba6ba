/* By the vendor of each line; see order_sight.h. */
#include "actors/order_sight.h"

bool order_sees_line(const struct order_sight *sight, const struct order_line *line)
{
    return access_sees_all_lines(sight->on) ||
           (line && access_vendor(sight->access, PERMISSION_GET_ORDER, line->vendor.id));
}

static bool sees_item(const struct order_sight *sight, const struct order_item *item)
{
    return order_sees_line(sight, sight->order ? order_find_line(sight->order, item->line) : NULL);
}

bool order_sees_items(const struct order_sight *sight, const struct order_item *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (sees_item(sight, &items[i]))
            return true;
    return access_sees_all_lines(sight->on);
}

bool order_sees_all_items(const struct order_sight *sight, const struct order_item *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!sees_item(sight, &items[i]))
            return false;
    return true;
}
