#include "internal.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("avx512f,avx512bw,avx512vbmi")))

// Where each byte of the result lies among the groups of 24 bits in 32, which are little-endian: the last 16 count for nothing.
static const uint8_t places[64] = {
    2,  1,  0,  6,  5,  4,  10, 9,  8,  14, 13, 12, 18, 17, 16, 22, 21, 20, 26, 25, 24, 30, 29, 28, 34, 33, 32, 38, 37, 36, 42, 41,
    40, 46, 45, 44, 50, 49, 48, 54, 53, 52, 58, 57, 56, 62, 61, 60, 0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,
};

typedef struct {
    __m512i low, high, places;
} tables;

// Values of 64 characters; the top bit of each byte of `bad` gathers what is not in the alphabet.
TARGET static inline __m512i values_of(__m512i characters, const tables *t, __m512i *bad) {
    // The table has 128 places, so characters beyond ASCII are told by their own top bit.
    __m512i values = _mm512_permutex2var_epi8(t->low, characters, t->high);
    *bad = _mm512_or_si512(*bad, _mm512_or_si512(values, characters));
    return values;
}

// 64 six-bit values become 48 bytes, in the low 48 of the result.
TARGET static inline __m512i pack(__m512i values, const tables *t) {
    __m512i pairs = _mm512_maddubs_epi16(values, _mm512_set1_epi32(0x01400140)); // a * 64 + b: 12 bits in 16
    __m512i groups = _mm512_madd_epi16(pairs, _mm512_set1_epi32(0x00011000));    // ab * 4096 + cd: 24 bits in 32
    return _mm512_permutexvar_epi8(t->places, groups);
}

bool cbase64_has_avx512(void) { return __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512bw"); }

TARGET ptrdiff_t cbase64_decode_avx512(const uint8_t *source, size_t length, uint8_t *destination) {
    const tables t = {
        _mm512_loadu_si512(cbase64_value_of),
        _mm512_loadu_si512(cbase64_value_of + 64),
        _mm512_loadu_si512(places),
    };
    size_t position = 0, written = 0;
    // A store writes 64 bytes of which 48 count. At least 24 characters are left for the tail, which are at least 16 bytes: so the
    // last store's 16 extra bytes are still within the destination's room, and padding is never seen here.
    while (length - position >= 128 + 24) {
        __m512i bad = _mm512_setzero_si512();
        __m512i a = values_of(_mm512_loadu_si512(source + position), &t, &bad);
        __m512i b = values_of(_mm512_loadu_si512(source + position + 64), &t, &bad);
        if (_mm512_movepi8_mask(bad)) break; // the scalar tail finds out which
        _mm512_storeu_si512(destination + written, pack(a, &t));
        _mm512_storeu_si512(destination + written + 48, pack(b, &t));
        position += 128;
        written += 96;
    }
    return cbase64_decode_tail(source, length, position, destination, written);
}

#else

bool cbase64_has_avx512(void) { return false; }

ptrdiff_t cbase64_decode_avx512(const uint8_t *source, size_t length, uint8_t *destination) {
    return cbase64_decode_scalar(source, length, destination);
}

#endif
