#include "internal.h"

#if defined(__x86_64__)
#include <immintrin.h>

// Every base64 character is told apart by its two halves. For each character two table look-ups, one by its high and one by its
// low four bits, give bit sets of reasons against it; a common bit means that it is not in the alphabet. The tables below follow
// from the alphabet's rows by high half: 2: only '+' (B) and '/' (F); 3: 0-9; 4 and 6: 1-F; 5 and 7: 0-A; all others: none.
//
//   bit 0: row 2, which has only B and F      bit 3: rows 5 and 7, low half 0-A
//   bit 1: row 3, low half 0-9                bit 4: rows that are never allowed
//   bit 2: rows 4 and 6, low half 1-F
#define ROW2 1
#define ROW3 2
#define ROW46 4
#define ROW57 8
#define NEVER 16

#define TWICE(...) _mm256_setr_epi8(__VA_ARGS__, __VA_ARGS__)
#define TARGET __attribute__((target("avx2")))

typedef struct {
    __m256i reasons_high, reasons_low, offsets, nibble, slash;
} tables;

TARGET static inline tables make_tables(void) {
    tables t;
    t.reasons_high = TWICE(NEVER, NEVER, ROW2, ROW3, ROW46, ROW57, ROW46, ROW57,
                           NEVER, NEVER, NEVER, NEVER, NEVER, NEVER, NEVER, NEVER);
    t.reasons_low = TWICE(NEVER | ROW2 | ROW46,          // 0
                          NEVER | ROW2, NEVER | ROW2, NEVER | ROW2, NEVER | ROW2, NEVER | ROW2,
                          NEVER | ROW2, NEVER | ROW2, NEVER | ROW2, NEVER | ROW2, // 1-9
                          NEVER | ROW2 | ROW3,           // A
                          NEVER | ROW3 | ROW57,          // B
                          NEVER | ROW2 | ROW3 | ROW57, NEVER | ROW2 | ROW3 | ROW57, NEVER | ROW2 | ROW3 | ROW57, // C-E
                          NEVER | ROW3 | ROW57);         // F
    // What to add to a character for its value, by high half: '+' 19, digits 4, A-Z -65, a-z -71; '/' (16) has index 1 of its own.
    t.offsets = TWICE(0, 16, 19, 4, -65, -65, -71, -71, 0, 0, 0, 0, 0, 0, 0, 0);
    t.nibble = _mm256_set1_epi8(0x0F);
    t.slash = _mm256_set1_epi8('/');
    return t;
}

// Values of 32 characters; `bad` gathers the reasons against them.
TARGET static inline __m256i values_of(__m256i characters, const tables *t, __m256i *bad) {
    __m256i high = _mm256_and_si256(_mm256_srli_epi32(characters, 4), t->nibble);
    __m256i low = _mm256_and_si256(characters, t->nibble);
    __m256i reasons = _mm256_and_si256(_mm256_shuffle_epi8(t->reasons_high, high), _mm256_shuffle_epi8(t->reasons_low, low));
    *bad = _mm256_or_si256(*bad, reasons);
    // The comparison gives -1 for '/', which moves its row index from 2 to 1.
    __m256i row = _mm256_add_epi8(high, _mm256_cmpeq_epi8(characters, t->slash));
    return _mm256_add_epi8(characters, _mm256_shuffle_epi8(t->offsets, row));
}

// 32 six-bit values become 24 bytes, in the low 24 of the result.
TARGET static inline __m256i pack(__m256i values) {
    __m256i pairs = _mm256_maddubs_epi16(values, _mm256_set1_epi32(0x01400140)); // a * 64 + b: 12 bits in 16
    __m256i groups = _mm256_madd_epi16(pairs, _mm256_set1_epi32(0x00011000));    // ab * 4096 + cd: 24 bits in 32
    // Big-endian bytes of each group, joined in each half of the register, then the halves joined.
    __m256i joined = _mm256_shuffle_epi8(groups, TWICE(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1));
    return _mm256_permutevar8x32_epi32(joined, _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 7, 7));
}

bool cbase64_has_avx2(void) { return __builtin_cpu_supports("avx2"); }

TARGET ptrdiff_t cbase64_decode_avx2(const uint8_t *source, size_t length, uint8_t *destination) {
    const tables t = make_tables();
    size_t position = 0, written = 0;
    // A store writes 32 bytes of which 24 count. At least 16 characters are left for the tail, which are at least 10 bytes: so the
    // last store's 8 extra bytes are still within the destination's room, and padding is never seen here.
    while (length - position >= 128 + 16) {
        __m256i bad = _mm256_setzero_si256();
        const uint8_t *in = source + position;
        __m256i a = values_of(_mm256_loadu_si256((const __m256i *)in), &t, &bad);
        __m256i b = values_of(_mm256_loadu_si256((const __m256i *)(in + 32)), &t, &bad);
        __m256i c = values_of(_mm256_loadu_si256((const __m256i *)(in + 64)), &t, &bad);
        __m256i d = values_of(_mm256_loadu_si256((const __m256i *)(in + 96)), &t, &bad);
        if (!_mm256_testz_si256(bad, bad)) break; // the scalar tail finds out which
        uint8_t *out = destination + written;
        _mm256_storeu_si256((__m256i *)out, pack(a));
        _mm256_storeu_si256((__m256i *)(out + 24), pack(b));
        _mm256_storeu_si256((__m256i *)(out + 48), pack(c));
        _mm256_storeu_si256((__m256i *)(out + 72), pack(d));
        position += 128;
        written += 96;
    }
    while (length - position >= 32 + 16) {
        __m256i bad = _mm256_setzero_si256();
        __m256i a = values_of(_mm256_loadu_si256((const __m256i *)(source + position)), &t, &bad);
        if (!_mm256_testz_si256(bad, bad)) break;
        _mm256_storeu_si256((__m256i *)(destination + written), pack(a));
        position += 32;
        written += 24;
    }
    return cbase64_decode_tail(source, length, position, destination, written);
}

#else

bool cbase64_has_avx2(void) { return false; }

ptrdiff_t cbase64_decode_avx2(const uint8_t *source, size_t length, uint8_t *destination) {
    return cbase64_decode_scalar(source, length, destination);
}

#endif
