/* fuzz.h - what fuzz targets share. PROP states a property; its failure is a crash that the fuzzer keeps. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define PROP(condition)                                                                            \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
