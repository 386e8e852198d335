#include "internal.h"

// BAD has the top bit, which no value has, so that one OR tells whether any of four characters is bad.
#define BAD 128
#define value_of cbase64_value_of
const uint8_t value_of[256] = {
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,  62, BAD, BAD, BAD,  63,
     52,  53,  54,  55,  56,  57,  58,  59,  60,  61, BAD, BAD, BAD, BAD, BAD, BAD,
    BAD,   0,   1,   2,   3,   4,   5,   6,   7,   8,   9,  10,  11,  12,  13,  14,
     15,  16,  17,  18,  19,  20,  21,  22,  23,  24,  25, BAD, BAD, BAD, BAD, BAD,
    BAD,  26,  27,  28,  29,  30,  31,  32,  33,  34,  35,  36,  37,  38,  39,  40,
     41,  42,  43,  44,  45,  46,  47,  48,  49,  50,  51, BAD, BAD, BAD, BAD, BAD,
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
};

// Position of the first bad one among the four characters at `position`.
static ptrdiff_t bad_character(const uint8_t *source, size_t position) {
    while (!(value_of[source[position]] & BAD)) position++;
    return -(ptrdiff_t)position - 1;
}

// The last group of four, the only one that may be padded.
static ptrdiff_t decode_last(const uint8_t *source, size_t position, uint8_t *destination, size_t written) {
    const uint8_t *in = source + position;
    unsigned characters = in[3] != '=' ? 4 : in[2] != '=' ? 3 : 2;
    uint32_t group = 0;
    for (unsigned i = 0; i < 4; i++) {
        uint8_t value = i < characters ? value_of[in[i]] : 0;
        if (value & BAD) return -(ptrdiff_t)(position + i) - 1;
        group = group << 6 | value;
    }
    // Two characters carry one byte and four spare bits, three carry two bytes and two spare bits.
    unsigned bytes = characters - 1;
    if (group & (0xFFFFFFu >> (8 * bytes))) return -(ptrdiff_t)(position + characters - 1) - 1;
    for (unsigned i = 0; i < bytes; i++) destination[written++] = (uint8_t)(group >> (16 - 8 * i));
    return (ptrdiff_t)written;
}

ptrdiff_t cbase64_decode_tail(const uint8_t *source, size_t length, size_t position, uint8_t *destination, size_t written) {
    while (length - position > 4) {
        uint32_t a = value_of[source[position]], b = value_of[source[position + 1]];
        uint32_t c = value_of[source[position + 2]], d = value_of[source[position + 3]];
        if ((a | b | c | d) & BAD) return bad_character(source, position);
        uint32_t group = a << 18 | b << 12 | c << 6 | d;
        destination[written] = (uint8_t)(group >> 16);
        destination[written + 1] = (uint8_t)(group >> 8);
        destination[written + 2] = (uint8_t)group;
        position += 4;
        written += 3;
    }
    if (length - position == 4) return decode_last(source, position, destination, written);
    // Fewer than four are left: a length that is no multiple of four, unless nothing is left.
    for (; position < length; position++) {
        if (value_of[source[position]] & BAD) return -(ptrdiff_t)position - 1;
    }
    return length % 4 == 0 ? (ptrdiff_t)written : -(ptrdiff_t)length - 1;
}

ptrdiff_t cbase64_decode_scalar(const uint8_t *source, size_t length, uint8_t *destination) {
    return cbase64_decode_tail(source, length, 0, destination, 0);
}
