/*
 * Countries: ISO 3166-1 alpha-2 codes and English names, in both directions. Read-only tables, any thread.
 *
 * Input may name a country by its code (two or three letters) or by its English short name or a common other
 * one, without regard to case, accents left out; we keep the two-letter code.
 */
#ifndef COUNTRY_H
#define COUNTRY_H

#include "runtime/base/str.h"

/* The two capital letters of what `text` names (white space around it ignored); absent when it names none.
 * Static. */
struct oms_str country_parse(struct oms_str text);
/* The English short name of a two-letter code in capitals, or NULL. */
const char *country_name(struct oms_str code);

#endif
