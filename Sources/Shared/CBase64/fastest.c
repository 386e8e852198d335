#include "CBase64.h"

ptrdiff_t cbase64_decode(const uint8_t *source, size_t length, uint8_t *destination) {
    if (cbase64_has_avx512()) return cbase64_decode_avx512(source, length, destination);
    if (cbase64_has_avx2()) return cbase64_decode_avx2(source, length, destination);
    return cbase64_decode_scalar(source, length, destination);
}
