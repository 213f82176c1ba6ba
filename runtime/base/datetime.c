/*
 * Instants as text: RFC 3339 in and out, and days of the proleptic Gregorian calendar.
 *
 * libc's functions are not used: they depend on the process's time zone, take no milliseconds and cost more
 * than the rest of an event's rendering. An instant outside the years 0001 to 9999 has no text; formatting
 * shows the nearest one that has, since a number that somebody else chose must not stop the process.
 */
#include "runtime/base/datetime.h"

#define MS_PER_SECOND 1000
#define MS_PER_MINUTE (60 * MS_PER_SECOND)
#define MS_PER_DAY    INT64_C(86400000)
#define MS_MIN        INT64_C(-62135596800000) /* 0001-01-01T00:00:00.000Z */
#define MS_MAX        INT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z */

#define DAYS_PER_400_YEARS 146097
#define DAYS_TO_1970       719468 /* from 0000-03-01 */

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_of_month(int year, int month)
{
    static const char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/*
 * Years are counted from March, so that the leap day is a year's last day; then the days before month m of
 * such a year are (153 × m + 2) / 5, for m = 0 in March.
 */
static int64_t days_of_civil(int year, int month, int day)
{
    int y = month <= 2 ? year - 1 : year;
    int m = month <= 2 ? month + 9 : month - 3;
    return (int64_t)y * 365 + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - DAYS_TO_1970;
}

static void civil_of_days(int64_t days, int *year, int *month, int *day)
{
    int64_t shifted = days + DAYS_TO_1970; /* not negative: years from 0001 */
    int era = (int)(shifted / DAYS_PER_400_YEARS);
    int rest = (int)(shifted % DAYS_PER_400_YEARS);
    /* Take the leap days out, then years are of equal length. */
    int y = (rest - rest / 1460 + rest / 36524 - rest / 146096) / 365;
    int day_of_year = rest - (365 * y + y / 4 - y / 100);
    int m = (5 * day_of_year + 2) / 153;
    *day = day_of_year - (153 * m + 2) / 5 + 1;
    *month = m < 10 ? m + 3 : m - 9;
    *year = era * 400 + y + (*month <= 2);
}

enum oms_status oms_datetime_from_civil(int year, int month, int day, int64_t *out_ms)
{
    if (year < 1 || year > 9999 || month < 1 || month > 12 || day < 1 || day > days_of_month(year, month))
        return OMS_INVALID;
    *out_ms = days_of_civil(year, month, day) * MS_PER_DAY;
    return OMS_OK;
}

/* ---- reading ---- */

struct reader {
    const char *at;
    const char *end;
    bool bad;
};

static int take_digits(struct reader *r, int count)
{
    int value = 0;
    while (count-- > 0) {
        if (r->at == r->end || *r->at < '0' || *r->at > '9') {
            r->bad = true;
            return 0;
        }
        value = value * 10 + (*r->at++ - '0');
    }
    return value;
}

/* `lower` is a letter in lower case, which matches either case, or the character itself. */
static bool take_char(struct reader *r, char lower)
{
    if (r->at == r->end || (*r->at != lower && (lower < 'a' || *r->at != lower - 0x20)))
        return false;
    r->at++;
    return true;
}

static void expect_char(struct reader *r, char lower)
{
    if (!take_char(r, lower))
        r->bad = true;
}

/* Milliseconds of the optional fraction. */
static int take_fraction(struct reader *r)
{
    int value = 0;
    int digits = 0;
    if (!take_char(r, '.'))
        return 0;
    for (; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++, digits++)
        if (digits < 3)
            value = value * 10 + (*r->at - '0');
    if (digits == 0 || digits > 9)
        r->bad = true;
    for (; digits < 3; digits++)
        value *= 10;
    return value;
}

static int64_t take_offset_ms(struct reader *r)
{
    if (take_char(r, 'z'))
        return 0;
    bool negative = take_char(r, '-');
    if (!negative)
        expect_char(r, '+');
    int hours = take_digits(r, 2);
    expect_char(r, ':');
    int minutes = take_digits(r, 2);
    if (hours > 23 || minutes > 59)
        r->bad = true;
    int64_t ms = (int64_t)(hours * 60 + minutes) * MS_PER_MINUTE;
    return negative ? -ms : ms;
}

enum oms_status oms_datetime_parse(struct oms_str text, int64_t *out_ms)
{
    struct reader r = {text.data, text.len ? text.data + text.len : text.data, false};
    int64_t midnight;
    int year = take_digits(&r, 4);
    expect_char(&r, '-');
    int month = take_digits(&r, 2);
    expect_char(&r, '-');
    int day = take_digits(&r, 2);
    expect_char(&r, 't');
    int hour = take_digits(&r, 2);
    expect_char(&r, ':');
    int minute = take_digits(&r, 2);
    expect_char(&r, ':');
    int second = take_digits(&r, 2);
    int fraction = take_fraction(&r);
    int64_t offset = take_offset_ms(&r);
    if (r.bad || r.at != r.end || hour > 23 || minute > 59 || second > 60)
        return OMS_INVALID;
    if (oms_datetime_from_civil(year, month, day, &midnight) != OMS_OK)
        return OMS_INVALID;
    bool leap_second = second == 60;
    if (leap_second) {
        second = 59;
        fraction = 999;
    }
    int64_t ms =
        midnight + (int64_t)(hour * 60 + minute) * MS_PER_MINUTE + second * MS_PER_SECOND + fraction - offset;
    if (ms < MS_MIN || ms > MS_MAX)
        return OMS_INVALID;
    /* A leap second is the last of a UTC day, wherever its clock stands (RFC 3339 section 5.7). */
    if (leap_second && (ms + 1) % MS_PER_DAY != 0)
        return OMS_INVALID;
    *out_ms = ms;
    return OMS_OK;
}

/* ---- writing ---- */

/* Two digits; the compiler turns divisions by constants into multiplications. */
static char *put_pair(char *out, unsigned value)
{
    out[0] = (char)('0' + value / 10);
    out[1] = (char)('0' + value % 10);
    return out + 2;
}

size_t oms_datetime_format(int64_t ms, char out[OMS_DATETIME_TEXT_SIZE])
{
    ms = ms < MS_MIN ? MS_MIN : ms > MS_MAX ? MS_MAX : ms;
    int64_t days = (ms - MS_MIN) / MS_PER_DAY + MS_MIN / MS_PER_DAY;
    unsigned rest = (unsigned)(ms - days * MS_PER_DAY), seconds = rest / MS_PER_SECOND,
             millis = rest % MS_PER_SECOND;
    int year, month, day;
    civil_of_days(days, &year, &month, &day);
    char *at = put_pair(out, (unsigned)year / 100);
    at = put_pair(at, (unsigned)year % 100);
    *at++ = '-';
    at = put_pair(at, (unsigned)month);
    *at++ = '-';
    at = put_pair(at, (unsigned)day);
    *at++ = 'T';
    at = put_pair(at, seconds / 3600);
    *at++ = ':';
    at = put_pair(at, seconds / 60 % 60);
    *at++ = ':';
    at = put_pair(at, seconds % 60);
    *at++ = '.';
    *at++ = (char)('0' + millis / 100);
    at = put_pair(at, millis % 100);
    *at++ = 'Z';
    *at = '\0';
    return (size_t)(at - out);
}
