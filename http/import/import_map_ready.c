/*
 * The ready maps: files of the same language as a user's own (maps/), carried by the program, so that each is
 * an example of it as well.
 */
#include "http/import/import_map_impl.h"

#include "runtime/base/assert.h"

#define CARRY(symbol, file)                                                                                  \
    __asm__(".section .rodata\n" #symbol "_start: .incbin \"" LITEOMS_MAPS "/" file "\"\n" #symbol "_end:\n" \
            ".byte 0\n.previous\n");                                                                         \
    extern const char symbol##_start[], symbol##_end[]

CARRY(import_map_superstore, "superstore.json");
CARRY(import_map_shopify, "shopify.json");
CARRY(import_map_woocommerce, "woocommerce.json");
CARRY(import_map_woocommerce_net, "woocommerce-net.json");
CARRY(import_map_jsonl, "jsonl.json");

static const struct {
    const char *name, *text, *end;
} ready[] = {
    {"superstore", import_map_superstore_start, import_map_superstore_end},
    {"shopify", import_map_shopify_start, import_map_shopify_end},
    {"woocommerce", import_map_woocommerce_start, import_map_woocommerce_end},
    {"woocommerce-net", import_map_woocommerce_net_start, import_map_woocommerce_net_end},
    {"jsonl", import_map_jsonl_start, import_map_jsonl_end},
};

struct oms_str import_map_ready(const char *name)
{
    for (unsigned i = 0; i < OMS_COUNT_OF(ready); i++)
        if (strcmp(ready[i].name, name) == 0)
            return oms_str_make(ready[i].text, (size_t)(ready[i].end - ready[i].text));
    return OMS_STR_NONE;
}

const char *import_map_ready_name(unsigned next)
{
    return next < OMS_COUNT_OF(ready) ? ready[next].name : NULL;
}
