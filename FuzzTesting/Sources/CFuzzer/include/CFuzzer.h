// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

#ifndef CFUZZER_H
#define CFUZZER_H

#include <stddef.h>
#include <stdint.h>

/// libFuzzer, as a function: takes its options from the arguments, calls `one` for every input, and returns the status to
/// exit with. https://llvm.org/docs/LibFuzzer.html
int LLVMFuzzerRunDriver(int *count, char ***arguments, int (*one)(const uint8_t *bytes, size_t count));

#endif
