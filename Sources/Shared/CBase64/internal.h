#ifndef CBASE64_INTERNAL_H
#define CBASE64_INTERNAL_H

#include "CBase64.h"

/// Six-bit value of each character; 128 for those that are not in the alphabet.
extern const uint8_t cbase64_value_of[256];

/// Decodes from `position` (a multiple of four) to the end, writing at `written`; results as in CBase64.h, counted from the start.
ptrdiff_t cbase64_decode_tail(const uint8_t *source, size_t length, size_t position, uint8_t *destination, size_t written);

#endif
