#include "tests/integration/superstore_file.h"

#include <stdbool.h>
#include <stdlib.h>

#include "runtime/base/assert.h"
#include "runtime/base/prng.h"

static const char *const modes[] = {"Standard Class", "Second Class", "First Class", "Same Day"};
static const char *const segments[] = {"Consumer", "Corporate", "Home Office"};
static const char *const names[] = {"Ada Example", "Bo O'Sample", "Cy van Test", "Di \"Dot\" Case"};
static const char *const products[][4] = {
    {"FUR-CH-1000", "Furniture", "Chairs", "Stacking chair, oak, set of 2"},
    {"OFF-LA-2000", "Office Supplies", "Labels", "Address labels"},
    {"TEC-PH-3000", "Technology", "Phones", "Desk phone, 5\" screen, black"},
    {"OFF-ST-4000", "Office Supplies", "Storage", "Steel shelf"},
};
static const unsigned discounts[] = {0, 0, 10, 15, 20, 32, 45, 70, 80}; /* percent */

static const char *pick(struct oms_prng *prng, const char *const *list, unsigned count)
{
    return list[oms_prng_below(prng, count)];
}

/* Quoted when it must be, as spreadsheets do. */
static void put_text(FILE *out, const char *text)
{
    bool quote = false;

    for (const char *c = text; *c; c++)
        quote = quote || *c == ',' || *c == '"';
    if (quote)
        fputc('"', out);
    for (const char *c = text; *c; c++) {
        if (*c == '"')
            fputc('"', out);
        fputc(*c, out);
    }
    fputs(quote ? "\"," : ",", out);
}

/* Ten-thousandths as a decimal without trailing zeros. */
static void put_decimal(FILE *out, uint64_t value)
{
    unsigned decimals = 4;
    uint64_t scale = 10000;

    while (decimals > 0 && value % 10 == 0) {
        value /= 10;
        scale /= 10;
        decimals--;
    }
    fprintf(out, "%llu", (unsigned long long)(value / scale));
    if (decimals)
        fprintf(out, ".%0*llu", (int)decimals, (unsigned long long)(value % scale));
    fputc(',', out);
}

static void put_row(FILE *out, struct oms_prng *prng, unsigned row, const char *order_part)
{
    const char *const *product = products[oms_prng_below(prng, OMS_COUNT_OF(products))];
    unsigned quantity = 1 + (unsigned)oms_prng_below(prng, 14);
    uint64_t cents = 1 + oms_prng_below(prng, 200000);
    unsigned discount = discounts[oms_prng_below(prng, OMS_COUNT_OF(discounts))];

    fprintf(out, "%u,%s", row, order_part);
    fprintf(out, "%s%u,%s,%s,", product[0], (unsigned)oms_prng_below(prng, 100), product[1], product[2]);
    put_text(out, product[3]);
    put_decimal(out, cents * quantity * (100 - discount));
    fprintf(out, "%u,", quantity);
    put_decimal(out, discount * 100);
    fprintf(out, "%d.5\r\n", (int)oms_prng_below(prng, 400) - 200);
}

long superstore_write(FILE *out, unsigned orders, uint64_t seed)
{
    struct oms_prng prng;
    unsigned rows = 0;

    oms_prng_seed(&prng, seed);
    fputs("\xEF\xBB\xBFRow ID,Order ID,Order Date,Ship Date,Ship Mode,Customer ID,Customer "
          "Name,Segment,Country,City,"
          "State,Postal Code,Region,Product ID,Category,Sub-Category,Product "
          "Name,Sales,Quantity,Discount,Profit\r\n",
          out);
    for (unsigned i = 0; i < orders; i++) {
        char *part = NULL;
        size_t size = 0;
        FILE *memory = open_memstream(&part, &size);
        unsigned year = 2015 + (unsigned)oms_prng_below(&prng, 4),
                 month = 1 + (unsigned)oms_prng_below(&prng, 12);
        unsigned day = 1 + (unsigned)oms_prng_below(&prng, 24),
                 customer = (unsigned)oms_prng_below(&prng, 500);
        OMS_ASSERT(memory);
        fprintf(memory, "CA-%u-%06u,%u/%u/%u,%u/%u/%u,%s,CX-%05u,", year, i, month, day, year, month, day + 4,
                year, pick(&prng, modes, OMS_COUNT_OF(modes)), customer);
        put_text(memory, names[customer % OMS_COUNT_OF(names)]);
        fprintf(memory, "%s,United States,Burlington,Vermont,", segments[customer % OMS_COUNT_OF(segments)]);
        if (i % 50 == 49)
            fputs(",East,", memory); /* no postal code */
        else
            fprintf(memory, "%u,East,",
                    5400 + (unsigned)oms_prng_below(&prng, 90000)); /* some lack a leading zero */
        OMS_ASSERT(fclose(memory) == 0);
        for (uint64_t lines = 1 + oms_prng_below(&prng, 5); lines > 0; lines--)
            put_row(out, &prng, ++rows, part);
        free(part);
    }
    return fflush(out) == 0 && !ferror(out) ? (long)rows : -1;
}
