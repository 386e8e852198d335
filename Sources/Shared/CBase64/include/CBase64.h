// Strict base64 decoding (RFC 4648, section 4): the standard alphabet, padding required, no white space,
// no line breaks, and the unused bits of a padded last group must be zero.
//
// All decoders share one contract. `source` holds `length` characters; `destination` has room for at least
// `length / 4 * 3` bytes and does not overlap it. The result is the number of bytes written (>= 0), or
// -(position + 1) for the first character that is wrong; a length that is no multiple of four is an error at
// position `length`. After an error the destination's contents are unspecified, but nothing past its room is touched.
#ifndef CBASE64_H
#define CBASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// The fastest decoder that this processor can run.
ptrdiff_t cbase64_decode(const uint8_t *source, size_t length, uint8_t *destination);

/// The portable decoder: one table look-up a character.
ptrdiff_t cbase64_decode_scalar(const uint8_t *source, size_t length, uint8_t *destination);

/// Whether `cbase64_decode_avx2` may be called.
bool cbase64_has_avx2(void);

/// 32 characters a step with AVX2. Call it only where `cbase64_has_avx2()`; elsewhere it is the scalar decoder.
ptrdiff_t cbase64_decode_avx2(const uint8_t *source, size_t length, uint8_t *destination);

/// Whether `cbase64_decode_avx512` may be called: AVX-512 with its byte permutations (VBMI), as Ice Lake and Zen 4 have it.
bool cbase64_has_avx512(void);

/// 64 characters a step with AVX-512. Call it only where `cbase64_has_avx512()`; elsewhere it is the scalar decoder.
ptrdiff_t cbase64_decode_avx512(const uint8_t *source, size_t length, uint8_t *destination);

#endif
